#!/usr/bin/env python3
"""Fits the judgements of src/schema: which objects are maps, and which strings are enumerations.

  fit_schema.py maps [--verbose] CAPTURE.jsonl[.gz][=DESCRIPTION.json[,DESCRIPTION.json...]]...
  fit_schema.py enums [--verbose] CAPTURE.jsonl[.gz][=DESCRIPTION.json[,DESCRIPTION.json...]]...
  fit_schema.py words FOLDER [NAME_TO_LEAVE_OUT...]
  fit_schema.py map-words FOLDER [NAME_TO_LEAVE_OUT...]

A capture has JSON lines with method, url, truth (the path template), status, request_body and response_body; a description is an
OpenAPI document of the API. Both fits print precision and recall with each API left out, and the weights of all.

maps: the truth about a place is the description, where one knows it: a map has additionalProperties and no properties. Few APIs
have many maps in what was recorded of them, so scripts/maps.txt lists the names of objects that are maps, judged by hand from their
keys; a line `api?:` lists those that one cannot tell, which are left out. The weights stand in src/schema/map.rs.

enums: descriptions say "string" of many closed choices (GitHub of `owner.type`). So scripts/choices.txt lists the properties whose
values are a closed choice, judged by hand from the names and values that were recorded; a line `api?:` lists those that one cannot
tell, which are left out. A property that an API has at many places counts once. --verbose lists what is stated and is not a choice
(wrong) or not said to be one by a description (unsaid), and the choices that are not stated (missed). The weights stand in src/schema/enumeration.rs.

words: from a folder of descriptions, one provider a file or a folder: the last words of the names of strings that at least ten
providers use and that are an enumeration for at least three in ten of them on average (a choice), and those that at least 15
providers use and one in twenty at most. They stand in src/schema/enumeration.rs. The APIs that the fit is measured on are left out.

map-words: from such a folder, the last words of the names of objects that at least three providers use and that are a map for two in
five of them on average. They stand in src/schema/map.rs.

Needs numpy.
"""

import collections
import gzip
import json
import math
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

ROOT = Path(__file__).parents[1]
MAP_FEATURES = ["growth", "occupancy", "most_present", "as_values", "not_identifiers", "one_kind", "named_map", "known_keys"]
ENUM_FEATURES = ["repeats", "as_constants", "one_style", "upper", "known_words", "named_choice", "named_free"]
IDENTIFIER = re.compile(r"^[A-Za-z_$@][A-Za-z0-9_$@-]*$")
CONSTANT = re.compile(r"^[A-Za-z][A-Za-z0-9_.:/-]*$")
STYLES = [re.compile(style) for style in (r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*", r"[a-z][a-z0-9]*", r"[a-z][a-z0-9]*(_[a-z0-9]+)+",
                                          r"[a-z][a-z0-9]*(-[a-z0-9]+)+", r"[a-z]+[A-Za-z0-9]+", r"[A-Z][A-Za-z0-9]+")]
# What the program keeps no value of: formats, and (roughly) what looks like a secret.
NOT_KEPT = re.compile(r"-?\d+(\.\d+)?|.*@.*|[a-zA-Z][a-zA-Z+.-]*://.*|\d{4}-\d\d-\d\d.*|(.*\d){5}.*|[0-9a-fA-F]*:[0-9a-fA-F:]*:.*", re.S)
# Bounds of the judgement of maps, as in src/schema/map.rs.
MIN_MAP, MAX_OCCUPANCY = 0.4, 0.95
# Least evidence, as in src/schema/enumeration.rs.
MIN_COUNT, MIN_REPEATS, MAX_NEW, IS_ENUM, MAX_LOG_REPEATS, MAX_VALUES, MAX_VALUE_BYTES = 6, 4, 0.1, 0.8, 4.0, 24, 48


def words_of(name):
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def words_in(path, constant):
    """The words of a constant of a source file."""
    source = (ROOT / path).read_text()
    source = source[source.index(f"const {constant}"):]
    return set(re.findall(r"\w+", " ".join(re.findall(r'"([^"]*)"', source[:source.index(";\n")]))))


