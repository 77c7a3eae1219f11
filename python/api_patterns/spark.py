"""The patterns of captures, or of a table of flows, on Spark.

Captures are cut into parts at the boundaries of their records, tasks observe the parts, states of a few kilobytes are merged in a
tree, and the report is decided on the driver. It is the report of one machine, to the byte, however the work was split and
whatever tasks failed and ran again. ::

    from api_patterns import spark as patterns_on_spark

    report = patterns_on_spark.patterns(spark, "/shared/captures")
    report = patterns_on_spark.patterns(spark, spark.table("proxy.flows"))

Files must stand under the same path on the driver and on every executor, and the package must be installed there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Union

from . import CaptureError, Path, Patterns, Report, UsageError, _wanted
from ._native import observe_split, split

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["patterns"]

#: Columns of a table of flows; `method` and `url` must be there.
COLUMNS = (
    "id", "method", "url", "status", "status_code", "request_headers", "response_headers", "content_type", "timestamp",
    "duration_ms", "response_bytes", "request_body", "request", "response", "failed", "websocket",
)

Part = tuple[str, Union[list[tuple[int, int]], None]]


def _files(paths: Path | Iterable[Path]) -> list[tuple[str, bool]]:
    """The files behind paths, and whether each was named; folders are walked, sorted by name."""
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
    """Merges two states in their binary form."""
    state = Patterns.from_bytes(one)
    state.merge(Patterns.from_bytes(other))
    return state.to_bytes()


#: A state, and what went wrong: the number of the part, and a sentence.
Seen = tuple[bytes, list[tuple[int, str]]]


def _both(one: Seen, other: Seen) -> Seen:
    return _merged(one[0], other[0]), one[1] + other[1]


def _observe_part(number: int, part: Part, wanted: dict[str, Any]) -> Seen:
    path, places = part
    state, said = observe_split(path, places, wanted)
    return state, [(number, sentence) for sentence in said]


def _value(cell: Any) -> Any:
    """What a cell says; nothing where Python has no such value, as there is no date after the year 9999."""
    try:
        return cell.as_py()
    except (ArithmeticError, ValueError):
        return None


def _rows(batch: Any) -> list[dict[str, Any]]:
    """The rows of an Arrow batch."""
    columns = {}
    for name, column in zip(batch.schema.names, batch.columns):
        try:
            columns[name] = column.to_pylist()
        except (ArithmeticError, ValueError):
            columns[name] = [_value(cell) for cell in column]
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def _observer(wanted: dict[str, Any]) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """What a task does with the Arrow batches of a table: one state for all of them."""

    def observe(batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow

        state = Patterns()
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
    split_bytes: int = 64 << 20,
    depth: int = 2,
) -> Report:
    """The report about captures, or about a table with one flow a row.

    Args:
        spark: The session.
        source: Paths of captures and folders, or a data frame with the columns `method` and `url`, and any of `id`, `status`,
            `request_headers` and `response_headers` (maps, arrays of structs of two, or JSON text), `content_type`,
            `timestamp` (a timestamp, seconds, or text), `duration_ms`, `response_bytes`, `request_body`, `failed`,
            `websocket`, in any case. A row without method or URL is counted as a `bad_record`.
        domain, method, exclude, rules, group_hosts: As for `api_patterns.analyze`. There is no limit: the newest flows are only
            known where all are.
        split_bytes: About how many bytes of a capture one task reads. Packed captures and databases are not cut.
        depth: The depth of the tree in which states are merged.

    Raises:
        CaptureError, UsageError: On the driver, as for `api_patterns.analyze`. A capture of several that cannot be read is no
            error: see `Report.problems`.
    """
    wanted = _wanted(domain=domain, method=method, exclude=exclude, rules=rules, group_hosts=group_hosts)
    if split_bytes < 1 or depth < 1:
        raise UsageError("split_bytes and depth are 1 or more")
    # A table is no path: everything else is.
    if hasattr(source, "mapInArrow"):
        return _of_table(source, wanted, depth)
    if hasattr(source, "columns"):
        raise TypeError("a data frame of another library; make it one of Spark's with spark.createDataFrame")
    return _of_captures(spark, source, wanted, split_bytes, depth)  # type: ignore[arg-type]


def _report(state: bytes, wanted: dict[str, Any], problems: Iterable[str] = ()) -> Report:
    text, unmatched = Patterns.from_bytes(state).report_json(wanted)
    return Report.from_json(text, [*problems, *unmatched])


def _of_captures(
    spark: SparkSession, paths: Path | Iterable[Path], wanted: dict[str, Any], split_bytes: int, depth: int
) -> Report:
    from . import ApiPatternsError

    parts: list[Part] = []
    state = Patterns()
    # Each with the number of the part before which it was found.
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
        raise CaptureError("no capture was named, or no file in the folders is one")
    observed = state.to_bytes()
    if parts:
        tasks = spark.sparkContext.parallelize(list(enumerate(parts)), len(parts))
        observed, problems = _both(
            (observed, problems), tasks.map(lambda part: _observe_part(*part, wanted)).treeReduce(_both, depth)
        )
    # Which task was done first is chance.
    return _report(observed, wanted, [sentence for _, sentence in sorted(problems, key=lambda problem: problem[0])])


def _of_table(table: DataFrame, wanted: dict[str, Any], depth: int) -> Report:
    # As SQL has it, the case of a name means nothing.
    known = {name.lower(): name for name in reversed(table.columns) if name.lower() in COLUMNS}
    if not {"method", "url"} <= known.keys() and "request" not in known:
        raise UsageError(f"the table has no columns \"method\" and \"url\"; it has {', '.join(table.columns)}")
    chosen = [table[f"`{name}`"].alias(lower) for lower, name in known.items()]
    states = table.select(*chosen).mapInArrow(_observer(wanted), "state binary")
    # Without a row there is no task that has a state.
    observed = states.rdd.map(lambda row: bytes(row["state"])).treeAggregate(Patterns().to_bytes(), _merged, _merged, depth)
    return _report(observed, wanted)
