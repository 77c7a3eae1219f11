#!/usr/bin/env python3
"""Tests the gateway with real clients: the Python SDK in both eras over stdio and HTTP, and the inspector.

usage: clients.py API_PATTERNS [--original VENV] [--inspector NODE SCRIPT]

Needs the package mcp (2.x). Every pair of a client and a server of an era is tried with all that a relay has to carry: calls,
questions to the user, samples, roots, progress, logs, subscriptions, resources, prompts and completions. With VENV, where
mitmproxy-mcp is installed, its answers through the gateway are compared with its answers without, byte for byte.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request

import httpx2
import mcp_types as types
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

HERE = os.path.dirname(os.path.abspath(__file__))
SERVER = [sys.executable, os.path.join(HERE, "server_of_era.py")]
FIXTURES = os.path.join(HERE, "..", "..", "fixtures")


def check(condition, what):
    if not condition:
        print(f"gateway clients: {what}", flush=True)
        os._exit(1)


@contextlib.contextmanager
def listening(program, folder, arguments, server):
    """A gateway over HTTP with a grant: its address and the token."""
    store = os.path.join(folder, "store.db")
    grant = subprocess.run([program, "gateway", "grant", "tester", "--rotate", "--store", store], capture_output=True, text=True)
    command = [program, "gateway", *arguments, "--store", store, "--listen", "127.0.0.1:0", "--", *server]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder)
    try:
        address = next(filter(None, (re.search(r"listening on (\S+/mcp)", line) for line in process.stderr)))[1]
        yield address, grant.stdout.strip()
    finally:
        process.terminate()
        check(process.wait(20) == 0, "the gateway does not end as it should")


async def use_everything(client, what):
    """Tries all that a relay has to carry."""
    names = [tool.name for tool in (await client.list_tools()).tools]
    check(names[:2] == ["echo", "ask"] and len(names) == 9, f"{what}: tools {names}")

    async def text(tool, arguments=None, **more):
        answer = await client.call_tool(tool, arguments or {}, **more)
        return answer.content[0].text

    echo = {"deep": {"é": [1, 2.5, None, "\u2028"]}, "big": 2**60}
    answer = await client.call_tool("echo", echo)
    check(answer.structured_content == echo and json.loads(answer.content[0].text) == echo, f"{what}: echo {answer}")
    check("Ada" in await text("ask"), f"{what}: elicitation")
    check("sampled" in await text("sample"), f"{what}: sampling")
    check("file:///a" in await text("roots"), f"{what}: roots")
    steps = []

    async def progressed(progress, total, message):
        steps.append(progress)

    check(await text("slow", progress_callback=progressed) == "done", f"{what}: slow")
    for _ in range(50):
        if steps == [1, 2]:
            break
        await asyncio.sleep(0.02)
    check(steps == [1, 2], f"{what}: progress {steps}")
    check((await client.call_tool("fail", {})).is_error, f"{what}: a tool that fails")
    check(await text("list_text") == "[1, 2]", f"{what}: content that is a list")
    resources = (await client.list_resources()).resources
    check([resource.name for resource in resources] == ["a"], f"{what}: resources")
    check((await client.read_resource("test://a")).contents[0].text == "content", f"{what}: a resource")
    check((await client.get_prompt("p")).messages[0].content.text == "prompt", f"{what}: a prompt")
    completion = await client.complete(types.PromptReference(type="ref/prompt", name="p"), {"name": "x", "value": "y"})
    check(completion.completion.values == ["one"], f"{what}: completion")
    together = await asyncio.gather(*(text("echo", {"n": n}) for n in range(40)))
    check([json.loads(answer)["n"] for answer in together] == list(range(40)), f"{what}: 40 calls at once")


async def with_client(target, mode, what, http=None):
    logs, told = [], []

    async def elicited(context, params):
        return types.ElicitResult(action="accept", content={"name": "Ada"})

    async def sampled(context, params):
        content = types.TextContent(type="text", text="sampled")
        return types.CreateMessageResult(role="assistant", content=content, model="m")

    async def roots(context):
        return types.ListRootsResult(roots=[types.Root(uri="file:///a")])

    async def logged(params):
        logs.append(params.data)

    async def message(message):
        told.append(type(message).__name__)

    if http:
        client = httpx2.AsyncClient(headers={"Authorization": "Bearer " + http}, timeout=20)
        target = streamable_http_client(target, http_client=client)
    client = Client(
        target, mode=mode, elicitation_callback=elicited, sampling_callback=sampled, list_roots_callback=roots,
        logging_callback=logged, log_level="info", message_handler=message,
    )
    async with client:
        await use_everything(client, what)
        if mode == "legacy":
            await client.subscribe_resource("test://a")
            await client.send_ping()
        await client.call_tool("speak", {})
        await client.call_tool("change", {})
        for _ in range(100):
            if logs and (mode != "legacy" or "ResourceUpdatedNotification" in told):
                break
            await asyncio.sleep(0.02)
        check(logs == ["hello"], f"{what}: logs {logs}")
        if mode == "legacy":
            check("ToolListChangedNotification" in str(told) and "ResourceUpdatedNotification" in str(told), f"{what}: told {told}")
        version = client.protocol_version
    print(f"  {what}: protocol {version}, all carried")


def raw(command, requests, folder):
    """The lines that a server on standard output answers with."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder)
    lines = []
    for number, (method, params) in enumerate(requests):
        process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}) + "\n")
        process.stdin.flush()
        lines.append(process.stdout.readline())
        if method == "initialize":
            process.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
    process.stdin.close()
    process.wait(20)
    return lines


