#!/usr/bin/env python3
"""Compares the Python package with mitmproxy-mcp: on its database, on the same dicts, and in the proxy.

usage: measure_python.py DATABASE

DATABASE is a database of mitmproxy-mcp with many flows (scripts/measure_formats.sh creates one). Needs an environment with
mitmproxy-mcp (scripts/install_original.sh) and api-patterns.
"""

import asyncio
import http.client
import http.server
import os
import pathlib
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import api_patterns

ROUNDS = 5
REQUESTS = 1500
ROOT = pathlib.Path(__file__).resolve().parents[1]


def timed(call):
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def middle(call, rounds=ROUNDS):
    return statistics.median(timed(call)[0] for _ in range(rounds))


def one_line_and_dicts(database):
    from mitmproxy_mcp.core import server
    from mitmproxy_mcp.core.recorder import TrafficDB

    recorder = server.controller.recorder
    recorder.db = TrafficDB(database)
    original = lambda: asyncio.run(server.get_api_patterns(None, None))
    theirs, ours = [], []
    for _ in range(ROUNDS):
        theirs.append(timed(original)[0])
        ours.append(timed(lambda: api_patterns.get_api_patterns(database))[0])
    theirs, ours = statistics.median(theirs), statistics.median(ours)
    print(f"database: mitmproxy-mcp get_api_patterns      {theirs:8.3f} s")
    print(f"database: api_patterns.get_api_patterns       {ours:8.3f} s   {theirs / ours:6.1f} times as fast")
    same = api_patterns.get_api_patterns(database, compat=True)
    took = middle(lambda: api_patterns.get_api_patterns(database, compat=True))
    print(f"database: the same with compat=True           {took:8.3f} s   {theirs / took:6.1f} times as fast; {len(same)} bytes")

    flows = recorder.get_all_for_analysis(lightweight=True)
    held = recorder.get_all_for_analysis
    recorder.get_all_for_analysis = lambda **_: flows
    loop = middle(original)
    recorder.get_all_for_analysis = held
    observe = middle(lambda: api_patterns.Patterns().observe_many(flows))
    print(f"dicts: the original's loop                    {loop:8.3f} s   {len(flows)} flows")
    print(f"dicts: observe_many                           {observe:8.3f} s   {loop / observe:6.1f} times as fast")


def state_size():
    patterns = api_patterns.Patterns()
    shapes = ["/users/{}", "/users/{}/orders", "/orders/{}", "/orders/{}/items/{}", "/search", "/teams/{}/members/{}", "/files/{}.pdf", "/health"]
    for n in range(1_000_000):
        url = "https://api.example.com" + shapes[n % len(shapes)].format(n, n * 7)
        patterns.observe({"id": str(n), "method": "GET", "url": url, "status": 200, "request_headers": {"Authorization": "x", "X-Request-Id": "y"}, "timestamp": 1e9 + n})
    print(f"state after 1,000,000 flows                   {len(patterns.to_bytes()) / 1e6:8.3f} MB")


class Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Send head and body in one packet, else each request waits for an acknowledgement.
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def requests_a_second(upstream, script):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        program = shutil.which("mitmdump", path=os.path.dirname(sys.executable))
        command = [program, "-q", "-p", str(port), "--listen-host", "127.0.0.1", "--set", f"confdir={folder}"]
        if script is not None:
            path = pathlib.Path(folder) / "script.py"
            path.write_text(script)
            command += ["-s", str(path)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

        def send(n):
            connection.request("GET", f"http://127.0.0.1:{upstream}/users/{n}", headers={"X-Api-Key": "k"})
            connection.getresponse().read()

        for n in range(200):
            send(n)
        took, _ = timed(lambda: [send(n) for n in range(REQUESTS)])
        process.terminate()
        process.wait()
        return REQUESTS / took


def proxy():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ours = (ROOT / "examples" / "patterns_addon.py").read_text()
    # An empty script, because mitmproxy calls any script for every event, which has a cost.
    scripts = {"without a script": None, "an addon that does nothing": "class Nothing:\n    def response(self, flow):\n        pass\naddons = [Nothing()]\n", "the patterns addon": ours}
    rates = {name: [] for name in scripts}
    for _ in range(ROUNDS):
        for name, script in scripts.items():
            rates[name].append(requests_a_second(server.server_address[1], script))
    first = rates["without a script"]
    for name, measured in rates.items():
        share = statistics.median(b / a for a, b in zip(first, measured))
        print(f"mitmdump, {name:<36}{statistics.median(measured):8.0f} requests a second {share * 100:6.1f} %")


def work_of_the_addon():
    """Measure the addon's own work per flow, without the proxy's cost of calling a script."""
    from api_patterns.mitmproxy import PatternsAddon
    from mitmproxy.test import tflow

    addon, flow = PatternsAddon(), tflow.tflow(resp=True)
    flow.request.timestamp_start, flow.response.timestamp_end = 1763863661.8539307, 1763863661.9539307
    took, _ = timed(lambda: [addon.response(flow) for _ in range(REQUESTS * 10)])
    print(f"the patterns addon's own work on a flow       {took / REQUESTS / 10 * 1e6:8.1f} microseconds")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    database = os.path.abspath(sys.argv[1])
    # mitmproxy-mcp creates a database in its working directory.
    os.chdir(tempfile.mkdtemp())
    one_line_and_dicts(database)
    state_size()
    proxy()
    work_of_the_addon()
    print(f"peak memory of this process                   {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8.0f} MB")
