#!/usr/bin/env python3
"""Tests the server with real clients: the Python SDK with and without a handshake, and the command line of the inspector.

usage: mcp_clients.py API_PATTERNS [NODE INSPECTOR]

Needs the packages mcp and jsonschema. Every message of the server is checked against the schema of its protocol version
(mcp-types has the published ones as types), and structured content against the output schema of its tool.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile

import jsonschema
from mcp import StdioServerParameters
from mcp.client import Client
from mcp_types import ElicitResult
from mcp_types import methods as published

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURE = os.path.join(HERE, "..", "fixtures", "demo.mitm")
APPROVAL = {"version": "1", "default": "deny", "tools": {"get_api_patterns": {"action": "require_approval"}}}


def check(condition, what):
    if not condition:
        sys.exit(f"mcp_clients: {what}")


async def with_sdk(program, mode):
    """List and call the tools with the SDK."""
    server = StdioServerParameters(command=program, args=["mcp", FIXTURE])
    async with Client(server, mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        names = [
            "compare_captures", "explain_url", "get_api_patterns", "get_auth", "get_endpoint", "get_openapi", "get_sample",
            "get_schema", "search_endpoints",
        ]
        check(sorted(tools) == names, f"{mode}: other tools are listed")
        answer = await client.call_tool("get_api_patterns", {})
        check(not answer.is_error, f"{mode}: {answer}")
        check(json.loads(answer.content[0].text) == answer.structured_content, f"{mode}: text and structure differ")
        check(answer.structured_content["totals"]["used"] == 65, f"{mode}: other flows")
        questions = [
            {"detail": detail, "max_bytes": size} for detail in ("summary", "standard", "full") for size in (2000, 16000)
        ] + [{"limit": 3}, {"detail": "compat", "limit": 5}, {"domain": "files.shop.example"}, {"path_prefix": "/none"}]
        schema = jsonschema.Draft202012Validator(tools["get_api_patterns"].output_schema)
        for question in questions:
            answer = await client.call_tool("get_api_patterns", question)
            check(not answer.is_error, f"{mode}: {question}: {answer}")
            schema.validate(answer.structured_content)
        for row in (await client.call_tool("get_api_patterns", {})).structured_content["patterns"]:
            # An id is only given where the name does not tell the endpoint.
            name = row.get("id", row["endpoint"])
            answer = await client.call_tool("get_endpoint", {"id": name})
            check(not answer.is_error, f"{mode}: {answer}")
            jsonschema.validate(answer.structured_content, tools["get_endpoint"].output_schema)
            check(answer.structured_content["pattern"]["request_count"] == row["request_count"], f"{mode}: counts differ")
            answer = await client.call_tool("get_schema", {"id": name})
            check(not answer.is_error, f"{mode}: {answer}")
            jsonschema.validate(answer.structured_content, tools["get_schema"].output_schema)
        capture = os.path.basename(FIXTURE)
        for tool, question in (
            ("get_openapi", {"domain": "api.shop.example"}),
            ("get_openapi", {"domain": "api.shop.example", "path_prefix": "/v1/users", "version": "3.0", "max_bytes": 3000}),
            ("get_auth", {}),
            ("compare_captures", {"before": capture, "after": capture}),
            ("explain_url", {"url": "/v1/users/7"}),
            ("search_endpoints", {"query": "users"}),
            ("get_sample", {"endpoint": "GET /v1/users/{user_id}"}),
        ):
            answer = await client.call_tool(tool, question)
            check(not answer.is_error, f"{mode}: {answer}")
            jsonschema.validate(answer.structured_content, tools[tool].output_schema)
            check(len(answer.content[0].text) <= question.get("max_bytes", 16000), f"{mode}: {tool} is too long")
        answer = await client.call_tool("get_api_patterns", {"limit": -1})
        check(answer.is_error and "limit" in answer.content[0].text, f"{mode}: a bad argument is not a tool error")
        together = [client.call_tool("get_api_patterns", {"min_count": n % 4}) for n in range(20)]
        check(not any(answer.is_error for answer in await asyncio.gather(*together)), f"{mode}: 20 calls at once")
        print(f"  Python SDK, {mode}: protocol {client.protocol_version}, {len(questions) + 24} calls")


async def with_approval(program, mode):
    """Check that the user is asked through the client, and that the user's decision applies."""
    asked = []

    async def answer_user(context, params):
        asked.append(params.message)
        return ElicitResult(action="accept" if len(asked) == 1 else "decline", content={})

    with tempfile.TemporaryDirectory() as folder:
        policy, log = os.path.join(folder, "policy.json"), os.path.join(folder, "audit.jsonl")
        with open(policy, "w") as file:
            json.dump(APPROVAL, file)
        server = StdioServerParameters(command=program, args=["mcp", FIXTURE, "--policy", policy, "--audit-log", log])
        async with Client(server, mode=mode, elicitation_callback=answer_user) as client:
            check([tool.name for tool in (await client.list_tools()).tools] == ["get_api_patterns"], f"{mode}: a denied tool")
            first = await client.call_tool("get_api_patterns", {})
            second = await client.call_tool("get_api_patterns", {})
        check(not first.is_error and second.is_error, f"{mode}: approval {first.is_error} {second.is_error}")
        with open(log) as file:
            decisions = [json.loads(line)["decision"] for line in file]
        check(decisions[-1] == "declined" and "approved" in decisions, f"{mode}: {decisions}")
    print(f"  Python SDK, {mode}: approved and declined by the user")