def known_words():
    """The words of the shipped vocabulary."""
    lines = (ROOT / "data/vocabulary.tsv").read_text().split("\n# words")[1].splitlines()[1:]
    return {line.split("\t")[0] for line in lines}


def shape_of(template):
    return re.sub(r"\{[^}]*\}", "{}", template.rstrip("/"))


class Description:
    def __init__(self, path):
        self.document = json.loads(Path(path).read_text())
        urls = [server.get("url", "") for server in self.document.get("servers", [])]
        self.hosts = {urlsplit(url).hostname for url in urls}
        bases = {""} | {re.sub(r"^https?://[^/]*", "", url).rstrip("/") for url in urls}
        bases.add(self.document.get("basePath", "").rstrip("/"))
        self.operations = {
            (method.upper(), shape_of(base + path)): operation
            for path, item in self.document.get("paths", {}).items() if isinstance(item, dict)
            for method, operation in item.items() if isinstance(operation, dict) for base in bases
        }

    def resolved(self, schema):
        for _ in range(20):
            if not isinstance(schema, dict) or "$ref" not in schema:
                break
            target = self.document
            for key in schema["$ref"].lstrip("#/").split("/"):
                target = target.get(key.replace("~1", "/").replace("~0", "~"), {}) if isinstance(target, dict) else {}
            schema = target
        return schema if isinstance(schema, dict) else {}

    def flat(self, schema, depth=0):
        """The schema with the properties of all its alternatives, and the values if each alternative of a string lists them."""
        schema = dict(self.resolved(schema))
        if "const" in schema:
            schema["enum"] = [schema["const"]]
        if depth < 6:
            for keyword in ("allOf", "anyOf", "oneOf"):
                parts = [self.flat(part, depth + 1) for part in schema.get(keyword, [])]
                for part in parts:
                    if part.get("properties"):
                        schema["properties"] = {**part["properties"], **schema.get("properties", {})}
                    for name in ("items", "additionalProperties"):
                        if name in part:
                            schema.setdefault(name, part[name])
                strings = [part.get("enum") for part in parts if part.get("type") == "string" or "enum" in part]
                if any(strings) and (keyword == "allOf" or all(strings)):
                    schema.setdefault("enum", [value for values in strings if values for value in values])
        return schema

    def body(self, method, template, direction, status):
        operation = self.operations.get((method, template))
        if not operation:
            return None
        if direction == "request":
            body = self.resolved(operation.get("requestBody", {}))
        else:
            responses = operation.get("responses", {})
            body = self.resolved(responses.get(status, responses.get("default", {})))
        content = body.get("content", {})
        return next((media["schema"] for kind, media in content.items() if "json" in kind and "schema" in media), body.get("schema"))


def fit(rows, l2=1.0):
    """The weights of a logistic model of rows (features, truth, weight)."""
    data, truth = np.array([row[0] for row in rows]), np.array([row[1] for row in rows], float)
    share = np.array([row[2] for row in rows])[:, None]
    mean = (share * data).sum(0) / share.sum()
    spread = np.sqrt((share * (data - mean) ** 2).sum(0) / share.sum()) + 1e-9
    data = np.c_[(data - mean) / spread, np.ones(len(data))]
    weights = np.zeros(data.shape[1])
    penalty = l2 * np.r_[np.ones(len(weights) - 1), 1e-6]
    for _ in range(200):
        guess = 1 / (1 + np.exp(-data @ weights))
        gradient = data.T @ (share[:, 0] * (guess - truth)) + penalty * weights
        weights -= np.linalg.solve(data.T @ (data * share * (guess * (1 - guess))[:, None]) + np.diag(penalty), gradient)
    plain = weights[:-1] / spread
    return plain, weights[-1] - (plain * mean).sum()


