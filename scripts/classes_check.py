#!/usr/bin/env python3
"""Checks the classes of endpoints on labelled browser sessions: classes_check.py PROGRAM SESSION.jsonl.gz...

A labelled request is a call of an API unless it loads a page or an asset, by its method, its content type and the headers of the
browser. Two numbers have bounds over all sessions: the share of these calls whose endpoint `--only api` leaves out, and the rows of
`--only api` (an endpoint, or a third party) for each endpoint that is true by its label.
"""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

LOST, ROWS = 0.02, 3.0
ASSETS = ("image/", "video/", "audio/", "font/", "css", "javascript")


def is_call(request):
    content_type = request["content_type"] or ""
    headers = {name.lower(): value for name, value in request["request_headers"]}
    if any(asset in content_type for asset in ASSETS):
        return False
    is_page = "html" in content_type and request["method"] in ("GET", "HEAD")
    return not is_page or headers.get("sec-fetch-dest") == "empty" or "x-requested-with" in headers


def main(program, *files):
    run = lambda *arguments: subprocess.run([program, *arguments], check=True, capture_output=True, text=True).stdout
    calls = lost = rows = true = 0
    for file in files:
        report = json.loads(run("analyze", "-q", "--format", "json", file))
        classes = {(pattern["host"], pattern["endpoint"]): pattern["class"] for pattern in report["patterns"]}
        labels = [json.loads(line) for line in run("label", "-q", file).splitlines()]
        with gzip.open(file, "rt") as lines:
            requests = [json.loads(line) for line in lines]
        assert len(labels) == len(requests), file
        labelled = [(request, label) for request, label in zip(requests, labels) if request["truth"] and is_call(request)]
        missing = [label for _, label in labelled if classes[label["host"], label["endpoint"]] != "api"]
        endpoints = {(request["method"], urlsplit(request["url"]).netloc, request["truth"]) for request, _ in labelled}
        table = run("analyze", "-q", "--format", "markdown", "--only", "api", file)
        shown = sum(line.startswith("| ") and line[2].isdigit() for line in table.splitlines())
        print(f"{Path(file).name:28} {len(report['patterns']):4} rows, {shown:3} of --only api for {len(endpoints):3} true endpoints, {len(missing)} of {len(labelled)} calls lost")
        calls, lost, rows, true = calls + len(labelled), lost + len(missing), rows + shown, true + len(endpoints)
    print(f"{lost / calls:.2%} of {calls} calls are lost, {rows / true:.2f} rows for each true endpoint")
    return int(lost > LOST * calls or rows > ROWS * true)


sys.exit(main(*sys.argv[1:]))
