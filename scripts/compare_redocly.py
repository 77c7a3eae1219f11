#!/usr/bin/env python3
"""Compares schemas with those of Redocly's generate-spec: compare_redocly.py PROGRAM REDOCLY CAPTURE.jsonl[.gz]...

PROGRAM is api-patterns, REDOCLY the executable `redocly` (npm install @redocly/cli@2.77.0; needs Node.js). Captures are JSON lines
as for schema_check.py, with `truth`: the documented path template of a request. Needs the package jsonschema[format].

Each capture is written as HAR, and both tools read that file. A request is matched to the endpoints of a tool by path templates
(literal segments win), and each JSON body is checked by the schema for its method, status and media type. Bodies are grouped by
host, method, documented template, status and media type, so neither tool decides how they are counted:
- found: the share of bodies that a tool has a schema for; the other shares are of the bodies that both have one for;
- self: accepted by the schema that was decided from them (also read leniently: formats are not checked, `oneOf` is `anyOf`);
- held out: every other body of a group is left out with its flow; by the number of bodies that the group keeps;
- required: of the fields that all of at least five objects at a place have, those that the schemas of all of them require there;
- own changes: what a schema states is broken at one place (schema_check.py), in up to three bodies of a group that both accept;
- same changes: the same for both, from the bodies of the group alone: a field that all objects have is dropped, a value has a kind
  that the place never had, a string lacks the format that all strings of the place have;
- enumerations: places (a component counts once), those of several values, and of these those of a property that choices.txt calls a
  closed choice or unclear;
- components: shared schemas, and those whose name ends with a digit;
- seconds: by the clock and of the processors, medians of interleaved runs (--rounds, default 3).
"""

import argparse
import collections
import copy
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

import jsonschema

from schema_check import FORMATS, bodies_of, header, lines_of, media_type, mutations, objects_of

CHANGES = ("required", "kind", "format", "enum")
CLASSES = ("2-4", "5-19", "20+")
FORMAT_NAMES = ("uuid", "date-time", "date", "email", "uri", "ipv4")
WRITTEN = {"email": re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"), "uri": re.compile(r"\w+://.+")}  # the checks of formats are lax
KINDS = {"boolean": True, "number": 17.5, "string": "zq", "array": [], "object": {}}


def pairs(items):
    return [{"name": name, "value": str(value)} for name, value in items]


def entry_of(line, number):
    """An entry of a HAR; the time is made up, in the order of the capture."""
    url, text, kind = line["url"], line.get("request_body"), line.get("content_type")
    request = {
        "method": line["method"], "url": url, "httpVersion": "HTTP/1.1", "cookies": [],
        "headers": pairs(line.get("request_headers") or []),
        "queryString": pairs(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query, keep_blank_values=True)),
        "headersSize": -1, "bodySize": len((text or "").encode()),
    }
    if text:
        request["postData"] = {"mimeType": header(line, "content-type") or "", "text": text}
    content = {"size": len((line.get("response_body") or "").encode()), "mimeType": kind or ""}
    if line.get("response_body"):
        content["text"] = line["response_body"]
    response = {
        "status": line.get("status") or 0, "statusText": "", "httpVersion": "HTTP/1.1", "cookies": [],
        "headers": pairs([("Content-Type", kind)] if kind else []), "content": content, "redirectURL": "", "headersSize": -1,
        "bodySize": content["size"],
    }
    started = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(1_700_000_000 + number))
    timings = {"send": 0, "wait": 1, "receive": 0}
    return {"startedDateTime": started, "time": 1, "request": request, "response": response, "cache": {}, "timings": timings}


def write_har(path, lines):
    entries = [entry_of(line, number) for number, line in enumerate(lines)]
    log = {"version": "1.2", "creator": {"name": "compare_redocly.py", "version": "1"}, "entries": entries}
    path.write_text(json.dumps({"log": log}))