def bodies_of(argument, directions, by_host):
    """(api, descriptions) and the JSON bodies by (host, method, template, direction, status)."""
    capture, _, descriptions = argument.partition("=")
    groups = collections.defaultdict(list)
    with (gzip.open(capture, "rt") if capture.endswith(".gz") else open(capture)) as lines:
        for line in map(json.loads, lines):
            for direction in directions:
                text = line.get(direction + "_body")
                if not line.get("truth") or not text:
                    continue
                status = "" if direction == "request" and int(line["status"] or 0) < 400 else str(line["status"])
                try:
                    body = json.loads(text) if isinstance(text, str) else text
                except ValueError:
                    continue
                host = urlsplit(line["url"]).hostname if by_host else None
                groups[host, line["method"], shape_of(line["truth"]), direction, status].append(body)
    return Path(capture).name.split(".")[0], [Description(path) for path in descriptions.split(",") if path], groups


def described(descriptions, host, *key):
    """The description that knows a body, with the schema; those with the host first."""
    for description in sorted(descriptions, key=lambda description: host not in description.hosts):
        # Of an API with a host for each of many services the description of another says nothing.
        if len(descriptions) > 2 and host not in description.hosts:
            break
        schema = description.body(*key)
        if schema:
            return description, schema
    return None, None


def maps_at(description, schema, values, name):
    """(objects, is a map or None where the description does not know, name) of each place with objects."""
    schema = description.flat(schema) if schema else {}
    objects = [value for value in values if isinstance(value, dict)]
    items = [item for value in values if isinstance(value, list) for item in value]
    properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
    if objects:
        is_map = isinstance(additional, dict) and not properties
        yield objects, is_map if properties or is_map else None, name
        by_key = collections.defaultdict(list)
        for value in objects:
            for key, inner in value.items():
                by_key[key].append(inner)
        if is_map:
            yield from maps_at(description, additional, [inner for inners in by_key.values() for inner in inners], name)
        else:
            for key, inner in by_key.items():
                yield from maps_at(description, properties.get(key), inner, key)
    if items:
        yield from maps_at(description, schema.get("items"), items, "[]")


def is_value(key):
    """Roughly what the program takes for a value: numbers, ids, dates, addresses."""
    return bool(re.fullmatch(r"-?\d+(\.\d+)*|\d{4}-\d\d.*|[0-9a-f]{8,}(-[0-9a-f]+)*|[a-z]\d_[a-z0-9]+|(?=.*\d)[a-z0-9]{4,}(?<!\d)|(?=.*\d.*\d)[A-Za-z0-9]{5,}", key))


def map_features(objects, name, named, known):
    keys = collections.Counter(key for value in objects for key in value)
    kinds = collections.Counter(type(inner).__name__ for value in objects for inner in value.values() if inner is not None)
    are_codes = len(keys) > 1 and all(re.fullmatch("[a-z]{2}(-[A-Z]{2})?", key) for key in keys)
    return [
        min(3.0, max(-3.0, math.log(len(keys) / len(objects)))), sum(keys.values()) / (len(keys) * len(objects)),
        max(keys.values()) / len(objects), float(are_codes) or np.mean([is_value(key) for key in keys]),
        np.mean([not IDENTIFIER.match(key) for key in keys]),
        max(kinds.values(), default=0) / max(1, sum(kinds.values())), float((words_of(name) or [""])[-1] in named),
        np.mean([has_known_words(key, known) for key in keys]),
    ]


def may_be_map(features):
    """The rules beside the model, as in src/schema/map.rs."""
    return features[1] < MAX_OCCUPANCY or features[3] >= 0.5


def judged_names(file):
    """(closed, unclear): the names of a list by hand, as (api, name)."""
    closed, unclear = set(), set()
    for line in (ROOT / "scripts" / file).read_text().splitlines():
        api, names = line.split(": ", 1)
        (unclear if api.endswith("?") else closed).update((api.rstrip("?"), name) for name in names.split())
    return closed, unclear


