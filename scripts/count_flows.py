"""Counts the requests in captures with readers of the Python standard library, and compares with the counts of api-patterns.

    python3 scripts/count_flows.py PROGRAM CAPTURE...

For each capture api-patterns must end with exit code 0 and the right number of flows, or with 1 or 2, a sentence on stderr,
and no fewer flows than Python finds. Prints the differences, and exits with 1 if there are any.
"""

import gzip
import io
import json
import re
import sqlite3
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path


def tnetstring(data, at):
    """Parse a tnetstring of mitmproxy. Return (value, end)."""
    colon = data.index(b":", at)
    length = int(data[at:colon])
    start, end = colon + 1, colon + 1 + length
    payload, tag = data[start:end], data[end:end + 1]
    if len(tag) != 1:
        raise ValueError("cut off")
    if tag in b",;":
        return payload, end + 1
    if tag == b"#":
        return int(payload), end + 1
    if tag in b"^!~":
        return None if tag == b"~" else payload, end + 1
    items, inner = [], 0
    while inner < length:
        item, inner = tnetstring(payload, inner)
        items.append(item)
    if tag == b"}":
        return dict(zip(items[::2], items[1::2])), end + 1
    return items, end + 1


def count_dump(data):
    at = flows = 0
    while at < len(data):
        try:
            record, at = tnetstring(data, at)
        except ValueError:
            break
        version = record.get(b"version")
        readable = 3 <= version <= 21 if isinstance(version, int) else tuple(version[:2]) >= (0, 11)
        flows += readable and record.get(b"type", b"http") == b"http" and bool(record.get(b"request"))
    return flows


def is_asked_over_http(request):
    url, method = request.get("url") or "", request.get("method") or ""
    return bool(method) and (method.upper() == "CONNECT" or re.match(r"(https?|wss?)://[^/?#]", url.strip(), re.I) is not None)


def entries_of(document):
    """Return the entries of the first `log` at any depth."""
    if isinstance(document, list):
        return document
    if isinstance(document.get("log"), dict):
        return document["log"].get("entries")
    for value in document.values():
        if isinstance(value, dict) and (found := entries_of(value)) is not None:
            return found
    return None


def request_of(entry):
    if not isinstance(entry, dict):
        return None
    if "host" in entry and "method" in entry:
        return {"method": entry["method"], "url": f"{entry.get('scheme') or 'https'}://{entry['host']}{entry.get('path') or '/'}"}
    request = entry.get("request") or (entry if "url" in entry else None)
    return request if isinstance(request, dict) else None


def count_json(text):
    entries = entries_of(json.loads(text))
    if entries is None:
        return None
    return sum(is_asked_over_http(request) for entry in entries if (request := request_of(entry)))


def count_lines(text):
    flows = 0
    for line in text.splitlines():
        if line.strip():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            request = request_of(record)
            flows += bool(request) and is_asked_over_http({**record, **request})
    return flows


def count_database(path):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        rows = database.execute("SELECT method, url FROM flows").fetchall()
    return sum(is_asked_over_http({"method": method, "url": url}) for method, url in rows)


def count(data, path):
    """Return the number of HTTP requests, or None if Python cannot read the file to its end."""
    if data.startswith(b"SQLite format 3\0"):
        return count_database(path)
    if data.startswith(b"\x1f\x8b"):
        return count(gzip.decompress(data), path)
    if data[:2] in (b"\x78\x01", b"\x78\x9c", b"\x78\xda"):
        return count(zlib.decompress(data), path)
    if data.startswith(b"PK\x03\x04"):
        archive = zipfile.ZipFile(io.BytesIO(data))
        return sum(count(archive.read(name), path) or 0 for name in archive.namelist() if name.endswith((".har", ".mitm")))
    if data[:1].isdigit() or not data:
        return count_dump(data)
    text = data.decode("utf-8-sig", "replace")
    try:
        return count_json(text)
    except ValueError:
        return count_lines(text) or None


def main():
    program, *captures = sys.argv[1:]
    wrong = counted = refused = 0
    for capture in captures:
        data = Path(capture).read_bytes()
        expected = count(data, capture)
        run = subprocess.run([program, "analyze", "--format", "json", capture], capture_output=True, text=True, timeout=60)
        used = json.loads(run.stdout)["totals"]["used"] if run.stdout else 0
        problem = ""
        if run.returncode not in (0, 1, 2) or "panicked" in run.stderr:
            problem = f"exit code {run.returncode}"
        elif run.returncode != 0 and not run.stderr.strip():
            problem = "no sentence"
        elif expected is not None and used != expected:
            problem = f"{used} flows, Python counts {expected}"
        refused += run.returncode != 0
        counted += used
        if problem:
            wrong += 1
            print(f"{capture}: {problem}: {run.stderr.strip()}")
        elif run.returncode != 0:
            print(f"  ({run.returncode}) {Path(capture).name}: {run.stderr.strip().splitlines()[0].split(': ', 2)[-1]}")
    print(f"{len(captures)} captures, {counted} flows, {refused} refused with a sentence, {wrong} wrong")
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
