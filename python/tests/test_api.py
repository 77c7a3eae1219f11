"""Tests of the calls that read captures and flows."""

import copy
import datetime
import decimal
import gzip
import json
import os
import pathlib
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
import types
import uuid
import zlib

import pytest

import api_patterns

TEN = {
    "endpoint": str,
    "method": str,
    "path_pattern": str,
    "path_params": list,
    "query_params": list,
    "common_headers": dict,
    "status_codes": dict,
    "content_types": dict,
    "request_count": int,
    "sample_flow_ids": list,
}


def flow(n, url=None, **more):
    url = url or f"https://api.example.com/users/{1000 + n}?page=2"
    return {
        "id": str(n),
        "request": {"url": url, "method": "GET", "headers": {"X-Token": "secret-value"}},
        "response": {"status_code": 200, "headers": {"Content-Type": "application/json"}},
        **more,
    }


def test_the_answer_has_the_keys_of_the_original(fixture):
    answer = json.loads(api_patterns.get_api_patterns(fixture("demo.mitm")))
    assert len(answer) == 21
    for pattern in answer:
        for key, kind in TEN.items():
            assert isinstance(pattern[key], kind)
    assert answer[0]["endpoint"] == "GET /v1/users/{user_id}"
    assert {"id", "host", "parameters", "media_types"} <= answer[0].keys()


def test_schemas_of_bodies(fixture):
    report = api_patterns.analyze(fixture("demo.mitm"), bodies=True)
    messages = report.schema("GET /v1/users/{user_id}")
    body = messages["responses"]["200"]["application/json"]
    assert body["bodies"] > 5 and body["schema"]["properties"]
    assert report.schema(messages["id"]) == messages
    pattern = next(pattern for pattern in report.patterns if pattern.id == messages["id"])
    assert pattern.responses["200"]["application/json"]["bodies"] == body["bodies"]
    assert report.schema(f"{pattern.host} {pattern.endpoint}") == messages
    with pytest.raises(KeyError, match=r"the nearest are GET /v1/users/\{user_id\}"):
        report.schema("GET /v1/users/{id}")
    assert json.loads(report.schemas_json())["hosts"][pattern.host][pattern.endpoint] == messages
    for without in (api_patterns.analyze(fixture("demo.mitm")), api_patterns.Patterns().report()):
        with pytest.raises(ValueError, match=r"call analyze\(\.\.\., bodies=True\), or .* Patterns\(bodies=True\)"):
            without.schema(messages["id"])
        with pytest.raises(ValueError, match="made without bodies"):
            without.schemas_json()
    with pytest.raises(api_patterns.UsageError, match="leave the limit out"):
        api_patterns.analyze(fixture("demo.mitm"), bodies=True, limit=5)


def with_bodies(n):
    """A flow with bodies."""
    body = {"id": n, "name": "x" * (n % 7), "tags": ["a"] * (n % 3), "state": ["open", "closed"][n % 2]}
    return {
        "id": str(n), "method": "PUT" if n % 3 else "GET", "url": f"https://api.example.com/users/{1000 + n}?page={n}",
        "request_headers": {"Content-Type": "application/json"}, "request_body": json.dumps({"name": "x"}) if n % 3 else None,
        "status": 404 if n % 10 == 0 else 200, "content_type": "application/json", "response_body": json.dumps(body),
    }


def test_one_pass_gives_the_schemas_of_two(fixture):
    for name in ("demo.mitm", "demo.har", "demo.db"):
        whole = api_patterns.analyze(fixture(name), bodies=True)
        state, problems = api_patterns._native.observe_split(fixture(name), None, api_patterns._wanted(bodies=True))
        assert (api_patterns.Patterns.from_bytes(state).report(), problems) == (whole, []), name
        assert "unassigned_requests" not in json.loads(whole.schemas_json())


