"""Measures which secrets `show` leaves unmasked at places whose names do not say that they are secret.

usage: secrets_in_requests.py PROGRAM SHAPES.py [--most PERCENT]

SHAPES.py has a dict S of functions from a random generator to a secret, by name. UUIDs and numbers of up to seven digits are shown on
purpose: they are what ids look like, and a call cannot be written without them.
"""

import argparse
import importlib.util
import json
import random
import re
import subprocess
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from urllib.parse import quote

INSTANCES = 2
URL = "https://a.example/v1/things/7"
PLACES = ("path", "query", "header", "cookie", "json", "form", "answer header", "answer", "key of an answer")
SHOWN_ON_PURPOSE = re.compile(r"^(\d{1,7}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$")


def planted(number, place, secret):
    """Return an exchange with a secret at a place."""
    url, sent, answered = URL, [["accept", "*/*"]], [["content-type", "application/json"]]
    flow = {"id": f"f{number}", "method": "POST", "status": 200, "response_body": '{"ok":true}'}
    if place == "path":
        url = URL[:-1] + quote(secret, safe="")
    elif place == "query":
        url += "?foo=" + quote(secret, safe="")
    elif place == "header":
        sent.append(["X-Thing", secret])
    elif place == "cookie":
        sent.append(["Cookie", f"a={secret}"])
    elif place == "json":
        sent.append(["content-type", "application/json"])
        flow["request_body"] = json.dumps({"thing": secret})
    elif place == "form":
        sent.append(["content-type", "application/x-www-form-urlencoded"])
        flow["request_body"] = "thing=" + quote(secret, safe="")
    elif place == "answer header":
        answered.append(["X-Reply", secret])
    elif place == "answer":
        flow["response_body"] = json.dumps({"items": [{"value": secret}]})
    else:
        flow["response_body"] = json.dumps({secret: 1})
    return {**flow, "url": url, "request_headers": sent, "response_headers": answered}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("shapes", type=Path)
    parser.add_argument("--most", type=float, default=100.0, help="fail where more than this share of the instances is shown, in percent")
    arguments = parser.parse_args()
    spec = importlib.util.spec_from_file_location("shapes", arguments.shapes)
    shapes = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(shapes)
    secrets = [(name, make(random.Random(f"{name}{seed}"))) for name, make in shapes.S.items() for seed in range(INSTANCES)]
    secrets = [(name, secret) for name, secret in secrets if not SHOWN_ON_PURPOSE.match(secret)]
    items = [(f"f{place * len(secrets) + at}", name, PLACES[place], secret)
             for place in range(len(PLACES)) for at, (name, secret) in enumerate(secrets)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "requests.jsonl")
        path.write_text("".join(json.dumps(planted(id[1:], place, secret)) + "\n" for id, _, place, secret in items))
        run = subprocess.run([arguments.program, "show", str(path), "--endpoint", URL, "--newest", "1000000", "--json"],
                             capture_output=True, check=True)
    found = {exchange["id"]: json.dumps(exchange, ensure_ascii=False) for exchange in json.loads(run.stdout)}
    assert len(found) == len(items), f"{len(found)} of {len(items)} requests are shown"
    shown, names = Counter(), defaultdict(set)
    for id, name, place, secret in items:
        if any(form in found[id] for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1])):
            shown[place] += 1
            names[place].add(name)
    for place in PLACES:
        print(f"{place:18} {100 * shown[place] / len(secrets):5.2f} %  {' '.join(sorted(names[place])[:12])}")
    if any(100 * shown[place] / len(secrets) > arguments.most for place in PLACES):
        raise SystemExit(f"more than {arguments.most} % are shown")


main()
