#!/usr/bin/env python3
"""Whether the tools of others accept descriptions: description_tools.py PROGRAM TOOLS CAPTURE... [--openapi 3.0] [--only NAME,...]

TOOLS is a folder that scripts/install_description_tools.sh has filled; run this script with its Python, TOOLS/py/bin/python. Each
capture is described, and each description given to validators (openapi-spec-validator, swagger-parser,
openapi-schema-validator, Redocly's lint, Spectral) and to makers of clients (openapi-typescript with tsc --strict,
openapi-python-client, openapi-generator for TypeScript and Rust, datamodel-code-generator, whose models then parse the recorded
bodies). Exits with 1 if one has an error, or a warning other than info-contact. --work DIR keeps what was made.
"""

import argparse
import collections
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from description_bodies import bodies_by_description

MAX_SHOWN = 5


class Outcome:
    """Problems of one tool, by description."""

    def __init__(self, name):
        self.name, self.count, self.shown = name, 0, []

    def add(self, file, text):
        self.count += 1
        if len(self.shown) < MAX_SHOWN:
            self.shown.append(f"   {Path(file).name}: {' '.join(str(text).split())[:300]}")


def run(command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)


def spec_validator(tools, files, work, version):
    from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

    outcome = Outcome("openapi-spec-validator")
    validator = OpenAPIV30SpecValidator if version == "3.0" else OpenAPIV31SpecValidator
    for file in files:
        for error in list(validator(json.loads(file.read_text())).iter_errors())[:3]:
            outcome.add(file, error.message)
    return outcome


NODE_VALIDATORS = """
import SwaggerParser from "@apidevtools/swagger-parser";
import { Validator } from "@seriousme/openapi-schema-validator";
import fs from "fs";
for (const file of fs.readFileSync(process.argv[2], "utf8").split("\\n").filter(Boolean)) {
  const read = () => JSON.parse(fs.readFileSync(file, "utf8"));
  const tell = (tool, text) => console.log(JSON.stringify({ tool, file, text }));
  try { await SwaggerParser.validate(read()); } catch (error) { tell("swagger-parser", error.message); }
  const found = await new Validator().validate(read());
  if (!found.valid) tell("openapi-schema-validator", JSON.stringify(found.errors).slice(0, 400));
}
"""


def node_validators(tools, files, work, version):
    script = tools / "validators.mjs"
    script.write_text(NODE_VALIDATORS)
    listed = work / "files.txt"
    listed.write_text("\n".join(map(str, files)))
    done = run(["node", script, listed], cwd=tools)
    outcomes = {name: Outcome(name) for name in ("swagger-parser", "openapi-schema-validator")}
    for line in done.stdout.splitlines():
        found = json.loads(line)
        outcomes[found["tool"]].add(found["file"], found["text"])
    if done.returncode:
        outcomes["swagger-parser"].add("all", done.stderr)
    return list(outcomes.values())


def redocly(tools, files, work, version):
    outcome = Outcome("redocly lint")
    settings = work / "redocly.yaml"
    settings.write_text("extends: [recommended]\n")
    for batch in (files[at : at + 50] for at in range(0, len(files), 50)):
        done = run([tools / "node_modules/.bin/redocly", "lint", "--format", "json", "--max-problems", 100000, "--config", settings, *batch])
        try:
            problems = json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("{") :])[0]["problems"]
        except ValueError:
            outcome.add("all", done.stdout + done.stderr)
            continue
        for found in problems:
            # Where an API has slashes at the end of its paths, a description has them too.
            if found["severity"] == "error" and found["ruleId"] != "no-path-trailing-slash":
                place = found["location"][0]
                outcome.add(place["source"]["ref"], f"{found['ruleId']} {place.get('pointer')} {found['message']}")
    return outcome


def spectral(tools, files, work, version):
    outcome = Outcome("spectral:oas")
    rules = work / "spectral.yaml"
    rules.write_text('extends: ["spectral:oas"]\n')
    for batch in (files[at : at + 25] for at in range(0, len(files), 25)):
        done = run([tools / "node_modules/.bin/spectral", "lint", "--ruleset", rules, "--format", "json", "--quiet", *batch])
        try:
            problems = json.loads(done.stdout[: done.stdout.rindex("]") + 1]) if "[" in done.stdout else []
        except ValueError:
            outcome.add("all", done.stdout[:500] + done.stderr)
            continue
        if done.returncode == 2:
            outcome.add("all", done.stderr)
        for found in problems:
            if found["code"] not in ("info-contact", "path-keys-no-trailing-slash") and found["severity"] <= 1:
                outcome.add(found["source"], f"{found['code']} {'/'.join(map(str, found['path']))} {found['message']}")
    return outcome


def typescript(tools, files, work, version):
    outcome = Outcome("openapi-typescript, tsc --strict")
    made = []
    for number, file in enumerate(files):
        out = work / f"types{number}.ts"
        done = run([tools / "node_modules/.bin/openapi-typescript", file, "--output", out])
        if done.returncode:
            outcome.add(file, done.stdout + done.stderr)
        else:
            made.append(out)
    done = run([tools / "node_modules/.bin/tsc", "--strict", "--noEmit", "--target", "es2022", *made])
    for line in done.stdout.splitlines():
        outcome.add("tsc", line)
    return outcome


