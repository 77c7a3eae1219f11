"""Clusters captured HTTP traffic into endpoint patterns.

Captures are mitmproxy dumps, HAR, JSON lines, or the database of mitmproxy-mcp. Flows can also be given as dicts::

    import api_patterns
    print(api_patterns.get_api_patterns("dump.mitm", domain="example.com"))

`get_api_patterns` returns JSON and `analyze` returns Python objects. `Patterns` is the mergeable state behind both, to which flows can
be added at any time.
"""

from __future__ import annotations

import copyreg
import operator
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

from ._native import ApiPatternsError, CaptureError, FlowError, UsageError, __version__
from ._native import Patterns as _Patterns
from ._native import analyze as _analyze
from ._native import diff as _diff
from ._native import drift as _drift
from ._native import get_api_patterns as _get_api_patterns
from .findings import Finding, Findings
from .report import Latency, Parameter, ParameterSource, Pattern, Report, Sizes, Totals

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "ApiPatternsError",
    "CaptureError",
    "Finding",
    "Findings",
    "FlowError",
    "Latency",
    "Parameter",
    "ParameterSource",
    "Pattern",
    "Patterns",
    "Report",
    "Sizes",
    "Totals",
    "UsageError",
    "__version__",
    "analyze",
    "diff",
    "drift",
    "get_api_patterns",
]

Path = Union[str, "os.PathLike[str]"]
Flow = Mapping[str, Any]
Source = Union[Path, Sequence[Path], Iterable[Flow]]
Progress = Callable[[int, Union[int, None], int], object]


def _listed(what: str, value: str | Iterable[str] | None) -> list[str]:
    if value is None or value == "":
        return []
    try:
        listed = [value] if isinstance(value, str) else list(value)
    except TypeError:
        listed = [value]  # type: ignore[list-item]
    if not all(isinstance(each, str) for each in listed):
        raise TypeError(f"{what} must be a str or an iterable of str")
    # No host or method contains a lone surrogate, so a replaced one matches nothing.
    return [each.encode(errors="replace").decode() for each in listed]


def _flag(what: str, value: bool) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{what} must be True or False, not {type(value).__name__}")
    return value


def _callable(progress: Progress | None) -> Progress | None:
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be a callable, not {type(progress).__name__}")
    return progress


def _whole(what: str, value: int | None) -> int | None:
    if value is None:
        return None
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{what} must be a whole number, not {type(value).__name__}") from None
    # Larger numbers have no different meaning, and would not fit into 64 bits.
    return max(-(1 << 62), min(number, 1 << 62))


def _rules(path: Path | None) -> tuple[str, str] | None:
    """Return the name and the text of a rules file."""
    if path is None:
        return None
    name = os.fspath(path)
    try:
        with open(name, encoding="utf-8") as file:
            return os.fsdecode(name).encode(errors="replace").decode(), file.read()
    except OSError as error:
        raise UsageError(f"{name}: cannot read these rules: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{name}: cannot read these rules: {error}") from error


def _wanted(
    domain: str | Iterable[str] | None = None,
    method: str | Iterable[str] | None = None,
    exclude: str | Iterable[str] | None = None,
    limit: int | None = None,
    rules: Path | None = None,
    group_hosts: bool = False,
    threads: int = 0,
    bodies: bool = False,
) -> dict[str, Any]:
    return {
        "domain": _listed("domain", domain),
        "method": _listed("method", method),
        "exclude": _listed("exclude", exclude),
        "limit": _whole("limit", limit),
        "rules": _rules(rules),
        "group_hosts": _flag("group_hosts", group_hosts),
        "threads": _whole("threads", threads) or 0,
        "bodies": _flag("bodies", bodies),
    }