def test_dicts_and_lines_give_the_same_schemas(tmp_path):
    text = json.dumps({"id": 5, "name": "\u00e9"}, ensure_ascii=False)
    url, head = "https://api.example.com/", {"headers": {"content-type": "application/json"}}
    flows = [with_bodies(n) for n in range(100)] + [
        {"request": {"method": "POST", "url": url + "a", **head, member: text}, "response": {"status_code": 201, **head, member: text}}
        for member in ("body", "content")
    ] + [
        {"method": "POST", "url": url + "graphql", "request_body": {"operationName": "GetUser", "query": "query GetUser { a }"},
         "status": 200, "content_type": "application/json", "response_body": {"data": {"a": [1, 2.5, None, True]}}},
        {"method": "GET", "url": url + "lists", "status": 200, "content_type": "application/json", "response_body": [{"a": 1}]},
        {"method": "GET", "url": url + "numbers", "status": 200, "content_type": "application/json", "response_body": 5},
        {"method": "PUT", "url": url + "empty", "request_body": "", "status": 204, "response_body": ""},
        {"method": "PUT", "url": url + "none", "request_body": None, "status": 204, "response_body": None},
        {"method": "PUT", "url": url + "damaged", "status": 200, "content_type": "application/json", "response_body": "{"},
        {"method": "POST", "url": url + "form", "request_headers": [["Content-Type", "application/x-www-form-urlencoded"]],
         "request_body": "name=x&kind=y"},
    ]
    path = tmp_path / "flows.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in flows))
    whole = api_patterns.analyze(path, bodies=True)
    assert whole.schema("POST /graphql#GetUser")["responses"]["200"]["application/json"]["bodies"] == 1
    assert whole.schema("POST /a")["request_body"]["application/json"]["bodies"] == 2
    state = api_patterns.Patterns(bodies=True)
    assert state.observe_many(flows) == len(flows)
    for report in (api_patterns.analyze(flows, bodies=True), api_patterns.analyze(iter(flows[::-1]), bodies=True), state.report()):
        assert report.schemas_json() == whole.schemas_json()
        assert report.to_dict()["totals"] == whole.to_dict()["totals"]
    assert api_patterns.analyze(flows, bodies=True) == whole
    # The endpoints do not depend on whether bodies are asked for, and without them no summary is made.
    without, names = api_patterns.analyze(flows), lambda report: [pattern.endpoint for pattern in report.patterns]
    assert names(without) == names(whole)
    assert without.patterns[0].responses is None and whole.patterns[0].responses
    # Of an iterable the first flows are chosen before bodies are read.
    first = api_patterns.analyze(flows, bodies=True, limit=2, method="PUT")
    assert first.schema("PUT /users/{user_id}")["request_body"]["application/json"]["bodies"] == 2


def test_bytes_are_bodies_as_on_the_wire_and_text_is_decoded():
    text = json.dumps({"id": 5, "name": "x"})
    packed = gzip.compress(text.encode())

    def of(body, encoding="gzip"):
        headers = {"content-type": "application/json", "content-encoding": encoding}
        flow = {"method": "PUT", "url": "https://h.example/a", "request_headers": headers, "request_body": body, "status": 200,
                "response_headers": headers, "response_body": body}
        return api_patterns.analyze([flow], bodies=True).schema("PUT /a")

    plain = of(text)
    assert plain["request_body"]["application/json"]["schema"] == plain["responses"]["200"]["application/json"]["schema"]
    assert set(plain["request_body"]["application/json"]["schema"]["properties"]) == {"id", "name"}
    for body in (packed, bytearray(packed), memoryview(packed), text.encode(), {"id": 5, "name": "x"}):
        assert of(body) == plain, body
    assert of(zlib.compress(text.encode()), "deflate") == plain
    assert of(packed[:-20])["responses"]["200"]["application/json"] == {"bodies": 0, "unreadable": {"damaged_encoding": 1}}
    assert of(text.encode(), "x-unknown")["request_body"]["application/json"]["unreadable"] == {"unknown_encoding": 1}
    # As in a dump, no bytes are no body.
    assert "request_body" not in of(b"")
    # What JSON does not have is its text, and what contains itself is no body.
    circle = []
    circle.append(circle)
    assert of({"id": 5, "name": datetime.date(2026, 1, 1), 7.5: uuid.UUID(int=5), (1, 2): 3})["request_body"]
    assert "request_body" not in of(circle)
    large = b"[" + b" " * (16 << 20) + b"]"
    assert of(large, "identity")["responses"]["200"]["application/json"] == {"bodies": 0, "unreadable": {"too_large": 1}}


def test_a_response_body_that_is_not_asked_for_is_not_read():
    flow = {"method": "GET", "url": "https://h.example/a", "status": 200, "response_body": Raises()}
    nested = {"request": {"method": "GET", "url": "https://h.example/a"}, "response": {"status_code": 200, "content": Raises()}}
    for each in (flow, nested):
        assert api_patterns.analyze([each]).totals.used == 1
        api_patterns.Patterns().observe(each)
        api_patterns.get_api_patterns([each], compat=True)
        for call in (lambda: api_patterns.analyze([each], bodies=True), lambda: api_patterns.Patterns(bodies=True).observe(each)):
            with pytest.raises(KeyboardInterrupt, match="in the middle"):
                call()


