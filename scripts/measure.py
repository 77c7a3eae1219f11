"""Measurements of measure.sh: medians of interleaved runs, files in the page cache."""

import asyncio
import contextlib
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import peak_memory, timed

program, folder = os.path.abspath(sys.argv[1]), Path(sys.argv[2]).resolve()
large, small = folder / "large.mitm", folder / "small.mitm"
ROUNDS = 9


def flow_reader(path):
    from mitmproxy.io import FlowReader
    start = time.perf_counter()
    with open(path, "rb") as file:
        flows = sum(1 for _ in FlowReader(file).stream())
    return time.perf_counter() - start, flows


def original(path):
    """Import a dump into mitmproxy-mcp's SQLite database, then call its get_api_patterns."""
    os.chdir(tempfile.mkdtemp())
    with contextlib.redirect_stderr(io.StringIO()):
        from mitmproxy_mcp.core import server
    start = time.perf_counter()
    with contextlib.redirect_stderr(io.StringIO()):
        server.controller.recorder.db.import_from_file(str(path))
    imported = time.perf_counter() - start
    start = time.perf_counter()
    asyncio.run(server.get_api_patterns(None, None))
    return imported, time.perf_counter() - start


analyze = [program, "analyze", str(large), "--quiet"]
commands = {
    "cat FILE > /dev/null": ["cat", str(large)],
    "api-patterns analyze (2 threads)": [*analyze, "--threads", "2"],
    "api-patterns analyze (1 thread)": [*analyze, "--threads", "1"],
}
for command in commands.values():
    timed(command)
times = {name: [] for name in commands}
for _ in range(ROUNDS):
    for name, command in commands.items():
        times[name].append(timed(command))
medians = {name: statistics.median(values) for name, values in times.items()}
cat = medians["cat FILE > /dev/null"]
ours = medians["api-patterns analyze (2 threads)"]
on_small = statistics.median(timed([program, "analyze", str(small), "--quiet"]) for _ in range(ROUNDS))
reader, flows = flow_reader(small)
imported, answered = original(small)

gigabytes = large.stat().st_size / 1e9
print(f"{gigabytes:.2f} GB, 200,000 flows, in the page cache; medians of {ROUNDS} interleaved runs\n")
print("| what | flows | seconds | times `cat` | against api-patterns |")
print("|---|---:|---:|---:|---:|")
for name, seconds in medians.items():
    print(f"| `{name}` | 200,000 | {seconds:.3f} | {seconds / cat:.1f} | {seconds / ours:.2f} |")
scaled = 200_000 / flows
for name, seconds in {
    "mitmproxy's FlowReader loop": reader,
    "mitmproxy-mcp: import": imported,
    "mitmproxy-mcp: get_api_patterns": answered,
    "mitmproxy-mcp: both": imported + answered,
}.items():
    print(f"| {name} | {flows:,} | {seconds:.2f} | {seconds * scaled / cat:,.0f} (scaled) | {seconds * scaled / ours:,.0f} (scaled) |")
print(f"\nOn the same 20,000 flows api-patterns takes {on_small:.3f} s: {(imported + answered) / on_small:,.0f} times faster than both.")
print(f"Peak memory: {peak_memory(analyze):.0f} MB for 200,000 flows, {peak_memory([program, 'analyze', str(small), '--quiet']):.0f} MB for 20,000.")