def pattern_of(template):
    """A pattern of a path template, and a rank: literal segments win from the left. api-patterns masks some literals."""
    pieces = re.split(r"(\{[^}]*\}|\[masked:\d+\])", template.rstrip("/"))
    pieces[::2] = map(re.escape, pieces[::2])
    pieces[1::2] = [".+" if piece.endswith("+}") else "[^/]+" for piece in pieces[1::2]]
    rank = [0 if "+}" in part else 1 if "{" in part else 2 if "[masked:" in part else 3 for part in template.rstrip("/").split("/")]
    return re.compile("".join(pieces) + "/?"), rank


class Schemas:
    """What a tool states: operations by (host, method), or (None, method) for all hosts, and the schema of a body."""

    def __init__(self):
        self.operations, self.components, self.validators, self.matched = collections.defaultdict(list), {}, {}, {}

    def add(self, host, method, template, operation):
        self.operations[host, method].append((*pattern_of(template), template.endswith("/"), operation))

    def match(self, line):
        url = urllib.parse.urlsplit(line["url"])
        key = url.netloc.lower(), line["method"], url.path or "/"
        if key not in self.matched:
            known = self.operations.get(key[:2]) or self.operations.get((None, key[1]), [])
            fits = [(rank, ends == key[2].endswith("/"), number) for number, (pattern, rank, ends, _) in enumerate(known)
                    if pattern.fullmatch(key[2])]
            self.matched[key] = known[max(fits)[-1]][-1] if fits else None
        return self.matched[key]

    def find(self, line, part, status, kind):
        """A key of the schema for a body, or nothing."""
        operation = self.match(line)
        schema = operation and self.schema_in(operation, part, status, kind)
        if schema is None:
            return None
        if id(schema) not in self.validators:
            whole = self.whole(schema)
            lenient = jsonschema.Draft202012Validator(leniently(whole))
            self.validators[id(schema)] = jsonschema.Draft202012Validator(whole, format_checker=FORMATS), lenient
        return id(schema)

    def accepts(self, key, body, lenient=False):
        return self.validators[key][lenient].is_valid(body)

    def reason(self, key, body):
        """The keyword that refuses a body; of alternatives, whether none accepts it or several do."""
        error = next(self.validators[key][0].iter_errors(body))
        if error.validator == "oneOf":
            return "oneOf: none" if error.context else "oneOf: several"
        return f"format {error.validator_value}" if error.validator == "format" else error.validator

    def schema(self, key):
        return self.validators[key][0].schema

    def enumerations(self):
        """(name of the property, values) of each place, in bodies and components."""
        for schema in (*self.bodies, *self.components.values()):
            yield from enumerations_in(schema, None)