def fit_maps(arguments):
    is_verbose = "--verbose" in arguments
    arguments = [argument for argument in arguments if argument != "--verbose"]
    named, known = words_in("src/schema/map.rs", "MAP_NAMES"), known_words()
    closed, unclear = judged_names("maps.txt")
    rows, seen = collections.defaultdict(list), collections.Counter()
    for api, descriptions, groups in (bodies_of(argument, ["request", "response"], False) for argument in arguments):
        for key, bodies in groups.items():
            description, schema = described(descriptions, *key)
            for objects, says, name in maps_at(description, schema, bodies, ""):
                if len(objects) < 3 or len({key for value in objects for key in value}) < 3:
                    continue
                # What a whole body is one cannot tell by a name. Items of lists are things.
                if says is None and (not name or (api, name) in unclear):
                    continue
                is_map = says if says is not None else (api, name) in closed
                seen[api, name, is_map] += 1
                rows[api].append((map_features(objects, name, named, known), is_map, name, says, objects))
    # A name that an API has at many places counts once.
    weighted = {api: [(row[0], row[1], 1 / seen[api, row[2], row[1]]) for row in own] for api, own in rows.items()}
    total = collections.Counter()
    for api, own in rows.items():
        weights, bias = fit([row for other in rows if other != api for row in weighted[other]])
        odds = np.array([row[0] for row in own]) @ weights + bias
        guess = (odds > math.log(MIN_MAP / (1 - MIN_MAP))) & np.array([may_be_map(row[0]) for row in own])
        is_map, says = np.array([row[1] for row in own]), np.array([row[3] is not None for row in own])
        counts = collections.Counter(places=len(own), maps=is_map.sum(), stated=guess.sum(), right=(guess & is_map).sum(), described=says.sum(),
                                     described_maps=(is_map & says).sum(), described_stated=(guess & says).sum(), described_right=(guess & is_map & says).sum())
        total.update(counts)
        print(f"{api}:", ", ".join(f"{count} {title}" for title, count in counts.items()))
        if is_verbose:
            for title, wanted in (("wrong", guess & ~is_map), ("missed", is_map & ~guess)):
                for row in (row for row, is_wanted in zip(own, wanted) if is_wanted):
                    print(f"    {title} {row[2]} {np.round(row[0], 2).tolist()}: {' '.join(sorted({key for value in row[4] for key in value}))[:90]}")
    for title in ("", "described_"):
        right, stated, maps = (total[title + name] for name in ("right", "stated", "maps"))
        print(f"{title}left out: precision {right / max(1, stated):.3f}, recall {right / max(1, maps):.3f} of {maps}")
    print_weights(MAP_FEATURES, [row for own in weighted.values() for row in own])


def print_weights(names, rows):
    weights, bias = fit(rows)
    print(f"weights of all {len(rows)} places:", dict(zip(names, np.round(weights, 2).tolist())), "bias", round(float(bias), 2))


def strings_at(description, schema, values, name):
    """(strings with counts, "enum" in the description or None where it does not know the place, name) of each place with strings."""
    schema = description.flat(schema) if schema else None
    strings = collections.Counter(value for value in values if isinstance(value, str))
    if strings:
        yield strings, schema and "enum" in schema, name
    by_key = collections.defaultdict(list)
    for value in values:
        if isinstance(value, dict):
            for key, inner in value.items():
                by_key[key].append(inner)
    for key, inner in by_key.items():
        yield from strings_at(description, schema and schema.get("properties", {}).get(key), inner, key)
    items = [item for value in values if isinstance(value, list) for item in value]
    if items:
        yield from strings_at(description, schema and schema.get("items"), items, name)


def has_known_words(text, known):
    words = [word for word in words_of(text) if not word.isdigit()]
    return bool(words) and all(word in known for word in words)


