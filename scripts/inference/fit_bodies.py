#!/usr/bin/env python3
"""Fits data/bodies.tsv on labelled traffic with bodies: fit_bodies.py ACCURACY_FOLDER WORK [--least FGA]

WORK is the folder of a run of `fit.py ACCURACY_FOLDER WORK --leave-one-out`. Needs what fit.py needs.

The stages of correction are boosted trees that start from the probability by paths alone, and see what bodies say about a segment
and its siblings (src/template/context/bodies.rs), and nothing else. An API's probabilities are those of a fit that never saw it, since the others
are surer than they will be on other traffic. The training data are each API as recorded; with bodies left out of half and of four
in five of its requests; and in other styles (styles.py), with the values in the bodies rewritten as those in the paths, and not.

Prints FGA and FTA of each API by fits that never saw it: by paths alone, with bodies, with half of them, and with one in five.
--least FGA: exit with 1 if the mean with bodies is lower. Writes WORK/weights/bodies.tsv.
"""

import argparse
import gzip
import json
import random
import re
import statistics
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import lightgbm
import numpy as np
from scipy.optimize import minimize

import fit
import styles

STAGES = 2
KEPT = ("method", "url", "status", "content_type", "truth", "request_body", "response_body")
SHARES = {"whole": 1.0, "half": 0.5, "fifth": 0.2}
VARIANTS = 4
VARIANT_WEIGHT = 150.0
API_WEIGHT = 400.0
TREES, LEAVES, RATE = (100, 60), 6, 0.07
SEEDS = (1, 2, 3)
# Features that may only speak for a value (1) or only for a name (-1).
DIRECTIONS = {"own_ended": 1, "own_passed": 1, "identified": 1, "named_so": 1, "seen_identifier": 1, "seen_name": 1, "as_key": -1, "seen_key": -1, "echo_gap": -1, "collections": -1, "things": 1,
              "like_values": 1, "like_names": -1, "mean_like_values": 1, "mean_like_names": -1}


def with_share(requests, share, seed):
    """Leave bodies out of all but a share of the requests."""
    draw = random.Random(seed)
    bare = lambda request: {key: value for key, value in request.items() if not key.endswith("_body")}
    return [request if draw.random() < share else bare(request) for request in requests]


def rewritten(requests, style):
    """Rewrite values in bodies as the style rewrites them in paths."""
    values = {}
    for request in requests:
        seen = urlsplit(request["url"]).path.strip("/").split("/")
        true = (request.get("truth") or "").strip("/").split("/")
        if len(seen) == len(true):
            values.update((unquote(text), style.value(text)) for text, part in zip(seen, true) if styles.is_value(part) and style.values)
    quoted = re.compile(r'"([^"\\]{1,60})"(?!\s*:)')
    replace = lambda found: f'"{values.get(found[1], found[1])}"'
    for request in requests:
        new = style.request(request)
        if new is not None:
            for key in ("request_body", "response_body"):
                if new.get(key):
                    new[key] = quoted.sub(replace, new[key])
            yield new


def written(path, requests):
    path.write_text("".join(json.dumps(request) + "\n" for request in requests))
    return path


def prepare(folder, work):
    """Write the corpora. Return {API: [(file, maximum weight)]} and {API: {share: file}}."""
    training, scored = {}, {}
    for packed in sorted((folder / "dev").glob("*.jsonl.gz")):
        api = packed.name.split(".")[0]
        lines = gzip.decompress(packed.read_bytes()).decode().splitlines()
        requests = [{key: request.get(key) for key in KEPT} for request in map(json.loads, lines)]
        file = lambda name: work / f"bodies-{api}.{name}.jsonl"
        if not file("none").exists():
            for name, share in SHARES.items():
                written(file(name), with_share(requests, share, f"{api} {name}"))
            for number in range(VARIANTS):
                style = styles.Style(random.Random(f"bodies {api} {number}"))
                changed = rewritten(requests, style) if number % 2 else filter(None, map(style.request, requests))
                share = (1.0, 1.0, 0.5, 0.5)[number % 4]
                written(file(number), with_share(changed, share, f"{api} {number}"))
            written(file("none"), with_share(requests, 0.0, api))
        training[api] = [(file(name), API_WEIGHT if name == "whole" else VARIANT_WEIGHT) for name in SHARES]
        training[api] += [(file(number), VARIANT_WEIGHT) for number in range(VARIANTS)]
        scored[api] = {name: file(name) for name in ("none", *SHARES)}
    return training, scored


