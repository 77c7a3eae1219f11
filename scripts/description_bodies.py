"""The recorded JSON bodies of each place of a description: what scripts that check descriptions share."""

import gzip
import json
import re
import subprocess
import tempfile
from pathlib import Path


def run(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{arguments[0]}: {done.stderr}")
    return done.stdout


def lines_of(path):
    """The values of a file of JSON lines, perhaps packed."""
    path = Path(path)
    with gzip.open(path, "rt") if path.suffix == ".gz" else open(path) as text:
        return [json.loads(line) for line in text]


def read_flows(path):
    """The flows of a capture of JSON lines, with their number as id."""
    flows = lines_of(path)
    for number, flow in enumerate(flows):
        flow["id"] = str(number)
    return flows


def read_labels(program, flows):
    """The endpoint of each flow that belongs to one, by id."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write("".join(json.dumps(flow) + "\n" for flow in flows))
        file.flush()
        labels = map(json.loads, run(program, "label", "--bodies", "--quiet", file.name).splitlines())
        return {label["id"]: label for label in labels if label["endpoint"]}


def shape_of(path):
    """Return a path without names of parameters. Text that is masked is one."""
    return re.sub(r"\{[^}]*\}|\[masked[^]]*\]", "{}", path)


def path_items(document):
    """The path items of a vendor's description by shape, with and without the base path of its server."""
    server = ((document.get("servers") or [{}])[0] or {}).get("url") or ""
    base = "/" + server.split("//", 1)[1].partition("/")[2] if "//" in server else server
    items = {}
    for path, item in document["paths"].items():
        items[shape_of(path)] = item
        items.setdefault(shape_of(base.rstrip("/") + path), item)
    return items


def media_type(value):
    essence = (value or "").split(";")[0].split(",")[0].strip().lower()
    return essence if re.fullmatch(r"[a-z0-9/+\-._*]+", essence) else ""


def bodies_of(line):
    """(direction, status, media type, body) of each JSON body of a flow."""
    status = int(line.get("status") or 0)
    headers = {key.lower(): value for key, value in line.get("request_headers") or []}
    for key, kind in (("request_body", headers.get("content-type")), ("response_body", line.get("content_type"))):
        text = line.get(key)
        kind = media_type(kind)
        if text in (None, "") or "json" not in kind:
            continue
        try:
            body = json.loads(text) if isinstance(text, str) else text
        except ValueError:
            continue
        if key == "response_body" and status:
            yield "response", str(status), kind, body
        elif key == "request_body" and status < 400:
            yield "request", "", kind, body


class Description:
    """A description as the program writes it, with the schema of each place."""

    def __init__(self, document):
        self.document = document
        server = document["servers"][0]["url"]
        self.base = "/" + "/".join(server.split("/")[3:]) if server.count("/") > 2 else ""
        self.paths = {shape_of(path): item for path, item in document["paths"].items()}

    def schema(self, label, direction, status, kind):
        path = shape_of(label["path_pattern"].removeprefix(self.base)) or "/"
        operation = self.paths.get(path, {}).get(label["method"].lower(), {})
        part = operation.get("requestBody", {}) if direction == "request" else operation.get("responses", {}).get(status, {})
        return part.get("content", {}).get(kind, {}).get("schema")


def bodies_by_description(program, capture_of):
    """A function of a description's file and document to [(schema, bodies)]; `capture_of` has the capture of each file."""
    known = {}

    def find(file, document):
        capture = capture_of[file]
        if capture not in known:
            known.clear()
            flows = read_flows(capture) if ".jsonl" in capture.name else []
            known[capture] = flows, read_labels(program, flows) if flows else {}
        flows, labels = known[capture]
        description = Description(document)
        places = {}
        for flow in flows:
            label = labels.get(flow["id"])
            if not label or label["host"] != document["info"]["title"]:
                continue
            for direction, status, kind, body in bodies_of(flow):
                key = label["path_pattern"], label["method"], direction, status, kind
                schema = description.schema(label, direction, status, kind)
                if schema is not None:
                    places.setdefault(key, (schema, []))[1].append(body)
        return list(places.values())

    return find