def get_api_patterns(
    source: Source,
    domain: str | None = None,
    limit: int | None = None,
    compat: bool = False,
    *,
    progress: Progress | None = None,
) -> str:
    """Return the endpoint patterns of captured traffic as a JSON array.

    Each pattern has the ten keys of mitmproxy-mcp's `get_api_patterns`, with equal names and types, and further keys. Readers of
    the original's answer can therefore read this one.

    Args:
        source: The path of a capture (a mitmproxy dump, HAR, JSON lines, the database of mitmproxy-mcp, a folder of these), a
            list of paths, or an iterable of flow dicts, newest first. A flow dict is nested,
            `{"id", "request": {"url", "method", "headers"}, "response": {"status_code", "headers"} or None}`, or flat with
            `method`, `url`, `status`, `request_headers`, `response_headers`, `content_type`, `request_body`, `response_body`
            (nested: `body` or `content`). Optional members of both are `timestamp` (seconds since the epoch, text, or a
            `datetime`, which is taken as UTC if it is naive), `duration_ms`, `response_bytes`, `failed` and `websocket`. None,
            NaN and pandas' NA are missing values. A body is bytes as on the wire, to which the header `content-encoding`
            applies, or text, or a JSON value.
        domain: Only this host and its subdomains.
        limit: Only the newest N flows; of an iterable, the first N.
        compat: Answer byte for byte as mitmproxy-mcp 0.6 does. `domain` is then any substring of the URL, and a negative `limit`
            selects all but the oldest N flows.
        progress: Called regularly with the bytes read, the total bytes (or None), and the number of flows. Not called for an
            iterable.

    Raises:
        CaptureError: If no capture can be read.
        UsageError: If an argument is invalid.
        FlowError: With `compat`, if the original raises an exception.
        TypeError, ValueError: If a flow is not a dict, or has no URL or method.
        KeyboardInterrupt: On Ctrl-C.
    """
    if compat and not isinstance(domain, (str, type(None))):
        raise TypeError("with compat, domain must be one str, as in the original")
    compat = _flag("compat", compat)
    return _get_api_patterns(source, _wanted(domain=domain, limit=limit), compat, _callable(progress))


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
    bodies: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Return the report about captured traffic as objects.

    Args:
        source: As for `get_api_patterns`.
        domain: Only these hosts and their subdomains.
        method: Only these methods.
        exclude: Noise to leave out: `static`, `preflight`, `telemetry`, `errors-only-404`.
        limit: Only the newest N flows of those that the other arguments leave; of an iterable, the first N.
        rules: A rules file (TOML) that templates follow.
        group_hosts: Treat hosts as one if they have the same endpoints and their names differ only in the first label.
        threads: Number of threads; 0 for one per core. The report does not depend on it.
        bodies: Read the bodies too, so that the report has schemas: see `Report.schema`. Captures are read twice, and without a
            `limit`; an iterable is read once, as by `Patterns(bodies=True)`.
        progress: As for `get_api_patterns`.

    Raises:
        As `get_api_patterns`. Captures of which a part can be read are not an error, and neither is an unreadable capture
        among several: see `Report.problems`.
    """
    wanted = _wanted(domain, method, exclude, limit, rules, group_hosts, threads, bodies)
    text, schemas, problems, descriptions = _analyze(source, wanted, _callable(progress))
    return Report.from_json(text, problems, schemas, descriptions)


def _paths(name: str, source: Source) -> list[str]:
    """Return the paths of a source that must be paths."""
    listed = [source] if isinstance(source, (str, bytes, os.PathLike)) else source
    if isinstance(listed, Iterable) and not isinstance(listed, Mapping):
        paths = list(listed)
        if paths and all(isinstance(path, (str, bytes, os.PathLike)) for path in paths):
            return [os.fsdecode(path) for path in paths]  # type: ignore[arg-type]
    raise TypeError(f"{name} must be the path of a capture, or a list of paths")


def drift(
    source: Source,
    api: Path,
    *,
    server: str | None = None,
    baseline: Path | None = None,
    domain: str | Iterable[str] | None = None,
    method: str | Iterable[str] | None = None,
    exclude: str | Iterable[str] | None = None,
    rules: Path | None = None,
    threads: int = 0,
    progress: Progress | None = None,
) -> Findings:
    """Compare captures with an OpenAPI description: what traffic does that the description does not say.

    Requests that were answered with 4xx or 5xx are not judged; their answers are.

    Args:
        source: The path of a capture, or a list of paths.
        api: The path of the description: OpenAPI 2.0, 3.0 or 3.1 in YAML or JSON. References to files in its folder are
            followed.
        server: The URL of the server that the description is about, instead of those that it names.
        baseline: A file of `api-patterns drift --update-baseline`: the findings in it are `known`.
        domain, method, exclude, rules, threads, progress: As for `analyze`.

    Raises:
        CaptureError: If no capture can be read.
        UsageError: If the description or the baseline cannot be read, or another argument is invalid.
    """
    wanted = _wanted(domain, method, exclude, None, rules, False, threads)
    known = None
    if baseline is not None:
        name = os.fsdecode(baseline)
        with open(name, encoding="utf-8") as file:
            known = (name, file.read())
    text, problems = _drift(
        _paths("source", source), os.fsdecode(api), server, known, wanted, _callable(progress)
    )
    return Findings.from_json(text, problems)


def diff(
    before: Source | Patterns,
    after: Source | Patterns,
    *,
    min_confidence: float = 0.99,
    domain: str | Iterable[str] | None = None,
    exclude: str | Iterable[str] | None = None,
    rules: Path | None = None,
    threads: int = 0,
    progress: Progress | None = None,
) -> Findings:
    """Compare two sides of one API: what was added, removed or changed, and whether clients break by it.

    Args:
        before: A capture, a list of captures, a saved state or a description as paths, or `Patterns(bodies=True)`.
        after: The other side.
        min_confidence: Changes between captures that are less sure are left out, from 0 to 1.
        domain, exclude, rules, threads, progress: As for `analyze`.

    Raises:
        CaptureError: If a side cannot be read.
        UsageError: If an argument is invalid.
    """
    wanted = _wanted(domain, None, exclude, None, rules, False, threads)
    first = before if isinstance(before, _Patterns) else _paths("before", before)
    second = after if isinstance(after, _Patterns) else _paths("after", after)
    text, problems = _diff(first, second, float(min_confidence), wanted, _callable(progress))
    return Findings.from_json(text, problems)


def _report(patterns: _Patterns, wanted: dict[str, Any], problems: Iterable[str] = ()) -> Report:
    text, schemas, unmatched, descriptions = patterns.report_json(wanted)
    return Report.from_json(text, [*problems, *unmatched], schemas, descriptions)


class Patterns(_Patterns):
    """Mergeable state of any number of flows: observe flows, merge states, and request a report at any time.

    The report depends only on the set of flows: any order, and any division into states that are merged, give identical bytes.
    Memory grows with the number of endpoints, not of flows. States can be pickled, compared, and used from several threads.

    Args:
        bodies: Observe the bodies too, so that the report has schemas: see `Report.schema`. Of a body the state keeps counts,
            names of fields, and short values that look neither secret nor personal. Merging a state with bodies into one
            without turns them on.
    """

    # Accept any arguments, because subclasses may take some.
    def __new__(cls, *_args: object, **_more: object) -> Self:
        return super().__new__(cls)

    # Bodies are turned on here, so that an argument of a subclass can have any meaning.
    def __init__(self, *, bodies: bool = False) -> None:
        if _flag("bodies", bodies):
            self._observe_bodies()

    def __reduce__(self) -> tuple[Any, ...]:
        return copyreg.__newobj__, (type(self),), (self.to_bytes(), self.__dict__)  # type: ignore[attr-defined]

    def __setstate__(self, state: tuple[bytes, dict[str, Any]]) -> None:
        data, attributes = state
        self._load(data)
        self.__dict__.update(attributes)

    def __eq__(self, other: object) -> bool:
        return self.to_bytes() == other.to_bytes() if isinstance(other, _Patterns) else NotImplemented

    # A state changes with every flow, so it is not hashable.
    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> Self:
        """Deserialize a state.

        Raises:
            CaptureError: If the bytes are damaged, or were written by a newer version.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data must be the bytes that to_bytes returns, not {type(data).__name__}")
        state = cls.__new__(cls)
        state._load(bytes(data))
        return state

    def report(
        self,
        *,
        rules: Path | None = None,
        group_hosts: bool = False,
        exclude: str | Iterable[str] | None = None,
    ) -> Report:
        """Decide the templates and describe every endpoint. Of `exclude` only `errors-only-404` has an effect here.

        If the state has `bodies`, the report has schemas. They are those that `analyze` gives of files, but for requests whose
        path was not told apart from others in bounded memory, which `Report.schemas_json` counts.

        Raises:
            UsageError: If the rules are invalid.
        """
        return _report(self, _wanted(rules=rules, group_hosts=group_hosts, exclude=exclude))
