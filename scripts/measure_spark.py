#!/usr/bin/env python3
"""Compares the analysis of a large dump on Spark, with one executor and with two, with a single process.

usage: measure_spark.py DUMP

Needs Java, and an environment with pyspark and api-patterns.
"""

import os
import statistics
import sys
import time

import api_patterns
from api_patterns import spark as on_spark

ROUNDS = 3


def session(executors):
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    return (
        SparkSession.builder.master(f"local-cluster[{executors},1,1024]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate()
    )


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    dump = sys.argv[1]
    # The first run reads the file into the page cache.
    for _ in range(2):
        start = time.perf_counter()
        whole = api_patterns.analyze(dump, threads=1)
        alone = time.perf_counter() - start
    flows = whole.totals.used
    print(f"one machine, 1 thread    {alone:6.2f} s {flows / alone:12,.0f} flows a second")
    for executors in (1, 2):
        spark = session(executors)
        times = []
        for _ in range(ROUNDS + 1):
            start = time.perf_counter()
            report = on_spark.patterns(spark, dump)
            times.append(time.perf_counter() - start)
            assert report.to_json() == whole.to_json()
        # The first round includes the start of the workers.
        took = statistics.median(times[1:])
        print(f"Spark, {executors} executor{'s'[:executors > 1]}        {took:6.2f} s {flows / took:12,.0f} flows a second")
        spark.stop()
    wanted = on_spark._wanted()
    start = time.perf_counter()
    parts, _ = on_spark.split(dump, 64 << 20, True, wanted)
    print(f"finding the boundaries   {time.perf_counter() - start:6.2f} s, {len(parts)} parts")
    sizes = [len(on_spark.observe_split(dump, part, wanted)[0]) for part in parts]
    print(f"state shipped by a task  {statistics.median(sizes) / 1000:6.1f} kB")


if __name__ == "__main__":
    main()
