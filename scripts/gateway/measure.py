#!/usr/bin/env python3
"""Measures what the gateway adds to a call, how many calls pass in a second, and the memory of many sessions.

usage: measure.py API_PATTERNS CONSTANT

CONSTANT is the tool `constant`, a server on standard input whose answer is constant. Calls with and without the gateway take turns, so
that a busy machine slows both.
"""

import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

CALLS = 2000
SESSIONS = 200
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "measure", "version": "1"}}
POLICY = {
    "version": "1", "default": "deny", "all_tools": {"limits": [{"max": 100000, "window": "hour"}]},
    "tools": {"get_api_patterns": {"require": [{"path": "args.limit", "op": "lt", "value": 10}], "limits": [{"max": 100000, "window": 60}]}},
}


def request(number, method, params):
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode()


CALL = {"name": "get_api_patterns", "arguments": {"limit": 5}}


class Stdio:
    """A client over pipes."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=1 << 20)
        self.ask(request(1, "initialize", HELLO))
        self.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')

    def send(self, message):
        self.process.stdin.write(message + b"\n")
        self.process.stdin.flush()

    def ask(self, message):
        self.send(message)
        return self.process.stdout.readline()

    def call(self, number):
        return self.ask(request(number, "tools/call", CALL))

    def rate(self, in_flight):
        start = time.perf_counter()
        for number in range(in_flight):
            self.send(request(10 + number, "tools/call", CALL))
        for answered in range(CALLS):
            self.process.stdout.readline()
            if answered + in_flight < CALLS:
                self.send(request(10 + in_flight + answered, "tools/call", CALL))
        return CALLS / (time.perf_counter() - start)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


class Http:
    """A client over one connection with a session."""

    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address, timeout=20)
        self.headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        self.ask(request(1, "initialize", HELLO))
        self.ask(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')

    def ask(self, message):
        self.connection.request("POST", "/mcp", message, self.headers)
        answer = self.connection.getresponse()
        if "Mcp-Session-Id" in answer.headers:
            self.headers["Mcp-Session-Id"] = answer.headers["Mcp-Session-Id"]
        return answer.read()

    def call(self, number):
        return self.ask(request(number, "tools/call", CALL))


def listening(command):
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        found = re.search(r"listening on http://(\S+)/mcp", line)
        if found:
            return process, found[1]
    sys.exit("the gateway does not listen")


def compared(what, without, through):
    """Prints the median times of calls that take turns."""
    times = {id(without): [], id(through): []}
    for number in range(CALLS):
        for client in (without, through) if number % 2 else (through, without):
            start = time.perf_counter()
            answer = client.call(100 + number)
            times[id(client)].append(time.perf_counter() - start)
            if b'"isError":true' in answer or b'"error"' in answer:
                sys.exit(f"{what}: {answer[:300]}")
    one, other = (statistics.median(times[id(client)]) * 1000 for client in (without, through))
    print(f"{what:<58} {one:7.3f} ms without, {other:7.3f} ms with: {other - one:+.3f} ms")


def memory(process):
    with open(f"/proc/{process.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) / 1024


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    program, constant = map(os.path.abspath, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        policy = os.path.join(folder, "policy.json")
        with open(policy, "w") as file:
            json.dump(POLICY, file)
        store = ["--store", os.path.join(folder, "store.db")]
        log = ["--audit-log", os.path.join(folder, "audit.jsonl")]
        answer = os.path.join(folder, "answer.json")
        with open(answer, "w") as file:
            json.dump({"text": "x" * 4000}, file)
        constant = [constant, answer]
        server = ["--", *constant]
        gateway = [program, "gateway"]
        for what, options in (
            ("stdio", []), ("stdio, with a policy", ["--policy", policy, *store]),
            ("stdio, with a policy and a log on the disk", ["--policy", policy, *store, *log]),
        ):
            without, through = Stdio(constant), Stdio([*gateway, *options, *server])
            compared(what, without, through)
            print(f"{'':<58} {through.rate(64):.0f} calls a second with 64 at once ({without.rate(64):.0f} without)")
            without.end(), through.end()
        listen = ["--listen", "127.0.0.1:0", "--without-grants", *store]
        plain, address = listening([*gateway, *listen, *server])
        second, through = listening([*gateway, *listen, "--upstream", f"http://{address}/mcp"])
        compared("HTTP, in front of a server over HTTP", Http(address), Http(through))
        stdio = Stdio(constant)
        compared("HTTP, in front of a server over pipes (pipes without)", stdio, Http(address))
        stdio.end()
        before = memory(plain)
        clients = [Http(address) for _ in range(SESSIONS)]
        for client in clients:
            client.call(5)
        print(f"{SESSIONS} sessions over HTTP: {memory(plain):.0f} MB ({before:.0f} MB before)")
        for process in (second, plain):
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
