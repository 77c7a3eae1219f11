#!/usr/bin/env python3
"""How schemas agree with bodies: schema_check.py PROGRAM CAPTURE.jsonl[.gz]... [--least-held-out SHARE]

For each capture (JSON lines with request_body and response_body):
- self-validity: the share of all bodies that the schema of their endpoint, direction, status and media type accepts;
- held out: of the bodies of each endpoint and status every other one is left out, and checked against the schemas of the rest,
  by how many bodies a schema was decided from;
- required: of the fields that all of at least five objects have, the share that is required;
- mutations: the share of one-place changes to bodies that the schema of all bodies rejects (a required key dropped, another kind,
  a string without its format, a value outside of an enumeration).
Needs the package jsonschema[format]. Exits with 1 if a body is refused by its own schema.
"""

import argparse
import collections
import copy
import json
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import jsonschema
from description_bodies import lines_of

FORMATS = jsonschema.Draft202012Validator.FORMAT_CHECKER


def run(program, command, lines, *options):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "capture.jsonl")
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        done = subprocess.run([program, command, *options, "--quiet", str(path)], capture_output=True, text=True)
        if done.returncode not in (0, 1) or not done.stdout:
            raise SystemExit(f"{command}: {done.stderr}")
        return done.stdout


def media_type(value):
    essence = (value or "").split(";")[0].split(",")[0].strip().lower()
    return essence if re.fullmatch(r"[a-z0-9/+\-._*]+", essence) else "(none)"


def header(line, name):
    return next((value for key, value in line.get("request_headers") or [] if key.lower() == name), None)


def bodies_of(line, label):
    """(host, endpoint, part, status, media type, body) of each JSON body of a flow."""
    status = int(line.get("status") or 0)
    for key, part in (("request_body", "request"), ("response_body", "responses")):
        text = line.get(key)
        if text in (None, "") or (part == "responses" and not status):
            continue
        try:
            body = json.loads(text) if isinstance(text, str) else text
        except ValueError:
            continue
        kind = media_type(header(line, "content-type") if part == "request" else line.get("content_type"))
        if "json" not in kind and not (isinstance(text, str) and text.lstrip()[:1] in "{[" and kind in ("(none)", "text/plain", "text/html", "text/javascript", "application/octet-stream", "application/x-www-form-urlencoded")):
            continue
        if part == "request":
            part = "refused_request_body" if status >= 400 else "request_body"
        yield label["host"], label["endpoint"], part, str(status), kind, body


class Schemas:
    def __init__(self, text):
        self.hosts = json.loads(text)["hosts"]
        self.validators = {}

    def find(self, host, endpoint, part, status, kind):
        found = self.hosts.get(host, {}).get(endpoint, {}).get(part, {})
        found = found.get(status, {}) if part == "responses" else found
        found = found.get(kind)
        return found if found and "schema" in found else None

    def validator(self, *key):
        if key not in self.validators:
            found = self.find(*key)
            self.validators[key] = found and (jsonschema.Draft202012Validator(found["schema"], format_checker=FORMATS), found["bodies"])
        return self.validators[key]


def resolved(schema, definitions, _value=None):
    """The schema that a reference to a component stands for, also where the place may be something else too."""
    if not isinstance(schema, dict):
        return {}
    parts = [schema, *schema.get("anyOf", [])]
    parts = [inner for part in parts for inner in part.get("allOf", [part])]
    reference = next((part["$ref"] for part in parts if "$ref" in part), None)
    if not reference:
        return schema
    found = definitions[reference.removeprefix("#/$defs/")]
    own = [name for part in parts if part is not schema for name in part.get("required", [])]
    return {**found, "required": [*found.get("required", []), *own]} if own else found


def mutations(body, schema, draw, resolved=resolved):
    """One mutated copy for each kind of change that the schema states something about."""
    places = []
    definitions = schema.get("$defs", {})

    def walk(value, schema, path):
        schema = resolved(schema, definitions, value)
        types = schema.get("type")
        if path and types:
            places.append(("kind", path, schema))
        if isinstance(value, str):
            if "enum" in schema:
                places.append(("enum", path, schema))
            if "format" in schema:
                places.append(("format", path, schema))
        if isinstance(value, dict):
            for name in schema.get("required", []):
                if name in value:
                    places.append(("required", path + [name], schema))
            for name, inner in value.items():
                walk(inner, schema.get("properties", {}).get(name, schema.get("additionalProperties")), path + [name])
        elif isinstance(value, list):
            for index, item in enumerate(value[:3]):
                walk(item, schema.get("items"), path + [index])

    walk(body, schema, [])
    by_change = collections.defaultdict(list)
    for place in places:
        by_change[place[0]].append(place)
    for change, candidates in by_change.items():
        _, path, inner = draw.choice(candidates)
        mutated = copy.deepcopy(body)
        into = mutated
        for step in path[:-1]:
            into = into[step]
        if change == "required":
            del into[path[-1]]
        else:
            kinds = {True: "boolean", 17.5: "number", "zq": "string", (): "array"}
            types = inner["type"] if isinstance(inner.get("type"), list) else [inner.get("type")]
            value = {"enum": "zqx-unseen", "format": "zq not a format"}.get(change)
            if change == "kind":
                free = [value for value, kind in kinds.items() if kind not in types and not (kind == "number" and "integer" in types)]
                if not free:
                    continue
                value = free[draw.randrange(len(free))]
                value = list(value) if value == () else value
            if not path:
                mutated = value
            else:
                into[path[-1]] = value
        yield change, mutated


