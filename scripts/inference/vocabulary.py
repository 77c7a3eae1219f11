#!/usr/bin/env python3
"""Learns the words and letter trigrams of static path segments: vocabulary.py SPEC_INDEX.jsonl.gz FOLDER [--without PROVIDER]

SPEC_INDEX has one API description per line: {"api", "servers": [URL], "paths": [{"path": "/users/{id}", ...}]}. Writes into
FOLDER `vocabulary.tsv` (number of providers that use a segment, and a word) and `characters.tsv` (trigrams). Only the standard
library is needed. For the source and licence of the files in data/ see data/README.md.
"""

import argparse
import gzip
import json
import math
import re
from collections import Counter, defaultdict
from pathlib import Path
from urllib.parse import urlsplit

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def words(segment):
    return [word.lower() for word in WORD.findall(segment)]


def provider(api):
    return api.split("/")[0].split(":")[0]


def static_segments(description):
    bases = {urlsplit(server).path for server in description["servers"][:1]} or {""}
    for base in bases:
        for entry in description["paths"]:
            for segment in (base + entry["path"]).split("/"):
                if segment and "{" not in segment and "%" not in segment and len(segment) <= 64:
                    yield segment


def beside_parameters(description):
    """Return the static segments that are siblings of a parameter: `me` beside `{user_id}`."""
    children = defaultdict(set)
    for entry in description["paths"]:
        parts = ["{}" if "{" in part else part for part in entry["path"].split("/") if part]
        for at, part in enumerate(parts):
            children[tuple(parts[:at])].add(part)
    return {part for found in children.values() if "{}" in found for part in found if part != "{}" and part.isascii() and "%" not in part}


def before_parameters(description):
    """Return the static segments that precede a parameter: `users` before `{user_id}`."""
    found = set()
    for entry in description["paths"]:
        parts = [part for part in entry["path"].split("/") if part]
        found.update(one for one, two in zip(parts, parts[1:]) if "{" in two and "{" not in one and one.isascii() and "%" not in one)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("index")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--without", action="append", default=[])
    arguments = parser.parse_args()
    used_by, word_by, beside_by, before_by = (defaultdict(set) for _ in range(4))
    distinct = set()
    with gzip.open(arguments.index, "rt", encoding="utf-8") as lines:
        for line in lines:
            description = json.loads(line)
            name = provider(description["api"])
            if name in arguments.without:
                continue
            for segment in beside_parameters(description):
                beside_by["_".join(words(segment))].add(name)
            for segment in before_parameters(description):
                before_by["_".join(words(segment))].add(name)
            for segment in static_segments(description):
                if not segment.isascii():
                    continue
                found = words(segment)
                if not found:
                    continue
                distinct.add(segment.lower())
                used_by["_".join(found)].add(name)
                for word in found:
                    if not word.isdigit():
                        word_by[word].add(name)

    def lines_of(table, least):
        return [(key, len(names)) for key, names in sorted(table.items()) if len(names) >= least and len(key) <= 40]

    out = arguments.folder
    out.mkdir(parents=True, exist_ok=True)
    # A segment of one word is covered by the word itself. One of several words is noise if only a single provider uses it.
    segments = [(key, n) for key, n in lines_of(used_by, 1) if n >= 2 or key.count("_") <= 1]
    with open(out / "vocabulary.tsv", "w", encoding="ascii") as file:
        file.write("# segments: words joined by _, number of providers\n")
        file.writelines(f"{key}\t{count}\n" for key, count in segments)
        file.write("# beside parameters: words joined by _, number of providers\n")
        file.writelines(f"{key}\t{count}\n" for key, count in lines_of(beside_by, 2) if key)
        file.write("# before parameters: words joined by _, number of providers\n")
        file.writelines(f"{key}\t{count}\n" for key, count in lines_of(before_by, 3) if key)
        file.write("# words\n")
        file.writelines(f"{key}\t{count}\n" for key, count in lines_of(word_by, 1))

    threes, twos = Counter(), Counter()
    for segment in distinct:
        text = "^^" + re.sub(r"\d", "0", segment) + "$"
        for i in range(len(text) - 2):
            threes[text[i : i + 3]] += 1
            twos[text[i : i + 2]] += 1
    score = lambda c3, c2: round(-16 * math.log((c3 + 0.3) / (c2 + 12)))
    with open(out / "characters.tsv", "w", encoding="ascii") as file:
        file.write("# pairs: cost of an unknown third character, -16 ln P\n")
        file.writelines(f"{pair}\t{score(0, count)}\n" for pair, count in sorted(twos.items()) if count >= 4)
        file.write("# triples: cost of the third character\n")
        file.writelines(f"{three}\t{score(count, twos[three[:2]])}\n" for three, count in sorted(threes.items()) if count >= 2)
    for name in ("vocabulary.tsv", "characters.tsv"):
        print(name, (out / name).stat().st_size, "bytes")


main()
