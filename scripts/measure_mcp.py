#!/usr/bin/env python3
"""Measures the server: the first answer compared with `analyze`, calls on unchanged captures, and their rate compared with a constant.

usage: measure_mcp.py API_PATTERNS CONSTANT DUMP

CONSTANT is the tool `constant`, whose answer is constant; DUMP is a large capture, in the page cache.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 5
CALLS = 2000


class Client:
    """A client that communicates over pipes and does not parse the answers."""

    def __init__(self, command):
        self.start = time.perf_counter()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1 << 20)
        self.send(1, "initialize", {"protocolVersion": "2025-06-18", "capabilities": {},
                                    "clientInfo": {"name": "measure", "version": "1"}})
        self.process.stdout.readline()
        self.process.stdin.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
        self.process.stdin.flush()

    def send(self, number, method, parameters):
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def call(self, arguments=None):
        self.send(2, "tools/call", {"name": "get_api_patterns", "arguments": arguments or {}})
        return self.process.stdout.readline()

    def rate(self, in_flight):
        """Return the calls per second, with the given number of concurrent calls."""
        start = time.perf_counter()
        for number in range(in_flight):
            self.send(10 + number, "tools/call", {"name": "get_api_patterns", "arguments": {}})
        for answered in range(CALLS):
            self.process.stdout.readline()
            if answered + in_flight < CALLS:
                self.send(10 + answered + in_flight, "tools/call", {"name": "get_api_patterns", "arguments": {}})
        return CALLS / (time.perf_counter() - start)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    program, constant, dump = sys.argv[1:]
    analyze, first, second, rates = [], [], [], {1: ([], []), 8: ([], [])}
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run([program, "analyze", "--quiet", dump], stdout=subprocess.DEVNULL, check=True)
        analyze.append(time.perf_counter() - start)
        client = Client([program, "mcp", dump])
        answer = client.call()
        first.append(time.perf_counter() - client.start)
        times = []
        for _ in range(20):
            start = time.perf_counter()
            client.call()
            times.append(time.perf_counter() - start)
        second.append(statistics.median(times))
        text = json.loads(answer)["result"]["content"][0]["text"]
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(text)
            file.flush()
            other = Client([constant, file.name])
            for in_flight, (ours, theirs) in rates.items():
                ours.append(client.rate(in_flight))
                theirs.append(other.rate(in_flight))
            other.end()
        client.end()
    middle = statistics.median
    print(f"analyze                      {middle(analyze):8.3f} s")
    print(f"start to first answer        {middle(first):8.3f} s   {middle(first) / middle(analyze):6.2f} x analyze")
    print(f"call on unchanged captures   {middle(second) * 1000:8.3f} ms  {middle(second) / middle(first) * 100:6.2f} % of the first")
    print(f"bytes of the answer          {len(text.encode()):8d}")
    for in_flight, (ours, theirs) in rates.items():
        ratio = middle(a / b for a, b in zip(ours, theirs))
        print(f"calls a second, {in_flight} in flight   {middle(ours):8.0f}     {ratio:6.2f} x a constant of the same size ({middle(theirs):.0f})")


if __name__ == "__main__":
    main()
