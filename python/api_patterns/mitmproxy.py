"""A mitmproxy addon that observes traffic while the proxy runs.

Example of a script for `mitmdump -s`::

    from api_patterns.mitmproxy import PatternsAddon

    addons = [PatternsAddon()]

With `--set patterns_file=report.json` the report is written when the proxy ends. The command `patterns.save` writes it at any time
(in mitmproxy `: patterns.save report.json`; from another addon `ctx.master.commands.call("patterns.save", "report.json")`).

With `--set patterns_bodies=true` bodies are observed too, and the report summarizes them. With
`--set patterns_schemas=schemas.json`, which implies it, the JSON Schemas of the endpoints are written when the proxy ends. The
command `patterns.save_schemas` writes them at any time.
"""

from __future__ import annotations

import logging
import os
import secrets
import stat
import weakref
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from mitmproxy import command, ctx, exceptions, http, types
from mitmproxy.flow import Flow

from . import Patterns, Report, _flag

__all__ = ["PatternsAddon", "flow_dict"]

#: Attribute that marks an observed flow. mitmproxy does not save it.
_TAKEN = "_api_patterns_taken"

#: Addons that ended because mitmproxy reloaded their scripts, by proxy.
_LEFT: weakref.WeakKeyDictionary[Any, list[PatternsAddon]] = weakref.WeakKeyDictionary()

#: Maximum length of request bodies that are searched for the name of an operation, in bytes.
_BODY_BYTES = 1 << 20


def flow_dict(flow: http.HTTPFlow, bodies: bool = False) -> dict[str, Any]:
    """Convert a mitmproxy flow to a dict for `Patterns.observe`, which determines the host as for a dump.

    The content type is the only header value that the state keeps.

    Args:
        flow: The flow.
        bodies: Include the bodies as they are on the wire, without a copy. One that is longer than 16 MiB is only counted.
    """
    request = flow.request.data
    described: dict[str, Any] = {
        "id": flow.id,
        "method": request.method,
        "scheme": request.scheme,
        "authority": request.authority,
        "host": request.host,
        "port": request.port,
        "path": request.path,
        "sni": flow.client_conn.sni,
        "http_version": request.http_version,
        "request_headers": request.headers.fields,
        "timestamp": request.timestamp_start,
        "failed": flow.error is not None,
        "websocket": flow.websocket is not None,
    }
    body = request.content
    if body and (bodies or request.method.upper() == b"POST" and len(body) <= _BODY_BYTES):
        described["request_body"] = body
    if flow.response is not None:
        response = flow.response.data
        described["status"] = response.status_code
        described["response_headers"] = response.headers.fields
        if response.content is not None:
            described["response_bytes"] = len(response.content)
            if bodies:
                described["response_body"] = response.content
        # An interrupted response has no end; then use that of the request, as the reader of dumps does.
        started, ended = request.timestamp_start, response.timestamp_end or request.timestamp_end
        if started is not None and ended:
            # Subtract the decimal values, as the reader of dumps does: near current times, the difference of floats is imprecise.
            described["duration_ms"] = (Decimal(repr(ended)) - Decimal(repr(started))) * 1000
    return described


