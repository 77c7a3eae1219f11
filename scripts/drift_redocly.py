#!/usr/bin/env python3
"""Whether Redocly finds drift between captures and our descriptions of them: drift_redocly.py PROGRAM REDOCLY CAPTURE.jsonl[.gz]...

Captures are JSON lines with bodies; each is written as HAR, which is described and given to `redocly drift` host by host. Prints the
findings by rule, and exits with 1 if there are errors or warnings. REDOCLY is the executable of @redocly/cli.
"""

import argparse
import collections
import json
import re
import subprocess
import tempfile
from pathlib import Path

from compare_redocly import write_har
from description_bodies import read_flows


def is_credential(api, message):
    """Whether a problem is about a parameter or header that the description states as a security scheme."""
    found = re.match(r'Undocumented (query parameter|request header|header) in traffic: "([^"]+)"', message)
    if not found:
        return False
    schemes = json.loads(api.read_text()).get("components", {}).get("securitySchemes", {}).values()
    return any(scheme.get("name", "").lower() == found[2].lower() for scheme in schemes)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("redocly")
    parser.add_argument("captures", type=Path, nargs="+")
    arguments = parser.parse_args()
    failed = False
    for path in arguments.captures:
        rules, shown, documents, compared = collections.Counter(), 0, 0, 0
        with tempfile.TemporaryDirectory() as folder:
            har, apis, out = Path(folder, "capture.har"), Path(folder, "apis"), Path(folder, "out.json")
            write_har(har, read_flows(path))
            apis.mkdir()
            subprocess.run([arguments.program, "openapi", "-q", "--format", "json", "--output", str(apis), str(har)], check=False)
            for api in sorted(apis.iterdir()):
                command = [arguments.redocly, "drift", str(har), "--api", str(api), "--format", "json", "--output", str(out)]
                out.unlink(missing_ok=True)
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if not out.exists():
                    print(f"   {api.name}: {done.stdout[-300:]} {done.stderr[-300:]}")
                    failed = True
                    continue
                documents += 1
                report = json.loads(out.read_text())
                compared += report["run"]["documentedExchanges"]
                for found in report["problems"]:
                    # Redocly knows no parameters but those of operations; that credentials are security schemes is not drift.
                    # The other hosts of the capture have descriptions of their own; refused requests are not what is accepted.
                    if found["message"].startswith("Undocumented server") or found.get("status", 0) >= 400:
                        continue
                    if found["severity"] != "info" and not is_credential(api, found["message"]):
                        rules[found["message"].split(":")[0]] += 1
                        shown += 1
                        if shown <= 5:
                            print("   ", api.name, json.dumps(found)[:400])
        failed |= bool(rules)
        print(f"{path.name:24} {documents} descriptions, {compared} exchanges, {sum(rules.values())} findings {dict(rules)}", flush=True)
    raise SystemExit(failed)


main()
