#!/usr/bin/env python3
"""Fits data/weights.tsv on labelled traffic: fit.py CORPORA_FOLDER SPEC_INDEX.jsonl.gz WORK_FOLDER [--leave-one-out]

CORPORA_FOLDER has files API.jsonl.gz of JSON lines with method, url, status and truth. Needs numpy and scipy, and the
example `inference` built with `cargo build --release --features training --example inference`.

Each API is seen with its own provider out of the vocabulary, as an unknown API would be. Three logistic models are fitted
one after the other (L2, features scaled by their root mean square): the segment alone; with its surroundings, given
what the first says of its siblings; the same given what the second says. With --leave-one-out each API is also scored by a
model fitted on the others.
"""

import argparse
import gzip
import json
import statistics
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

import synthetic

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target/release/examples/inference"
VOCABULARY = ROOT / "scripts/inference/vocabulary.py"
STAGES = 3
STRENGTH = 1.0  # weight of the penalty
API_WEIGHT = 400.0  # no API counts for more
SYNTHETIC_SHARE = 0.3  # what a synthetic sample counts
SYNTHETIC_WEIGHT = 100.0  # no file of synthetic traffic counts for more


def inference(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def prepare(corpora, index, work):
    """Unpacks the corpora, and makes a vocabulary without each one's provider."""
    with gzip.open(index, "rt") as lines:
        providers = {json.loads(line)["api"].split("/")[0].split(":")[0] for line in lines}
    apis = {}
    for path in sorted(corpora.glob("*.jsonl.gz")):
        api = path.name.split(".")[0]
        corpus = work / f"{api}.jsonl"
        corpus.write_bytes(gzip.decompress(path.read_bytes()))
        own = sorted(name for name in providers if name.split(".")[0] == api)
        folder = work / ("vocabulary-without-" + "-".join(own) if own else "vocabulary")
        learn(index, folder, own)
        apis[api] = (corpus, folder)
    learn(index, work / "vocabulary", [])
    made = synthetic.make(index, {api: corpus for api, (corpus, _) in apis.items()}, work)
    for fold in range(synthetic.FOLDS):
        learn(index, work / f"vocabulary-fold-{fold}", [name for name in sorted(providers) if synthetic.fold_of(name) == fold])
    extra = {api: [(path, work / f"vocabulary-fold-{fold}") for path, fold in files] for api, files in made.items()}
    return apis, extra


def learn(index, folder, without):
    if not (folder / "vocabulary.tsv").exists():
        options = [option for name in without for option in ("--without", name)]
        subprocess.run(["python3", VOCABULARY, index, folder, *options], check=True, capture_output=True)


def samples(apis, extra, stage, weights, work, pool):
    """Rows of label, weight and evidence: of each API, and of the synthetic traffic with its values."""
    def rows_of(corpus, folder):
        out = work / f"{corpus.stem}.{weights.stem}.samples"
        inference("samples", stage, folder, weights, corpus, out)
        rows = np.fromfile(out, dtype=np.float32).reshape(-1, 2 + len(NAMES)).astype(float)
        out.unlink()
        return rows

    def capped(rows, share, most):
        total = rows[:, 1].sum() * share
        rows[:, 1] *= share * min(1.0, most / total) if total else 0.0
        return rows

    def one(api):
        parts = [capped(rows_of(*apis[api]), 1.0, API_WEIGHT)]
        parts += [capped(rows_of(*files), SYNTHETIC_SHARE, SYNTHETIC_WEIGHT) for files in extra[api]]
        return np.concatenate(parts)
    return list(pool.map(one, apis))


def fit(rows, columns):
    """Weights of a logistic model, in the natural scale of the features."""
    data = np.concatenate(rows)
    y, w, x = data[:, 0] * 2 - 1, data[:, 1], data[:, 2 : 2 + columns]
    scale = np.sqrt((w[:, None] * x**2).sum(0) / w.sum())
    scale[scale < 1e-6] = 1e6  # never seen: weighs nothing
    x = x / scale
    penalty = np.full(columns, STRENGTH)
    penalty[0] = 0.0

    def loss(beta):
        margin = y * (x @ beta)
        value = (w * np.logaddexp(0, -margin)).sum() + 0.5 * (penalty * beta**2).sum()
        gradient = -(x.T @ (w * y / (1 + np.exp(np.clip(margin, -50, 50))))) + penalty * beta
        return value, gradient

    beta = minimize(loss, np.zeros(columns), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return beta / scale


def write(path, weights):
    with open(path, "w") as file:
        file.write("# Fitted by scripts/inference/fit.py; the names are explained in src/template/features.rs.\n")
        file.write("# feature\tsegment alone\twith its surroundings\tonce more\n")
        for i, name in enumerate(NAMES):
            file.write(name + "".join(f"\t{stage[i]:.4f}" for stage in weights) + "\n")


def fit_all(apis, extra, path, work, pool):
    """All stages on these APIs, written to path."""
    weights = [np.zeros(len(NAMES)) for _ in range(STAGES)]
    for stage in range(STAGES):
        write(path, weights)
        rows = samples(apis, extra, stage, path, work, pool)
        columns = LEXICAL if stage == 0 else len(NAMES)
        weights[stage][:columns] = fit(rows, columns)
        if stage + 1 < STAGES and stage > 0:
            weights[stage + 1] = weights[stage].copy()
    write(path, weights)


def score(corpus, folder, weights):
    return [float(number) for number in inference("score", folder, weights, corpus).split()]


def show(title, scores):
    print(title)
    for api, values in scores.items():
        print(f"  {api:12} GA {values[0]:.3f}  FGA {values[1]:.3f}  FTA {values[2]:.3f}")
    means = [statistics.mean(values[i] for values in scores.values()) for i in range(3)]
    print(f"  {'mean':12} GA {means[0]:.3f}  FGA {means[1]:.3f}  FTA {means[2]:.3f}   worst FGA {min(v[1] for v in scores.values()):.3f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("corpora", type=Path)
    parser.add_argument("index", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--leave-one-out", action="store_true")
    arguments = parser.parse_args()
    work = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    apis, extra = prepare(arguments.corpora, arguments.index, work)
    with ThreadPoolExecutor(2) as pool:
        weights = work / "weights.tsv"
        fit_all(apis, extra, weights, work, pool)
        scores = pool.map(lambda api: (api, score(apis[api][0], work / "vocabulary", weights)), apis)
        show("fitted on all, whole vocabulary:", dict(scores))
        if arguments.leave_one_out:
            def one(api):
                others = {name: value for name, value in apis.items() if name != api}
                path = work / f"weights-without-{api}.tsv"
                with ThreadPoolExecutor(1) as inner:
                    fit_all(others, extra, path, work, inner)
                return api, score(*apis[api], path)
            show("leave one API out (and its provider out of the vocabulary):", dict(pool.map(one, apis)))


NAMES = inference("names").split()
LEXICAL = NAMES.index("root")
if __name__ == "__main__":
    main()
