#!/usr/bin/env python3
"""Whether OpenAPI descriptions are valid and true: openapi_check.py PROGRAM CAPTURE.jsonl[.gz]... [--openapi 3.0]

For each capture (JSON lines with request_body and response_body): all descriptions are checked with openapi-spec-validator, and each
recorded JSON body against the schema that the description of its host has for its operation, direction, status and media type (in
version 3.1, whose schemas are JSON Schema). Needs the packages openapi-spec-validator and jsonschema[format]. Exits with 1 if a
description is not valid, or refuses a body that it was made of.
"""

import argparse
import collections
import json
import tempfile
from pathlib import Path

import jsonschema
from description_bodies import Description, bodies_of, read_flows, read_labels, run
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

FORMATS = jsonschema.Draft202012Validator.FORMAT_CHECKER


class Validators:
    """Compiled schemas of a description."""

    def __init__(self, document):
        self.description, self.made = Description(document), {}

    def get(self, label, direction, status, kind):
        key = label["path_pattern"], label["method"], direction, status, kind
        if key not in self.made:
            schema = self.description.schema(label, direction, status, kind)
            if schema is not None:
                schema = {**schema, "components": self.description.document.get("components", {})}
                schema = jsonschema.Draft202012Validator(schema, format_checker=FORMATS)
            self.made[key] = schema
        return self.made[key]


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
            flows = read_flows(path)
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
                described[document["info"]["title"]] = Validators(document)
        labels = read_labels(arguments.program, flows)
        for flow in flows if arguments.openapi == "3.1" else ():
            label = labels.get(flow["id"])
            for direction, status, kind, body in bodies_of(flow) if label else ():
                validator = described[label["host"]].get(label, direction, status, kind)
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