def vocabulary_of(api, work, providers):
    own = sorted(name for name in providers if name.split(".")[0] == api)
    return work / ("vocabulary-without-" + "-".join(own) if own else "vocabulary")


def samples(api, files, stage, weights, vocabulary, work):
    outs = [work / f"{api}.{number}.body-samples" for number in range(len(files))]
    fit.listed(weights, [f"{vocabulary}\t{path}\t{out}" for (path, _), out in zip(files, outs)], "samples", fit.STAGES + stage)
    found = []
    for (_, most), out in zip(files, outs):
        rows = np.fromfile(out, dtype=np.float32).reshape(-1, 3 + len(NAMES)).astype(float)
        out.unlink()
        total = rows[:, 1].sum()
        rows[:, 1] *= min(1.0, most / total) if total else 0.0
        found.append(rows)
    return np.concatenate(found)


def fit_trees(rows, stage):
    data = np.concatenate(rows)
    label, weight, guess = data[:, :3].T
    # What the guesses are off by on average is none of the bodies' business: the trees start from calibrated guesses.
    loss = lambda line: (weight * np.logaddexp(0, (1 - 2 * label) * (line[0] + line[1] * guess))).sum()
    line = minimize(loss, [0.0, 1.0]).x
    start = line[0] + line[1] * guess
    settings = dict(objective="binary", num_leaves=LEAVES, learning_rate=RATE, min_child_weight=12, lambda_l2=10, feature_fraction=0.5, bagging_fraction=0.6,
                    bagging_freq=1, monotone_constraints=[DIRECTIONS.get(name, 0) for name in NAMES], deterministic=True, force_row_wise=True, num_threads=2, verbose=-1)
    known = lightgbm.Dataset(data[:, 3:].copy(), label, weight=weight, init_score=start, free_raw_data=False)
    forests = [lightgbm.train(dict(settings, seed=seed), known, TREES[stage]) for seed in SEEDS]
    return [tree for forest in forests for tree in forest.dump_model()["tree_info"]]


def write(folder, trees):
    with open(folder / "bodies.tsv", "w") as file:
        file.write("# Fitted by scripts/inference/fit_bodies.py; src/template/trees.rs says how they are written.\n")
        file.write(" ".join(NAMES) + "\n")
        for stage, found in enumerate(trees):
            file.writelines(f"{stage}\t{' '.join(fit.written(tree['tree_structure']))}\n" for tree in found)


def score(weights, pairs):
    lines = fit.listed(weights, [f"{vocabulary}\t{path}" for vocabulary, path in pairs], "score").splitlines()
    return [[float(number) for number in line.split()] for line in lines]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--least", type=float, default=0.0)
    arguments = parser.parse_args()
    work = arguments.work
    training, scored = prepare(arguments.folder, work)
    with gzip.open(arguments.folder / "spec-index.jsonl.gz", "rt") as lines:
        providers = {json.loads(line)["api"].split("/")[0].split(":")[0] for line in lines}
    vocabulary = {api: vocabulary_of(api, work, providers) for api in training}
    honest = {api: work / f"weights-without-{api}" for api in training}

    trees = {api: [] for api in (*training, "")}
    for api in training:
        write(honest[api], [])
    for stage in range(STAGES):
        rows = {api: samples(api, files, stage, honest[api], vocabulary[api], work) for api, files in training.items()}
        for left_out in trees:
            trees[left_out].append(fit_trees([found for api, found in rows.items() if api != left_out], stage))
        for api in training:
            write(honest[api], trees[api])
    write(work / "weights", trees[""])

    means = {}
    table = {api: score(honest[api], [(vocabulary[api], path) for path in scored[api].values()]) for api in training}
    print("FGA and FTA, each API left out: by paths alone, with bodies, with half of them, with one in five")
    for api, found in table.items():
        print(f"  {api:14}" + "".join(f"  {v[1]:.3f} {v[2]:.3f}" for v in found), flush=True)
    for number, name in enumerate(next(iter(scored.values()))):
        fga, fta = (statistics.mean(found[number][i] for found in table.values()) for i in (1, 2))
        worst = min(table, key=lambda api: table[api][number][1])
        static, wrong = (sum(found[number][i] for found in table.values()) for i in (3, 4))
        means[name] = fga
        print(f"{name:8} FGA {fga:.4f}  FTA {fta:.4f}  worst {worst} {table[worst][number][1]:.3f}  static wrong {wrong / max(1, static):.4f}")
    sys.exit(means["whole"] < arguments.least)


NAMES = fit.inference("body-names").split()
if __name__ == "__main__":
    main()
