"""Compare random halves of captures: nothing has changed, so every breaking finding is a false alarm.

usage: diff_check.py PROGRAM FLOWS.jsonl.gz... [--halves N] [--most SHARE]

Fails if more than SHARE (default .01) of the endpoints that both halves have got a breaking finding, in all halves together.
"""
import argparse
import collections
import gzip
import json
import pathlib
import random
import subprocess
import tempfile


def halves_of(path, seed, folder):
    """Write the flows of a file to two files at random, and return these."""
    chance = random.Random(seed)
    names = [folder / "before.jsonl", folder / "after.jsonl"]
    with open(names[0], "w") as before, open(names[1], "w") as after, gzip.open(path, "rt") as flows:
        for line in flows:
            (before if chance.random() < 0.5 else after).write(line)
    return names


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("flows", nargs="+")
    parser.add_argument("--halves", type=int, default=2)
    parser.add_argument("--most", type=float, default=0.01)
    arguments = parser.parse_args()
    endpoints, alarmed, rules = 0, 0, collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        for path in arguments.flows:
            of_file = [0, 0]
            for seed in range(arguments.halves):
                names = halves_of(path, seed, pathlib.Path(folder))
                command = [arguments.program, "diff", *names, "--format", "json", "--fail-on", "never", "-q"]
                report = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
                both = min(report["totals"]["endpoints_before"], report["totals"]["endpoints_after"])
                breaking = [found for found in report["findings"] if found["severity"] == "error"]
                rules.update(found["rule"] for found in breaking)
                of_file[0] += both
                of_file[1] += len({found["operation"] for found in breaking})
            print(f"{pathlib.Path(path).name:28} endpoints {of_file[0]:6}, with a false alarm {of_file[1]:4}")
            endpoints += of_file[0]
            alarmed += of_file[1]
    share = alarmed / max(endpoints, 1)
    print(f"{'all':28} endpoints {endpoints:6}, with a false alarm {alarmed:4} ({share:.2%}) {dict(rules)}")
    if share > arguments.most:
        raise SystemExit(f"more than {arguments.most:.0%} of the endpoints have a false alarm")


if __name__ == "__main__":
    main()
