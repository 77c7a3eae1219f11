#!/usr/bin/env python3
"""Whether OpenAPI descriptions are valid and true: openapi_check.py PROGRAM CAPTURE.jsonl[.gz]... [--openapi 3.0]

For each capture (JSON lines with request_body and response_body): all descriptions are checked with openapi-spec-validator, and each
recorded JSON body against the schema that the description of its host has for its operation, direction, status and media type (in
version 3.1, whose schemas are JSON Schema). Needs the packages openapi-spec-validator and jsonschema[format]. Exits with 1 if a
description is not valid, or refuses a body that it was made of.
"""

import argparse
import collections
import gzip
import json
import re
import subprocess
import tempfile
from pathlib import Path

import jsonschema
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

FORMATS = jsonschema.Draft202012Validator.FORMAT_CHECKER


def run(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{arguments[0]}: {done.stderr}")
    return done.stdout


def shape_of(path):
    """Return a path without names of parameters. Text that is masked is one."""
    return re.sub(r"\{[^}]*\}|\[masked[^]]*\]", "{}", path)


def media_type(value):
    essence = (value or "").split(";")[0].split(",")[0].strip().lower()
    return essence if re.fullmatch(r"[a-z0-9/+\-._*]+", essence) else ""


def bodies_of(line):
    """(direction, status, media type, body) of each JSON body of a flow."""
    status = int(line.get("status") or 0)
    headers = {key.lower(): value for key, value in line.get("request_headers") or []}
    for key, kind in (("request_body", headers.get("content-type")), ("response_body", line.get("content_type"))):
        text = line.get(key)
        kind = media_type(kind)
        if text in (None, "") or "json" not in kind:
            continue
        try:
            body = json.loads(text) if isinstance(text, str) else text
        except ValueError:
            continue
        if key == "response_body" and status:
            yield "response", str(status), kind, body
        elif key == "request_body" and status < 400:
            yield "request", "", kind, body


class Description:
    def __init__(self, document):
        self.document = document
        server = document["servers"][0]["url"]
        self.base = "/" + "/".join(server.split("/")[3:]) if server.count("/") > 2 else ""
        self.paths = {shape_of(path): item for path, item in document["paths"].items()}
        self.validators = {}

    def validator(self, label, direction, status, kind):
        key = label["path_pattern"], label["method"], direction, status, kind
        if key not in self.validators:
            path = shape_of(label["path_pattern"].removeprefix(self.base)) or "/"
            operation = self.paths.get(path, {}).get(label["method"].lower(), {})
            part = operation.get("requestBody", {}) if direction == "request" else operation.get("responses", {}).get(status, {})
            schema = part.get("content", {}).get(kind, {}).get("schema")
            if schema is not None:
                schema = {**schema, "components": self.document.get("components", {})}
                schema = jsonschema.Draft202012Validator(schema, format_checker=FORMATS)
            self.validators[key] = schema
        return self.validators[key]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("captures", type=Path, nargs="+")
    parser.add_argument("--openapi", default="3.1", choices=("3.0", "3.1"))
    arguments = parser.parse_args()
    specification = OpenAPIV30SpecValidator if arguments.openapi == "3.0" else OpenAPIV31SpecValidator
    failed = False
    for path in arguments.captures:
        counts = collections.Counter()
        with tempfile.TemporaryDirectory() as folder:
            lines = Path(folder, "capture.jsonl")
            opened = gzip.open(path, "rt") if path.suffix == ".gz" else open(path)
            with opened as text:
                flows = [json.loads(line) for line in text]
            for number, flow in enumerate(flows):
                flow["id"] = str(number)
            lines.write_text("".join(json.dumps(flow) + "\n" for flow in flows))
            out = Path(folder, "apis")
            out.mkdir()
            run(arguments.program, "openapi", "--quiet", "--format", "json", "--openapi", arguments.openapi, "--output", str(out), str(lines))
            described = {}
            for file in sorted(out.iterdir()):
                document = json.loads(file.read_text())
                counts["descriptions"] += 1
                for error in list(specification(document).iter_errors())[:3]:
                    counts["invalid"] += 1
                    print(f"   {file.name}: {error.message[:160]}")
                described[document["info"]["title"]] = Description(document)
            labels = map(json.loads, run(arguments.program, "label", "--quiet", str(lines)).splitlines())
            labels = {label["id"]: label for label in labels if label["endpoint"]}
        for flow in flows if arguments.openapi == "3.1" else ():
            label = labels.get(flow["id"])
            for direction, status, kind, body in bodies_of(flow) if label else ():
                validator = described[label["host"]].validator(label, direction, status, kind)
                counts["bodies"] += 1
                counts["without a schema"] += validator is None
                if validator is not None and not validator.is_valid(body):
                    counts["refused"] += 1
                    if counts["refused"] < 4:
                        error = next(validator.iter_errors(body))
                        print("   ", label["endpoint"], status, list(error.absolute_path)[:8], error.message[:150])
        print(f"{path.name:22} " + ", ".join(f"{count} {what}" for what, count in counts.items()), flush=True)
        failed |= counts["invalid"] + counts["refused"] + counts["without a schema"] > 0
    raise SystemExit(failed)


main()