def transcript(program, version):
    """Use one protocol version without an SDK, and check every message against its published schema."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientInfo": {"name": "transcript", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    is_stateless = version >= "2026-07-28"
    requests = []
    if is_stateless:
        requests.append(("server/discover", {}))
    else:
        requests.append(("initialize", {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}))
    requests += [
        ("tools/list", {}),
        ("tools/call", {"name": "get_api_patterns", "arguments": {}}),
        ("tools/call", {"name": "get_api_patterns", "arguments": {"detail": "full", "max_bytes": 2000}}),
        ("tools/call", {"name": "get_api_patterns", "arguments": {"detail": "compat"}}),
        ("tools/call", {"name": "get_endpoint", "arguments": {"id": "030d45b6eadd"}}),
        ("tools/call", {"name": "get_endpoint", "arguments": {"id": "nothing"}}),
    ]
    process = subprocess.Popen([program, "mcp", FIXTURE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for number, (method, params) in enumerate(requests):
        if is_stateless:
            params = {**params, "_meta": meta}
        published.validate_client_request(method, version, params)
        process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}) + "\n")
        process.stdin.flush()
        message = json.loads(process.stdout.readline())
        check(message["jsonrpc"] == "2.0" and message["id"] == number and "result" in message, f"{version}: {message}")
        published.validate_server_result(method, version, message["result"])
        if method == "initialize":
            process.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
    process.stdin.close()
    check(process.stdout.read() == "" and process.wait() == 0, f"{version}: something was left to say")
    print(f"  transcript of {version}: {len(requests)} messages fit the published schema")


def with_inspector(program, node, inspector):
    """List the tools with the inspector's strict validation, and call them."""

    def run(*arguments):
        command = [node, inspector, "--cli", *arguments, "--format", "json", program, "mcp", FIXTURE]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    for era in ("legacy", "modern"):
        listed = run("--protocol-era", era, "--method", "tools/list", "--strict")
        check(listed.returncode == 0, f"inspector, {era}: {listed.stdout}{listed.stderr}")
        check("warning" not in listed.stderr.lower(), f"inspector, {era}: {listed.stderr}")
        called = run("--protocol-era", era, "--method", "tools/call", "--tool-name", "get_api_patterns", "--tool-arg", "limit=5")
        check(called.returncode == 0, f"inspector, {era}: {called.stdout}{called.stderr}")
        answer = json.loads(called.stdout)
        check(answer.get("result", answer)["structuredContent"]["totals"]["used"] == 5, f"inspector, {era}: {answer}")
        refused = run("--protocol-era", era, "--method", "tools/call", "--tool-name", "get_endpoint", "--tool-arg", "id=nothing")
        check(refused.returncode == 5, f"inspector, {era}: a tool error ends with {refused.returncode}")
        print(f"  inspector, {era}: strict check without a warning, tools called")


def main():
    if len(sys.argv) not in (2, 4):
        sys.exit(__doc__)
    program = os.path.abspath(sys.argv[1])
    for mode in ("auto", "legacy"):
        asyncio.run(with_sdk(program, mode))
        asyncio.run(with_approval(program, mode))
    for version in ("2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"):
        transcript(program, version)
    if len(sys.argv) == 4:
        with_inspector(program, *sys.argv[2:])
    print("mcp_clients: all passed")


if __name__ == "__main__":
    main()