def enum_features(strings, name, lists):
    choices, free, known = lists
    last = (words_of(name) or [""])[-1]
    values = [value for value in strings if value]
    styles = [next((at for at, style in enumerate(STYLES) if style.fullmatch(value)), None) for value in values]
    is_known = [has_known_words(value, known) for value in values]
    is_code = [len(value) <= 4 and value.isalnum() for value in values]
    return [
        min(math.log(sum(strings.values()) / len(strings)), MAX_LOG_REPEATS),
        np.mean([bool(CONSTANT.match(value)) and not ("/" in value and "." in value) for value in values]),
        float(styles[0] is not None and len(set(styles)) == 1), np.mean([style == 0 and (known or not code) for style, known, code in zip(styles, is_known, is_code)]),
        np.mean(is_known),
        float(is_listed(last, choices)), float(is_listed(last, free)),
    ]


def is_listed(word, words):
    return word in words or word.removesuffix("s") in words


def fit_enums(arguments):
    is_verbose = "--verbose" in arguments
    arguments = [argument for argument in arguments if argument != "--verbose"]
    lists = words_in("src/schema/enumeration.rs", "CHOICES"), words_in("src/schema/enumeration.rs", "FREE"), known_words()
    closed, unclear = judged_names("choices.txt")
    rows, named, vendor, undecided = collections.defaultdict(list), collections.Counter(), collections.Counter(), collections.Counter()
    for api, descriptions, groups in (bodies_of(argument, ["request", "response"], True) for argument in arguments):
        for key, bodies in groups.items():
            description, schema = described(descriptions, *key)
            for strings, says, name in strings_at(description, schema, bodies, ""):
                count, values = sum(strings.values()), [value for value in strings if value]
                vendor[api] += bool(says)
                if count < MIN_COUNT or len(values) < 2:
                    continue
                undecided[api] += bool(says)
                is_kept = all(len(value.encode()) <= MAX_VALUE_BYTES and not NOT_KEPT.fullmatch(value) for value in values)
                if len(strings) > MAX_VALUES or not is_kept or ((api, name) in unclear and not says):
                    continue
                is_choice = says or (api, name) in closed
                named[api, name, is_choice] += 1
                new = (sum(number == 1 for number in strings.values()) + 0.5) / (count + 1)
                may = count >= MIN_REPEATS * len(strings) and new <= MAX_NEW
                rows[api].append((enum_features(strings, name, lists), is_choice, name, says, may, strings))
    weighted = {api: [(row[0], row[1], 1 / named[api, row[2], row[1]]) for row in own] for api, own in rows.items()}
    total = collections.Counter()
    print(f"{'':12} choices  stated  right  prec. recall   AP | described: enums  decidable  stated  said  choices")
    for api, own in sorted(rows.items()):
        weights, bias = fit([row for other in rows if other != api for row in weighted[other]])
        scores = np.array([row[0] for row in own]) @ weights + bias
        stated = (1 / (1 + np.exp(-scores)) >= IS_ENUM) & np.array([row[4] for row in own])
        choice, says = np.array([bool(row[1]) for row in own]), [row[3] for row in own]
        known = stated & np.array([row is not None for row in says])
        counts = collections.Counter(choices=choice.sum(), stated=stated.sum(), right=(stated & choice).sum(), enums=vendor[api],
                                     decidable=undecided[api], known=known.sum(), said=(known & np.array([bool(row) for row in says])).sum(),
                                     known_choice=(known & choice).sum())
        order = np.argsort(-scores)
        weight = np.array([row[2] for row in weighted[api]])[order]
        hits = weight * choice[order]
        total.update(counts)
        print_enums(api, counts, (np.cumsum(hits) / np.cumsum(weight) * hits).sum() / max(1e-9, hits.sum()))
        if is_verbose:
            print_list("wrong", [row for row, is_stated in zip(own, stated) if is_stated and not row[1]])
            print_list("unsaid", [row for row, is_stated in zip(own, stated) if is_stated and row[3] is not None and not row[3]])
            print_list("missed", [row for row, is_stated in zip(own, stated) if not is_stated and row[1]])
    print_enums("all", total, math.nan)
    print_weights(ENUM_FEATURES, [row for own in weighted.values() for row in own])