def leniently(schema):
    """A copy in which alternatives may overlap."""
    if isinstance(schema, list):
        return [leniently(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {"anyOf" if key == "oneOf" and isinstance(part, list) else key: leniently(part) for key, part in schema.items()}


def enumerations_in(schema, name):
    if not isinstance(schema, dict):
        return
    if "enum" in schema:
        yield name, [value for value in schema["enum"] if value is not None]
    for inner, part in schema.get("properties", {}).items():
        yield from enumerations_in(part, inner)
    for key in ("items", "additionalProperties"):
        yield from enumerations_in(schema.get(key), name)
    for key in ("anyOf", "oneOf", "prefixItems"):
        for part in schema.get(key, []):
            yield from enumerations_in(part, name)


class Ours(Schemas):
    def __init__(self, text):
        super().__init__()
        self.bodies = []
        for host, endpoints in json.loads(text)["hosts"].items():
            for name, endpoint in endpoints.items():
                method, template = name.split(" ", 1)
                self.add(host, method, template, endpoint)
                requests = [endpoint.get(key, {}) for key in ("request_body", "refused_request_body")]
                for kinds in (*requests, *endpoint.get("responses", {}).values()):
                    for found in kinds.values():
                        schema = found.get("schema", {})
                        self.bodies.append(schema)
                        self.components.update({(host, name): part for name, part in schema.get("$defs", {}).items()})

    def schema_in(self, endpoint, part, status, kind):
        found = endpoint.get(part, {})
        found = found.get(status, {}) if part == "responses" else found
        return found.get(kind, {}).get("schema")

    def whole(self, schema):
        return schema

    def names(self):
        return [name for _, name in self.components]


class Theirs(Schemas):
    """An OpenAPI document; references to components become references to `$defs`, so that a schema stands alone."""

    def __init__(self, text):
        super().__init__()
        document = json.loads(text.replace('"#/components/schemas/', '"#/$defs/'))
        self.components = document.get("components", {}).get("schemas", {})
        if any(urllib.parse.urlsplit(server["url"]).path.strip("/") for server in document.get("servers", [])):
            raise SystemExit("a server has a base path")
        self.bodies = []
        for template, item in document["paths"].items():
            for method, operation in item.items():
                self.add(None, method.upper(), template, operation)
                for content in (operation.get("requestBody", {}), *operation["responses"].values()):
                    self.bodies += [media["schema"] for media in content.get("content", {}).values()]

    def schema_in(self, operation, part, status, kind):
        found = operation["responses"].get(status, {}) if part == "responses" else operation.get("requestBody", {})
        kind = kind if kind == "application/json" or kind.endswith("+json") else "application/json"
        return found.get("content", {}).get(kind, {}).get("schema")

    def whole(self, schema):
        return {"$defs": self.components, **schema}

    def names(self):
        return list(self.components)


def ours_of(program, har):
    done = subprocess.run([program, "schema", "--quiet", str(har)], capture_output=True, text=True)
    if done.returncode not in (0, 1) or not done.stdout:
        raise SystemExit(f"schema: {done.stderr}")
    return done.stdout


def redocly(program, *arguments):
    environment = {**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
                   "NODE_OPTIONS": "--max-old-space-size=8192"}
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{arguments[0]}: {done.stderr}")


def theirs_of(program, har):
    output = har.with_suffix(".yaml")
    redocly(program, "generate-spec", har, "--traffic-format", "har", "--openapi-version", "3.1", "--output", output)
    return output


def as_json(program, document):
    output = document.with_suffix(".json")
    redocly(program, "bundle", document, "--output", output)
    return output.read_text()


def alternatives(schema, definitions):
    """The schemas that a value may follow: references and alternatives are followed, with what stands beside them."""
    if not isinstance(schema, dict):
        return []
    beside = {key: part for key, part in schema.items() if key not in ("$ref", "anyOf", "oneOf")}
    if "$ref" in schema:
        parts = [definitions[schema["$ref"].removeprefix("#/$defs/")]]
    else:
        parts = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
    return [both_of(beside, found) for part in parts for found in alternatives(part, definitions)] if parts else [schema]


def both_of(first, second):
    properties = {**first.get("properties", {})}
    for name, part in second.get("properties", {}).items():
        properties[name] = {**properties.get(name, {}), **part}
    required = [*first.get("required", []), *second.get("required", [])]
    return {**first, **second, **({"properties": properties} if properties else {}), **({"required": required} if required else {})}


def alternative_of(schema, definitions, value):
    """The alternative that accepts a value, with the kinds of all of them."""
    found = alternatives(schema, definitions)
    if len(found) < 2:
        return found[0] if found else {}
    kinds = {kind for part in found for kind in ([part["type"]] if isinstance(part.get("type"), str) else part.get("type", [None]))}
    chosen = next((part for part in found if jsonschema.Draft202012Validator({"$defs": definitions, **part}).is_valid(value)), {})
    return {**{key: part for key, part in chosen.items() if key != "type"}, **({} if None in kinds else {"type": sorted(kinds)})}


def required_at(schema, path):
    """The keys that every object at a place must have."""
    definitions = schema.get("$defs", {})
    found = alternatives({key: part for key, part in schema.items() if key != "$defs"}, definitions)
    for step in path:
        inner = [part.get("items") if step == "[]" else part.get("properties", {}).get(step, part.get("additionalProperties"))
                 for part in found]
        found = [part for one in inner for part in alternatives(one, definitions)]
    objects = [part for part in found if "object" in part.get("type", []) or "properties" in part]
    return set.intersection(*(set(part.get("required", [])) for part in objects)) if objects else set()


def kind_of(value):
    names = ((bool, "boolean"), (str, "string"), ((int, float), "number"), (list, "array"), (dict, "object"))
    return next((name for kind, name in names if isinstance(value, kind)), "null")


def has_format(text, name):
    return FORMATS.conforms(text, name) and (name not in WRITTEN or bool(WRITTEN[name].fullmatch(text)))


def values_of(body, path=(), place=()):
    """(place, path, value) of each value."""
    yield place, path, body
    if isinstance(body, dict):
        for name, value in body.items():
            yield from values_of(value, path + (name,), place + (name,))
    elif isinstance(body, list):
        for index, value in enumerate(body):
            yield from values_of(value, path + (index,), place + ("[]",))


def replaced(body, path, change):
    mutated = into = copy.deepcopy(body)
    for step in path[:-1]:
        into = into[step]
    change(into, path[-1])
    return mutated


def same_changes(bodies, picked, draw):
    """(number of the picked body, change, mutated copy): changes that no body of the group speaks for, one of each kind."""
    at_place = collections.defaultdict(list)
    for body in bodies:
        for place, _, value in values_of(body):
            at_place[place].append(value)
    known = {place: values for place, values in at_place.items() if len(values) >= 5}
    always = {place: set.intersection(*(set(value) for value in values)) for place, values in known.items()
              if all(isinstance(value, dict) for value in values)}
    kinds = {place: {kind_of(value) for value in values} for place, values in known.items()}
    formats = {place: next((name for name in FORMAT_NAMES if all(has_format(value, name) for value in values)), None)
               for place, values in known.items() if kinds[place] == {"string"}}
    for number, body in enumerate(picked):
        found = collections.defaultdict(list)
        for place, path, value in values_of(body):
            found["required"] += [path + (name,) for name in always.get(place, ())]
            if path and place in kinds:
                found["kind"].append((path, sorted(KINDS.keys() - kinds[place])))
            if path and formats.get(place):
                found["format"].append(path)
        if found["required"]:
            path = draw.choice(sorted(found["required"], key=str))
            yield number, "required", replaced(body, path, lambda into, key: into.pop(key))
        if found["kind"]:
            path, free = draw.choice(found["kind"])
            if free:
                other = copy.deepcopy(KINDS[draw.choice(free)])
                yield number, "kind", replaced(body, path, lambda into, key: into.__setitem__(key, other))
        if found["format"]:
            path = draw.choice(found["format"])
            yield number, "format", replaced(body, path, lambda into, key: into.__setitem__(key, "zq not a format"))


def groups_of(lines):
    groups = collections.defaultdict(list)
    for line in lines:
        host = urllib.parse.urlsplit(line["url"]).netloc.lower()
        for *key, body in bodies_of(line, {"host": host, "endpoint": f"{line['method']} {line.get('truth')}"}):
            groups[tuple(key)].append((line, body))
    return groups


def schemas_of(tools, har, counts, rounds):
    """What each tool states of a HAR, and the medians of its times."""
    times, written = collections.defaultdict(list), {}
    for _ in range(rounds):
        for name, (run, _) in tools.items():
            start, before = time.perf_counter(), os.times()
            written[name] = run(har)
            after = os.times()
            used = after.children_user + after.children_system - before.children_user - before.children_system
            times[name].append((time.perf_counter() - start, used))
    for name, (_, read) in tools.items():
        counts[name]["seconds"], counts[name]["processor seconds"] = map(statistics.median, zip(*times[name]))
        written[name] = read(written[name])
    return written


def compare(groups, stated, counts, reasons):
    """Count into {tool: counter}, and under None what both have in common."""
    common = counts[None]
    draw, draws = random.Random(7), {name: random.Random(7) for name in stated}
    for (_, _, part, status, kind), group in sorted(groups.items(), key=lambda item: str(item[0])):
        both = []
        for line, body in group:
            keys = {name: schemas.find(line, part, status, kind) for name, schemas in stated.items()}
            common["bodies"] += 1
            for name, key in keys.items():
                counts[name]["found"] += key is not None
            if None not in keys.values():
                both.append((keys, body))
        accepted = []
        for keys, body in both:
            common["both"] += 1
            fine = {name: stated[name].accepts(key, body) for name, key in keys.items()}
            for name, key in keys.items():
                counts[name]["self"] += fine[name]
                counts[name]["self leniently"] += stated[name].accepts(key, body, lenient=True)
                if not fine[name]:
                    reasons[name]["self", stated[name].reason(key, body)] += 1
            if all(fine.values()):
                accepted.append((keys, body))
        places = collections.defaultdict(list)
        for keys, body in both:
            for place, value in objects_of(body):
                places[place].append((keys, value))
        for place, objects in places.items():
            if len(objects) >= 5:
                always = set.intersection(*(set(value) for _, value in objects))
                common["always"] += len(always)
                for name in stated:
                    used = {keys[name] for keys, _ in objects}
                    required = set.intersection(*(required_at(stated[name].schema(key), place) for key in used))
                    counts[name]["required"] += len(always & required)
        picked = draw.sample(accepted, min(3, len(accepted)))
        for keys, body in picked:
            for name, key in keys.items():
                for change, mutated in mutations(body, stated[name].schema(key), draws[name], alternative_of):
                    counts[name]["own changes " + change] += 1
                    counts[name]["own changes " + change + " rejected"] += not stated[name].accepts(key, mutated)
        for number, change, mutated in same_changes([body for _, body in both], [body for _, body in picked], draw):
            common["same changes " + change] += 1
            for name, key in picked[number][0].items():
                counts[name]["same changes " + change + " rejected"] += not stated[name].accepts(key, mutated)


def documented(groups):
    return {key: group for key, group in groups.items() if not key[1].endswith(" None")}


def compare_held_out(groups, left_out, stated, counts, reasons):
    for (_, _, part, status, kind), group in groups.items():
        kept = sum(line["id"] not in left_out for line, _ in group)
        size = "2-4" if kept < 5 else "5-19" if kept < 20 else "20+"
        for line, body in group if kept > 1 else ():
            if line["id"] not in left_out:
                continue
            keys = {name: schemas.find(line, part, status, kind) for name, schemas in stated.items()}
            counts[None][size] += 1
            counts[None][size + " both"] += None not in keys.values()
            for name, key in keys.items():
                counts[name][size + " found"] += key is not None
                if None not in keys.values():
                    fine = stated[name].accepts(key, body)
                    counts[name][size + " accepted"] += fine
                    counts[name][size + " leniently"] += stated[name].accepts(key, body, lenient=True)
                    if not fine:
                        reasons[name]["held out", stated[name].reason(key, body)] += 1


def share(part, whole):
    return f"{part / whole:.3f}" if whole else "-"


def report(title, tools, counts):
    common = counts[None]
    sizes = " / ".join(str(common[size + " both"]) for size in CLASSES)
    print(f"\n{title}: {common['flows']} requests, {common['bytes'] / 1e6:.1f} MB of HAR, {common['bodies']} bodies, "
          f"{common['both']} found by both; held out {sizes}; {common['always']} fields\n")
    print("| measure | " + " | ".join(tools) + " |\n|---|" + "---|" * len(tools))

    def row(measure, value):
        print(f"| {measure} | " + " | ".join(value(counts[name]) for name in tools) + " |")

    def shares(measure, part, whole):
        row(measure, lambda own: share(own[part], common[whole]))

    def rejected(measure, changes, tried):
        """How many of the changes are rejected; `tried` is what counts them: of a tool or in common."""
        names = [f"{measure} {change}" for change in changes]
        row(measure + (f": {changes[0]}" if len(changes) == 1 else ""), lambda own: share(
            sum(own[name + " rejected"] for name in names), sum(tried(own)[name] for name in names)
        ) + f" of {sum(tried(own)[name] for name in names)}")

    shares("bodies with a schema", "found", "bodies")
    shares("self-validity", "self", "both")
    shares("self-validity, read leniently", "self leniently", "both")
    for size in CLASSES:
        shares(f"held out {size}: with a schema", size + " found", size)
        shares(f"held out {size}: accepted", size + " accepted", size + " both")
        shares(f"held out {size}: accepted, read leniently", size + " leniently", size + " both")
    shares("required", "required", "always")
    for measure, tried in (("own changes", lambda own: own), ("same changes", lambda own: common)):
        for changes in (CHANGES, *([change] for change in CHANGES if measure == "own changes" or change != "enum")):
            rejected(measure, changes, tried)
    for count in ("enumerations", "of several values", "closed choices", "unclear", "components", "ending with a digit"):
        row(count, lambda own: str(own[count]))
    for measure in ("seconds", "processor seconds"):
        row(measure, lambda own: f"{own[measure]:.3f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("redocly")
    parser.add_argument("captures", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    closed, unclear = set(), set()
    for line in Path(__file__).with_name("choices.txt").read_text().splitlines():
        api, names = line.split(":")
        (unclear if api.endswith("?") else closed).update((api.rstrip("?"), name) for name in names.split())
    tools = {
        "api-patterns": (lambda har: ours_of(arguments.program, har), Ours),
        "Redocly": (lambda har: theirs_of(arguments.redocly, har), lambda document: Theirs(as_json(arguments.redocly, document))),
    }
    total, reasons = collections.defaultdict(collections.Counter), collections.defaultdict(collections.Counter)
    for path in arguments.captures:
        name, lines = path.name.split(".")[0], lines_of(path)
        for number, line in enumerate(lines):
            line["id"] = str(number)
        counts, groups = collections.defaultdict(collections.Counter), groups_of(lines)
        with tempfile.TemporaryDirectory() as folder:
            har, rest, capture = (Path(folder, file) for file in ("all.har", "rest.har", "capture.jsonl"))
            write_har(har, lines)
            stated = schemas_of(tools, har, counts, arguments.rounds)
            capture.write_text("".join(json.dumps(line) + "\n" for line in lines))
            if ours_of(arguments.program, capture) != ours_of(arguments.program, har):
                print(f"{name}: the HAR gives another result than the JSON lines", file=sys.stderr)
            counts[None].update(bytes=har.stat().st_size, flows=len(lines))
            compare(groups, stated, counts, reasons)
            # Every other body of a group is left out, with its whole flow.
            left_out = {line["id"] for group in documented(groups).values() for line, _ in group[1::2]}
            write_har(rest, [line for line in lines if line["id"] not in left_out])
            stated_of_rest = schemas_of(tools, rest, collections.defaultdict(collections.Counter), 1)
            compare_held_out(documented(groups), left_out, stated_of_rest, counts, reasons)
        for tool, schemas in stated.items():
            own = counts[tool]
            own["components"] = len(schemas.components)
            own["ending with a digit"] = sum(component[-1].isdigit() for component in schemas.names())
            for field, values in schemas.enumerations():
                own["enumerations"] += 1
                if len(values) > 1:
                    own["of several values"] += 1
                    own["closed choices"] += (name, field) in closed
                    own["unclear"] += (name, field) in unclear - closed
                if arguments.verbose:
                    print("enumeration", name, tool, field, json.dumps(values), file=sys.stderr)
        report(name, tools, counts)
        sys.stdout.flush()
        for tool, own in counts.items():
            total[tool].update(own)
    report("all", tools, total)
    if arguments.verbose:
        for tool, own in reasons.items():
            for reason, count in own.most_common(12):
                print(f"  {tool:12} {count:5} {': '.join(reason)}")


if __name__ == "__main__":
    main()