def test_states_with_bodies_merge_and_travel():
    flows = [with_bodies(n) for n in range(200)]
    whole, left, right = (api_patterns.Patterns(bodies=True) for _ in range(3))
    whole.observe_many(flows)
    left.observe_many(flows[:50])
    for each in flows[50:]:
        right.observe(each)
    report = whole.report()
    assert report == api_patterns.analyze(flows, bodies=True)
    for other in (pickle.loads(pickle.dumps(right)), copy.deepcopy(right), api_patterns.Patterns.from_bytes(right.to_bytes())):
        assert other.bodies and other == right
        other.merge(left)
        assert other == whole and other.report() == report
    # A state without bodies takes in one with them, and observes them from then on.
    late = api_patterns.Patterns()
    assert not late.bodies and late != api_patterns.Patterns(bodies=True)
    late.merge(left)
    assert late.bodies
    late.observe_many(flows[50:])
    assert late == whole
    rows = api_patterns.Patterns(bodies=True)
    rows.observe_rows(flows, api_patterns._wanted())
    assert rows == whole
    assert pickle.loads(pickle.dumps(api_patterns.Patterns(bodies=True))).bodies
    for wrong in (1, "yes", None):
        with pytest.raises(TypeError, match="bodies must be True or False"):
            api_patterns.Patterns(bodies=wrong)
    with pytest.raises(TypeError):
        api_patterns.Patterns(True)


def test_states_with_bodies_can_be_subclassed():
    class Always(api_patterns.Patterns):
        def __init__(self, bodies):
            super().__init__(bodies=True)
            self.mine = bodies

    class Never(api_patterns.Patterns):
        def __init__(self, *, bodies):
            self.mine = bodies

    always, never = Always("mine"), Never(bodies="mine")
    assert always.bodies and not never.bodies and always.mine == never.mine == "mine"
    always.observe(with_bodies(1))
    assert copy.copy(always).report().schema("PUT /users/{user_id}") and copy.copy(always).mine == "mine"


