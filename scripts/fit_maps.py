#!/usr/bin/env python3
"""Fits the judgement which objects are maps: fit_maps.py CAPTURE.jsonl[.gz]=DESCRIPTION.json[,DESCRIPTION.json...]...

A capture has JSON lines with method, truth (the path template), status and response_body; a description is an OpenAPI document of the
API. The truth about a place is the description: a map has additionalProperties and no properties. Prints precision and recall with each
API left out of the fit, and the weights of all, which stand in src/schema/map.rs (the weight of keys that are ids is set by hand there:
few descriptions have such maps). Needs numpy.
"""

import collections
import gzip
import json
import math
import re
import sys
from pathlib import Path

import numpy as np

NAMES = ["log_keys", "log_objects", "occupancy", "most_present", "not_identifiers", "one_kind", "named_map"]
IDENTIFIER = re.compile(r"^[A-Za-z_$@][A-Za-z0-9_$@-]*$")


def map_names():
    source = (Path(__file__).parents[1] / "src/schema/map.rs").read_text()
    return set(re.findall(r'"(\w+)"', source[source.index("const MAP_NAMES"):source.index("];", source.index("const MAP_NAMES"))]))


def shape_of(template):
    return re.sub(r"\{[^}]*\}", "{}", template.rstrip("/"))


class Description:
    def __init__(self, path):
        self.document = json.loads(Path(path).read_text())
        bases = {""} | {re.sub(r"^https?://[^/]*", "", server.get("url", "")).rstrip("/") for server in self.document.get("servers", [])}
        bases.add(self.document.get("basePath", "").rstrip("/"))
        self.operations = {
            (method.upper(), shape_of(base + path)): operation
            for path, item in self.document.get("paths", {}).items() for method, operation in item.items()
            if isinstance(operation, dict) for base in bases
        }

    def resolved(self, schema):
        for _ in range(20):
            if not isinstance(schema, dict) or "$ref" not in schema:
                break
            target = self.document
            for key in schema["$ref"].lstrip("#/").split("/"):
                target = target.get(key.replace("~1", "/").replace("~0", "~"), {}) if isinstance(target, dict) else {}
            schema = target
        return schema if isinstance(schema, dict) else {}

    def flat(self, schema, depth=0):
        """The schema with the properties of all its alternatives."""
        schema = dict(self.resolved(schema))
        if depth < 6:
            for keyword in ("allOf", "anyOf", "oneOf"):
                for part in schema.get(keyword, []):
                    part = self.flat(part, depth + 1)
                    if part.get("properties"):
                        schema["properties"] = {**part["properties"], **schema.get("properties", {})}
                    for name in ("items", "additionalProperties"):
                        if name in part:
                            schema.setdefault(name, part[name])
        return schema

    def response(self, method, template, status):
        operation = self.operations.get((method, template))
        if not operation:
            return None
        responses = operation.get("responses", {})
        response = self.resolved(responses.get(status, responses.get("default", {})))
        content = response.get("content", {})
        return next((media["schema"] for kind, media in content.items() if "json" in kind and "schema" in media), response.get("schema"))


def places(description, schema, values, name):
    """(objects, is a map, name) of each place with objects that the description knows."""
    schema = description.flat(schema)
    objects = [value for value in values if isinstance(value, dict)]
    items = [item for value in values if isinstance(value, list) for item in value]
    properties, additional = schema.get("properties"), schema.get("additionalProperties")
    is_map = isinstance(additional, dict) and not properties
    if objects and (properties or is_map):
        yield objects, is_map, name
        by_key = collections.defaultdict(list)
        for value in objects:
            for key, inner in value.items():
                by_key[key].append(inner)
        for key, inner in by_key.items():
            if properties and key in properties:
                yield from places(description, properties[key], inner, key)
        if is_map:
            yield from places(description, additional, [inner for inners in by_key.values() for inner in inners], name)
    if items and "items" in schema:
        yield from places(description, schema["items"], items, name)


def features(objects, name, named):
    keys = collections.Counter(key for value in objects for key in value)
    kinds = collections.Counter(type(inner).__name__ for value in objects for inner in value.values() if inner is not None)
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    return [
        math.log(len(keys)), math.log(len(objects)), sum(keys.values()) / (len(keys) * len(objects)),
        max(keys.values()) / len(objects), np.mean([not IDENTIFIER.match(key) for key in keys]),
        max(kinds.values(), default=0) / max(1, sum(kinds.values())), float(bool(words) and words[-1].lower() in named),
    ]


def fit(rows, l2=1.0):
    data, truth = np.array([row[1] for row in rows]), np.array([row[2] for row in rows], float)
    mean, spread = data.mean(0), data.std(0) + 1e-9
    data = np.c_[(data - mean) / spread, np.ones(len(data))]
    weights = np.zeros(data.shape[1])
    penalty = l2 * np.r_[np.ones(len(weights) - 1), 1e-6]
    for _ in range(200):
        guess = 1 / (1 + np.exp(-data @ weights))
        gradient = data.T @ (guess - truth) + penalty * weights
        weights -= np.linalg.solve(data.T @ (data * (guess * (1 - guess))[:, None]) + np.diag(penalty), gradient)
    plain = weights[:-1] / spread
    return plain, weights[-1] - (plain * mean).sum()


def rows_of(argument, named):
    capture, descriptions = argument.split("=", 1)
    descriptions = [Description(path) for path in descriptions.split(",")]
    groups = collections.defaultdict(list)
    with (gzip.open(capture, "rt") if capture.endswith(".gz") else open(capture)) as lines:
        for line in map(json.loads, lines):
            if line.get("truth") and line.get("response_body"):
                try:
                    groups[line["method"], shape_of(line["truth"]), str(line["status"])].append(json.loads(line["response_body"]))
                except ValueError:
                    continue
    for (method, template, status), bodies in groups.items():
        for description in descriptions:
            schema = description.response(method, template, status)
            if schema:
                for objects, is_map, name in places(description, schema, bodies, ""):
                    if len(objects) >= 3 and len({key for value in objects for key in value}) >= 3:
                        yield capture, features(objects, name, named), is_map
                break


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    named = map_names()
    rows = [row for argument in sys.argv[1:] for row in rows_of(argument, named)]
    right = stated = true = 0
    for capture in sorted({row[0] for row in rows}):
        weights, bias = fit([row for row in rows if row[0] != capture])
        own = [row for row in rows if row[0] == capture]
        guess = np.array([row[1] for row in own]) @ weights + bias > 0
        is_map = np.array([row[2] for row in own])
        right, stated, true = right + (guess & is_map).sum(), stated + guess.sum(), true + is_map.sum()
        print(f"{Path(capture).name}: {len(own)} places, {is_map.sum()} maps, {guess.sum()} stated, {(guess & is_map).sum()} right")
    print(f"left out: precision {right / max(1, stated):.3f}, recall {right / max(1, true):.3f}")
    weights, bias = fit(rows)
    print("weights of all:", dict(zip(NAMES, np.round(weights, 2).tolist())), "bias", round(float(bias), 2))


main()
