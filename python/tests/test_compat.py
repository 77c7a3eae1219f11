"""Tests as a replacement of the original: its answers byte for byte, a server around one call, and its reader of answers."""

import asyncio
import json
import pathlib
import sqlite3
import sys

import pytest

import api_patterns

ROOT = pathlib.Path(__file__).resolve().parents[2]


def cases(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.mark.parametrize("name, count", [("compat-cases.jsonl", 125), ("compat-cases-surrogates.jsonl", 3)])
def test_dicts_are_answered_as_by_the_original(shared, name, count):
    checked = 0
    for case in cases(shared("compat") / name):
        ask = lambda: api_patterns.get_api_patterns(case["flows"], case.get("domain"), case.get("limit"), compat=True)
        if case.get("expected_text") is not None:
            assert ask() == case["expected_text"], case["name"]
        else:
            with pytest.raises(api_patterns.FlowError):
                ask()
        checked += 1
    assert checked == count


def database_of(flows, path):
    """Return the flows as rows of the original's database, or None if they cannot be stored there."""
    connection = sqlite3.connect(path)
    connection.execute(
        "CREATE TABLE flows (id TEXT PRIMARY KEY, url TEXT, method TEXT, status_code INTEGER, request_headers TEXT, "
        "request_body TEXT, response_headers TEXT, response_body TEXT, timestamp REAL, size INTEGER)"
    )
    try:
        for age, flow in enumerate(flows):
            response = flow["response"]
            connection.execute(
                "INSERT INTO flows VALUES (?, ?, ?, ?, ?, NULL, ?, NULL, ?, 0)",
                (
                    flow["id"], flow["request"]["url"], flow["request"]["method"],
                    response and response["status_code"], json.dumps(flow["request"]["headers"]),
                    response and json.dumps(response["headers"]), 1e9 - age,
                ),
            )
        connection.commit()
        return str(path)
    except (sqlite3.Error, UnicodeEncodeError, KeyError, TypeError, OverflowError):
        return None
    finally:
        connection.close()


def test_databases_are_answered_as_by_the_original(shared, tmp_path):
    checked = 0
    for number, case in enumerate(cases(shared("compat") / "compat-cases.jsonl")):
        # In a row, a status of 0 means that there is no response.
        plain = all(flow.get("response") is None or flow["response"].get("status_code") for flow in case["flows"])
        database = database_of(case["flows"], tmp_path / f"{number}.db") if plain else None
        if database is None or case.get("expected_text") is None:
            continue
        answer = api_patterns.get_api_patterns(database, case.get("domain"), case.get("limit"), compat=True)
        assert answer == case["expected_text"], case["name"]
        checked += 1
    assert checked > 90


def rows_of(database):
    """Return the flows as the original's get_all_for_analysis reads them from its rows."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    for row in connection.execute(
        "SELECT id, url, method, status_code, request_headers, response_headers, timestamp FROM flows ORDER BY timestamp DESC"
    ):
        yield {
            "id": row[0],
            "request": {"url": row[1], "method": row[2], "headers": json.loads(row[4] or "{}")},
            "response": {"status_code": row[3], "headers": json.loads(row[5] or "{}")} if row[3] else None,
            "timestamp": row[6],
        }
    connection.close()


def test_the_database_is_answered_as_its_rows(fixture):
    rows = list(rows_of(fixture("demo.db")))
    for domain, limit in ((None, None), ("shop", 20), (None, 3), (None, -3)):
        ask = lambda source: api_patterns.get_api_patterns(source, domain, limit, compat=True)
        assert ask(fixture("demo.db")) == ask(rows) != "[]"


def test_ids_that_are_no_text_are_written_as_they_are():
    flows = [{"id": id, "request": {"url": "https://a.example/x", "method": "GET", "headers": {}}, "response": None} for id in (17, None, "a")]
    answer = api_patterns.get_api_patterns(flows, compat=True)
    assert json.loads(answer)[0]["sample_flow_ids"] == [17, None, "a"]


def test_a_server_of_the_python_sdk_calls_one_line(fixture):
    pytest.importorskip("mcp")
    from mcp import StdioServerParameters
    from mcp.client import Client

    async def ask():
        server = StdioServerParameters(
            command=sys.executable, args=[str(ROOT / "examples" / "mcp_server.py"), fixture("demo.db")]
        )
        async with Client(server) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == ["get_api_patterns"]
            ours = await client.call_tool("get_api_patterns", {"domain": "shop.example"})
            theirs = await client.call_tool("get_api_patterns", {"domain": "shop", "limit": 20, "compat": True})
            refused = await client.call_tool("get_api_patterns", {"limit": -1})
            assert refused.is_error
            return ours.content[0].text, theirs.content[0].text, refused.content[0].text

    ours, theirs, refused = asyncio.run(ask())
    assert "limit must be 0 or more; leave it out for all flows" in refused
    assert ours == api_patterns.get_api_patterns(fixture("demo.db"), "shop.example")
    assert theirs == api_patterns.get_api_patterns(fixture("demo.db"), "shop", 20, compat=True)
    assert "GET /v1/users/{user_id}" in ours and "GET /v1/users/{id}" in theirs