def raw_http(address, requests, token):
    """The bodies that a server over HTTP answers with, in one session."""
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Authorization": "Bearer " + token}
    bodies = []
    for number, (method, params) in enumerate(requests):
        body = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode()
        with urllib.request.urlopen(urllib.request.Request(address, body, headers)) as answer:
            headers["Mcp-Session-Id"] = answer.headers.get("Mcp-Session-Id", headers.get("Mcp-Session-Id"))
            bodies.append(answer.read().decode())
        if method == "initialize":
            initialized = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
            urllib.request.urlopen(urllib.request.Request(address, initialized, headers)).close()
    return bodies


def mitmproxy_requests(flow):
    """Questions that do no harm: all 25 tools are listed, and those that read are called."""
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    calls = [
        ("get_traffic_summary", {"limit": 5}), ("inspect_flow", {"flow_id": flow}), ("inspect_flows", {"flow_ids": flow}),
        ("get_flow_schema", {"flow_id": flow}), ("get_flow_schema", {"flow_id": "nothing"}), ("search_traffic", {"query": "users"}),
        ("extract_from_flow", {"flow_id": flow, "json_path": "$.id"}), ("list_rules", {}), ("list_tools", {}),
        ("get_api_patterns", {}), ("get_api_patterns", {"domain": "api.shop.example", "limit": 20}), ("export_openapi_spec", {}),
        ("export_openapi_spec", {"domain": "api.shop.example"}), ("generate_scraper_code", {"flow_ids": flow}),
    ]
    asked = [("initialize", client), ("tools/list", {}), ("resources/list", {}), ("prompts/list", {}), ("ping", {})]
    return asked + [("tools/call", {"name": name, "arguments": arguments}) for name, arguments in calls]