def python_client(tools, files, work, version):
    outcome = Outcome("openapi-python-client")
    for number, file in enumerate(files):
        command = [tools / "py/bin/openapi-python-client", "generate", "--path", file, "--output-path", work / f"client{number}"]
        done = run([*command, "--overwrite", "--meta", "none"], env={**os.environ, "COLUMNS": "1000"})
        said = done.stdout + done.stderr
        # It knows no media types but JSON, forms, text and bytes, and says so of every other.
        reasons = [line for line in said.splitlines() if re.search(r"\(.*\), (response|this endpoint) will|^Unable|^Attempted|^Found", line)]
        for reason in reasons:
            if "Unsupported content_type" not in reason and "Unsupported media type" not in reason:
                outcome.add(file, reason)
        if done.returncode:
            outcome.add(file, said)
    return outcome


def generator(tools, files, work, version):
    outcomes = []
    for name in ("typescript-fetch", "rust"):
        outcome = Outcome(f"openapi-generator {name}")
        configs = []
        for number, file in enumerate(files):
            config = work / f"{name}{number}.json"
            out = work / name / str(number)
            config.write_text(json.dumps({"inputSpec": str(file), "generatorName": name, "outputDir": str(out)}))
            configs.append(config)
        done = run([tools / "py/bin/openapi-generator-cli", "batch", "--timeout", 60, "--threads", 2, "--", *configs])
        said = done.stdout + done.stderr
        for number, file in enumerate(files):
            # A description without any operation has no client.
            out = work / name / str(number)
            if not (out / ".openapi-generator/FILES").exists():
                outcome.add(file, "nothing was made")
        for line in said.splitlines():
            if "ERROR" in line or "Exception" in line or "[FAIL]" in line:
                outcome.add("batch", line)
        outcomes.append(outcome)
    return outcomes


def models(tools, files, work, version, bodies):
    """Pydantic's models of the bodies of each operation, and whether they parse what was recorded."""
    made, parsed = Outcome("datamodel-code-generator"), Outcome("its models parse bodies")
    parsed.total = 0
    for number, file in enumerate(files):
        document = json.loads(file.read_text())
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        found = bodies(file, document)
        names = {}
        for at, (schema, _) in enumerate(found):
            names[at] = f"RecordedBody{at}"
            schemas[names[at]] = schema
        source = work / f"models{number}.json"
        source.write_text(json.dumps(document))
        out = work / f"models{number}.py"
        command = [tools / "py/bin/datamodel-codegen", "--input", source, "--input-file-type", "openapi", "--output", out, "--disable-timestamp"]
        command += ["--output-model-type", "pydantic_v2.BaseModel", "--openapi-scopes", "schemas", "paths", "parameters", "--disable-warnings"]
        # Without it, this generator takes `nullable` of OpenAPI 3.0 for a field that may be missing.
        done = run([*command, "--strict-nullable"] if version == "3.0" else command)
        if "Models not found" in done.stderr:
            continue  # the description has nothing to make a model of
        if done.returncode:
            made.add(file, done.stderr[-600:])
            continue
        name = out.stem
        spec = importlib.util.spec_from_file_location(name, out)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:  # whatever a made module raises is what its user would see
            made.add(file, f"{type(error).__name__}: {error}")
            continue
        for at, (_, recorded) in enumerate(found):
            model = getattr(module, names[at], None)
            for body in recorded:
                parsed.total += 1
                try:
                    model.model_validate(body)
                except Exception as error:
                    parsed.add(file, f"{names[at]} {error}")
    parsed.name += f" ({parsed.total})"
    return [made, parsed]


CHECKS = {
    "spec-validator": spec_validator,
    "node": node_validators,
    "redocly": redocly,
    "spectral": spectral,
    "typescript": typescript,
    "python": python_client,
    "generator": generator,
    "models": models,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("tools", type=Path)
    parser.add_argument("captures", type=Path, nargs="+")
    parser.add_argument("--openapi", default="3.1", choices=("3.0", "3.1"))
    parser.add_argument("--only", default=",".join(CHECKS))
    parser.add_argument("--work", type=Path)
    arguments = parser.parse_args()
    tools = arguments.tools.resolve()
    os.environ["PATH"] = f"{tools}/py/bin:{os.environ['PATH']}"
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        work = (arguments.work or Path(folder)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        files, of_file = [], {}
        for number, path in enumerate(arguments.captures):
            out = work / f"apis{number}-{path.name.split('.')[0]}"
            out.mkdir(exist_ok=True)
            done = run([arguments.program, "openapi", "-q", "--format", "json", "--openapi", arguments.openapi, "--output", out, path])
            if done.returncode not in (0, 1):
                raise SystemExit(f"{path}: {done.stderr}")
            for file in sorted(out.iterdir()):
                # A host of which nothing could be used has no paths; some tools want one at least.
                if json.loads(file.read_text())["paths"]:
                    files.append(file)
                    of_file[file] = path
        print(f"{len(files)} descriptions of {len(arguments.captures)} captures, OpenAPI {arguments.openapi}", flush=True)
        bodies = bodies_by_description(arguments.program, of_file)
        for name in arguments.only.split(","):
            more = (bodies,) if name == "models" else ()
            found = CHECKS[name](tools, files, work, arguments.openapi, *more)
            for outcome in found if isinstance(found, list) else [found]:
                print(f"{outcome.name:40} {outcome.count} problems", flush=True)
                print("\n".join(outcome.shown), flush=True) if outcome.shown else None
                failed |= outcome.count > 0
    raise SystemExit(failed)


main()
