"""Reports as Python objects, with conversion to dicts, JSON and data frames."""

from __future__ import annotations

import difflib
import html
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas
    import polars

    from ._native import Descriptions


def _known(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that are fields of a class. Newer versions of the library may add members."""
    names = {place.name for place in fields(kind)}
    return {name: value for name, value in values.items() if name in names}


@dataclass(frozen=True, slots=True)
class Totals:
    """Numbers of flows that were read, used and skipped (by reason), and of hosts and patterns."""

    flows: int
    used: int
    skipped: dict[str, int]
    hosts: int
    patterns: int
    not_told_apart: int = 0
    not_selected: int = 0


@dataclass(frozen=True, slots=True)
class ParameterSource:
    """The answer in which values of a path parameter stood: `endpoint` and its `id`, the `host` if it is another one, the `status`,
    and the place in the answer (`key`: `[].id`). `share` is that of the distinct values of the parameter, 0 to 1."""

    endpoint: str
    id: str
    status: int
    key: str
    share: float
    host: str | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an endpoint. `location` is `path` or `query` (in JSON: `in`). `source` needs bodies."""

    name: str
    location: str
    kind: str
    segment: int | None = None
    distinct: int | None = None
    confidence: float | None = None
    reasons: list[str] = field(default_factory=list)
    seen: float | None = None
    source: ParameterSource | None = None


def _source(values: dict[str, Any] | None) -> ParameterSource | None:
    return None if values is None else ParameterSource(**_known(ParameterSource, values))


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of the time from request to end of response, in milliseconds. Relative error: at most 1/32."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Sizes:
    """Percentiles of the length of response bodies, in bytes. Relative error: at most 1/32."""

    p50: int
    p95: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """An endpoint: method, host and path template, with statistics of its requests."""

    id: str
    endpoint: str
    method: str
    host: str
    path_pattern: str
    path_params: list[str]
    parameters: list[Parameter]
    query_params: list[str]
    common_headers: dict[str, int]
    status_codes: dict[str, int]
    content_types: dict[str, int]
    media_types: dict[str, int]
    request_count: int
    sample_flow_ids: list[str]
    operation: str | None = None
    failed_count: int = 0
    websocket_count: int = 0
    latency_ms: Latency | None = None
    response_bytes: Sizes | None = None
    first_seen: str | None = None
    last_seen: str | None = None
    request_body: dict[str, dict[str, Any]] | None = None
    responses: dict[str, dict[str, dict[str, Any]]] | None = None
    request_media_types: dict[str, int] = field(default_factory=dict)
    #: `api`, `page`, `asset` or `other`: the `class` of the JSON report.
    endpoint_class: str = "api"
    #: `first` for the captured application, `third` for services that it embeds.
    party: str = "first"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Pattern:
        """Create a pattern from its JSON object."""
        values = {**values, "endpoint_class": values.get("class", "api")}
        values["parameters"] = [
            Parameter(**_known(Parameter, {**parameter, "location": parameter["in"], "source": _source(parameter.get("source"))}))
            for parameter in values["parameters"]
        ]
        for name, kind in (("latency_ms", Latency), ("response_bytes", Sizes)):
            if values.get(name) is not None:
                values[name] = kind(**_known(kind, values[name]))
        return cls(**_known(cls, values))


#: Percentiles, each of which is a column of a data frame.
_PERCENTILES = {
    name: tuple(place.name for place in fields(kind)) for name, kind in (("latency_ms", Latency), ("response_bytes", Sizes))
}
_COLUMNS = tuple(
    place.name for place in fields(Pattern) if place.name not in ("parameters", "request_body", "responses", *_PERCENTILES)
)

#: Members that the JSON report leaves out if they are 0 or empty.
_ABSENT: dict[str, Any] = {"failed_count": 0, "websocket_count": 0, "request_media_types": {}}

#: Columns that are datetimes in a data frame.
_TIMES = ("first_seen", "last_seen")

#: Rows of the table in a notebook.
_SHOWN_ROWS = 200


def _datetime(text: str | None) -> datetime | None:
    """Parse a time of the JSON report, which has from none to six digits after the seconds."""
    if text is None:
        return None
    whole, _, fraction = text.removesuffix("Z").partition(".")
    moment = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return moment + timedelta(microseconds=int(fraction.ljust(6, "0") or 0))


def _names() -> list[str]:
    """Return the columns of a data frame, which do not depend on the report."""
    return [*_COLUMNS, "parameters", "kinds", *(f"{percentile}_{name}" for name, each in _PERCENTILES.items() for percentile in each)]


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """Endpoints of the captured APIs.

    `problems` are sentences about captures that could not be read, or not to their end, about the positions of the first damage,
    and about rules that matched nothing.
    """

    version: int
    totals: Totals
    patterns: list[Pattern]
    problems: list[str]
    _json: str = field(repr=False)
    _schemas: str | None = field(default=None, repr=False)
    _descriptions: Descriptions | None = field(default=None, repr=False, compare=False)

    # What descriptions are made of is not copied between processes.
    def __getstate__(self) -> list[Any]:
        return [None if place.name == "_descriptions" else getattr(self, place.name) for place in fields(self)]

    def __setstate__(self, state: list[Any]) -> None:
        for place, value in zip(fields(self), state):
            object.__setattr__(self, place.name, value)

    @classmethod
    def from_json(
        cls,
        text: str,
        problems: Iterable[str] = (),
        schemas: str | None = None,
        descriptions: Descriptions | None = None,
    ) -> Report:
        """Create a report from its JSON."""
        values = json.loads(text)
        return cls(
            version=values["version"],
            totals=Totals(**_known(Totals, values["totals"])),
            patterns=[Pattern.from_dict(pattern) for pattern in values["patterns"]],
            problems=list(problems),
            _json=text,
            _schemas=schemas,
            _descriptions=descriptions,
        )

    def __repr__(self) -> str:
        totals = self.totals
        problems = f", {len(self.problems)} problems" if self.problems else ""
        return f"<Report: {totals.patterns} endpoints of {totals.hosts} hosts, {totals.used} of {totals.flows} flows{problems}>"

    def _repr_html_(self) -> str:
        """Return a table of the endpoints, which notebooks show."""
        titles = ("requests", "method", "path", "statuses", "p50 ms")
        rows = [f"<caption>{html.escape(repr(self))}</caption><tr>{''.join(f'<th>{title}</th>' for title in titles)}</tr>"]
        host = None
        for pattern in self.patterns[:_SHOWN_ROWS]:
            if pattern.host != host:
                host = pattern.host
                rows.append(f'<tr><th colspan="{len(titles)}" style="text-align:left">{html.escape(host)}</th></tr>')
            path = pattern.endpoint.removeprefix(pattern.method).strip()
            statuses = " ".join(f"{status}×{count}" for status, count in pattern.status_codes.items())
            latency = f"{pattern.latency_ms.p50:g}" if pattern.latency_ms else ""
            cells = (str(pattern.request_count), pattern.method, path, statuses, latency)
            rows.append("<tr>" + "".join(f'<td style="text-align:left">{html.escape(cell)}</td>' for cell in cells) + "</tr>")
        if len(self.patterns) > _SHOWN_ROWS:
            rows.append(f'<tr><td colspan="{len(titles)}">and {len(self.patterns) - _SHOWN_ROWS} more</td></tr>')
        return f"<table>{''.join(rows)}</table>"

    def to_json(self) -> str:
        """Return the report as `api-patterns analyze --format json` writes it, but on one line."""
        return self._json

    def schema(self, endpoint: str, host: str | None = None) -> dict[str, Any]:
        """Return the JSON Schemas of the messages at an endpoint, by `Pattern.endpoint` or `Pattern.id`.

        The dict has `parameters`, `request_body` (by media type) and `responses` (by status, then by media type), as far as there
        are any; each body has its `schema` and the number of `bodies` that it was decided from.

        Args:
            endpoint: The endpoint as the report lists it, `GET /users/{user_id}`, or its id.
            host: The host, if several have this endpoint.

        Raises:
            KeyError: If there is no such endpoint, or no message of it was read.
            ValueError: If the report was made without `bodies=True` (of `analyze`, `Patterns`, the addon or Spark's `patterns`).
        """
        names = []
        for name, endpoints in json.loads(self.schemas_json())["hosts"].items():
            if host is not None and name != host:
                continue
            for known, messages in endpoints.items():
                if endpoint in (known, f"{name} {known}", messages["id"]):
                    found: dict[str, Any] = messages
                    return found
                names.append(known)
        # Of those that are nearly what was asked for, as of `GET /users/{id}`.
        near = difflib.get_close_matches(endpoint, names, n=3)
        raise KeyError(f"{endpoint}: no messages of it were read; the nearest are {', '.join(near or names[:3]) or 'none'}")

    def schemas_json(self) -> str:
        """Return the schemas of all endpoints as `api-patterns schema` writes them, but on one line.

        Its object has `hosts`, by host and endpoint what `schema` returns, and `unassigned_requests`: the number of requests that
        are in no schema, if there are any.

        Raises:
            ValueError: If the report was made without `bodies=True`.
        """
        if self._schemas is None:
            raise ValueError(
                "this report has no schemas, because it was made without bodies; "
                "call analyze(..., bodies=True), or observe the flows into Patterns(bodies=True)"
            )
        return self._schemas

    def to_openapi(
        self, host: str | None = None, *, version: str = "3.1", evidence: bool = False
    ) -> dict[str, Any]:
        """Return the OpenAPI description of a host.

        Args:
            host: The host; it may be left out if the report has one.
            version: `3.1` or `3.0`.
            evidence: Add counts, confidence and reasons as `x-evidence`.

        Raises:
            KeyError: If there is no such host, or there are several and none was named.
            ValueError: If the report was made without `bodies=True`, or was pickled.
        """
        if self._descriptions is None:
            raise ValueError(
                "this report has no schemas, because it was made without bodies or was pickled; "
                "call analyze(..., bodies=True), or observe the flows into Patterns(bodies=True)"
            )
        described = dict(self._descriptions.openapi(version, evidence))
        if host is None and len(described) == 1:
            host = next(iter(described))
        if host not in described:
            raise KeyError(f"{host}: the hosts are {', '.join(described)}")
        api: dict[str, Any] = json.loads(described[host])
        return api

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON report as dicts and lists."""
        values: dict[str, Any] = json.loads(self._json)
        return values

    def _rows(self) -> list[dict[str, Any]]:
        rows = []
        for pattern in self.to_dict()["patterns"]:
            pattern["endpoint_class"] = pattern.get("class", "api")
            row = {name: pattern.get(name, _ABSENT.get(name)) for name in _COLUMNS}
            for name, percentiles in _PERCENTILES.items():
                values = pattern.get(name) or {}
                row.update({f"{percentile}_{name}": values.get(percentile) for percentile in percentiles})
            # The keys of counters differ from row to row, so a table holds them as JSON.
            for name in ("common_headers", "status_codes", "content_types", "media_types", "request_media_types"):
                row[name] = json.dumps(row[name])
            row["parameters"] = json.dumps(pattern["parameters"])
            row["kinds"] = json.dumps({place["name"]: place["kind"] for place in pattern["parameters"]})
            for name in _TIMES:
                row[name] = _datetime(row[name])
            rows.append(row)
        return rows

    def to_pandas(self) -> pandas.DataFrame:
        """Return a pandas data frame with one row per pattern.

        Each percentile is a column. Counters, `parameters` and `kinds` (of parameters by name) are JSON text, and times are datetimes
        in UTC.

        Raises:
            ImportError: If pandas is not installed.
        """
        import pandas

        frame = pandas.DataFrame(self._rows(), columns=_names())
        for name in _TIMES:
            frame[name] = pandas.to_datetime(frame[name], utc=True)
        return frame

    def to_polars(self) -> polars.DataFrame:
        """Return a Polars data frame with one row per pattern and the columns of `to_pandas`.

        Raises:
            ImportError: If Polars is not installed.
        """
        import polars

        times = {name: polars.Datetime("us", "UTC") for name in _TIMES}
        return polars.DataFrame(self._rows(), schema=_names(), schema_overrides=times, infer_schema_length=None)
