"""Tests of the addon in a real mitmdump with a real client."""

import gzip
import http.client
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from random import Random

import pytest

import api_patterns

pytest.importorskip("mitmproxy")
ROOT = pathlib.Path(__file__).resolve().parents[2]


class Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = []

    def do_GET(self):
        self.asked.append(self.path)
        if "never-answered" in self.path:
            time.sleep(60)
        if self.asked.count(self.path) > 1 and "answered-once" in self.path:
            self.close_connection = True
            return
        if "broken-off" in self.path:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"abc")
            self.close_connection = True
            return
        body = json.dumps({"path": self.path}).encode()
        self.send_response(404 if "missing" in self.path else 200)
        self.send_header("Content-Type", "application/json")
        if "packed" in self.path:
            body = gzip.compress(json.dumps({"id": 5, "name": "x", "kind": "cat"}).encode())
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    do_PUT = do_POST

    def log_message(self, *_):
        pass


@pytest.fixture
def upstream():
    Upstream.asked.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def mitmdump(folder, *arguments):
    """Start mitmdump, and return it with its port once it listens."""
    program = shutil.which("mitmdump", path=pathlib.Path(sys.executable).parent)
    port = free_port()
    command = [program, "-q", "-p", str(port), "--listen-host", "127.0.0.1", "--set", f"confdir={folder}", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process, port
        except OSError:
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.1)
    raise AssertionError("mitmdump does not listen")


def with_addon(folder, script, *more):
    """mitmdump with the addon and a script, its port, and the paths of the report and the dump."""
    report, dump = folder / "report.json", folder / "dump.mitm"
    addon = str(ROOT / "examples" / "patterns_addon.py")
    set_file = ("--set", f"patterns_file={report}")
    return *mitmdump(folder, "-s", addon, "-s", str(script), "-w", str(dump), *set_file, *more), report, dump


def send(proxy, upstream, requests):
    connection = http.client.HTTPConnection("127.0.0.1", proxy, timeout=30)
    for method, path, body in requests:
        headers = {"Host": f"api.example.com:{upstream}", "X-Api-Key": "secret-value"}
        connection.request(method, f"http://127.0.0.1:{upstream}{path}", body=body, headers=headers)
        connection.getresponse().read()
    connection.close()


def test_the_report_is_that_of_the_dump(tmp_path, upstream):
    saver, saved = tmp_path / "saver.py", tmp_path / "saved.json"
    saver.write_text(
        "from mitmproxy import ctx\n"
        "def response(flow):\n"
        "    if 'save-now' in flow.request.path:\n"
        f"        ctx.master.commands.call('patterns.save', {str(saved)!r})\n"
    )
    process, port, report, dump = with_addon(tmp_path, saver)
    requests = [("GET", f"/users/{n}?page=1", None) for n in range(1001, 1021)]
    requests += [("GET", "/missing", None), ("POST", "/graphql", json.dumps({"operationName": "GetUser", "query": "query GetUser { a }"}))]
    send(port, upstream, requests + [("GET", "/save-now", None)])
    # An interrupted body, and an unreachable server.
    send(port, upstream, [("GET", "/broken-off/1", None)])
    send(port, free_port(), [("GET", "/gone", None)])
    assert json.loads(saved.read_text())["totals"]["used"] == len(requests) + 1
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    live, whole = json.loads(report.read_text()), api_patterns.analyze(dump).to_dict()
    assert whole["totals"]["used"] == len(requests) + 3
    assert live == whole
    assert "secret-value" not in report.read_text()


