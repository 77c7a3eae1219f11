#!/usr/bin/env python3
"""Whether descriptions state the security that vendors do: security_check.py PROGRAM DESCRIPTION.json CAPTURE.jsonl[.gz] [...]

For pairs of a vendor's description (OpenAPI 3, JSON) and a capture whose lines have the true template (`truth`): of each operation
whose requests carried credentials that the vendor's security asks for, whether what is described from the capture asks for them in
the same way: the same header, query parameter, cookie or scheme of Authorization (OAuth 2 and OpenID Connect send Bearer). Exits
with 1 if fewer than 97 % of these operations are right.
"""

import argparse
import collections
import json
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from description_bodies import Description, path_items, read_flows, read_labels, shape_of

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


def carrier(scheme):
    """How a scheme's credentials are sent: (place, name)."""
    kind = scheme.get("type")
    if kind == "apiKey":
        place, name = scheme.get("in"), str(scheme.get("name")).lower()
        return ("http", "any") if (place, name) == ("header", "authorization") else (place, name)
    if kind == "http":
        return "http", str(scheme.get("scheme")).lower()
    return "http", "bearer"


def alternatives(document, operation):
    """The sets of carriers of which one has to be sent."""
    schemes = (document.get("components") or {}).get("securitySchemes") or {}
    needed = operation.get("security", document.get("security")) or []
    return [{carrier(schemes[name]) for name in one if name in schemes} for one in needed]


def sent(flow, wanted):
    headers = {name.lower(): value or "" for name, value in flow.get("request_headers") or []}
    query = {name.lower() for name, _ in parse_qsl(urlsplit(flow["url"]).query, keep_blank_values=True)}
    cookies = {pair.split("=")[0].strip().lower() for pair in headers.get("cookie", "").split(";")}
    place, name = wanted
    if place == "http":
        value = headers.get("authorization", "")
        is_removed = "REDACTED" in value and " " not in value
        return bool(value) and (name == "any" or is_removed or value.split(" ")[0].lower() == name)
    return name in {"header": headers, "query": query, "cookie": cookies}.get(place, ())


def is_same(ours, theirs):
    """Whether two sets of carriers ask for the same. A vendor's key in Authorization may be any scheme."""
    if ours == theirs:
        return True
    any_scheme = lambda carriers: {("http", "any") if place == "http" else (place, name) for place, name in carriers}
    return ("http", "any") in (ours | theirs) and any_scheme(ours) == any_scheme(theirs)


def described(program, capture):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, "openapi", "-q", "--format", "json", "--output", folder, str(capture)], check=False)
        documents = (json.loads(file.read_text()) for file in sorted(Path(folder).iterdir()))
        return {document["info"]["title"]: document for document in documents}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("pairs", type=Path, nargs="+")
    arguments = parser.parse_args()
    all_counts, shown = collections.Counter(), 0
    for description, capture in zip(arguments.pairs[::2], arguments.pairs[1::2], strict=True):
        vendor = json.loads(description.read_text())
        items = path_items(vendor)
        flows = read_flows(capture)
        labels = read_labels(arguments.program, flows)
        documents = described(arguments.program, capture)
        of_operation, counts = {}, collections.Counter()
        for flow in flows:
            truth = flow.get("truth") or ""
            method, path = truth.split(" ", 1) if " " in truth else (flow["method"], truth)
            operation = items.get(shape_of(path), {}).get(method.lower())
            label = labels.get(flow["id"])
            if not operation or not label:
                continue
            stated = [one for one in alternatives(vendor, operation) if one]
            used = [one for one in stated if all(sent(flow, wanted) for wanted in one)]
            if used:
                of_operation.setdefault((method, path), ([], set()))
                of_operation[method, path][0].extend(used)
                of_operation[method, path][1].add((label["host"], label["method"].lower(), label["path_pattern"]))
        for (method, path), (used, places) in of_operation.items():
            is_right = True
            for host, own_method, own_path in places:
                own = Description(documents[host])
                item = own.paths.get(shape_of(own_path.removeprefix(own.base)) or "/", {})
                stated = alternatives(own.document, item.get(own_method) or {})
                # Requests that carry several of the vendor's alternatives cannot show that one is enough.
                allowed = [*used, set().union(*used)]
                is_right &= bool(stated) and all(any(is_same(one, wanted) for wanted in allowed) for one in stated if one)
            counts["operations"] += 1
            counts["right"] += is_right
            if not is_right and shown < 20:
                shown += 1
                print(f"   {method} {path}: vendor {used[0]}, described {stated}")
        all_counts.update(counts)
        print(f"{description.name:40} {counts['right']} of {counts['operations']}", flush=True)
    share = all_counts["right"] / max(all_counts["operations"], 1)
    print(f"{len(arguments.pairs) // 2} descriptions: {all_counts['right']} of {all_counts['operations']} operations, {share:.4f}")
    raise SystemExit(share < 0.97)


main()
