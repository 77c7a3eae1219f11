"""Measurements of measure_formats.sh: medians of interleaved runs, files in the page cache."""

import asyncio
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import peak_memory, timed

binaries, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
program, parse = str(binaries / "api-patterns"), str(binaries / "parse")
minified, pretty, lines, database = (folder / name for name in ("minified.har", "pretty.har", "lines.jsonl", "flows.db"))
ROUNDS = 9


def analyze(path, threads=2):
    return [program, "analyze", "--quiet", "--threads", str(threads), "--format", "jsonl", str(path)]


def parsed(what, path):
    """Return the time of serde_json alone in seconds, without reading the file."""
    return float(subprocess.run([parse, what, str(path)], capture_output=True, text=True, check=True).stdout)


def from_stdin(path):
    with open(path, "rb") as file:
        read, write = os.pipe()
        feeder = subprocess.Popen(["cat"], stdin=file, stdout=write)
        os.close(write)
        seconds = timed(analyze("-"), stdin=read)
        os.close(read)
        feeder.wait()
    return seconds


def json_load(path):
    start = time.perf_counter()
    with open(path, "rb") as file:
        json.load(file)
    return time.perf_counter() - start


def redocly(path):
    environment = {**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
                   "NODE_OPTIONS": "--max-old-space-size=8192"}
    command = [str(folder / "node_modules/.bin/redocly"), "generate-spec", str(path), "--traffic-format", "har",
               "--server", "https://api.example.com"]
    start = time.perf_counter()
    run = subprocess.run(command, capture_output=True, env=environment, cwd=tempfile.mkdtemp())
    return time.perf_counter() - start, run.returncode


def original():
    """Create a database of 20,000 flows, and return the time of mitmproxy-mcp's get_api_patterns in seconds."""
    os.chdir(tempfile.mkdtemp())
    with contextlib.redirect_stderr(io.StringIO()):
        from mitmproxy_mcp.core import server
    recorder = server.controller.recorder
    is_new = not database.exists()
    recorder.db = type(recorder.db)(str(database))
    if is_new:
        with contextlib.redirect_stderr(io.StringIO()):
            recorder.db.import_from_file(str(folder / "small.mitm"))

    def answer():
        start = time.perf_counter()
        asyncio.run(server.get_api_patterns(None, None))
        return time.perf_counter() - start

    return answer


answer = original()
runs = {
    "minified HAR: serde_json IgnoredAny, 1 thread": lambda: parsed("ignored", minified),
    "minified HAR: api-patterns analyze, 2 threads": lambda: timed(analyze(minified)),
    "minified HAR: api-patterns analyze, 1 thread": lambda: timed(analyze(minified, 1)),
    "pretty HAR: serde_json IgnoredAny, 1 thread": lambda: parsed("ignored", pretty),
    "pretty HAR: api-patterns analyze, 2 threads": lambda: timed(analyze(pretty)),
    "pretty HAR: api-patterns analyze, 1 thread": lambda: timed(analyze(pretty, 1)),
    "JSON lines: serde_json, borrowed types, 1 thread": lambda: parsed("lines", lines),
    "JSON lines: api-patterns analyze - (a pipe)": lambda: from_stdin(lines),
    "database: mitmproxy-mcp get_api_patterns": answer,
    "database: api-patterns analyze, 2 threads": lambda: timed(analyze(database)),
    "database: api-patterns analyze, 1 thread": lambda: timed(analyze(database, 1)),
}
for run in runs.values():
    run()
times = {name: [] for name in runs}
for _ in range(ROUNDS):
    for name, run in runs.items():
        times[name].append(run())
medians = {name: statistics.median(values) for name, values in times.items()}
ours = medians["minified HAR: api-patterns analyze, 2 threads"]
print(f"{minified.stat().st_size / 1e6:.0f} MB of minified HAR, {pretty.stat().st_size / 1e6:.0f} MB of pretty HAR, "
      f"{lines.stat().st_size / 1e6:.0f} MB of JSON lines (200,000), {database.stat().st_size / 1e6:.0f} MB of database (20,000 "
      f"flows); medians of {ROUNDS} interleaved runs\n")
print("| what | seconds |\n|---|---:|")
for name, seconds in medians.items():
    print(f"| {name} | {seconds:.4f} |")
python = json_load(minified)
spec, code = redocly(minified)
print(f"| minified HAR: Python json.load, once | {python:.2f} |")
print(f"| minified HAR: Redocly generate-spec, once (exit code {code}) | {spec:.2f} |")
print()
for kind in ("minified", "pretty"):
    ratio = medians[f"{kind} HAR: api-patterns analyze, 2 threads"] / medians[f"{kind} HAR: serde_json IgnoredAny, 1 thread"]
    print(f"{kind} HAR: {ratio:.2f} times IgnoredAny")
print(f"minified HAR: {python / ours:.1f} times faster than json.load, {spec / ours:.0f} times faster than Redocly")
print(f"JSON lines: {medians['JSON lines: api-patterns analyze - (a pipe)'] / medians['JSON lines: serde_json, borrowed types, 1 thread']:.2f} times serde_json alone")
print(f"database: {medians['database: mitmproxy-mcp get_api_patterns'] / medians['database: api-patterns analyze, 2 threads']:.1f} times faster than the original")
print(f"peak memory on the minified HAR: {peak_memory(analyze(minified)):.0f} MB")