def with_original(program, venv, folder):
    """Compares mitmproxy-mcp with and without the gateway, byte for byte."""
    import shutil
    import sqlite3

    shutil.copy(os.path.join(FIXTURES, "demo.db"), os.path.join(folder, "mitm_mcp_traffic.db"))
    with contextlib.closing(sqlite3.connect(os.path.join(folder, "mitm_mcp_traffic.db"))) as database:
        sql = "SELECT id FROM flows WHERE response_body LIKE '{%' AND status_code = 200 ORDER BY id LIMIT 1"
        flow = database.execute(sql).fetchone()[0]
    server = [os.path.join(venv, "bin", "mitmproxy-mcp")]
    requests = mitmproxy_requests(flow)
    without = raw(server, requests, folder)
    tools = json.loads(without[1])["result"]["tools"]
    check(len(tools) == 25, f"mitmproxy-mcp has {len(tools)} tools")
    through = raw([program, "gateway", "--answer", "none", "--", *server], requests, folder)
    for request, one, other in zip(requests, without, through):
        check(one == other and one, f"{request}: other bytes through the gateway\n{one[:300]}\n{other[:300]}")
    print(f"  mitmproxy-mcp, stdio: 25 tools and {len(requests)} answers, byte for byte")

    answered = raw([program, "gateway", "--", *server], requests, folder)
    for request, one, other in zip(requests, without, answered):
        ours = request[0] == "tools/call" and request[1]["name"] in ("get_api_patterns", "export_openapi_spec", "get_flow_schema")
        if request[0] == "tools/list":
            listed = {tool["name"]: tool["description"] for tool in json.loads(other)["result"]["tools"]}
            said = [name for name, description in listed.items() if "Answered by the gateway" in description]
            check(len(listed) == 25 and len(said) == 4, f"the listing says {said}")
        elif ours:
            texts = [json.loads(line)["result"]["content"][0]["text"] for line in (one, other)]
            check(same_text(*texts), f"{request}: another answer\n{texts[0][:400]}\n{texts[1][:400]}")
            shape = [{**json.loads(line)["result"], "content": 0, "structuredContent": 0} for line in (one, other)]
            check(shape[0] == shape[1], f"{request}: another result {shape}")
        else:
            check(one == other, f"{request}: other bytes though the server answered")
    print("  mitmproxy-mcp: get_api_patterns, export_openapi_spec and get_flow_schema answered by the gateway as by the server")

    for mode in ("auto", "legacy", "2026-07-28"):
        asyncio.run(list_and_call(StdioServerParameters(command=program, args=["gateway", "--", *server], cwd=folder, env=dict(os.environ)), mode, "stdio"))
    with listening(program, folder, [], server) as (address, token):
        for mode in ("auto", "legacy", "2026-07-28"):
            asyncio.run(list_and_call(address, mode, "HTTP", token))
    with listening(program, folder, ["--answer", "none"], server) as (address, token):
        for request, one, other in zip(requests, without, raw_http(address, requests, token)):
            check(other == one.strip(), f"{request}: other bytes over HTTP\n{one[:300]}\n{other[:300]}")
    print(f"  mitmproxy-mcp, HTTP: {len(requests)} answers, byte for byte")

    scan = subprocess.run([program, "policy", "scan", "--", *server], capture_output=True, text=True, cwd=folder)
    check(scan.returncode == 0, f"scan: {scan.stderr}")
    rules = json.loads(scan.stdout)["tools"]
    allowed = sorted(name for name, rule in rules.items() if rule.get("action") != "deny")
    reads = sorted([
        "get_traffic_summary", "inspect_flow", "inspect_flows", "get_flow_schema", "extract_from_flow", "search_traffic", "list_rules",
        "list_tools", "export_openapi_spec", "get_api_patterns", "detect_auth_pattern", "generate_scraper_code",
    ])
    check(allowed == reads and len(rules) == 25, f"scan allows {allowed}")
    kinds = {line.split()[0]: line.split()[1:3] for line in scan.stderr.splitlines() if len(line.split()) > 3}
    wanted = {
        "start_proxy": ["execute", "medium"], "stop_proxy": ["execute", "medium"], "fuzz_endpoint": ["network", "high"],
        "replay_flow": ["network", "high"], "clear_traffic": ["write", "high"], "clear_rules": ["write", "high"],
        "remove_global_header": ["write", "high"], "set_scope": ["write", "medium"], "set_global_header": ["write", "medium"],
        "load_traffic_file": ["write", "medium"], "set_session_variable": ["write", "medium"],
        "extract_session_variable": ["write", "medium"], "add_interception_rule": ["write", "medium"],
    }
    for name, judged in wanted.items():
        check(kinds.get(name) == judged, f"scan: {name} is {kinds.get(name)}, not {judged}")
    policy = os.path.join(folder, "scanned.json")
    with open(policy, "w") as file:
        file.write(scan.stdout)
    checked = subprocess.run([program, "policy", "check", policy, "--", *server], capture_output=True, text=True, cwd=folder)
    check(checked.returncode == 0, f"check: {checked.stderr}")
    print("  mitmproxy-mcp: policy scan judges its 25 tools as by hand, and policy check takes what it wrote")


