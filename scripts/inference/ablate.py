#!/usr/bin/env python3
"""Measure what each rule around the model is worth: ablate.py FOLDER WORK

WORK is the folder of a run of fit.py --leave-one-out. Each API, and its rewritings in other styles, are scored by the model that
was fitted without it, with all rules and without each; sessions and places with very many names by the model that was fitted on
all; true segments of API descriptions, each alone on its host, too. Prints a line for each rule with the change of the means.
"""

import gzip
import json
import random
import statistics
import sys
from pathlib import Path

import fit

COLUMNS = ("FGA", "FTA", "worst", "wrong", "styles FGA", "styles worst", "sessions FGA", "sessions FTA", "wide FGA", "lone wrong")
# Lone segments that are tried, and hosts in one state.
LONE, HOSTS = 4000, 500


def mean(scores, column):
    return statistics.mean(values[column] for values in scores)


def lone_names(index, work):
    """Return corpora of true static segments, each as all that is seen of its host."""
    segments = set()
    with gzip.open(index, "rt") as lines:
        for entry in (entry for line in lines for entry in json.loads(line)["paths"]):
            segments.update(part for part in entry["path"].split("/") if part and not set(part) & set("{?# "))
    segments = random.Random(1).sample(sorted(segments), LONE)
    corpora = []
    for start in range(0, LONE, HOSTS):
        path = work / f"lone-{start}.jsonl"
        requests = [{"method": "GET", "url": f"https://h{i}.example/resource/{part}", "status": 200, "truth": f"/resource/{part}"}
                    for i, part in enumerate(segments[start : start + HOSTS])]
        path.write_text("".join(json.dumps(request) + "\n" for request in requests))
        corpora.append(fit.Corpus(path, work / "vocabulary", "", 1.0, 0.0))
    return corpora


def measured(apis, sessions, extra, lone, work, rule):
    without = ("--without", rule) if rule else ()
    score = lambda corpora, weights: [*fit.score(corpora, work / weights, without=without).items()]
    own, styled = [], []
    for api, corpus in apis.items():
        rewritten = [c for c in extra if c.path.stem.rpartition(".")[0] == api]
        # A dict of scores has one entry an owner.
        for number, each in enumerate([corpus, *rewritten]):
            (own if number == 0 else styled).extend(values for _, values in score([each], f"weights-without-{api}"))
    seen = [values for _, values in score(sessions.values(), "weights")]
    wide = [values for corpus in extra if corpus.path.stem.startswith("wide") for _, values in score([corpus], "weights")]
    alone = sum(values[4] for corpus in lone for _, values in score([corpus], "weights"))
    return [mean(own, 1), mean(own, 2), min(values[1] for values in own), sum(values[4] for values in own),
            mean(styled, 1), min(values[1] for values in styled), mean(seen, 1), mean(seen, 2), mean(wide, 1), alone]


def main():
    folder, work = Path(sys.argv[1]), Path(sys.argv[2])
    apis, sessions, extra = fit.prepare(folder, work, [])
    lone = lone_names(folder / "spec-index.jsonl.gz", work)
    full = measured(apis, sessions, extra, lone, work, None)
    print(f"{'rule':14}", "  ".join(f"{column:>12}" for column in COLUMNS))
    print(f"{'all':14}", "  ".join(f"{value:12.3f}" for value in full), flush=True)
    for rule in fit.inference("rules").split():
        change = [value - whole for value, whole in zip(measured(apis, sessions, extra, lone, work, rule), full)]
        print(f"{rule:14}", "  ".join(f"{value:+12.3f}" for value in change), flush=True)


if __name__ == "__main__":
    main()