def objects_of(body, path=()):
    if isinstance(body, dict):
        yield path, body
        for name, value in body.items():
            yield from objects_of(value, path + (name,))
    elif isinstance(body, list):
        for item in body:
            yield from objects_of(item, path + ("[]",))


def at(schema, path):
    definitions = schema.get("$defs", {})
    for step in path:
        schema = schema.get("items") if step == "[]" else schema.get("properties", {}).get(step, schema.get("additionalProperties"))
        schema = resolved(schema, definitions)
    return schema


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("captures", type=Path, nargs="+")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    total = collections.Counter()
    changes = collections.Counter()
    print(f"{'capture':14} {'bodies':>7} {'self':>7} | held out 2-4 / 5-19 / 20+ | required | mutations")
    failed = False
    for path in arguments.captures:
        lines = lines_of(path)
        for number, line in enumerate(lines):
            line["id"] = str(number)
        labels = {label["id"]: label for label in map(json.loads, run(arguments.program, "label", lines, "--bodies").splitlines()) if label["endpoint"]}
        schemas = Schemas(run(arguments.program, "schema", lines))
        own = collections.Counter()
        groups = collections.defaultdict(list)
        draw = random.Random(7)
        for line in lines:
            label = labels.get(line["id"])
            for found in bodies_of(line, label) if label else ():
                *key, body = found
                groups[tuple(key)].append((line, body))
                checked = schemas.validator(*key)
                own["bodies"] += 1
                if not checked:
                    own["none"] += 1
                    continue
                if not checked[0].is_valid(body):
                    own["refused"] += 1
                    if arguments.verbose and own["refused"] < 4:
                        error = next(checked[0].iter_errors(body))
                        print("   ", key, list(error.absolute_path)[:8], error.message[:150], file=sys.stderr)
        # Every other body of a group is left out, with its whole flow.
        left_out = {line["id"] for group in groups.values() for line, _ in group[1::2]}
        rest = Schemas(run(arguments.program, "schema", [line for line in lines if line["id"] not in left_out]))
        held = collections.Counter()
        for key, group in groups.items():
            checked = rest.validator(*key)
            if not checked:
                continue
            size = "2-4" if checked[1] < 5 else "5-19" if checked[1] < 20 else "20+"
            if checked[1] < 2:
                continue
            for line, body in group:
                if line["id"] in left_out:
                    held[size] += 1
                    held[size + " ok"] += checked[0].is_valid(body)
                    if arguments.verbose and not checked[0].is_valid(body):
                        error = next(checked[0].iter_errors(body))
                        changes[f"{error.validator} {error.message[-60:] if error.validator != 'type' else error.message[-40:]}"] += 1
        counts = collections.Counter()
        for key, group in groups.items():
            checked = schemas.validator(*key)
            if not checked:
                continue
            schema = checked[0].schema
            places = collections.defaultdict(list)
            for _, body in group:
                for place, value in objects_of(body):
                    places[place].append(value)
            for place, values in places.items():
                if len(values) >= 5:
                    always = set.intersection(*(set(value) for value in values))
                    counts["always"] += len(always)
                    counts["required"] += len(always & set(at(schema, place).get("required", [])))
            for _, body in draw.sample(group, min(3, len(group))):
                for change, mutated in mutations(body, schema, draw):
                    counts["mutated"] += 1
                    counts["mutated " + change] += 1
                    rejected = not checked[0].is_valid(mutated)
                    counts["rejected"] += rejected
                    counts["rejected " + change] += rejected
        for counter in (own, held, counts):
            total.update(counter)
        share = lambda part, whole: f"{part / whole:.3f}" if whole else "  -  "
        name = path.name.split(".")[0]
        print(f"{name:14} {own['bodies']:7} {share(own['bodies'] - own['refused'] - own['none'], own['bodies']):>7} | "
              f"{share(held['2-4 ok'], held['2-4'])} {share(held['5-19 ok'], held['5-19'])} {share(held['20+ ok'], held['20+'])} | "
              f"{share(counts['required'], counts['always'])} | {share(counts['rejected'], counts['mutated'])}", flush=True)
        failed |= own["refused"] + own["none"] > 0
    share = lambda part, whole: f"{part / whole:.3f}" if whole else "  -  "
    print(f"{'all':14} {total['bodies']:7} {share(total['bodies'] - total['refused'] - total['none'], total['bodies']):>7} | "
          f"{share(total['2-4 ok'], total['2-4'])} {share(total['5-19 ok'], total['5-19'])} {share(total['20+ ok'], total['20+'])} | "
          f"{share(total['required'], total['always'])} | {share(total['rejected'], total['mutated'])}")
    for change in ("required", "kind", "format", "enum"):
        print(f"  {change}: {share(total['rejected ' + change], total['mutated ' + change])} of {total['mutated ' + change]}")
    if arguments.verbose:
        for message, count in changes.most_common(25):
            print(f"  {count:5} {message}")
    if failed:
        raise SystemExit("a schema refuses a body that it was decided from")


if __name__ == "__main__":
    main()
