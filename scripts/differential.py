#!/usr/bin/env python3
"""Compares flows read from dumps by mitmproxy's own reader and by ours: differential.py FLOWS_PROGRAM [DUMP...]

FLOWS_PROGRAM is the built tool `flows`. Needs mitmproxy 11.0.2. Our reader must deliver every HTTP flow that mitmproxy
delivers, with equal id, method, URL, status and header names. If mitmproxy stops early, ours must deliver at least as many flows.
Besides the given dumps, unusual and damaged dumps are generated with mitmproxy's own writer.
"""

import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from mitmproxy import http
from mitmproxy.io import FlowReader, FlowWriter, tnetstring
from mitmproxy.test import tflow, tutils


def text(value):
    return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def by_mitmproxy(data):
    """Return the flows that mitmproxy delivers, and whether it read to the end."""
    flows = []
    try:
        for flow in FlowReader(io.BytesIO(data)).stream():
            # For an old websocket record whose handshake it cannot find, mitmproxy invents a request.
            made_up = flow.type == "http" and "duplicated" in flow.metadata and flow.request.url == "http://unknown/"
            if isinstance(flow, http.HTTPFlow) and not made_up:
                flows.append({
                    "id": flow.id,
                    "method": text(flow.request.method),
                    "url": text(flow.request.url),
                    "status": flow.response.status_code if flow.response else None,
                    "headers": [name.decode("utf-8", "replace") for name, _ in flow.request.headers.fields],
                })
    except Exception:  # mitmproxy raises other exceptions than FlowReadException too
        return flows, False
    return flows, True


def by_us(program, path):
    run = subprocess.run([program, str(path)], capture_output=True, timeout=60)
    assert run.returncode == 0, f"{path}: {run.stderr.decode()}"
    return [json.loads(line) for line in run.stdout.splitlines()]


def written(*flows):
    out = io.BytesIO()
    for flow in flows:
        FlowWriter(out).add(flow)
    return out.getvalue()


def with_request(**request):
    return tflow.tflow(req=tutils.treq(**request), resp=tutils.tresp())


def state(flow, **changes):
    """Return a record with changed fields that mitmproxy's writer does not validate."""
    return tnetstring.dumps({**flow.get_state(), **changes})


def made_dumps():
    plain = tflow.tflow(resp=True)
    yield "plain", written(plain)
    yield "no response, with error", written(tflow.tflow(), tflow.tflow(err=True))
    yield "websocket", written(tflow.twebsocketflow(), tflow.twebsocketflow(err=True))
    yield "other protocols", written(tflow.ttcpflow(), plain, tflow.tudpflow(), tflow.tdnsflow(resp=True))
    yield "connect", written(with_request(method=b"CONNECT", scheme=b"", authority=b"h.example:443", path=b"", host="h.example", port=443))
    yield "http2", written(with_request(http_version=b"HTTP/2.0", authority=b"meant.example:8443"))
    yield "http3", written(with_request(http_version=b"HTTP/3", authority=b"xn--bcher-kva.example"))
    yield "odd requests", written(
        with_request(path=b"/\xff\xfe?q=\xe4#frag"), with_request(method=b"g\xc3\x9ft"), with_request(path=b"*", method=b"OPTIONS"),
        with_request(host="::1", port=8080), with_request(host="::1", port=80), with_request(scheme=b"ws", port=80),
        with_request(path=b"foo"), with_request(scheme=b""), with_request(headers=http.Headers([(b"X-\xff", b"1"), (b"x", b"2"), (b"x", b"3")])),
    )
    edited = tflow.tflow(resp=True)
    edited.backup()
    edited.request.path = "/edited"
    yield "edited", written(edited)
    large = tflow.tflow(resp=True)
    large.response.content = b"}" * (6 << 20)
    yield "large body", written(plain, large, plain)
    # mitmproxy stops at these records; our reader must still deliver those around them.
    cut = written(plain)
    yield "truncated", written(plain) + cut[: len(cut) // 2]
    yield "truncated in the middle", written(plain) + cut[: len(cut) // 2] + written(plain, plain)
    yield "garbage between", written(plain) + b"\n" + written(plain)
    yield "unknown type between", written(plain) + state(plain, type="quantum") + written(plain)
    yield "unknown version between", written(plain) + state(plain, version=99) + written(plain)
    yield "extra key", state(plain, extra=1) + written(plain)
    yield "no dict between", written(plain) + b"0:]" + b"5:hello," + written(plain)


EXPECTED = {"truncated": 1, "truncated in the middle": 3, "garbage between": 2, "unknown type between": 2,
            "unknown version between": 2, "extra key": 2, "no dict between": 2, "plain": 1, "other protocols": 1}


def compare(name, data, ours):
    theirs, to_the_end = by_mitmproxy(data)
    missing = [flow for flow in theirs if flow not in ours]
    if missing:
        return f"{name}: mitmproxy reads {len(missing)} flows that we do not, such as {missing[0]}\n  ours: {ours[:3]}"
    # For old websocket records mitmproxy delivers the handshake twice with one id.
    if to_the_end and {flow["id"] for flow in ours} != {flow["id"] for flow in theirs}:
        return f"{name}: we read {len(ours)} flows, mitmproxy {len(theirs)}"
    if name in EXPECTED and len(ours) != EXPECTED[name]:
        return f"{name}: we read {len(ours)} flows and not {EXPECTED[name]}"
    print(f"  {name}: {len(ours)} flows, {len(theirs)} by mitmproxy" + ("" if to_the_end else ", which gave up"))
    return None


def main():
    program, dumps = sys.argv[1], [Path(path) for path in sys.argv[2:]]
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        cases = list(made_dumps())
        for name, data in cases:
            path = Path(folder) / "dump"
            path.write_bytes(data)
            failures.append(compare(name, data, by_us(program, path)))
    for path in dumps:
        failures.append(compare(path.name, path.read_bytes(), by_us(program, path)))
    failures = [failure for failure in failures if failure]
    for failure in failures:
        print("FAILED", failure)
    print(f"differential: {len(cases) + len(dumps) - len(failures)} passed, {len(failures)} failed")
    sys.exit(bool(failures))


main()
