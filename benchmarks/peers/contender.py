"""One contender in a process of its own: python contender.py MODULE TABLE SEED EPOCHS."""

import json
import os
import resource
import statistics
import sys
import time

started = time.process_time()
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main(module, table, seed, epochs):
    import csv
    import importlib

    # The folder of this file would hide the package that an adapter has its name from.
    sys.path[:] = [p for p in sys.path if os.path.abspath(p) != os.path.dirname(__file__)]
    # Answers go to the real output, whatever a contender prints.
    answer, sys.stdout = sys.stdout, sys.stderr
    contender = importlib.import_module(f"peers.{module}").CONTENDER
    found = {"import": time.process_time() - started}
    import torch

    torch.set_num_threads(1)
    made = contender(table, int(seed), int(epochs))
    before = time.process_time()
    made.fit()
    found["rate"] = len(made.train) * int(epochs) / (time.process_time() - before)
    with open(table, encoding="utf-8") as file:
        test = [row for row in csv.DictReader(file) if row["split"] == "test"]
    said = made.predict(test)  # warms up
    right = [a == row["label"] for a, row in zip(said, test, strict=True)]
    found["accuracy"] = sum(right) / len(test)
    found["batch"] = len(test) / median(lambda: made.predict(test), 7, time.process_time)
    found["one"] = 1000 * median(lambda: made.predict(test[:1]), 40, time.perf_counter)
    found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    answer.write("\n" + json.dumps(found) + "\n")
    answer.flush()


def median(run, repeats, clock):
    times = []
    for _ in range(repeats):
        before = clock()
        run()
        times.append(clock() - before)
    return statistics.median(times)


if __name__ == "__main__":
    main(*sys.argv[1:])
