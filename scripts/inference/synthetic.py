"""Synthetic traffic: requests to the endpoints of API descriptions, with parameter values recorded from real APIs."""

import gzip
import json
import random
from collections import defaultdict
from urllib.parse import urlsplit

import styles

FOLDS = 5
SPECS = 8  # number of descriptions per recorded API and fold
WORD_VALUES = 0.1  # share of parameters whose values are known words
RESTYLED = 0.5  # share of hosts that are rewritten in another style


def provider(api):
    return api.split("/")[0].split(":")[0]


def fold_of(name):
    return sum(name.encode()) % FOLDS


def descriptions(index):
    """Return the descriptions by fold and provider. The providers are distributed over the folds."""
    by_provider = defaultdict(list)
    with gzip.open(index, "rt") as lines:
        for line in lines:
            description = json.loads(line)
            if len(description["paths"]) >= 5:
                by_provider[provider(description["api"])].append(description)
    folds = [[] for _ in range(FOLDS)]
    for name, found in sorted(by_provider.items()):
        folds[fold_of(name)].append(found)
    return folds


def recorded_values(corpus):
    """Return the values of each parameter of a recorded API, with repetitions."""
    values = defaultdict(list)
    for line in corpus.read_text().splitlines():
        request = json.loads(line)
        if not request.get("truth"):
            continue
        path = [part for part in urlsplit(request["url"]).path.split("/") if part]
        truth = [part for part in request["truth"].split("/") if part]
        if len(path) == len(truth):
            for at, (value, part) in enumerate(zip(path, truth)):
                if part.startswith("{") and part.endswith("}") and part.count("{") == 1:
                    values[tuple(truth[: at + 1])].append(value)
    return [found for _, found in sorted(values.items()) if len(set(found)) >= 2] or [["1", "2", "3"]]


def known_words(draw):
    """Return a few known words, some of them with endings as in `users_de`, or all."""
    words = draw.choice(styles.WORD_LISTS)
    words = draw.sample(words, min(len(words), draw.choice([2, 4, 8, 16, 64])))
    endings = draw.choice([[""], [""], [""], ["", "-dev", "-prod", "-staging"], ["_de", "_en", "_fr"], ["", "2", "-old"]])
    return [word + draw.choice(endings) for word in words]


def write(path, found, pool, draw, without):
    """Generate requests to some of the descriptions, each on its own host, half of them in another style."""
    lines = []
    for number, of_provider in enumerate(draw.sample(found, min(SPECS, len(found)))):
        description = draw.choice(of_provider)
        base = urlsplit((description["servers"] or ["http://h"])[0]).path.rstrip("/")
        if "{" in base:
            base = ""
        style = styles.Style(draw, without) if draw.random() < RESTYLED else None
        paths = description["paths"]
        if len(paths) > 300:
            paths = draw.sample(paths, 300)
        weights = [draw.paretovariate(0.9) for _ in paths]
        drawn = {}
        count = round(20 * (75 ** draw.random()))
        for entry in draw.choices(paths, weights, k=count):
            parts, truth = [], []
            for part in (base + entry["path"]).split("/"):
                if "{" in part:
                    if not (part.startswith("{") and part.endswith("}") and part.count("{") == 1):
                        parts = None
                        break
                    key = tuple(truth + [part])
                    if key not in drawn:
                        drawn[key] = known_words(draw) if draw.random() < WORD_VALUES else draw.choice(pool)
                    values = drawn[key]
                    parts.append(draw.choice(values))
                else:
                    parts.append(part)
                truth.append(part)
            if not parts or any("%" in part or "?" in part or "#" in part or " " in part for part in parts):
                continue
            failed = draw.random() < 0.08
            status = (404 if "{" in entry["path"] and draw.random() < 0.6 else 400) if failed else 200
            url = f"https://host{number}.example" + "/".join(parts)
            request = {"method": entry["method"].upper(), "url": url, "status": status, "truth": "/".join(truth)}
            if style:
                request = style.request(request)
            if request:
                lines.append(json.dumps(request))
    path.write_text("\n".join(lines) + "\n")


def make(index, corpora, work, without=()):
    """Return {recorded API: [(corpus, fold)]}."""
    folds = descriptions(index)
    made = defaultdict(list)
    for api, corpus in sorted(corpora.items()):
        pool = recorded_values(corpus)
        for fold, found in enumerate(folds):
            path = work / f"synthetic-{api}-{fold}.jsonl"
            write(path, found, pool, random.Random(f"{api} {fold}"), without)
            made[api].append((path, fold))
    return made