def test_the_schemas_are_those_of_the_dump(tmp_path, upstream):
    saver, saved, schemas = (tmp_path / name for name in ("saver.py", "saved.json", "schemas.json"))
    saver.write_text(
        "from mitmproxy import ctx\n"
        "def response(flow):\n"
        "    if 'save-now' in flow.request.path:\n"
        f"        ctx.master.commands.call('patterns.save_schemas', {str(saved)!r})\n"
    )
    process, port, report, dump = with_addon(tmp_path, saver, "--set", f"patterns_schemas={schemas}")
    body = lambda n: json.dumps({"name": "x" * (n % 5), "tags": ["a"], "password": f"kD8s0qPz2mVx{n}"})
    requests = [("GET", f"/users/{n}?page={n}", None) for n in range(1001, 1021)]
    requests += [("PUT", f"/users/{n}/packed", body(n)) for n in range(1001, 1021)]
    requests += [("GET", "/missing", None), ("POST", "/graphql", json.dumps({"operationName": "GetUser", "query": "query GetUser { a }"}))]
    send(port, upstream, requests + [("GET", "/save-now", None)])
    send(port, upstream, [("GET", "/broken-off/1", None)])
    # A request that is unfinished at the end is in the dump, and in the schemas.
    with socket.create_connection(("127.0.0.1", port)) as waiting:
        text = body(7)
        head = f"POST http://127.0.0.1:{upstream}/never-answered HTTP/1.1\r\nHost: a.example\r\nContent-Length: {len(text)}\r\n\r\n"
        waiting.sendall((head + text).encode())
        for _ in range(300):
            if "/never-answered" in Upstream.asked:
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
    live, whole = json.loads(report.read_text()), api_patterns.analyze(dump, bodies=True)
    assert live == whole.to_dict() and whole.totals.used == len(requests) + 3
    assert json.loads(schemas.read_text()) == json.loads(whole.schemas_json())
    packed = whole.schema("PUT /users/{user_id}/packed")["responses"]["200"]["application/json"]
    assert packed["bodies"] == 20 and set(packed["schema"]["properties"]) == {"id", "name", "kind"}
    [unfinished] = [pattern for pattern in whole.patterns if pattern.method == "POST" and pattern.status_codes == {}]
    assert whole.schema(unfinished.id)["request_body"]["(none)"]["bodies"] == 1
    [endpoints] = json.loads(saved.read_text())["hosts"].values()
    assert endpoints.keys() >= {"GET /users/{user_id}", "PUT /users/{user_id}/packed", "POST /graphql#GetUser"}
    assert not any("kD8s0qPz2mVx" in file.read_text() for file in (report, schemas, saved))


