#!/usr/bin/env python3
"""Fits data/weights.tsv and data/trees.tsv on labelled traffic: fit.py ACCURACY_FOLDER WORK_FOLDER [--leave-one-out] [--without AXIS] [--styles STYLES.py]

ACCURACY_FOLDER has dev/*.jsonl.gz (recorded APIs) and browser/*.jsonl.gz (recorded sessions) of JSON lines with method, url,
status, content_type and truth, and spec-index.jsonl.gz (path templates of API descriptions). Needs numpy, scipy and lightgbm, and
the tool `inference` built with `cargo build --release -p api-patterns-tools`.

The training data are each API with a vocabulary that excludes its own provider, as for an unknown API; each API in other styles
(styles.py); synthetic traffic (synthetic.py); and path prefixes with very many children (wide.py). Four stages are fitted one after
the other. Stage 1 uses lexical features of the segment alone. Stage 2 adds features of its siblings, based on the probabilities of
stage 1. Stages 3 and 4 repeat this with the probabilities of the stage before. Each stage is the mean of a logistic regression (L2,
features scaled by their root mean square) and of boosted trees on the same features.

--leave-one-out: each API, and each quarter of the sessions, is also scored by a model fitted without it.
--without AXIS: an axis of styles.py is left out of the fit, or a kind of one (`case:upper`, `values:slugs`). --styles: also score the styles of that file.
--least FGA: exit with 1 if a score of --leave-one-out, or of a style, is lower.
"""

import argparse
import gzip
import importlib.util
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import lightgbm
import numpy as np
from scipy.optimize import minimize

import styles
import synthetic
import wide

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("INFERENCE", ROOT / "target/release/inference"))
VOCABULARY = ROOT / "scripts/inference/vocabulary.py"
STAGES = 4
STRENGTH = 5.0  # of the L2 penalty
API_WEIGHT = 400.0  # maximum total weight of the samples of an API
VARIANTS = 5  # number of other styles of each API
VARIANT_WEIGHT = 100.0  # maximum total weight of an API in another style
SESSION_WEIGHT = 60.0  # maximum total weight of a file of sessions
WIDE_FILES = 12
WIDE_WEIGHT = 60.0  # maximum total weight of a file of prefixes with many children
SYNTHETIC_SHARE = 0.3  # factor of the weight of synthetic samples
SYNTHETIC_WEIGHT = 100.0  # maximum total weight of a file of synthetic traffic
SESSION_FOLDS = 4
TREES, LEAVES = (40, 80, 80, 80), (8, 10, 10, 10)  # per forest and per tree, by stage
SEEDS = (1, 2, 3)  # one forest per seed; their mean has less variance


@dataclass(frozen=True)
class Corpus:
    path: Path
    vocabulary: Path
    owner: str  # API or file of sessions from which the corpus was made; empty if there is none
    share: float
    most: float


