"""Which API is this? Clusters captured HTTP traffic into endpoint patterns.

One line, from captures (mitmproxy dumps, HAR, JSON lines, the database of mitmproxy-mcp) or from flow dicts::

    import api_patterns
    print(api_patterns.get_api_patterns("dump.mitm", domain="example.com"))

`analyze` gives the same as objects, `Patterns` is the state behind it: observe flows, merge states, ask for a report at any time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Union

from ._native import ApiPatternsError, CaptureError, FlowError, UsageError, __version__
from ._native import Patterns as _Patterns
from ._native import analyze as _analyze
from ._native import get_api_patterns as _get_api_patterns
from .report import Latency, Parameter, Pattern, Report, Sizes, Totals

__all__ = [
    "ApiPatternsError",
    "CaptureError",
    "FlowError",
    "Latency",
    "Parameter",
    "Pattern",
    "Patterns",
    "Report",
    "Sizes",
    "Totals",
    "UsageError",
    "__version__",
    "analyze",
    "get_api_patterns",
]

Path = Union[str, "os.PathLike[str]"]
Flow = Mapping[str, Any]
Source = Union[Path, Sequence[Path], Iterable[Flow]]
Progress = Callable[[int, Union[int, None], int], object]


def _listed(value: str | Iterable[str] | None) -> list[str]:
    if value is None or value == "":
        return []
    return [value] if isinstance(value, str) else list(value)


def _wanted(
    domain: str | Iterable[str] | None = None,
    method: str | Iterable[str] | None = None,
    exclude: str | Iterable[str] | None = None,
    limit: int | None = None,
    rules: Path | None = None,
    group_hosts: bool = False,
    threads: int = 0,
) -> dict[str, Any]:
    text = None
    if rules is not None:
        try:
            with open(rules, encoding="utf-8") as file:
                text = file.read()
        except OSError as error:
            raise UsageError(f"{os.fspath(rules)}: cannot read these rules: {error.strerror}") from error
    return {
        "domain": _listed(domain),
        "method": _listed(method),
        "exclude": _listed(exclude),
        "limit": limit,
        "rules": text,
        "group_hosts": group_hosts,
        "threads": threads,
    }


def get_api_patterns(
    source: Source,
    domain: str | None = None,
    limit: int | None = None,
    compat: bool = False,
    *,
    progress: Progress | None = None,
) -> str:
    """The endpoint patterns of captured traffic, as a JSON array.

    Each pattern has the ten keys of mitmproxy-mcp's `get_api_patterns`, with the same names and types, and more beside them,
    so that what reads the original's answer reads this one.

    Args:
        source: The path of a capture (a mitmproxy dump, HAR, JSON lines, the database of mitmproxy-mcp, a folder of these), a
            list of paths, or an iterable of flow dicts, newest first, as
            `{"id", "request": {"url", "method", "headers"}, "response": {"status_code", "headers"} or None}`.
        domain: Only this host and its subdomains.
        limit: Only the newest N flows; of an iterable, the first N.
        compat: Answer byte for byte as mitmproxy-mcp 0.6 does; `domain` and `limit` then mean what they mean there.
        progress: Called now and then with bytes read, bytes in all (or None), and flows; not for an iterable.

    Raises:
        CaptureError: Where no capture can be read.
        UsageError: Where an argument does not fit.
        FlowError: With `compat`, where the original raises.
        TypeError, ValueError: Where a flow is no dict, or has no URL or method.
        KeyboardInterrupt: On Ctrl-C.
    """
    return _get_api_patterns(source, _wanted(domain=domain, limit=limit), compat, progress)


def analyze(
    source: Source,
    *,
    domain: str | Iterable[str] | None = None,
    method: str | Iterable[str] | None = None,
    exclude: str | Iterable[str] | None = None,
    limit: int | None = None,
    rules: Path | None = None,
    group_hosts: bool = False,
    threads: int = 0,
    progress: Progress | None = None,
) -> Report:
    """The report about captured traffic, as objects.

    Args:
        source: As for `get_api_patterns`.
        domain: Only these hosts and their subdomains.
        method: Only these methods.
        exclude: Noise to leave out: `static`, `preflight`, `telemetry`, `errors-only-404`.
        limit: Only the newest N flows of those that the other arguments leave; of an iterable, the first N.
        rules: A file of rules (TOML) that the decision follows.
        group_hosts: Take hosts with the same endpoints, whose names differ in the first label alone, for one.
        threads: How many threads; 0 for as many as there are cores. The report does not depend on it.
        progress: As for `get_api_patterns`.

    Raises:
        As `get_api_patterns`. What of several captures cannot be read is no error: see `Report.problems`.
    """
    text, problems = _analyze(
        source, _wanted(domain, method, exclude, limit, rules, group_hosts, threads), progress
    )
    return Report.from_json(text, problems)


class Patterns(_Patterns):
    """What was seen of any number of flows: observe flows, merge states, ask for a report at any time.

    The report depends on the flows alone: any order and any split over states that are merged give the same bytes. Memory
    follows the number of endpoints, not of flows. States can be pickled.
    """

    @classmethod
    def from_bytes(cls, data: bytes) -> Patterns:
        """A state from its binary form.

        Raises:
            CaptureError: Where the bytes are damaged, or of a newer version.
        """
        state = cls()
        state.load(data)
        return state

    def report(
        self,
        *,
        rules: Path | None = None,
        group_hosts: bool = False,
        exclude: str | Iterable[str] | None = None,
    ) -> Report:
        """Decides the templates and describes every endpoint. Of `exclude` only `errors-only-404` has a meaning here.

        Raises:
            UsageError: Where the rules cannot be used.
        """
        return Report.from_json(self.report_json(_wanted(rules=rules, group_hosts=group_hosts, exclude=exclude)))
