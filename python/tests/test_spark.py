"""Tests on a real cluster of two local workers: the report equals that of a single process, also if a task is killed."""

import datetime
import gzip
import json
import os
import pathlib
import shutil
import signal
import sys

import pytest

import api_patterns

pyspark = pytest.importorskip("pyspark")
if shutil.which("java") is None:
    pytest.skip("there is no Java for Spark", allow_module_level=True)

from api_patterns import spark as on_spark

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def spark():
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master("local-cluster[2,1,1024]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.task.maxFailures", "4")
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("captures")
    dump = (ROOT / "fixtures" / "demo.mitm").read_bytes()
    (folder / "large.mitm").write_bytes(dump * 40)
    for name in ("demo.har", "demo.zhar", "demo.db", "demo.chromium.har"):
        shutil.copy(ROOT / "fixtures" / name, folder / name)
    with open(folder / "lines.jsonl", "w") as file:
        for n in range(50_000):
            file.write(json.dumps({"id": str(n), "method": "GET", "url": f"https://b.example/things/{n}", "status": 200}) + "\n")
        file.write("damaged\n")
    return folder


def test_captures_in_parts_are_the_bytes_of_one_machine(spark, captures):
    whole = api_patterns.analyze(captures)
    report = on_spark.patterns(spark, captures, split_bytes=1 << 20)
    assert report.to_json() == whole.to_json()
    assert report.totals.skipped["bad_line"] == 1
    for arguments in ({"domain": "b.example"}, {"method": "POST"}, {"exclude": ["static", "preflight"]}):
        assert on_spark.patterns(spark, captures, **arguments).to_json() == api_patterns.analyze(captures, **arguments).to_json()


def test_schemas_of_parts_are_those_of_two_passes(spark, captures):
    whole = api_patterns.analyze(captures, bodies=True)
    for arguments in ({"split_bytes": 1 << 20}, {"split_bytes": 5 << 20, "depth": 3}):
        report = on_spark.patterns(spark, captures, bodies=True, **arguments)
        assert report == whole
        schemas, others = (json.loads(each.schemas_json()) for each in (report, whole))
        assert schemas["hosts"] == others["hosts"] and len(schemas["hosts"]) > 1
        assert "unassigned_requests" not in schemas
    report = on_spark.patterns(spark, captures, bodies=True, method="POST", domain="shop.example")
    assert report == api_patterns.analyze(captures, bodies=True, method="POST", domain="shop.example")
    with pytest.raises(ValueError, match="bodies=True"):
        on_spark.patterns(spark, captures, domain="b.example").schemas_json()


def test_schemas_of_a_table_are_those_of_its_rows(spark):
    body = lambda n: json.dumps({"id": n, "name": "x" * (n % 7), "tags": ["a"] * (n % 3)})
    rows = [
        {"method": "PUT", "url": f"https://a.example/users/{n}?page={n}", "status": 200, "content_type": "application/json",
         "response_headers": {"content-encoding": "gzip"}, "request_body": body(n), "response_body": gzip.compress(body(n).encode())}
        for n in range(300)
    ]
    schema = (
        "method string, url string, status int, content_type string, response_headers map<string,string>, request_body string, "
        "Response_Body binary"
    )
    columns = ("method", "url", "status", "content_type", "response_headers", "request_body", "response_body")
    table = spark.createDataFrame([tuple(row[name] for name in columns) for row in rows], schema)
    whole = api_patterns.analyze(rows, bodies=True)
    assert whole.schema("PUT /users/{user_id}")["responses"]["200"]["application/json"]["bodies"] == 300
    for count in (1, 5):
        assert on_spark.patterns(spark, table.repartition(count), bodies=True) == whole
    assert on_spark.patterns(spark, table) == api_patterns.analyze(rows)
    assert json.loads(on_spark.patterns(spark, table.limit(0), bodies=True).schemas_json())["hosts"] == {}


def test_a_task_that_is_killed_is_run_again(spark, captures, tmp_path):
    marker, path, wanted = str(tmp_path / "killed"), str(captures / "large.mitm"), on_spark._wanted()
    parts, _ = api_patterns._native.split(path, 1 << 20, True, wanted)
    assert len(parts) > 4

    def killed_once(part):
        # The first task kills its whole process in the middle of its work.
        seen = on_spark._observe_part(0, (path, part), wanted)
        try:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return seen
        os.kill(os.getpid(), signal.SIGKILL)

    state, problems = spark.sparkContext.parallelize(parts, len(parts)).map(killed_once).treeReduce(on_spark._both)
    assert problems == []
    assert os.path.exists(marker)
    report = api_patterns.Patterns.from_bytes(state).report()
    assert report.to_json() == api_patterns.analyze(path).to_json()


