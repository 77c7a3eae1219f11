"""Endpoint patterns of captures, or of a table of flows, on Spark.

Captures are divided at the boundaries of their records, tasks observe the splits, states of a few kilobytes are merged in a
tree, and the driver builds the report. It equals the report of a single machine byte for byte, for any division of the work and
whichever tasks are repeated after a failure. With `bodies=True` the report has schemas, and a state has up to some tens of
megabytes. ::

    from api_patterns import spark as patterns_on_spark

    report = patterns_on_spark.patterns(spark, "/shared/captures")
    report = patterns_on_spark.patterns(spark, spark.table("proxy.flows"))

Files must have the same path on the driver and on every executor, and the package must be installed there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Union

from . import CaptureError, Path, Patterns, Report, UsageError, _report, _wanted
from ._native import observe_split, split

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["patterns"]

#: Supported columns of a table of flows. `method` and `url`, or `request`, are required.
COLUMNS = (
    "id", "method", "url", "status", "status_code", "request_headers", "response_headers", "content_type", "timestamp",
    "duration_ms", "response_bytes", "request_body", "response_body", "request", "response", "failed", "websocket",
)

Part = tuple[str, Union[list[tuple[int, int]], None]]


def _files(paths: Path | Iterable[Path]) -> list[tuple[str, bool]]:
    """Return (file, is_named) for all paths. Folders are walked in the order of names; their files are not named."""
    named = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    files: list[tuple[str, bool]] = []
    for path in map(os.fspath, named):
        if not os.path.isdir(path):
            files.append((path, True))
            continue
        for folder, folders, names in os.walk(path):
            folders.sort()
            inside = [os.path.join(folder, name) for name in sorted(names)]
            files += [(path, False) for path in inside if os.path.isfile(path) and os.path.getsize(path)]
    return files


def _merged(one: bytes, other: bytes) -> bytes:
    """Merge two serialized states."""
    state = Patterns.from_bytes(one)
    state.merge(Patterns.from_bytes(other))
    return state.to_bytes()


#: A serialized state, and problems as (number of the part, sentence).
Seen = tuple[bytes, list[tuple[int, str]]]


def _both(one: Seen, other: Seen) -> Seen:
    return _merged(one[0], other[0]), one[1] + other[1]


def _observe_part(number: int, part: Part, wanted: dict[str, Any]) -> Seen:
    path, places = part
    state, said = observe_split(path, places, wanted)
    return state, [(number, sentence) for sentence in said]


def _value(cell: Any) -> Any:
    """Return the value of a cell, or None if Python has no such value, for example a date after the year 9999."""
    try:
        return cell.as_py()
    except (ArithmeticError, ValueError):
        return None


def _rows(batch: Any) -> list[dict[str, Any]]:
    """Return the rows of an Arrow batch as dicts."""
    columns = {}
    for name, column in zip(batch.schema.names, batch.columns):
        try:
            columns[name] = column.to_pylist()
        except (ArithmeticError, ValueError):
            columns[name] = [_value(cell) for cell in column]
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def _observer(wanted: dict[str, Any]) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """Return the function with which a task observes the Arrow batches of a table into one state."""

    def observe(batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow

        state = Patterns(bodies=wanted["bodies"])
        for batch in batches:
            state.observe_rows(_rows(batch), wanted)
        yield pyarrow.RecordBatch.from_pydict({"state": pyarrow.array([state.to_bytes()], pyarrow.binary())})

    return observe


def patterns(
    spark: SparkSession,
    source: DataFrame | Path | Iterable[Path],
    *,
    domain: str | Iterable[str] | None = None,
    method: str | Iterable[str] | None = None,
    exclude: str | Iterable[str] | None = None,
    rules: Path | None = None,
    group_hosts: bool = False,
    bodies: bool = False,
    split_bytes: int = 64 << 20,
    depth: int = 2,
) -> Report:
    """Return the report about captures, or about a table with one flow per row.

    Args:
        spark: The session.
        source: Paths of captures and folders, or a data frame with the columns `method` and `url`, and any of `id`, `status`,
            `request_headers` and `response_headers` (maps, arrays of structs of two, or JSON text), `content_type`,
            `timestamp` (a timestamp, seconds, or text), `duration_ms`, `response_bytes`, `request_body` and `response_body`
            (binary as on the wire, or text), `failed`, `websocket`. The case of the names is ignored. A row without method or URL
            is counted as a `bad_record`.
        domain, method, exclude, rules, group_hosts: As for `api_patterns.analyze`. There is no `limit`, because no task knows
            the newest flows.
        bodies: Observe the bodies too, so that the report has schemas: see `Report.schema`. The source is read once, as by
            `Patterns(bodies=True)`; the schemas are those that `api_patterns.analyze` decides in two passes over files, but for
            the `unassigned_requests` that `Report.schemas_json` counts.
        split_bytes: Approximate number of bytes of a capture that one task reads. Compressed captures and databases are not split.
        depth: Depth of the tree in which states are merged.

    Raises:
        CaptureError, UsageError: On the driver, as for `api_patterns.analyze`. An unreadable capture among several is not an
            error: see `Report.problems`.
    """
    wanted = _wanted(domain, method, exclude, rules=rules, group_hosts=group_hosts, bodies=bodies)
    if split_bytes < 1 or depth < 1:
        raise UsageError("split_bytes and depth must be 1 or more")
    # Only Spark data frames have `mapInArrow`; everything else is a path or several.
    if hasattr(source, "mapInArrow"):
        return _of_table(source, wanted, depth)
    if hasattr(source, "columns"):
        raise TypeError("this data frame is not one of Spark; convert it with spark.createDataFrame")
    return _of_captures(spark, source, wanted, split_bytes, depth)  # type: ignore[arg-type]


def _of_captures(
    spark: SparkSession, paths: Path | Iterable[Path], wanted: dict[str, Any], split_bytes: int, depth: int
) -> Report:
    from . import ApiPatternsError

    parts: list[Part] = []
    state = Patterns(bodies=wanted["bodies"])
    # With the number of the part that follows the problem, so that problems can be sorted.
    problems: list[tuple[int, str]] = []
    refused: ApiPatternsError | None = None
    found = False
    for path, is_named in _files(paths):
        try:
            cut = split(path, split_bytes, is_named, wanted)
        except ApiPatternsError as error:
            refused = refused or error
            problems.append((len(parts), str(error)))
            continue
        if cut is not None:
            found = True
            rest, said = cut[1]
            problems += [(len(parts), sentence) for sentence in said]
            parts += [(path, part) for part in cut[0]]
            state.merge(Patterns.from_bytes(rest))
    if refused and not found:
        raise refused
    if not found:
        raise CaptureError("no capture was named, or no file in the folders is a capture")
    observed = state.to_bytes()
    if parts:
        tasks = spark.sparkContext.parallelize(list(enumerate(parts)), len(parts))
        observed, problems = _both(
            (observed, problems), tasks.map(lambda part: _observe_part(*part, wanted)).treeReduce(_both, depth)
        )
    # Tasks end in random order, so sort the problems by their parts.
    return _report(Patterns.from_bytes(observed), wanted, [sentence for _, sentence in sorted(problems, key=lambda problem: problem[0])])


def _of_table(table: DataFrame, wanted: dict[str, Any], depth: int) -> Report:
    # Column names are case-insensitive, as in SQL. The first of several wins. Response bodies are read only for schemas.
    columns = [name for name in COLUMNS if wanted["bodies"] or name != "response_body"]
    known = {name.lower(): name for name in reversed(table.columns) if name.lower() in columns}
    if not {"method", "url"} <= known.keys() and "request" not in known:
        raise UsageError(f"the table has no columns \"method\" and \"url\"; it has {', '.join(table.columns)}")
    chosen = [table[f"`{name}`"].alias(lower) for lower, name in known.items()]
    states = table.select(*chosen).mapInArrow(_observer(wanted), "state binary")
    # A table without rows gives no state, so the aggregation starts from an empty one.
    empty = Patterns(bodies=wanted["bodies"]).to_bytes()
    observed = states.rdd.map(lambda row: bytes(row["state"])).treeAggregate(empty, _merged, _merged, depth)
    return _report(Patterns.from_bytes(observed), wanted)