class PatternsAddon:
    """Addon that observes every flow into `patterns` when its response is complete or it fails.

    When mitmproxy reloads the script because its file changed, the new addon takes over the state of the old one.

    Args:
        patterns: An initial state; by default an empty one.
        bodies: Observe bodies, as the option `patterns_bodies` does. An initial state with bodies turns them on as well.
    """

    def __init__(self, patterns: Patterns | None = None, *, bodies: bool = False) -> None:
        self._takes_over = patterns is None
        self.patterns = patterns if patterns is not None else Patterns()
        if _flag("bodies", bodies):
            self.patterns._observe_bodies()
        self._open: set[Flow] = set()

    def load(self, loader: Any) -> None:
        loader.add_option("patterns_file", str, "", "Where the report of API patterns is written when the proxy ends.")
        loader.add_option("patterns_bodies", bool, False, "Observe the bodies for schemas. Once on, it stays on.")
        loader.add_option(
            "patterns_schemas", str, "", "Where the schemas of bodies are written when the proxy ends. Implies patterns_bodies."
        )
        left = _LEFT.get(ctx.master, [])
        if self._takes_over and left:
            before = left.pop(0)
            self.patterns.merge(before.patterns)
            self._open |= before._open

    def configure(self, updated: set[str]) -> None:
        if ctx.options.patterns_bodies or ctx.options.patterns_schemas:
            self.patterns._observe_bodies()

    def request(self, flow: http.HTTPFlow) -> None:
        # A replayed flow is the same object, and is observed again.
        setattr(flow, _TAKEN, False)
        self._open.add(flow)

    def response(self, flow: http.HTTPFlow) -> None:
        # A websocket continues after its handshake, and is observed when it ends.
        if flow.websocket is None:
            self._observe(flow)

    def websocket_end(self, flow: http.HTTPFlow) -> None:
        self._observe(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        # A flow can fail after its response was observed. One that was interrupted within the body was not observed yet.
        if not getattr(flow, _TAKEN, False):
            self._observe(flow)

    # Flows of other protocols are counted as skipped, as in a dump.
    def tcp_start(self, flow: Flow) -> None:
        self._open.add(flow)

    def tcp_end(self, flow: Flow) -> None:
        self._observe(flow)

    udp_start = dns_request = tcp_start
    tcp_error = udp_end = udp_error = dns_response = dns_error = tcp_end

    def done(self) -> None:
        if self._takes_over:
            _LEFT.setdefault(ctx.master, []).append(self)
        wanted = [(ctx.options.patterns_file, _report_text), (ctx.options.patterns_schemas, _schemas_text)]
        if not any(path for path, _ in wanted):
            return
        # A dump ends with the flows in progress, so the report includes them. The state does not, because they continue if the
        # script was only reloaded.
        whole = PatternsAddon(Patterns())
        whole.patterns.merge(self.patterns)
        for flow in self._open:
            whole._take(flow)
        report = whole.report()
        for path, text_of in wanted:
            try:
                if path:
                    _write(path, text_of(report), len(report.patterns))
            except OSError as error:
                logging.error("api_patterns: %s: cannot be written: %s", path, error.strerror)

    @command.command("patterns.save")
    def save(self, path: types.Path) -> None:
        """Write the report of the patterns so far to a file, as JSON."""
        self._save(path, _report_text)

    @command.command("patterns.save_schemas")
    def save_schemas(self, path: types.Path) -> None:
        """Write the schemas of the bodies so far to a file, as JSON."""
        if not self.patterns.bodies:
            raise exceptions.CommandError(f"{path}: there are no schemas to write; set patterns_bodies to true first")
        self._save(path, _schemas_text)

    def _save(self, path: str, text_of: Callable[[Report], str]) -> None:
        report = self.report()
        try:
            _write(path, text_of(report), len(report.patterns))
        except OSError as error:
            raise exceptions.CommandError(f"{path}: cannot be written: {error.strerror}") from error

    def report(self) -> Report:
        """Return the report of the patterns so far."""
        return self.patterns.report()

    def _observe(self, flow: Flow) -> None:
        setattr(flow, _TAKEN, True)
        self._open.discard(flow)
        self._take(flow)

    def _take(self, flow: Flow) -> None:
        if not isinstance(flow, http.HTTPFlow):
            return self.patterns._skip(flow.type)
        try:
            self.patterns.observe(flow_dict(flow, self.patterns.bodies))
        except Exception:
            # The proxy must continue, whatever a client or server sent.
            logging.exception("api_patterns: a flow could not be taken in")


def _report_text(report: Report) -> str:
    return report.to_json() + "\n"


def _schemas_text(report: Report) -> str:
    return report.schemas_json() + "\n"


def _write(path: str, text: str, patterns: int) -> None:
    """Write a file atomically, so that a failure leaves the old one. Follows links; pipes and devices are written directly."""
    path = os.path.realpath(os.path.expanduser(path))
    mode = os.stat(path).st_mode if os.path.exists(path) else None
    if mode is not None and not stat.S_ISREG(mode):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    else:
        name = f"{path}.{secrets.token_hex(4)}"
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            if mode is not None:
                os.chmod(name, stat.S_IMODE(mode))
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    logging.info("api_patterns: %d patterns written to %s", patterns, path)