def print_list(title, rows):
    by_name = collections.defaultdict(list)
    for row in rows:
        by_name[row[2]].append(row[5])
    for name, places in sorted(by_name.items(), key=lambda item: -len(item[1])):
        most = " ".join(f"{value}:{count}" for value, count in sum(places, collections.Counter()).most_common(6))
        print(f"    {title} {name} at {len(places)}: {most[:90]}")


def print_enums(api, counts, precision):
    c = counts
    print(f"{api:12} {c['choices']:7} {c['stated']:7} {c['right']:6}  {c['right'] / max(1, c['stated']):5.3f}  {c['right'] / max(1, c['choices']):5.3f}"
          f" {precision:4.2f} | {c['enums']:16} {c['decidable']:10} {c['known']:7} {c['said']:5} {c['known_choice']:8}")


def shares_of_names(arguments, answer):
    """By last word of a name and by provider, what `answer` says of each property; None counts nothing."""
    shares = collections.defaultdict(lambda: collections.defaultdict(list))

    def visit(description, schema, provider):
        if isinstance(schema, list):
            for inner in schema:
                visit(description, inner, provider)
        if not isinstance(schema, dict):
            return
        properties = schema.get("properties")
        for name, inner in properties.items() if isinstance(properties, dict) else ():
            said = answer(description, description.resolved(inner))
            if said is not None:
                shares[(words_of(name) or [""])[-1]][provider].append(said)
        for inner in schema.values():
            visit(description, inner, provider)

    for path in sorted(Path(arguments[0]).iterdir()):
        provider = path.name.removesuffix(".json")
        if provider in arguments[1:]:
            continue
        for file in ([path] if path.is_file() else sorted(path.rglob("*.json")))[:60]:
            try:
                description = Description(file)
            except (ValueError, AttributeError):  # Not a description.
                continue
            visit(description, {key: description.document.get(key) for key in ("components", "definitions", "paths")}, provider)
    return shares


def print_map_words(arguments):
    def is_map(_, inner):
        additional = isinstance(inner.get("additionalProperties"), dict)
        return additional and not inner.get("properties") if additional or "properties" in inner else None

    shares = shares_of_names(arguments, is_map)
    means = {word: np.mean([np.mean(said) for said in by.values()]) for word, by in shares.items() if word and len(by) >= 3}
    print("MAP_NAMES", " ".join(sorted(word for word, mean in means.items() if mean >= 0.4)))


def print_words(arguments):
    def is_enum(description, inner):
        if inner.get("type") == "array":
            inner = description.resolved(inner.get("items", {}))
        is_string = inner.get("type") == "string" and inner.get("format") not in ("date-time", "date", "uuid", "uri", "email", "byte", "binary")
        return "enum" in inner if is_string else None

    shares = shares_of_names(arguments, is_enum)
    enums = collections.Counter()
    for by_provider in shares.values():
        for provider, said in by_provider.items():
            enums[provider] += sum(said)
    merged = collections.defaultdict(lambda: collections.defaultdict(list))
    for word, by_provider in shares.items():
        singular = word.removesuffix("s") if not word.endswith("ss") and word.removesuffix("s") in shares else word
        for provider, said in by_provider.items():
            # Of a description that lists hardly any values one learns nothing.
            if enums[provider] >= 5 and not word.isdigit():
                merged[singular][provider] += said
    means = {word: (np.mean([np.mean(said) for said in by.values()]), len(by)) for word, by in merged.items() if word}
    print("CHOICES", " ".join(sorted(word for word, (mean, providers) in means.items() if mean >= 0.3 and providers >= 10)))
    print("FREE", " ".join(sorted(word for word, (mean, providers) in means.items() if mean <= 0.05 and providers >= 15)))


def main():
    commands = {"maps": fit_maps, "map-words": print_map_words, "enums": fit_enums, "words": print_words}
    if len(sys.argv) < 3 or sys.argv[1] not in commands:
        raise SystemExit(__doc__)
    commands[sys.argv[1]](sys.argv[2:])


main()