def test_a_table_is_the_bytes_of_its_rows(spark):
    rows = [
        {"id": str(n), "method": "GET", "url": f"https://a.example/users/{n}?page=1", "status": 200 + n % 2 * 4,
         "request_headers": {"X-Key": "v"}, "timestamp": 1e9 + n}
        for n in range(3000)
    ]
    table = spark.createDataFrame(rows, "id string, method string, url string, status int, request_headers map<string,string>, timestamp double")
    whole = api_patterns.analyze(rows)
    for count in (1, 7):
        assert on_spark.patterns(spark, table.repartition(count)).to_json() == whole.to_json()
    assert on_spark.patterns(spark, table.limit(0)).patterns == []
    with pytest.raises(api_patterns.UsageError, match='no columns "method" and "url"'):
        on_spark.patterns(spark, table.select("id"))


def test_a_table_is_taken_as_it_is(spark):
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    rows = [
        (n, "GET", f"https://a.example/users/{n}" if n % 10 else None, 200, [("X-Key", "v")], start + datetime.timedelta(seconds=n), 5.0)
        for n in range(1, 1001)
    ]
    schema = (
        "Id bigint, METHOD string, Url string, status smallint, request_headers array<struct<name:string,value:string>>, "
        "timestamp timestamp, duration_ms double, comment string"
    )
    table = spark.createDataFrame([row + ("not asked for",) for row in rows], schema)
    report = on_spark.patterns(spark, table)
    assert report.totals.used == 900 and report.totals.skipped == {"bad_record": 100}
    pattern = report.patterns[0]
    assert pattern.common_headers == {"x-key": 900} and pattern.latency_ms.p50 > 4
    assert pattern.first_seen.startswith("2026-01-01T00:00:01") and pattern.sample_flow_ids[0].isdigit()
    flows = [
        {"id": id, "method": method, "url": url, "status": status, "request_headers": headers, "timestamp": time, "duration_ms": took}
        for id, method, url, status, headers, time, took in rows if url
    ]
    assert report.to_dict()["patterns"] == api_patterns.analyze(flows).to_dict()["patterns"]


@pytest.mark.parametrize("kind, value", [
    ("string", '{"X-Key": "v"}'), ("array<struct<Name:string,Value:string>>", [("X-Key", "v"), None]), ("map<string,string>", {"X-Key": "v"}),
])
def test_headers_in_a_table_are_taken_as_they_are(spark, kind, value):
    rows = [("GET", "https://a.example/x", value), ("GET", "https://a.example/x", None)]
    report = on_spark.patterns(spark, spark.createDataFrame(rows, f"method string, url string, request_headers {kind}"))
    assert report.totals.used == 2 and report.patterns[0].common_headers == {"x-key": 1}


def test_a_row_whose_headers_cannot_be_read_is_taken_without(spark):
    table = spark.createDataFrame([("GET", "https://a.example/x", "X-Key: v")], "method string, url string, request_headers string")
    assert on_spark.patterns(spark, table).totals.used == 1


def test_what_lies_beside_captures_is_no_problem(spark, tmp_path):
    shutil.copy(ROOT / "fixtures" / "demo.har", tmp_path / "demo.har")
    (tmp_path / "notes.txt").write_text("no capture")
    (tmp_path / "empty").write_text("")
    whole, report = api_patterns.analyze(tmp_path), on_spark.patterns(spark, tmp_path)
    assert (report.to_json(), report.problems) == (whole.to_json(), whole.problems) and report.problems == []
    (tmp_path / "demo.har").unlink()
    with pytest.raises(api_patterns.CaptureError, match="no file in the folders is a capture"):
        on_spark.patterns(spark, tmp_path)


def test_cells_that_say_nothing_cost_no_row(spark):
    # A time in milliseconds stored as seconds, for which Python has no date, and headers of an unsupported type.
    table = spark.sql("select 'GET' method, 'http://a/b' url, timestamp_seconds(1700000000000) timestamp, repeat('[', 2000) request_headers")
    report = on_spark.patterns(spark, table)
    assert report.totals.used == 1 and report.patterns[0].first_seen is None


def test_files_that_end_in_the_middle_are_read_to_there(spark, tmp_path):
    dump = (ROOT / "fixtures" / "demo.mitm").read_bytes()
    packed = gzip.compress(dump)
    (tmp_path / "a.gz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "b.mitm").write_bytes(dump)
    (tmp_path / "c.mitm").write_bytes(dump[:50_000])
    rules = tmp_path / "rules.toml"
    rules.write_text('[[literal]]\npath = "/nope/none"\n')
    whole, report = (call(tmp_path, rules=rules) for call in (api_patterns.analyze, lambda *a, **b: on_spark.patterns(spark, *a, **b)))
    assert report.to_json() == whole.to_json() and whole.totals.skipped == {"truncated": 2}
    assert sorted(report.problems) == sorted(whole.problems)
    assert [problem.count("a.gz") + problem.count("c.mitm") for problem in report.problems] == [1, 1, 1, 0]


def test_what_cannot_be_read_is_said(spark, captures, tmp_path):
    with pytest.raises(api_patterns.CaptureError, match="no such file"):
        on_spark.patterns(spark, str(tmp_path / "none.mitm"))
    report = on_spark.patterns(spark, [str(captures / "demo.har"), str(tmp_path / "none.mitm")])
    assert report.totals.used > 0 and "none.mitm" in report.problems[0]
