#!/usr/bin/env python3
"""Compares the time that the program takes to start with that of an empty Rust program, in turns, in one run.

usage: measure_startup.py PROGRAM [RUNS]
"""

import pathlib
import statistics
import subprocess
import sys
import tempfile
import time


def main():
    program, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 300
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "empty.rs")
        source.write_text("fn main() {}\n")
        empty = pathlib.Path(folder, "empty")
        subprocess.run(["rustc", "-C", "opt-level=3", "-o", empty, source], check=True)
        commands = {"empty": [empty], "--version": [program, "--version"], "--help": [program, "--help"]}
        times = {name: [] for name in commands}
        for _ in range(runs):
            for name, command in commands.items():
                start = time.perf_counter()
                subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
                times[name].append(time.perf_counter() - start)
    base = statistics.median(times["empty"])
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"{name:10} {median * 1000:6.2f} ms  {median / base:5.2f} times the empty program")


if __name__ == "__main__":
    main()
