#!/usr/bin/env python3
"""Whether drift judges bodies as JSON Schema does: drift_verdicts.py TOOL DESCRIPTION.json CAPTURE.jsonl[.gz] [...]

TOOL is the built tool `drift_each`. For pairs of a description (JSON, OpenAPI 3) and a capture whose lines have the
true template (`truth`), each recorded JSON body that has a schema is judged by the Python package jsonschema, with formats, and by
drift. Prints the bodies, those that jsonschema refuses, and those whose verdicts differ. Exits with 1 if more than one body in a
thousand differs.
"""

import argparse
import collections
import json
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import jsonschema
from description_bodies import bodies_of, path_items, read_flows, shape_of

REFUSED = {
    "forbidden-property", "missing-required", "wrong-kind", "null-not-allowed", "wrong-format", "outside-enum", "out-of-bounds",
    "no-branch", "several-branches",
}  # fmt: skip


def modern(node, is_old, direction):
    """A schema of OpenAPI 3.0 as one of JSON Schema 2020-12, for messages of one direction."""
    if isinstance(node, list):
        return [modern(part, is_old, direction) for part in node]
    if not isinstance(node, dict):
        return node
    if is_old and isinstance(node.get("$ref"), str):
        return {"$ref": node["$ref"]}
    node = {key: value if key in ("enum", "const", "example", "examples", "default") else modern(value, is_old, direction) for key, value in node.items()}
    # OpenAPI 3.0.3 and 3.1.0, schema object: what is read only or write only is required in the other direction alone.
    absent = "readOnly" if direction == "request" else "writeOnly"
    properties = node.get("properties")
    if isinstance(properties, dict) and isinstance(node.get("required"), list):
        node["required"] = [name for name in node["required"] if not (isinstance(properties.get(name), dict) and properties[name].get(absent) is True)]
    if is_old:
        for bound, own in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if isinstance(node.get(bound), bool):
                if node.pop(bound) and own in node:
                    node[bound] = node.pop(own)
        # Beside references and combinations `nullable` says nothing by the letter; drift reads it as everybody means it.
        if node.pop("nullable", None) is True:
            node = {"anyOf": [node, {"type": "null"}]}
    return node


def at_server(flows, document):
    """The flows, sent to the host that the description names: recordings often come from a host of their own."""
    parts = urlsplit(((document.get("servers") or [{}])[0] or {}).get("url") or "")
    if parts.netloc and "{" not in parts.netloc:
        for flow in flows:
            flow["url"] = urlsplit(flow["url"])._replace(scheme=parts.scheme or "https", netloc=parts.netloc).geturl()
    return flows


class Judge:
    def __init__(self, document):
        self.is_old = str(document["openapi"]).startswith("3.0")
        self.components = {}
        for direction in ("request", "response"):
            self.components[direction] = modern(document.get("components") or {}, self.is_old, direction)
        self.document = document
        self.items = path_items(document)
        self.made = {}

    def resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            found = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            node = found
        return node or {}

    def validator(self, method, path, direction, status, kind):
        key = method, path, direction, status, kind
        if key not in self.made:
            self.made[key] = self.make(*key)
        return self.made[key]

    def make(self, method, path, direction, status, kind):
        operation = self.resolve(self.items.get(path)).get(method.lower()) or {}
        if direction == "request":
            part = self.resolve(operation.get("requestBody"))
        else:
            answers = operation.get("responses") or {}
            part = self.resolve(answers.get(status) or answers.get(status[0] + "XX") or answers.get("default"))
        contents = part.get("content") or {}
        schema = (contents.get(kind) or {}).get("schema")
        if schema is None:
            return None
        schema = modern(schema, self.is_old, direction)
        schema = {"allOf": [schema], "components": self.components[direction]}
        return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def verdicts(tool, description, flows):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write("".join(json.dumps(flow) + "\n" for flow in flows))
        file.flush()
        done = subprocess.run([tool, str(description), file.name], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{description}: {done.stderr}")
    return map(json.loads, done.stdout.splitlines())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("pairs", type=Path, nargs="+")
    parser.add_argument("--shown", type=int, default=3)
    arguments = parser.parse_args()
    counts = collections.Counter()
    for description, capture in zip(arguments.pairs[::2], arguments.pairs[1::2], strict=True):
        judge = Judge(json.loads(description.read_text()))
        flows = at_server(read_flows(capture), judge.document)
        own = collections.Counter()
        for flow, findings in zip(flows, verdicts(arguments.tool, description, flows), strict=True):
            truth = flow.get("truth") or ""
            method, path = truth.split(" ", 1) if " " in truth else (flow["method"], truth)
            # The flow went to another operation than the one that the label names, or to none.
            if any(rule in ("undocumented-host", "undocumented-endpoint", "undocumented-method") for rule, _, _ in findings):
                own["of no operation"] += 1
                continue
            operations = {operation for _, operation, _ in findings}
            # Paths of a description come after the path of its server.
            if any(not shape_of(path).endswith(shape_of(operation.split(" ", 1)[-1])) for operation in operations if operation):
                own["of another operation"] += 1
                continue
            for direction, status, kind, body in bodies_of(flow):
                try:
                    validator = judge.validator(method, shape_of(path), direction, status, kind)
                    is_refused = validator is not None and not validator.is_valid(body)
                except Exception:  # jsonschema stops at references and patterns that are not valid; drift notes and goes on
                    own["not judged by jsonschema"] += 1
                    continue
                if validator is None:
                    continue
                place = "request body" if direction == "request" else f"response {status}"
                said = [found for found in findings if found[0] in REFUSED and found[2].startswith(place)]
                own["bodies"] += 1
                own["refused"] += is_refused
                if is_refused != bool(said):
                    own["differ"] += 1
                    if own["differ"] <= arguments.shown:
                        error = next(iter(validator.iter_errors(body)), None)
                        why = f"{list(error.absolute_path)[:6]} {error.validator}: {error.message[-160:]}" if error else "valid"
                        print(f"   {truth} {place}: drift {said[:2]}; jsonschema {why}")
        counts.update(own)
        print(f"{description.name:40} " + ", ".join(f"{count} {what}" for what, count in own.items()), flush=True)
    agreement = 1 - counts["differ"] / max(counts["bodies"], 1)
    print(f"{len(arguments.pairs) // 2} descriptions: " + ", ".join(f"{count} {what}" for what, count in counts.items()) + f"; agreement {agreement:.5f}")
    raise SystemExit(agreement < 0.999)


main()
