#!/usr/bin/env python3
"""Counts the secrets that a report reveals, by kind of secret and position in the request: secrets_check.py PROGRAM SHAPES.py [--most PERCENT]

SHAPES.py has S, a dict of functions that generate a secret of one kind from a random.Random. Each secret is sent once, to its own
host. A secret that cannot occur at a position (a host label has no spaces) is not tested there. Flow ids are exempt from --most,
because users look up flows by a UUID or a counter.
"""

import argparse
import importlib.util
import json
import random
import re
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote, unquote

INSTANCES = 3


def encoded(text):
    return quote(text, safe="%~!$&'()*+,;=:@-._")


def label(text):
    """Return the text if it is a valid host label, else an empty string."""
    return text if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}", text) else ""


def graphql(host, name):
    body = json.dumps({"operationName": name, "query": "query X { a }"})
    return {"method": "POST", "url": f"https://{host}/graphql", "request_headers": [["content-type", "application/json"]], "request_body": body}


def post(host, media_type, body):
    return {"method": "POST", "url": f"https://{host}/api/calls", "request_headers": [["content-type", media_type]], "request_body": body}


def get(host, path, **more):
    return {"method": "GET", "url": f"https://{host}{path}", **more}


PLACES = {
    "segment alone": lambda host, text: get(host, f"/{encoded(text)}"),
    "segment below": lambda host, text: get(host, f"/api/users/{encoded(text)}"),
    "segment between": lambda host, text: get(host, f"/api/{encoded(text)}/settings"),
    "segment parameter": lambda host, text: get(host, f"/app/home;jsessionid={encoded(text)}"),
    "host label": lambda host, text: get(f"{label(text)}.{host}", "/api/users"),
    "header name": lambda host, text: get(host, "/api/users", request_headers=[[text, "1"]]),
    "parameter name": lambda host, text: get(host, f"/api/users?{quote(text)}=1"),
    "bare parameter": lambda host, text: get(host, f"/api/users?{quote(text)}"),
    "method": lambda host, text: {**get(host, "/api/users"), "method": text},
    "operation": graphql,
    "media type": lambda host, text: get(host, "/api/users", status=200, content_type="application/" + text),
    "flow id": lambda host, text: get(host, "/api/users", id=text),
    "segment last of many": lambda host, text: get(host, f"/api/v1/users/me/settings/{encoded(text)}"),
    "segment with suffix": lambda host, text: get(host, f"/api/users/{encoded(text)}.json"),
    "segment with prefix": lambda host, text: get(host, f"/api/users/key-{encoded(text)}"),
    "assignment": lambda host, text: get(host, f"/api/users/token={encoded(text)}"),
    "second assignment": lambda host, text: get(host, f"/api/users/page=1,token={encoded(text)}"),
    "list item": lambda host, text: get(host, f"/api/users/all,{encoded(text)}"),
    "quoted key": lambda host, text: get(host, f"/odata/Users('{encoded(text)}')"),
    "segment encoded twice": lambda host, text: get(host, f"/api/users/{quote(quote(text, safe=''), safe='')}"),
    "matrix parameter name": lambda host, text: get(host, f"/app/home;{encoded(text)}=1"),
    "RPC segment": lambda host, text: get(host, f"/rpc/users.{encoded(text)}"),
    "verb segment": lambda host, text: get(host, f"/api/users:{encoded(text)}"),
    "parameter value": lambda host, text: get(host, f"/api/users?q={quote(text)}"),
    "action value": lambda host, text: get(host, f"/api.php?action={quote(text)}"),
    "bracketed parameter": lambda host, text: get(host, f"/api/users?filter[{quote(text)}]=1"),
    "fragment": lambda host, text: get(host, f"/api/users#{quote(text)}"),
    "user name": lambda host, text: get(f"{quote(text, safe='')}@{host}", "/api/users"),
    "header value": lambda host, text: get(host, "/api/users", request_headers=[["x-api-key", text]]),
    "cookie": lambda host, text: get(host, "/api/users", request_headers=[["cookie", f"{text}={text}"]]),
    "charset": lambda host, text: get(host, "/api/users", status=200, content_type=f"text/html; charset={text}"),
    "top media type": lambda host, text: get(host, "/api/users", status=200, content_type=text),
    "JSON-RPC method": lambda host, text: post(host, "application/json", json.dumps({"jsonrpc": "2.0", "id": 1, "method": text})),
    "SOAP action": lambda host, text: {**post(host, "text/xml", "<a/>"), "request_headers": [["soapaction", f'"urn:x#{text}"']]},
    "body": lambda host, text: post(host, "application/json", json.dumps({text: text, "query": text})),
}

# Flows are looked up by their ids, so these are counted but exempt from the bound.
UNBOUND = ["flow id"]


def host_of(number):
    draw = random.Random(number)
    name = "".join(draw.choice("bcdfgklmnprst") + draw.choice("aeiou") for _ in range(4))
    return f"{name}{number}.org"


def is_shown(place, text, patterns):
    said = json.dumps(patterns, ensure_ascii=False).lower()
    if place == "host label":
        return label(text).lower() in said
    forms = {text, encoded(text), unquote(text), json.dumps(text)[1:-1]}
    core = text.split("=")[-1].split(":")[-1]
    if len(core) >= 8:
        forms.add(core)
    return any(form and form.lower() in said for form in forms)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("shapes", type=Path)
    parser.add_argument("--most", type=float, default=100.0, help="fail where more than this share of the instances is shown, in percent")
    arguments = parser.parse_args()
    spec = importlib.util.spec_from_file_location("shapes", arguments.shapes)
    shapes = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(shapes)
    items = [(name, make(random.Random(seed * 7919 + len(name))), host_of(number * INSTANCES + seed))
             for number, (name, make) in enumerate(shapes.S.items()) for seed in range(INSTANCES)]
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "shapes.jsonl")
        for place, make in PLACES.items():
            fitting = [item for item in items if place != "host label" or label(item[1])]
            path.write_text("".join(json.dumps(make(host, text)) + "\n" for _, text, host in fitting))
            run = subprocess.run([arguments.program, "analyze", "--quiet", "--format", "json", str(path)], capture_output=True, check=True)
            by_host = {}
            for pattern in json.loads(run.stdout)["patterns"]:
                by_host.setdefault(".".join(pattern["host"].split(".")[-2:]), []).append(pattern)
            shown = [name for name, text, host in fitting if is_shown(place, text, by_host.get(host, []))]
            share = 100 * len(shown) / len(items)
            failed |= share > arguments.most and place not in UNBOUND
            print(f"{place:22} {share:5.2f} %  {' '.join(sorted(set(shown))[:12])}")
    if failed:
        raise SystemExit(f"more than {arguments.most} % are shown")


main()
