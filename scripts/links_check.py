#!/usr/bin/env python3
"""Checks where parameters are said to come from: links_check.py PROGRAM CAPTURE.jsonl[.gz]... [--sample N] [--seed S] [--least SHARE]

A capture has JSON lines with method, url, status and response_body, in the order in which they were recorded. Counts the path
parameters some value of which stood, under a key of an identifier or a name, in an earlier answer of the recording that does not
only repeat the value of its own path, and of these the ones that have a source. A source must hold a value of the parameter at its
key, in an answer that came before: this is checked for all of them. --sample prints that many of these parameters with their
source, drawn at random, to be judged by hand: whether a person would call that endpoint, and take that key. --least: exit with 1
if fewer of them have a source.
"""

import argparse
import collections
import gzip
import json
import random
import re
import subprocess
import sys
from urllib.parse import unquote, urlsplit

IDENTIFYING = re.compile(r"(^|[^a-z])(i?ids?|uuid|guid|key|code|number|name|login|slug|sku|sha|ref|path|tag|title|handle|username|label|email)s?$")


def scalars(value, path=()):
    """Yield (path of keys, text) of the scalars under keys of identifiers and names."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from scalars(inner, (*path, key))
    elif isinstance(value, list):
        for inner in value:
            yield from scalars(inner, (*path, "[]"))
    elif isinstance(value, (str, int)) and not isinstance(value, bool):
        named = [key for key in path if key != "[]"]
        if named and IDENTIFYING.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", named[-1]).lower()):
            yield path, str(value)


def written(path):
    return "".join(key if key == "[]" else ("." if at else "") + key for at, key in enumerate(path))


def check(program, capture):
    """Return the parameters with an earlier value, as (endpoint, name, source or None, whether it holds)."""
    opened = gzip.open(capture, "rt") if capture.endswith(".gz") else open(capture, encoding="utf-8")
    requests = [json.loads(line) for line in opened]
    report = json.loads(subprocess.run([program, "analyze", "--bodies", "--format", "json", "--quiet", capture], capture_output=True, check=True).stdout)
    labels = subprocess.run([program, "label", "--bodies", "--fields", "index", "--quiet", capture], capture_output=True, check=True, text=True).stdout
    endpoint_of = {}
    for line in map(json.loads, labels.splitlines()):
        endpoint_of[line["index"]] = (line["host"], line["endpoint"])
    patterns = {(pattern["host"], pattern["endpoint"]): pattern for pattern in report["patterns"]}
    places = collections.defaultdict(set)  # by value: (endpoint, key) of earlier answers
    earlier = collections.Counter()  # by parameter: requests whose value was in an earlier answer
    held = collections.Counter()  # by parameter: those whose value was at the place that is its source
    for index, request in enumerate(requests):
        key = endpoint_of.get(index)
        pattern = patterns.get(key)
        if pattern is None:
            continue
        segments = [unquote(part) for part in urlsplit(request["url"]).path.split("/") if part]
        own = set(segments)
        for number, parameter in enumerate(pattern["parameters"]):
            at = parameter.get("segment")
            if parameter["in"] != "path" or at is None or at > len(segments):
                continue
            found = places.get(segments[at - 1], ())
            if any(endpoint != key for endpoint, _ in found):
                earlier[key, number] += 1
                source = parameter.get("source")
                if source and ((source.get("host", key[0]), source["endpoint"]), source["key"]) in found:
                    held[key, number] += 1
        if request.get("response_body") and 200 <= (request.get("status") or 0) < 300:
            try:
                body = json.loads(request["response_body"])
            except ValueError:
                continue
            for path, text in scalars(body):
                if text not in own:
                    places[text].add((key, written(path)))
    rows = []
    for (key, number), _ in earlier.items():
        parameter = patterns[key]["parameters"][number]
        rows.append((key[1], parameter["name"], parameter.get("source"), held[key, number] > 0))
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("captures", nargs="+")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--least", type=float, default=0.0)
    arguments = parser.parse_args()
    everything = []
    for capture in arguments.captures:
        rows = check(arguments.program, capture)
        everything += [(capture.split("/")[-1].split(".")[0], *row) for row in rows]
        with_source = sum(row[2] is not None for row in rows)
        print(f"{capture.split('/')[-1]:28} {len(rows):5} parameters with an earlier value, {with_source:5} with a source, {sum(row[3] for row in rows):5} whose source held it before")
    with_source = [row for row in everything if row[3] is not None]
    share = len(with_source) / max(1, len(everything))
    print(f"{share:.3f} of {len(everything)} have a source; the source of {sum(row[4] for row in with_source) / max(1, len(with_source)):.3f} of these held a value before")
    random.Random(arguments.seed).shuffle(everything)
    for api, endpoint, name, source, is_held in everything[: arguments.sample]:
        said = f"{source['endpoint']} {source['key']} ({source['status']}, {source['share']})" if source else "no source"
        print(f"  {api} | {endpoint} | {name} <- {said}{'' if is_held or not source else ', not before'}")
    sys.exit(share < arguments.least)


if __name__ == "__main__":
    main()