def inference(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def prepare(folder, work, without):
    """Unpack the corpora, build vocabularies that exclude each one's provider, and generate the other training data."""
    index = folder / "spec-index.jsonl.gz"
    with gzip.open(index, "rt") as lines:
        providers = {json.loads(line)["api"].split("/")[0].split(":")[0] for line in lines}
    learn(index, work / "vocabulary", [])
    apis, sessions, extra = {}, {}, []
    for path in sorted((folder / "dev").glob("*.jsonl.gz")):
        api = path.name.split(".")[0]
        own = sorted(name for name in providers if name.split(".")[0] == api)
        vocabulary = work / ("vocabulary-without-" + "-".join(own) if own else "vocabulary")
        learn(index, vocabulary, own)
        requests = unpack(path, work / f"{api}.jsonl")
        apis[api] = Corpus(work / f"{api}.jsonl", vocabulary, api, 1.0, API_WEIGHT)
        for number in range(VARIANTS):
            variant = work / f"{api}.{number}.jsonl"
            style = styles.Style(random.Random(f"{api} {number}"), without)
            restyled = filter(None, map(style.request, requests))
            variant.write_text("".join(json.dumps(request) + "\n" for request in restyled))
            extra.append(Corpus(variant, vocabulary, api, 1.0, VARIANT_WEIGHT))
    for path in sorted((folder / "browser").glob("*.jsonl.gz")):
        name = path.name.split(".")[0]
        unpack(path, work / f"session-{name}.jsonl")
        sessions[name] = Corpus(work / f"session-{name}.jsonl", work / "vocabulary", name, 1.0, SESSION_WEIGHT)
    made = synthetic.make(index, {api: corpus.path for api, corpus in apis.items()}, work, without)
    for fold in range(synthetic.FOLDS):
        learn(index, work / f"vocabulary-fold-{fold}", [name for name in sorted(providers) if synthetic.fold_of(name) == fold])
    for api, files in made.items():
        extra += [Corpus(path, work / f"vocabulary-fold-{fold}", api, SYNTHETIC_SHARE, SYNTHETIC_WEIGHT) for path, fold in files]
    for number in range(WIDE_FILES):
        wide.make(work / "vocabulary/vocabulary.tsv", work / f"wide-{number}.jsonl", f"wide {number}")
        extra.append(Corpus(work / f"wide-{number}.jsonl", work / "vocabulary", "", 1.0, WIDE_WEIGHT))
    return apis, sessions, extra


def unpack(packed, path):
    """Unpack a corpus without bodies and headers, which every fit would have to read."""
    lines = gzip.decompress(packed.read_bytes()).decode().splitlines()
    keys = ("method", "url", "status", "content_type", "truth")
    requests = [{key: request.get(key) for key in keys} for request in map(json.loads, lines)]
    path.write_text("".join(json.dumps(request) + "\n" for request in requests))
    return requests


def learn(index, folder, without):
    if not (folder / "vocabulary.tsv").exists():
        options = [option for name in without for option in ("--without", name)]
        subprocess.run(["python3", VOCABULARY, index, folder, *options], check=True, capture_output=True)


def samples(corpora, stage, weights, work):
    """Return the rows (label, weight, features) of each corpus."""
    outs = [work / f"{weights.name}.{number}.samples" for number in range(len(corpora))]
    listed(weights, [f"{c.vocabulary}\t{c.path}\t{out}" for c, out in zip(corpora, outs)], "samples", stage)
    found = []
    for corpus, out in zip(corpora, outs):
        rows = np.fromfile(out, dtype=np.float32).reshape(-1, 2 + len(NAMES)).astype(float)
        out.unlink()
        total = rows[:, 1].sum() * corpus.share
        rows[:, 1] *= corpus.share * min(1.0, corpus.most / total) if total else 0.0
        found.append(rows)
    return found


def listed(weights, lines, *command):
    with tempfile.NamedTemporaryFile("w", suffix=".list") as file:
        file.write("\n".join(lines))
        file.flush()
        return inference(*command, weights, file.name)


def fit(rows, columns):
    """Fit a logistic regression. Return its weights for unscaled features."""
    data = np.concatenate(rows)
    y, w, x = data[:, 0] * 2 - 1, data[:, 1], data[:, 2 : 2 + columns]
    scale = np.sqrt((w[:, None] * x**2).sum(0) / w.sum())
    scale[scale < 1e-6] = 1e6  # a feature that never occurs gets weight 0
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


def fit_trees(rows, columns, stage):
    """Fit boosted trees on the features of the logistic regression."""
    data = np.concatenate(rows)
    settings = dict(objective="binary", num_leaves=LEAVES[stage], learning_rate=0.09, min_child_weight=5, lambda_l2=5, feature_fraction=0.3, bagging_fraction=0.6,
                    bagging_freq=1, deterministic=True, force_row_wise=True, num_threads=2, verbose=-1)
    known = lightgbm.Dataset(data[:, 2 : 2 + columns], data[:, 0], weight=data[:, 1], free_raw_data=False)
    forests = [lightgbm.train(dict(settings, seed=seed), known, TREES[stage]) for seed in SEEDS]
    return [tree for forest in forests for tree in forest.dump_model()["tree_info"]]


def written(node):
    """Serialize a tree in preorder."""
    if "leaf_value" in node:
        return [f"={node['leaf_value'] / len(SEEDS):.3f}"]
    split = f"{node['split_feature']}<={node['threshold']:.4g}:{node['internal_value'] / len(SEEDS):.2f}"
    return [split, *written(node["left_child"]), *written(node["right_child"])]


def write(folder, weights, trees):
    folder.mkdir(exist_ok=True)
    with open(folder / "weights.tsv", "w") as file:
        file.write("# Fitted by scripts/inference/fit.py; the names are explained in src/template/features.rs.\n")
        file.write("# feature\tsegment alone\twith its surroundings\tonce more\tand again\n")
        for i, name in enumerate(NAMES):
            file.write(name + "".join(f"\t{stage[i]:.4f}" for stage in weights) + "\n")
    with open(folder / "trees.tsv", "w") as file:
        file.write("# Fitted by scripts/inference/fit.py; src/template/trees.rs says how they are written.\n")
        file.write(" ".join(NAMES) + "\n")
        for stage, found in enumerate(trees):
            file.writelines(f"{stage}\t{' '.join(written(tree['tree_structure']))}\n" for tree in found)


def fit_all(corpora, path, work):
    """Fit all stages on these corpora, and write them to the folder `path`."""
    weights, trees = [np.zeros(len(NAMES)) for _ in range(STAGES)], [[] for _ in range(STAGES)]
    for stage in range(STAGES):
        write(path, weights, trees)
        rows = samples(corpora, stage, path, work)
        columns = LEXICAL if stage == 0 else len(NAMES)
        weights[stage][:columns] = fit(rows, columns)
        trees[stage] = fit_trees(rows, columns, stage)
    write(path, weights, trees)


def score(corpora, weights, vocabulary=None, without=()):
    """Return {owner: [GA, FGA, FTA, number of static endpoints, number of those that are wrong]}, without a rule: ("--without", RULE)."""
    lines = listed(weights, [f"{vocabulary or c.vocabulary}\t{c.path}" for c in corpora], *without, "score").splitlines()
    return {c.owner: [float(number) for number in line.split()] for c, line in zip(corpora, lines)}


def show(title, scores, each=True):
    if each:
        print(title)
        for owner, v in scores.items():
            print(f"  {owner:16} GA {v[0]:.3f}  FGA {v[1]:.3f}  FTA {v[2]:.3f}  static {v[3]:.0f}, wrong {v[4]:.0f}")
        title = "  mean"
    ga, fga, fta = (statistics.mean(v[i] for v in scores.values()) for i in range(3))
    static, wrong = (sum(v[i] for v in scores.values()) for i in (3, 4))
    worst = min(scores, key=lambda owner: scores[owner][1])
    print(f"{title:18} GA {ga:.3f}  FGA {fga:.3f}  FTA {fta:.3f}  static wrong {wrong / max(1, static):.3f}  worst {worst} {scores[worst][1]:.3f}", flush=True)
    return fga


def styled(folder, apis, work, module):
    """Return {style: corpora} of the APIs, rewritten by the styles of another file: (path, truth) -> (path, truth) or None."""
    spec = importlib.util.spec_from_file_location("other_styles", module)
    other = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(module.parent))
    spec.loader.exec_module(other)
    found = {}
    for number, (name, style) in enumerate(other.STYLES.items()):
        found[name] = []
        for api, corpus in apis.items():
            path = work / f"{api}.style-{number}.jsonl"
            if not path.exists():
                with open(path, "w") as out:
                    for request in map(json.loads, corpus.path.read_text().splitlines()):
                        url = urlsplit(request["url"])
                        got = style(url.path, request["truth"]) if request["truth"] else None
                        if got:
                            url = urlunsplit((url.scheme, url.netloc, got[0], url.query, ""))
                            out.write(json.dumps(dict(request, url=url, truth=got[1])) + "\n")
            found[name].append(Corpus(path, work / "vocabulary", api, 1.0, 0.0))
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--leave-one-out", action="store_true")
    parser.add_argument("--only", default="", help="leave only these APIs out, and one quarter of the sessions")
    parser.add_argument("--least", type=float, default=0.0, help="fail where the mean FGA of what was left out, or of a style, is below this")
    parser.add_argument("--without", action="append", default=[], choices=styles.LEAVABLE)
    parser.add_argument("--styles", type=Path)
    arguments = parser.parse_args()
    work = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    apis, sessions, extra = prepare(arguments.folder, work, arguments.without)
    corpora = [*apis.values(), *sessions.values(), *extra]
    weights = work / "weights"
    fit_all(corpora, weights, work)
    show("fitted on all, whole vocabulary:", score(apis.values(), weights, work / "vocabulary"))
    show("sessions, fitted on all:", score(sessions.values(), weights))
    low = 0
    if arguments.styles:
        for name, found in styled(arguments.folder, apis, work, arguments.styles).items():
            low += show(name, score(found, weights), each=False) < arguments.least
    if arguments.leave_one_out:
        scores = {}
        only = [api for api in arguments.only.split(",") if api]
        for api in only or apis:
            path = work / f"weights-without-{api}"
            fit_all([corpus for corpus in corpora if corpus.owner != api], path, work)
            scores.update(score([apis[api]], path))
        low += show("leave one API out (and its provider out of the vocabulary):", scores) < arguments.least
        scores = {}
        for fold in range(1 if only else SESSION_FOLDS):
            left_out = [corpus for number, corpus in enumerate(sessions.values()) if number % SESSION_FOLDS == fold]
            path = work / f"weights-without-sessions-{fold}"
            fit_all([corpus for corpus in corpora if corpus not in left_out], path, work)
            scores.update(score(left_out, path))
        low += show("leave a quarter of the sessions out:", scores) < arguments.least
    sys.exit(low > 0)


NAMES = inference("names").split()
LEXICAL = NAMES.index("root")
if __name__ == "__main__":
    main()