async def list_and_call(target, mode, how, token=None):
    if token:
        client = httpx2.AsyncClient(headers={"Authorization": "Bearer " + token}, timeout=20)
        target = streamable_http_client(target, http_client=client)
    async with Client(target, mode=mode) as client:
        tools = (await client.list_tools()).tools
        check(len(tools) == 25, f"{how}, {mode}: {len(tools)} tools")
        for tool, arguments in (("list_rules", {}), ("get_api_patterns", {}), ("get_traffic_summary", {"limit": 3})):
            answer = await client.call_tool(tool, arguments)
            check(not answer.is_error, f"{how}, {mode}: {tool}: {answer}")
        print(f"  mitmproxy-mcp, {how}, {mode}: protocol {client.protocol_version}, 25 tools")


def same_text(one, other):
    """True if two answers are equal but for the order of names in sets."""
    if one == other:
        return True

    def ordered(value):
        if isinstance(value, dict):
            return {key: ordered(item) for key, item in value.items()}
        if isinstance(value, list):
            return sorted((ordered(item) for item in value), key=json.dumps)
        return value

    return ordered(json.loads(one)) == ordered(json.loads(other)) and sorted(one) == sorted(other)


def with_inspector(program, node, inspector, server, folder, count):
    command = [node, inspector, "--cli", "--protocol-era"]
    for era in ("legacy", "modern"):
        # The inspector takes one -- for itself.
        arguments = ["--method", "tools/list", "--strict", "--format", "json", program, "gateway", "--", "--", *server]
        listed = subprocess.run([*command, era, *arguments], capture_output=True, text=True, timeout=120, cwd=folder)
        check(listed.returncode == 0, f"inspector, {era}: {listed.stdout}{listed.stderr}")
        answer = json.loads(listed.stdout)
        check(len(answer.get("result", answer)["tools"]) == count, f"inspector, {era}: {listed.stdout[:300]}")
        own = [line for line in listed.stderr.lower().splitlines() if not line.startswith("api-patterns: server:")]
        check(not any("warning" in line for line in own), f"inspector, {era}: {listed.stderr}")
        print(f"  inspector, {era}: strict check without a warning, {count} tools")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--original")
    parser.add_argument("--inspector", nargs=2)
    arguments = parser.parse_args()
    program = os.path.abspath(arguments.program)
    # Sets of names have another order in each process of Python without that.
    os.environ["PYTHONHASHSEED"] = "0"
    with tempfile.TemporaryDirectory() as folder:
        for era in ("legacy", "modern"):
            server = [*SERVER, era]
            for mode in ("auto", "legacy", "2026-07-28"):
                target = StdioServerParameters(command=program, args=["gateway", "--", *server])
                asyncio.run(with_client(target, mode, f"stdio, {mode} client, {era} server"))
            with listening(program, folder, [], server) as (address, token):
                for mode in ("auto", "legacy", "2026-07-28"):
                    asyncio.run(with_client(address, mode, f"HTTP, {mode} client, {era} server", token))
        # One gateway in front of another, over HTTP.
        with listening(program, folder, [], [*SERVER, "legacy"]) as (address, token):
            os.environ["UPSTREAM_GRANT"] = "Bearer " + token
            options = ["gateway", "--upstream", address, "--header-env", "Authorization=UPSTREAM_GRANT"]
            for mode in ("legacy", "2026-07-28"):
                target = StdioServerParameters(command=program, args=options, env=dict(os.environ))
                asyncio.run(with_client(target, mode, f"two gateways, {mode} client"))
        if arguments.original:
            with_original(program, os.path.abspath(arguments.original), folder)
        if arguments.inspector:
            node, inspector = map(os.path.abspath, arguments.inspector)
            with_inspector(program, node, inspector, [*SERVER, "legacy"], folder, 9)
            if arguments.original:
                server = [os.path.join(os.path.abspath(arguments.original), "bin", "mitmproxy-mcp")]
                with_inspector(program, node, inspector, server, folder, 25)
    print("gateway clients: all passed")


if __name__ == "__main__":
    main()