def test_rules_for_properties_that_match_nothing_are_problems(fixture, tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text('[[property]]\npath = "200.no_such_key"\nmap = true\n[[literal]]\npath = "/nope/none"\n')
    state = api_patterns.Patterns(bodies=True)
    state.observe(with_bodies(1))
    reports = [
        state.report(rules=rules), api_patterns.analyze([with_bodies(1)], rules=rules, bodies=True),
        api_patterns.analyze(fixture("demo.mitm"), rules=rules, bodies=True),
    ]
    for report in reports:
        assert ["no_such_key" in problem for problem in report.problems] == [False, True]
        assert all("matched nothing" in problem for problem in report.problems)
    rules.write_text('[[property]]\npath = "200.tags"\nname = "Label"\n')
    assert state.report(rules=rules).problems == []


def test_a_secret_in_a_body_is_not_in_the_state():
    secrets = {
        "password": "Tr0ub4dor3kE9x2Qw", "token": "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "mail": "jane.roe@example.com",
        "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqYW5lIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1rwW1", "card": "4111111111111111",
    }
    state = api_patterns.Patterns(bodies=True)
    for n in range(20):
        state.observe(with_bodies(n) | {"request_body": secrets, "response_body": {"items": [secrets], "state": "shipped"}})
    report = state.report()
    kept = (state.to_bytes(), pickle.dumps(state), report.to_json().encode(), report.schemas_json().encode())
    assert all(b"password" in each for each in (kept[0], kept[1], kept[3]))
    for secret in secrets.values():
        assert not any(secret.encode() in each for each in kept), secret
    body = report.schema("PUT /users/{user_id}")["request_body"]["application/json"]["schema"]
    assert body["properties"]["mail"]["x-sensitive"] == ["email"]


def test_paths_of_every_kind(fixture, tmp_path):
    whole = api_patterns.analyze(fixture("demo.mitm"))
    assert api_patterns.analyze(pathlib.Path(fixture("demo.mitm"))) == whole
    assert api_patterns.analyze([fixture("demo.mitm")]) == whole
    assert api_patterns.analyze((fixture("demo.mitm"), fixture("demo.har"))).totals.flows > whole.totals.flows
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.mitm").write_bytes(pathlib.Path(fixture("demo.mitm")).read_bytes())
    assert api_patterns.analyze(tmp_path).to_dict()["patterns"] == whole.to_dict()["patterns"]


def test_domain_and_limit(fixture):
    names = lambda **more: [p["endpoint"] for p in json.loads(api_patterns.get_api_patterns(fixture("demo.mitm"), **more))]
    assert names(domain="files.shop.example") == ["GET /files/{file_id}", "POST /uploads"]
    assert sum(p.request_count for p in api_patterns.analyze(fixture("demo.mitm"), limit=7).patterns) == 7
    flows = [flow(n) for n in range(10)] + [flow(10, "https://other.example.org/a")]
    assert api_patterns.analyze(flows, limit=3).patterns[0].sample_flow_ids == ["2", "1", "0"]
    assert api_patterns.analyze(iter(flows), domain="example.org").totals.skipped == {"other_domain": 10}


def test_a_report_in_every_form(fixture):
    report = api_patterns.analyze(fixture("demo.mitm"))
    first = report.patterns[0]
    assert (first.endpoint, first.request_count, first.parameters[0].kind) == ("GET /v1/users/{user_id}", 15, "integer")
    assert first.latency_ms.p95 > first.latency_ms.p50
    assert report.to_dict() == json.loads(report.to_json())
    assert report.to_dict()["totals"]["used"] == report.totals.used == 65
    with pytest.raises(AttributeError):
        report.version = 2


def test_times_of_numpy_are_taken():
    numpy = pytest.importorskip("numpy")
    for took in (numpy.timedelta64(5, "ms"), numpy.timedelta64(5_000_000, "ns"), numpy.float64(5), numpy.int32(5)):
        assert api_patterns.analyze([flow(1, duration_ms=took)]).patterns[0].latency_ms.p50 == 5
    for took in (numpy.timedelta64("NaT"), numpy.timedelta64(-5, "ms"), numpy.timedelta64(5)):
        assert api_patterns.analyze([flow(1, duration_ms=took)]).totals.used == 1
    for started in (numpy.datetime64("2023-11-14T22:13:20"), numpy.float64(1.7e9), numpy.int64(1_700_000_000)):
        assert api_patterns.analyze([flow(1, timestamp=started)]).patterns[0].first_seen == "2023-11-14T22:13:20Z"


def test_data_frames_are_no_source():
    frame = pytest.importorskip("pandas").DataFrame([{"method": "GET", "url": "https://a.example/x"}])
    with pytest.raises(TypeError, match="rows as dicts"):
        api_patterns.analyze(frame)
    assert api_patterns.analyze(frame.to_dict("records")).totals.used == 1


def test_data_frames(fixture):
    report = api_patterns.analyze(fixture("demo.mitm"))
    pandas = pytest.importorskip("pandas")
    frame = report.to_pandas()
    assert isinstance(frame, pandas.DataFrame) and frame.shape[0] == 21
    assert frame["request_count"].sum() == 65 and frame["p95_latency_ms"].iloc[0] > 0
    assert frame["first_seen"].dtype.tz is not None and frame["first_seen"].iloc[0].year == 2026
    assert json.loads(frame["kinds"].iloc[0]) == {"user_id": "integer"}
    assert json.loads(frame["parameters"].iloc[0])[0]["name"] == "user_id"
    polars = pytest.importorskip("polars")
    table = report.to_polars()
    assert table.schema["first_seen"] == polars.Datetime("us", "UTC")
    assert table["last_seen"][0] == frame["last_seen"].iloc[0]
    assert isinstance(table, polars.DataFrame) and table["request_count"].sum() == 65
    empty = api_patterns.Patterns().report()
    assert list(empty.to_pandas().columns) == empty.to_polars().columns == list(frame.columns) == table.columns


def test_reports_are_shown_short_and_as_a_table(fixture):
    report = api_patterns.analyze(fixture("demo.mitm"))
    assert repr(report) == "<Report: 21 endpoints of 3 hosts, 65 of 65 flows>"
    table = report._repr_html_()
    assert table.startswith("<table>") and table.count("<tr>") == 25 and "/v1/users/{user_id}" in table
    hostile = api_patterns.analyze([{"method": "GET", "url": "https://a.example/<script>", "status": 200}])
    assert "<script" not in hostile._repr_html_()
    posts = next(pattern for pattern in report.patterns if pattern.endpoint == "POST /v1/users")
    assert posts.request_media_types == {"application/json": 1}


def test_states_merge_and_travel():
    flows = [flow(n) for n in range(100)]
    whole, left, right = api_patterns.Patterns(), api_patterns.Patterns(), api_patterns.Patterns()
    assert whole.observe_many(flows) == 100
    left.observe_many(flows[:30])
    for each in flows[30:]:
        right.observe(each)
    right.merge(api_patterns.Patterns.from_bytes(left.to_bytes()))
    assert right.report() == whole.report()
    assert right.to_bytes() == whole.to_bytes()
    assert right.used == 100
    assert pickle.loads(pickle.dumps(right)).report() == whole.report()
    with pytest.raises(api_patterns.UsageError):
        right.merge(right)
    with pytest.raises(api_patterns.CaptureError, match="."):
        api_patterns.Patterns.from_bytes(b"no state")


def test_one_state_is_filled_by_several_threads():
    state, whole = api_patterns.Patterns(), api_patterns.Patterns()
    shares = [[flow(n) for n in range(start, 8000, 4)] for start in range(4)]
    threads = [threading.Thread(target=state.observe_many, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    seen = [state.report().totals.used for _ in range(20)]
    for thread in threads:
        thread.join()
    whole.observe_many(each for share in shares for each in share)
    assert seen == sorted(seen)
    assert state == whole and state.used == 8000
    # An iterable may use the state that it fills.
    looks = []
    state.observe_many(looks.append(state.used) or flow(n) for n in range(3))
    assert looks == [8000, 8001, 8002]


class Named(api_patterns.Patterns):
    """A subclass with an attribute of its own."""

    def __init__(self, name):
        super().__init__()
        self.name = name


def test_states_can_be_subclassed_copied_and_compared():
    named = Named("mine")
    named.observe(flow(1))
    pickled = [pickle.loads(pickle.dumps(named, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    for other in (copy.copy(named), copy.deepcopy(named), *pickled):
        assert (type(other), other.name, other.used, other) == (Named, "mine", 1, named)
        other.observe(flow(2))
        assert named.used == 1 and other != named
    assert api_patterns.Patterns.from_bytes(bytearray(named.to_bytes())) == named
    assert named != 1
    with pytest.raises(TypeError):
        hash(named)
    with pytest.raises(TypeError):
        api_patterns.Patterns("mine")
    with pytest.raises(TypeError):
        api_patterns.Patterns.from_bytes(7)


def test_flows_in_both_spellings_are_the_same():
    nested = api_patterns.analyze([flow(1, timestamp=1e9)])
    flat = {
        "id": "1", "method": "GET", "url": "https://api.example.com/users/1001?page=2", "status": 200, "timestamp": 1e9,
        "request_headers": [["X-Token", "v"]], "response_headers": [(b"Content-Type", b"application/json")],
    }
    assert api_patterns.analyze([flat]).to_json() == nested.to_json()
    assert nested.patterns[0].common_headers == {"x-token": 1}
    assert "secret-value" not in nested.to_json()


def test_dicts_and_lines_give_the_same_bytes(tmp_path):
    flows = [flow(n, timestamp=1e9 + n) for n in range(50)] + [
        flow(50, "data:text/plain,x"),
        {"id": "51", "method": "POST", "url": "https://api.example.com/graphql", "status_code": 200,
         "request_body": json.dumps({"operationName": "GetUser", "query": "query GetUser { a }"})},
        {"id": "52", "method": "GET", "url": "https://api.example.com/slow", "timestamp": 1e9, "duration_ms": 12.5,
         "response_bytes": 77, "status": 204},
        {"id": 53, "method": "GET", "url": "https://api.example.com/ws", "failed": True, "websocket": True, "status": "200.0",
         "request_headers": [{"name": "X-Key", "value": "v"}], "duration_ms": "5", "response_bytes": "200.0"},
        {"method": "GET", "url": "https://api.example.com/ws", "failed": "true", "status": True, "timestamp": True},
    ]
    path = tmp_path / "flows.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in flows))
    assert api_patterns.analyze(flows).to_json() == api_patterns.analyze(path).to_json()


def test_paths_come_in_any_iterable(fixture):
    names = [fixture("demo.mitm"), fixture("demo.har")]
    whole = api_patterns.analyze(names).to_json()
    for source in (tuple(names), iter(names), set(names), (pathlib.Path(name) for name in names), [name.encode() for name in names]):
        assert api_patterns.analyze(source).to_json() == whole
    assert api_patterns.analyze(names[0].encode()).totals.used == 65
    assert api_patterns.analyze([]).totals.used == api_patterns.analyze(iter(())).totals.used == 0
    with pytest.raises(TypeError, match="source has both paths and items"):
        api_patterns.analyze([names[0], flow(1)])


def test_values_are_taken_as_python_has_them():
    plain = {"id": "17", "method": "GET", "url": "https://a.example/x", "status": 200, "timestamp": 1e9 + 0.5, "duration_ms": 12.5}
    utc = datetime.datetime(2001, 9, 9, 1, 46, 40, 500_000, tzinfo=datetime.timezone.utc)
    expected = api_patterns.analyze([plain]).to_json()
    for other in (
        {"id": 17}, {"timestamp": utc}, {"timestamp": utc.replace(tzinfo=None)}, {"timestamp": "2001-09-09T01:46:40.5Z"},
        {"timestamp": 1_000_000_000_500}, {"duration_ms": "12.5"}, {"status": "200"}, {"status": 200.0},
        {"timestamp": utc.astimezone(datetime.timezone(datetime.timedelta(hours=5)))}, {"status": "200.0"}, {"status": b"200"},
        {"duration_ms": datetime.timedelta(milliseconds=12.5)}, {"duration_ms": decimal.Decimal("12.5")},
    ):
        assert api_patterns.analyze([plain | other]).to_json() == expected, other
    one = uuid.UUID(int=5)
    assert api_patterns.analyze([plain | {"id": one}]).patterns[0].sample_flow_ids == [str(one)]
    assert api_patterns.analyze([types.MappingProxyType(plain)]).to_json() == expected
    # Missing values are not invented.
    for took in (float("nan"), -1, "soon", float("inf")):
        assert api_patterns.analyze([plain | {"duration_ms": took}]).patterns[0].latency_ms is None
    assert api_patterns.analyze([plain | {"timestamp": None}]).patterns[0].latency_ms.p50 > 12


def test_what_pandas_has_for_nothing_is_nothing():
    plain = {"method": "GET", "url": "https://a.example/x"}
    expected = api_patterns.analyze([plain]).to_json()
    missing = [None, float("nan"), decimal.Decimal("nan")]
    try:
        import pandas

        missing += [pandas.NA, pandas.NaT]
    except ImportError:
        pass
    for nothing in missing:
        for name in ("id", "status", "request_headers", "response_headers", "content_type", "timestamp", "duration_ms",
                     "response_bytes", "request_body", "response_body", "failed", "websocket", "request", "response"):
            for bodies in (False, True):
                assert api_patterns.analyze([plain | {name: nothing}], bodies=bodies).to_json() == expected, (name, nothing)
        with pytest.raises(ValueError, match='no "url"'):
            api_patterns.analyze([plain | {"url": nothing}])
    for yes in (True, 1, "true", "false", 0.0):
        assert api_patterns.analyze([plain | {"failed": yes}]).patterns[0].failed_count == (yes is True), yes


class Raises:
    def __str__(self):
        raise KeyboardInterrupt("in the middle")


@pytest.mark.parametrize("name", ["id", "timestamp", "duration_ms", "content_type", "status", "request_headers"])
def test_what_python_code_raises_is_raised(name):
    value = {"X-Key": Raises()} if name == "request_headers" else Raises()
    with pytest.raises(KeyboardInterrupt, match="in the middle"):
        api_patterns.Patterns().observe({"method": "GET", "url": "https://a.example/x", name: value})


def test_headers_of_every_shape_are_the_same():
    def of(headers):
        return api_patterns.analyze([{"id": "a", "method": "GET", "url": "https://a.example/x", "request_headers": headers}]).to_json()

    whole = of({"X-Key": "v", "X-Other": "w"})
    assert '"x-key":1' in whole
    for headers in (
        [("X-Key", "v"), ("X-Other", "w")], (["X-Key", "v"], [b"X-Other", b"w"]), types.MappingProxyType({"X-Key": "v", "X-Other": 7}),
        [{"name": "X-Key", "value": "v"}, {"name": "X-Other"}], [{"key": "X-Key", "value": None}, ("X-Other", "w"), None],
        '{"X-Key": "v", "X-Other": "w"}', '[["X-Key", "v"], {"name": "X-Other", "value": 5}]', iter([("X-Key", "v"), ("X-Other", "w")]),
    ):
        assert of(headers) == whole
    for headers in ("X-Key: v", [7], 7, [("X-Key",)]):
        with pytest.raises(TypeError, match="headers must be a dict"):
            of(headers)


def test_errors_are_sentences(fixture, tmp_path):
    with pytest.raises(api_patterns.CaptureError, match="no-such.mitm: there is no such file"):
        api_patterns.get_api_patterns("no-such.mitm")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(api_patterns.ApiPatternsError):
        api_patterns.analyze(tmp_path / "text")
    with pytest.raises(TypeError, match="source must be the path"):
        api_patterns.get_api_patterns(7)
    with pytest.raises(TypeError, match="a flow is a dict"):
        api_patterns.get_api_patterns([flow(1), 7])
    with pytest.raises(ValueError, match='no "url"'):
        api_patterns.get_api_patterns([{"method": "GET"}])
    with pytest.raises(api_patterns.UsageError, match="limit must be 0 or more"):
        api_patterns.get_api_patterns(fixture("demo.mitm"), limit=-1)
    with pytest.raises(api_patterns.UsageError, match="threads must be from 0"):
        api_patterns.analyze(fixture("demo.mitm"), threads=100_000)
    with pytest.raises(api_patterns.UsageError, match="exclude takes"):
        api_patterns.analyze(fixture("demo.mitm"), exclude="noise")
    with pytest.raises(api_patterns.UsageError, match="cannot read these rules"):
        api_patterns.analyze(fixture("demo.mitm"), rules=tmp_path / "none.toml")
    with pytest.raises(TypeError, match="limit must be a whole number, not str"):
        api_patterns.analyze(fixture("demo.mitm"), limit="5")
    with pytest.raises(TypeError, match="domain must be a str"):
        api_patterns.analyze(fixture("demo.mitm"), domain=[7])
    with pytest.raises(TypeError, match="domain must be a str"):
        api_patterns.analyze(fixture("demo.mitm"), domain=5)
    with pytest.raises(TypeError, match="compat must be True or False, not str"):
        api_patterns.get_api_patterns(fixture("demo.mitm"), compat="no")
    with pytest.raises(TypeError, match="progress must be a callable, not int"):
        api_patterns.analyze(fixture("demo.mitm"), progress=5)
    for wrong in (None, "x.mitm", flow(1)):
        with pytest.raises(TypeError, match="flows must be an iterable of dicts"):
            api_patterns.Patterns().observe_many(wrong)
    with pytest.raises(TypeError, match="source must be the path"):
        api_patterns.analyze(flow(1))
    with pytest.raises(TypeError, match="domain must be one str"):
        api_patterns.get_api_patterns(fixture("demo.mitm"), ["a", "b"], compat=True)
    assert api_patterns.analyze(fixture("demo.mitm"), limit=10**30).totals.used == 65
    report = api_patterns.analyze([fixture("demo.mitm"), "no-such.mitm"])
    assert report.totals.used == 65 and report.problems[0].startswith("no-such.mitm: ")
    cut = tmp_path / "cut.mitm"
    cut.write_bytes(pathlib.Path(fixture("demo.mitm")).read_bytes()[:50_000])
    report = api_patterns.analyze(cut)
    assert report.totals.skipped == {"truncated": 1} and re.search(r"cut.mitm: at byte \d+: .* cut off", report.problems[0])
    rules = tmp_path / "bad.toml"
    rules.write_text("[[x]]\na = 1")
    for call in (lambda: api_patterns.analyze(cut, rules=rules), lambda: api_patterns.Patterns().report(rules=rules)):
        with pytest.raises(api_patterns.UsageError, match="bad.toml: .*unknown field"):
            call()
    rules.write_text('[[literal]]\npath = "/nope/none"')
    flows = api_patterns.Patterns()
    flows.observe(flow(1))
    for report in (api_patterns.analyze([flow(1)], rules=rules), flows.report(rules=rules)):
        assert len(report.problems) == 1 and "matched nothing" in report.problems[0]


def test_numbers_of_any_size_are_taken():
    for name in ("id", "status", "timestamp", "duration_ms", "response_bytes"):
        for number in (10**30, 10**400, 10**5000):
            assert api_patterns.analyze([flow(1) | {name: number}]).totals.used == 1
    for time in (1.7e9, 1.7e12, 1.7e15, 1.7e18, "1.7e18", 1_700_000_000_000_000_000):
        assert api_patterns.analyze([flow(1, timestamp=time)]).patterns[0].first_seen == "2023-11-14T22:13:20Z"
    for status in (None, True, 200.5, "abc"):
        odd = flow(1) | {"response": {"status_code": status, "headers": {}}}
        assert api_patterns.analyze([odd]).totals.used == 1
        with pytest.raises(ValueError, match="a whole number"):
            api_patterns.get_api_patterns([odd], compat=True)


def test_rules_and_exclusions(fixture, tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rename]]\npath = "/v1/users/{user_id}"\nto = "who"\n')
    report = api_patterns.analyze(fixture("demo.mitm"), rules=rules, exclude=["preflight", "errors-only-404"])
    assert report.patterns[0].path_pattern == "/v1/users/{who}"


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Return a file of a million flows, which the tests of a module share: it is 200 MB."""
    path = tmp_path_factory.mktemp("large") / "large.jsonl"
    line = json.dumps(flow(1)) + "\n"
    with open(path, "w") as file:
        for _ in range(200):
            file.write(line * 5000)
    yield path
    path.unlink()


def test_progress_is_told_and_may_stop(fixture, large):
    seen = []
    report = api_patterns.analyze(large, threads=1, progress=lambda *now: seen.append(now))
    assert report.totals.used == 1_000_000
    assert all(bytes_read <= total == large.stat().st_size for bytes_read, total, _ in seen)
    assert seen and seen == sorted(seen)
    rows = []
    api_patterns.analyze(fixture("demo.db"), progress=lambda *now: rows.append(now))
    assert rows[-1][:2] == (pathlib.Path(fixture("demo.db")).stat().st_size,) * 2
    # Progress is reported even if the call takes almost no time.
    small = []
    api_patterns.analyze(fixture("demo.mitm"), progress=lambda *now: small.append(now))
    assert small[-1][0] == pathlib.Path(fixture("demo.mitm")).stat().st_size

    def stop(*_):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        api_patterns.analyze(large, threads=1, progress=stop)


@pytest.mark.parametrize("kind", ["file", "dicts"])
def test_other_threads_run_meanwhile(large, kind):
    source = large if kind == "file" else [flow(1)] * 300_000
    ticks, done = 0, threading.Event()

    def count():
        nonlocal ticks
        while not done.is_set():
            ticks += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    before = ticks
    api_patterns.analyze(source, threads=1)
    during = ticks - before
    done.set()
    thread.join()
    # A call that never released the lock would allow one tick, at the end.
    assert during > 5


@pytest.mark.skipif(os.name == "nt", reason="there are no such signals")
@pytest.mark.parametrize("call", ["api_patterns.analyze({path!r}, threads=1)", "api_patterns.analyze([flow] * 100_000)",
                                  "api_patterns.analyze([types.MappingProxyType(flow | {{'id': uuid.uuid4()}})] * 100_000)",
                                  "api_patterns.Patterns().observe_many([flow] * 100_000)",
                                  "api_patterns.Patterns(bodies=True).observe_many([flow] * 100_000)",
                                  "api_patterns.get_api_patterns([flow] * 100_000, compat=True)"])
def test_control_c_ends_a_call(large, call):
    call = call.format(path=str(large))
    # In one call of C code, so that the interpreter does not check for signals itself.
    code = (
        # Who runs the tests in the background may have turned Ctrl-C off, and children inherit that.
        "import api_patterns, itertools, signal, types, uuid\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"flow = {flow(1)!r}\n"
        "print('go', flush=True)\n"
        f"for _ in range(1000): {call}\n"
    )
    code = re.sub(r"\[(.*?)\] \* 100_000", r"itertools.repeat(\1)", code)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "go\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert "KeyboardInterrupt" in said and process.returncode != 0


@pytest.mark.skipif(os.name == "nt", reason="there are no such signals")
def test_control_c_ends_the_wait_for_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # A writer holds the pipe open but writes nothing.
    silent = os.open(pipe, os.O_RDWR)
    for source in (str(pipe), "-"):
        code = (
            "import api_patterns, signal\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            f"print('go', flush=True)\napi_patterns.analyze({source!r})\n"
        )
        process = subprocess.Popen([sys.executable, "-c", code], stdin=silent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "go\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert "KeyboardInterrupt" in said and process.returncode != 0
    os.close(silent)


def test_urls_without_a_host_are_counted_as_such():
    flows = [{"method": "GET", "url": url, "status": 200} for url in ("/users/1", "data:text/plain,x", "https://h.example/users/1")]
    patterns = api_patterns.Patterns()
    patterns.observe_many(flows)
    for report in (patterns.report(), api_patterns.analyze(flows)):
        assert report.totals.skipped == {"no_host": 1, "not_http": 1}


def test_descriptions_of_a_report(fixture):
    report = api_patterns.analyze(fixture("demo.mitm"), bodies=True)
    api = report.to_openapi("api.shop.example")
    assert api["openapi"].startswith("3.1") and api["paths"]["/v1/users"]["get"]["operationId"] == "listUsers"
    assert report.to_openapi("api.shop.example", version="3.0")["openapi"].startswith("3.0")
    with pytest.raises(KeyError, match="the hosts are"):
        report.to_openapi()
    copied = pickle.loads(pickle.dumps(report))
    assert copied == report
    for without in (copied, api_patterns.analyze(fixture("demo.mitm"))):
        with pytest.raises(ValueError, match="bodies"):
            without.to_openapi("api.shop.example")


def test_drift_and_diff(fixture, tmp_path):
    api, capture = tmp_path / "api.json", fixture("demo.mitm")
    described = api_patterns.analyze(capture, bodies=True).to_openapi("api.shop.example")
    api.write_text(json.dumps(described))
    own = api_patterns.drift(capture, api)
    assert {finding.rule for finding in own.findings} <= {"undocumented-host"} and own.coverage["operations"]["seen"] > 5
    schema = described["paths"]["/v1/users/{user_id}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    if "$ref" in schema:
        schema = described["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    schema["required"] = ["nickname"]
    api.write_text(json.dumps(described))
    [finding] = [finding for finding in api_patterns.drift(capture, api).findings if finding.severity == "error"]
    assert (finding.rule, finding.place) == ("missing-required", "response 200 nickname")
    assert finding.location["pointer"].startswith("/") and len(finding.flow_ids) == 3
    with pytest.raises(api_patterns.UsageError, match="not an OpenAPI description"):
        api_patterns.drift(capture, fixture("demo.har"))
    with pytest.raises(TypeError, match="source must be the path"):
        api_patterns.drift([flow(1)], api)
    state = api_patterns.Patterns(bodies=True)
    state.observe_many([flow(number) for number in range(100)])
    assert api_patterns.diff(state, state).findings == []
    assert api_patterns.diff(capture, capture).findings == []
    removed = api_patterns.diff(api, capture)
    assert "nickname" in removed.to_json() and removed.comparison == "diff"
    with pytest.raises(api_patterns.UsageError, match="min_confidence"):
        api_patterns.diff(state, state, min_confidence=2)


def test_parameters_come_from_the_call_before(fixture):
    report = api_patterns.analyze(fixture("demo.mitm"), bodies=True)
    (user,) = [pattern for pattern in report.patterns if pattern.endpoint == "GET /v1/users/{user_id}"]
    source = user.parameters[0].source
    assert isinstance(source, api_patterns.ParameterSource)
    assert (source.endpoint, source.key, source.status, source.host) == ("GET /v1/users", "users[].id", 200, None)
    assert all(parameter.source is None for pattern in api_patterns.analyze(fixture("demo.mitm")).patterns for parameter in pattern.parameters)
