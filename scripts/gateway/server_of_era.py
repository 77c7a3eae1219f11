#!/usr/bin/env python3
"""A small server of one era of the protocol, on standard input and output, with everything that a relay has to carry.

usage: server_of_era.py legacy|modern
"""

import json
import sys

ERA = sys.argv[1]
PREFIX = "io.modelcontextprotocol/"
SERVER = {"name": "server-of-era", "version": "1"}
CAPABILITIES = {
    "tools": {"listChanged": True}, "resources": {"subscribe": True, "listChanged": True}, "prompts": {}, "completions": {},
}
OBJECT = {"type": "object", "properties": {}}
NAMES = ["echo", "ask", "sample", "roots", "slow", "speak", "change", "fail", "list_text"]
TOOLS = [{"name": name, "description": f"The tool {name}.", "inputSchema": OBJECT} for name in NAMES]
TEXT = {"type": "object", "properties": {"name": {"type": "string"}}}
ASKED = {
    "ask": ("elicitation/create", {"message": "name?", "requestedSchema": TEXT}),
    "sample": ("sampling/createMessage", {"messages": [{"role": "user", "content": {"type": "text", "text": "hi"}}], "maxTokens": 5}),
    "roots": ("roots/list", {}),
}

asked = {}
listens = {}
subscribed = set()
last = 0


def send(message):
    print(json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False), flush=True)


def tell(method, params=None, listen=None):
    params = dict(params or {})
    if listen is not None:
        params["_meta"] = {PREFIX + "subscriptionId": listen}
    send({"method": method, **({"params": params} if params else {})})


def answer(id, result, is_list=False):
    if ERA == "modern":
        result = {"resultType": "complete", **result, "_meta": {PREFIX + "serverInfo": SERVER}}
        if is_list:
            result = {**result, "ttlMs": 0, "cacheScope": "private"}
    send({"id": id, "result": result})


def said(id, text, **more):
    answer(id, {"content": [{"type": "text", "text": text}], "isError": False, **more})


def fail(id, code, message):
    send({"id": id, "error": {"code": code, "message": message}})


def changed(method, flag, params=None, uri=None):
    if ERA == "legacy":
        if uri is None or uri in subscribed:
            tell(method, params)
        return
    for listen, wanted in listens.items():
        if wanted.get(flag) is True or (uri is not None and uri in wanted.get(flag, [])):
            tell(method, params, listen)


def call(id, params):
    global last
    name, arguments, meta = params["name"], params.get("arguments") or {}, params.get("_meta") or {}
    if name == "echo":
        said(id, json.dumps(arguments, ensure_ascii=False), structuredContent=arguments)
    elif name in ASKED:
        method, asks = ASKED[name]
        if ERA == "legacy":
            last += 1
            asked[f"s{last}"] = id
            send({"id": f"s{last}", "method": method, "params": asks})
        elif "inputResponses" in params:
            if params.get("requestState") != "state of " + name:
                return fail(id, -32602, "Invalid or expired requestState")
            said(id, json.dumps(params["inputResponses"]["key"]))
        else:
            request = {"method": method, **({"params": asks} if asks else {})}
            result = {"resultType": "input_required", "requestState": "state of " + name, "inputRequests": {"key": request}}
            send({"id": id, "result": result})
    elif name == "slow":
        for step in (1, 2):
            tell("notifications/progress", {"progressToken": meta.get("progressToken"), "progress": step, "total": 2})
        said(id, "done")
    elif name == "speak":
        if ERA == "legacy" or meta.get(PREFIX + "logLevel"):
            tell("notifications/message", {"level": "warning", "data": "hello"})
        said(id, "spoken")
    elif name == "change":
        changed("notifications/tools/list_changed", "toolsListChanged")
        changed("notifications/resources/updated", "resourceSubscriptions", {"uri": "test://a"}, "test://a")
        said(id, "changed")
    elif name == "fail":
        answer(id, {"content": [{"type": "text", "text": "it failed"}], "isError": True})
    elif name == "list_text":
        said(id, "[1, 2]", **({"structuredContent": [1, 2]} if ERA == "modern" else {}))
    elif name == "die":
        sys.exit(3)
    else:
        answer(id, {"content": [{"type": "text", "text": "Unknown tool: " + name}], "isError": True})


def request(id, method, params):
    meta = params.get("_meta") or {}
    if ERA == "modern":
        missing = [key for key in ("protocolVersion", "clientCapabilities") if PREFIX + key not in meta]
        if method == "initialize":
            data = {"supported": ["2026-07-28"], "requested": params.get("protocolVersion")}
            return send({"id": id, "error": {"code": -32022, "message": "Unsupported protocol version", "data": data}})
        if missing:
            return fail(id, -32602, f"_meta lacks {missing}")
        if method == "server/discover":
            return answer(id, {"supportedVersions": ["2026-07-28"], "capabilities": CAPABILITIES, "instructions": "Be kind."}, True)
        if method == "subscriptions/listen":
            listens[id] = params["notifications"]
            return tell("notifications/subscriptions/acknowledged", {"notifications": params["notifications"]}, id)
    elif any(key.startswith(PREFIX) for key in meta):
        return fail(id, -32600, "this connection had a handshake")
    elif method == "initialize":
        version = params["protocolVersion"]
        result = {"protocolVersion": version, "capabilities": {**CAPABILITIES, "logging": {}}, "serverInfo": SERVER}
        return answer(id, {**result, "instructions": "Be kind."})
    elif method in ("ping", "logging/setLevel"):
        return answer(id, {})
    elif method == "resources/subscribe":
        subscribed.add(params["uri"])
        return answer(id, {})
    elif method == "resources/unsubscribe":
        subscribed.discard(params["uri"])
        return answer(id, {})
    if method == "tools/list":
        answer(id, {"tools": TOOLS}, True)
    elif method == "tools/call":
        call(id, params)
    elif method == "resources/list":
        answer(id, {"resources": [{"uri": "test://a", "name": "a"}]}, True)
    elif method == "resources/read":
        answer(id, {"contents": [{"uri": params["uri"], "text": "content"}]}, True)
    elif method == "prompts/list":
        answer(id, {"prompts": [{"name": "p"}]}, True)
    elif method == "prompts/get":
        answer(id, {"messages": [{"role": "user", "content": {"type": "text", "text": "prompt"}}]})
    elif method == "completion/complete":
        answer(id, {"completion": {"values": ["one"]}})
    elif method == "x/custom":
        answer(id, {"custom": params.get("value"), "big": 12345678901234567890123, "float": 1.50})
    else:
        fail(id, -32601, "Method not found")


for line in sys.stdin:
    message = json.loads(line)
    params = message.get("params") or {}
    if "method" not in message:
        id = asked.pop(message["id"])
        said(id, json.dumps(message.get("result", message.get("error"))))
    elif "id" in message:
        request(message["id"], message["method"], params)
    elif message["method"] == "notifications/cancelled":
        listens.pop(params.get("requestId"), None)