def test_what_is_under_way_or_sent_again_is_as_in_the_dump(tmp_path, upstream):
    script = tmp_path / "script.py"
    script.write_text(
        "import asyncio\n"
        "from mitmproxy import ctx\n"
        "def response(flow):\n"
        "    if 'answered-once' in flow.request.path:\n"
        "        again = lambda: ctx.master.commands.call('replay.client', [flow])\n"
        "        asyncio.get_running_loop().call_later(0.1, again)\n"
        "def error(flow):\n"
        f"    open({str(tmp_path / 'failed')!r}, 'w').close()\n"
    )
    process, port, report, dump = with_addon(tmp_path, script)

    def until(what):
        for _ in range(300):
            if what():
                return
            time.sleep(0.1)
        raise AssertionError("it did not come to it")

    send(port, upstream, [("GET", "/users/1", None), ("GET", "/answered-once", None)])
    # The replayed request gets no response.
    until((tmp_path / "failed").exists)
    with socket.create_connection(("127.0.0.1", port)) as waiting, socket.create_connection(("127.0.0.1", port)) as tunnel:
        waiting.sendall(f"GET http://127.0.0.1:{upstream}/never-answered HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())
        until(lambda: "/never-answered" in Upstream.asked)
        # Data in a tunnel that is neither TLS nor HTTP.
        tunnel.sendall(f"CONNECT 127.0.0.1:{upstream} HTTP/1.1\r\n\r\n".encode())
        assert b"200" in tunnel.recv(4096)
        tunnel.sendall(b"\x00\x01raw bytes\r\n\r\n")
        assert tunnel.recv(4096)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
    live, whole = json.loads(report.read_text()), api_patterns.analyze(dump).to_dict()
    assert whole["totals"]["used"] == 4 and whole["totals"]["skipped"] == {"tcp": 1}
    assert live == whole


def test_hosts_and_paths_are_those_of_the_dump(tmp_path):
    """The addon and a dump of the same flows give equal reports, for any client."""
    from mitmproxy.io import FlowWriter
    from mitmproxy.test import tflow

    from api_patterns.mitmproxy import flow_dict

    def of(method=b"GET", path=b"/users/42", version=b"HTTP/1.1", authority=b"", host=b"api.example.com", sni=None, address=None, body=b""):
        flow = tflow.tflow(resp=True)
        request = flow.request.data
        request.method, request.path, request.http_version, request.authority, request.content = method, path, version, authority, body
        request.headers = type(request.headers)([(b"host", host)] if host is not None else [])
        flow.client_conn.sni = sni
        if address is not None:
            request.host, request.port = address
        return flow

    flows = [
        of(), of(b"OPTIONS", b"*"), of(path=b"x"), of(host=None, sni="sni.example"), of(host=b"", sni="sni.example"),
        of(host=b"evil/with", sni="sni.example"), of(host=b"evil/with"), of(authority=b"other.example"),
        of(version=b"HTTP/2.0", authority=b"other.example:8443"), of(host=None, address=("b\u00fccher.example", 80)),
        of(host=None, address=("2001:db8::1", 8080)), of(b"CONNECT", b"", authority=b"tunnel.example:443", host=None),
        of(b"post", b"/graphql", body=b'{"operationName": "GetUser", "query": "query GetUser { a }"}'),
    ]
    for number, flow in enumerate(flows):
        dump = tmp_path / f"{number}.mitm"
        with open(dump, "wb") as file:
            FlowWriter(file).add(flow)
        assert api_patterns.analyze([flow_dict(flow)]).to_json() == api_patterns.analyze(dump).to_json(), number


def test_bodies_are_those_of_the_dump(tmp_path, fixture):
    """The addon and a dump of the same flows give equal schemas, however the bodies are encoded."""
    from mitmproxy.io import FlowReader, FlowWriter
    from mitmproxy.test import tflow

    from api_patterns.mitmproxy import flow_dict

    with open(fixture("demo.mitm"), "rb") as file:
        flows = [flow for flow in FlowReader(file).stream() if flow.type == "http"]
    whole, live = api_patterns.analyze(fixture("demo.mitm"), bodies=True), api_patterns.Patterns(bodies=True)
    for flow in flows:
        live.observe(flow_dict(flow, bodies=True))
    assert live.used == whole.totals.used == 65
    assert live.report().schemas_json() == whole.schemas_json()
    one_pass = api_patterns.analyze((flow_dict(flow, bodies=True) for flow in flows), bodies=True)
    assert one_pass.to_dict()["patterns"] == whole.to_dict()["patterns"]

    plain = b'{"id": 5, "operationName": "GetUser", "query": "query GetUser { a }"}'
    contents = [
        (plain, {}), (gzip.compress(plain), {"content-encoding": "gzip"}), (zlib.compress(plain), {"content-encoding": "deflate"}),
        (plain, {"content-encoding": "gzip"}), (gzip.compress(plain)[:20], {"content-encoding": "gzip"}), (b"", {}), (None, {}),
        (b"[" + b" " * (16 << 20) + b"]", {}), ('{"a": "\u00e9"}'.encode("latin-1"), {"content-type": "application/json; charset=latin-1"}),
        (b"a=1&b=2", {"content-type": "application/x-www-form-urlencoded"}), (b"\x89PNG", {"content-type": "image/png"}),
    ]
    for number, (content, headers) in enumerate(contents):
        for method in (b"POST", b"PUT"):
            flow = tflow.tflow(resp=True)
            for message in (flow.request, flow.response):
                message.headers.clear()
                message.headers.update({"content-type": "application/json"} | headers)
                message.raw_content = content
            flow.request.data.method = method
            dump = tmp_path / f"{number}.mitm"
            with open(dump, "wb") as file:
                FlowWriter(file).add(flow)
            with_bodies, without = flow_dict(flow, bodies=True), flow_dict(flow)
            assert api_patterns.analyze([with_bodies], bodies=True) == api_patterns.analyze(dump, bodies=True), (number, method)
            assert api_patterns.analyze([without]) == api_patterns.analyze([with_bodies]) == api_patterns.analyze(dump), (number, method)
            assert with_bodies.get("response_body") is flow.response.raw_content


def test_bodies_are_observed_if_an_option_or_the_script_says_so(tmp_path):
    from mitmproxy import exceptions
    from mitmproxy.test import taddons, tflow

    from api_patterns.mitmproxy import PatternsAddon

    def answered(addon):
        flow = tflow.tflow(resp=True)
        flow.response.headers["content-type"], flow.response.content = "application/json", b'{"id": 5}'
        addon.response(flow)
        return addon.report()

    addon, schemas = PatternsAddon(), tmp_path / "schemas.json"
    with taddons.context(addon) as context:
        with pytest.raises(ValueError, match="made without bodies"):
            answered(addon).schemas_json()
        with pytest.raises(exceptions.CommandError, match="set patterns_bodies to true first"):
            context.master.commands.call("patterns.save_schemas", str(schemas))
        context.configure(addon, patterns_bodies=True)
        assert [len(endpoints) for endpoints in json.loads(answered(addon).schemas_json())["hosts"].values()] == [1]
        context.master.commands.call("patterns.save_schemas", str(schemas))
        assert json.loads(schemas.read_text()) == json.loads(addon.report().schemas_json())
        with pytest.raises(exceptions.CommandError, match="cannot be written"):
            context.master.commands.call("patterns.save_schemas", str(tmp_path / "no" / "such.json"))
        # A script that is loaded anew goes on with the bodies of the one before.
        context.master.addons.remove(addon)
        again = PatternsAddon()
        context.master.addons.add(again)
        assert again.patterns.bodies and again.patterns == addon.patterns
    for addon in (PatternsAddon(bodies=True), PatternsAddon(api_patterns.Patterns(bodies=True)), PatternsAddon(api_patterns.Patterns(), bodies=True)):
        with taddons.context(addon):
            assert json.loads(answered(addon).schemas_json())["hosts"]
    addon = PatternsAddon()
    with taddons.context(addon) as context:
        context.configure(addon, patterns_schemas=str(schemas))
        answered(addon)
        context.master.addons.remove(addon)
        assert json.loads(schemas.read_text()) == json.loads(addon.report().schemas_json())


def test_times_are_those_of_the_dump(tmp_path):
    from mitmproxy.io import FlowWriter
    from mitmproxy.test import tflow

    from api_patterns.mitmproxy import flow_dict

    dump, random = tmp_path / "dump.mitm", Random(7)
    for number in range(500):
        flow = tflow.tflow(resp=True)
        start = flow.request.timestamp_start = random.choice([1.7e9 + random.random() * 1e8, round(1.7e9 + random.random(), 6), 1e9])
        flow.request.timestamp_end = start
        if number % 50 == 0:
            flow.request.timestamp_start = None
        flow.response.timestamp_end = random.choice([start + random.random() / 10 ** random.randrange(7), None, start, start - 1])
        with open(dump, "wb") as file:
            FlowWriter(file).add(flow)
        assert api_patterns.analyze([flow_dict(flow)]).to_json() == api_patterns.analyze(dump).to_json(), number


def test_what_cannot_be_written_is_said(tmp_path, caplog):
    from mitmproxy import exceptions
    from mitmproxy.test import taddons, tflow

    from api_patterns.mitmproxy import PatternsAddon

    addon = PatternsAddon()
    with taddons.context(addon) as context:
        addon.response(tflow.tflow(resp=True))
        with pytest.raises(exceptions.CommandError, match="cannot be written"):
            context.master.commands.call("patterns.save", str(tmp_path / "no" / "such" / "folder.json"))
        # A report that cannot be written does not prevent a reload of the script either.
        context.options.patterns_file = str(tmp_path / "no" / "such" / "folder.json")
        context.master.addons.remove(addon)
        assert "cannot be written: No such file" in caplog.text
        again = PatternsAddon()
        context.master.addons.add(again)
        assert again.report().totals.used == addon.report().totals.used == 1


def test_a_script_that_is_loaded_anew_goes_on(tmp_path, upstream):
    script, report = tmp_path / "script.py", tmp_path / "report.json"
    script.write_text("from api_patterns.mitmproxy import PatternsAddon\naddons = [PatternsAddon()]\n")
    process, port = mitmdump(tmp_path, "-s", str(script), "--set", f"patterns_file={report}")
    send(port, upstream, [("GET", f"/users/{n}", None) for n in range(1001, 1006)])
    # mitmproxy checks the modification time of the file.
    os.utime(script, (time.time() + 60, time.time() + 60))
    # The old addon writes its report when it ends.
    for _ in range(100):
        if report.exists():
            break
        time.sleep(0.1)
    assert json.loads(report.read_text())["totals"]["used"] == 5
    send(port, upstream, [("GET", "/users/1006", None)])
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    assert json.loads(report.read_text())["totals"]["used"] == 6


def test_the_report_goes_where_a_link_leads_and_keeps_its_mode(tmp_path):
    from mitmproxy.test import taddons

    from api_patterns.mitmproxy import PatternsAddon

    with taddons.context(PatternsAddon()) as context:
        save = lambda path: context.master.commands.call("patterns.save", str(path))
        target, link, fresh, pipe = (tmp_path / name for name in ("target", "link", "fresh", "pipe"))
        target.write_text("before")
        target.chmod(0o640)
        link.symlink_to(target)
        save(link)
        assert link.is_symlink() and json.loads(target.read_text())["version"] == 1
        assert target.stat().st_mode & 0o777 == 0o640
        save(fresh)
        mask = os.umask(0)
        os.umask(mask)
        assert fresh.stat().st_mode & 0o777 == 0o666 & ~mask
        os.mkfifo(pipe)
        reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
        read = []
        reader.start()
        save(pipe)
        reader.join(timeout=10)
        assert json.loads(read[0])["version"] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fresh", "link", "pipe", "target"]
