"""Tests of the addon in a mitmdump whose environment lacks the package: PROGRAM is one that was installed elsewhere."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest


class Upstream(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def test_the_addon_finds_its_package(tmp_path):
    if "PROGRAM" not in os.environ:
        pytest.skip("PROGRAM names no program")
    with pytest.raises(ImportError):
        import api_patterns  # noqa: F401
    addon = subprocess.run([os.environ["PROGRAM"], "addon"], capture_output=True, text=True, check=True).stdout.rstrip("\n")
    upstream = HTTPServer(("127.0.0.1", 0), Upstream)
    Thread(target=upstream.serve_forever, daemon=True).start()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    report = tmp_path / "report.json"
    program = shutil.which("mitmdump", path=Path(sys.executable).parent)
    command = [program, "-p", str(port), "--listen-host", "127.0.0.1", "--set", f"confdir={tmp_path}"]
    proxy = subprocess.Popen(
        [*command, "-s", addon, "--set", f"patterns_file={report}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        handler = urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{port}"})
        opener = urllib.request.build_opener(handler)
        for attempt in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert proxy.poll() is None, proxy.stdout.read()
                time.sleep(0.1)
        for user in range(5):
            opener.open(f"http://127.0.0.1:{upstream.server_port}/users/{user + 1000}", timeout=30).read()
    finally:
        proxy.send_signal(signal.SIGINT)
        said = proxy.communicate(timeout=60)[0]
    patterns = json.loads(report.read_text())["patterns"]
    assert [pattern["path_pattern"] for pattern in patterns] == ["/users/{user_id}"], said
