"""Change one thing in a description that the traffic exercises, and see whether `drift` finds it, as one problem.

usage: drift_mutations.py PROGRAM CAPTURE... [--count N] [--seed N] [--least SHARE]

The description is the one that `openapi` makes of the capture, of which nothing differs before. Prints the share of changes
that are found, the median number of findings for one change, and the changes that are missed.
"""
import argparse
import collections
import copy
import gzip
import json
import pathlib
import random
import statistics
import subprocess
import tempfile

METHODS = {"get", "put", "post", "delete", "patch"}


def run(program, capture, api, folder):
    """Return the findings, without hosts that the description is not about."""
    path = pathlib.Path(folder) / "changed.json"
    path.write_text(json.dumps(api))
    command = [program, "drift", capture, "--api", path, "--format", "json", "--fail-on", "never", "-q"]
    report = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    return [found for found in report["findings"] if found["rule"] != "undocumented-host"]


def schemas_of(api):
    """Return the objects with properties among the components."""
    found = api.get("components", {}).get("schemas", {})
    return [name for name, schema in found.items() if schema.get("properties")]


def places(api, text):
    """Return the changes that can be made and that the text of the capture exercises: a kind, and where."""
    changes = []
    plain = text.replace("\\", "").replace(" ", "")
    for path, item in api["paths"].items():
        changes.append(("remove path", path))
        for method, operation in item.items():
            if method not in METHODS:
                continue
            if len(item) > 1:
                changes.append(("remove method", (path, method)))
            changes += [("remove parameter", (path, method, index)) for index, parameter
                        in enumerate(operation.get("parameters", [])) if parameter["in"] == "query"]
            changes += [("remove status", (path, method, status)) for status in operation["responses"] if status.isdigit()]
            for status, response in operation["responses"].items():
                changes += [("remove media type", (path, method, status, media)) for media in response.get("content", {})]
    for name in schemas_of(api):
        for key, schema in api["components"]["schemas"][name]["properties"].items():
            changes.append(("remove property", (name, key)))
            kind = schema.get("type")
            if isinstance(kind, str) and kind in ("string", "integer", "boolean", "object", "array"):
                changes.append(("change type", (name, key)))
            # A property that was seen seldom may be null, and never was.
            if isinstance(kind, list) and "null" in kind and len(kind) > 1 and f'"{key}":null' in plain:
                changes.append(("forbid null", (name, key)))
            if schema.get("enum"):
                changes.append(("remove value", (name, key)))
        changes.append(("require new property", (name, "a_new_property")))
    return changes


def change(api, kind, where):
    """Make one change."""
    paths, schemas = api["paths"], api.get("components", {}).get("schemas", {})
    if kind == "remove path":
        del paths[where]
    elif kind == "remove method":
        del paths[where[0]][where[1]]
    elif kind == "remove parameter":
        del paths[where[0]][where[1]]["parameters"][where[2]]
    elif kind == "remove status":
        del paths[where[0]][where[1]]["responses"][where[2]]
    elif kind == "remove media type":
        del paths[where[0]][where[1]]["responses"][where[2]]["content"][where[3]]
    elif kind == "require new property":
        schemas[where[0]].setdefault("required", []).append(where[1])
    elif kind == "remove property":
        del schemas[where[0]]["properties"][where[1]]
        required = schemas[where[0]].get("required", [])
        schemas[where[0]]["required"] = [name for name in required if name != where[1]]
    else:
        schema = schemas[where[0]]["properties"][where[1]]
        if kind == "change type":
            for word in ("format", "enum", "pattern", "items", "properties", "required"):
                schema.pop(word, None)
            schema["type"] = "boolean" if schema["type"] != "boolean" else "string"
        elif kind == "forbid null":
            schema["type"] = [name for name in schema["type"] if name != "null"]
        elif kind == "remove value":
            schema["enum"] = schema["enum"][1:]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("captures", nargs="+")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--least", type=float, default=0.97)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    apis = []
    with tempfile.TemporaryDirectory() as folder:
        for capture in arguments.captures:
            opened = gzip.open if capture.endswith(".gz") else open
            with opened(capture, "rt", errors="replace") as file:
                text = file.read()
            command = [arguments.program, "openapi", capture, "--output", f"{folder}/apis/", "--format", "json", "-q"]
            subprocess.run(command, check=False)
            for path in pathlib.Path(folder, "apis").iterdir():
                api = json.loads(path.read_text())
                apis.append((capture, api, collections.defaultdict(list)))
                for kind, where in places(api, text):
                    apis[-1][2][kind].append(where)
                path.unlink()
        apis = [(capture, api, found) for capture, api, found in apis if len(found) > 5]
        made, missed, counts = 0, collections.Counter(), []
        while made < arguments.count:
            capture, api, found = chance.choice(apis)
            kind = chance.choice(sorted(found))
            where = chance.choice(found[kind])
            changed = copy.deepcopy(api)
            change(changed, kind, where)
            findings = run(arguments.program, capture, changed, folder)
            made += 1
            if findings:
                counts.append(len(findings))
            else:
                missed[kind] += 1
                print(f"missed: {kind} {where} of {api['info']['title']}")
    share = len(counts) / made
    print(f"{made} changes: {share:.3f} found, median {statistics.median(counts)} findings, missed {dict(missed)}")
    if share < arguments.least:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
