"""Compare captures with the descriptions that are made of them: nothing may differ.

usage: drift_check.py PROGRAM CAPTURE... [--openapi 3.1|3.0]

Hosts that a description is not about are left out of the count. Fails if there is any other finding.
"""
import argparse
import collections
import json
import pathlib
import subprocess
import tempfile


def findings_of(program, capture, api):
    """Return the totals and the findings of a comparison, or None if no flow is for the API."""
    command = [program, "drift", capture, "--api", api, "--format", "json", "--fail-on", "never", "-q"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if not run.stdout:
        if "none of" in run.stderr:
            return None
        raise SystemExit(f"{capture}: {run.stderr}")
    report = json.loads(run.stdout)
    return report["totals"], [found for found in report["findings"] if found["rule"] != "undocumented-host"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("captures", nargs="+")
    parser.add_argument("--openapi", default="3.1", choices=["3.1", "3.0"])
    arguments = parser.parse_args()
    bodies, descriptions, all_rules = 0, 0, collections.Counter()
    for capture in arguments.captures:
        rules = collections.Counter()
        judged = 0
        with tempfile.TemporaryDirectory() as folder:
            command = [arguments.program, "openapi", capture, "--output", folder, "--openapi", arguments.openapi, "-q"]
            subprocess.run(command, check=False)
            for api in sorted(pathlib.Path(folder).iterdir()):
                compared = findings_of(arguments.program, capture, api)
                if compared is None:
                    continue
                totals, found = compared
                descriptions += 1
                judged += totals["bodies"]
                rules.update(finding["rule"] for finding in found)
                for finding in found[:5]:
                    print(f"  {api.name}: {finding['rule']} {finding.get('operation')} {finding.get('place')}: {finding['message']}")
        print(f"{pathlib.Path(capture).name:28} bodies {judged:6}, findings {sum(rules.values())}")
        bodies += judged
        all_rules.update(rules)
    print(f"{descriptions} descriptions, {bodies} bodies: {sum(all_rules.values())} findings {dict(all_rules)}")
    if all_rules:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
