"""A search index of a million vectors on disk: recall, time, memory, adding while asked, SIGKILL.

The vectors are what a model trained here makes of easy-VQA's rows, 256 numbers, each of them
repeated with noise, and brought to length 1. ``--noise`` is the length of the noise beside how far
vectors lie from their mean: at 0.3 it hides which rows are neighbours, and an index needs many
more probes. Questions are made alike, from rows that none of the vectors came from. Exact answers
are worked out with NumPy. Small: ``--rows 30000``. Whole: ``--rows 1000000``, 2 GB of disk, in
``--out``. The writer gives way to readers (``nice``), as ``polymodal index --add`` does.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from measuring import ONE_THREAD, arguments, child, figure, title

from polymodal.search.index_tuning import Sample, exact_neighbours, recall, tune
from polymodal.search.vector_table import (
    CACHE_BYTES,
    KEY,
    METADATA_BYTES,
    Probing,
    VectorStore,
    VectorTable,
)

WIDTH, NEIGHBOURS, QUESTIONS, ASKED_TWICE = 256, 10, 200, 60
BATCH = 20_000
FILTER = "price < 0.01"  # 1 % of the rows
FIELD = "_vector_0"
READERS, ADDED, CHUNK = 4, 10_000, 1000
QUESTIONS_A_SECOND = 5.0  # of each reader
KILLS = 8
MANY = 900_000  # rows from which memory is judged
TEXT = "is there a red circle in the picture?"
SCHEMA = pa.schema(
    [
        pa.field(KEY, pa.string(), nullable=False),
        pa.field("_digest", pa.string()),
        pa.field("price", pa.float64()),
        pa.field("question", pa.string()),
        pa.field("_thumbnail", pa.binary()),
        pa.field(FIELD, pa.list_(pa.float32(), WIDTH)),
    ]
)


def model(folder: Path, table: Path) -> tuple[Path, np.ndarray]:
    """A run of easy-VQA, and what it makes of 40,000 rows."""
    from polymodal import Table, fit

    rows = Table.read(table)
    few, many = (rows.take(np.linspace(0, len(rows) - 1, n).astype(int)) for n in (12_000, 40_000))
    recipe = {
        "columns": {"question": {"encoder": {"name": "text_rnn", "width": WIDTH}}},
        "fusion": {"name": "product", "width": WIDTH},
        "train": {"epochs": 6, "threads": 1},
        "evaluation": {"single_modalities": "off", "resamples": 100},
    }
    run = fit(few, "answer", recipe=recipe, out=folder / "run", overwrite=True)
    return folder / "run", run.embed(many)


def vectors(base: np.ndarray, count: int, rng: np.random.Generator, noise: float) -> np.ndarray:
    """Rows of ``base`` at random, with noise, of length 1."""
    spread = noise * float(np.linalg.norm(base - base.mean(0), axis=1).mean())
    made = base[rng.integers(0, len(base), count)]
    made = made + rng.standard_normal(made.shape, np.float32) * (spread / np.sqrt(WIDTH))
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def table_of(found: np.ndarray, keys: list[str], rng: np.random.Generator) -> pa.Table:
    """Vectors as the index keeps them."""
    flat = pa.FixedSizeListArray.from_arrays(pa.array(found.astype(np.float32).ravel()), WIDTH)
    count = len(keys)
    columns = [
        pa.array(keys),
        pa.array(keys),
        pa.array(rng.random(count)),
        pa.array([f"what is number {key}?" for key in keys]),
        pa.nulls(count, pa.binary()),
        flat,
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def write(place: Path, run: Path, base: np.ndarray, rows: int, noise: float) -> VectorTable:
    """The index as ``SearchIndex`` would have it, but with made-up vectors."""
    from polymodal import load
    from polymodal.search.about import About, model_digest
    from polymodal.search.stored_rows import Layout

    store, rng = VectorStore(place), np.random.default_rng(1)
    table = store.create("rows_1", SCHEMA)
    for start in range(0, rows, BATCH):
        keys = [f"k{i}" for i in range(start, min(start + BATCH, rows))]
        table._table.add(table_of(vectors(base, len(keys), rng, noise), keys, rng))
    table.index_keys()
    table.tidy()
    layout = Layout(
        key="key", fields={"price": "price", "question": "question"},
        vectors={"question": FIELD}, width={"question": WIDTH},
    )  # fmt: skip
    about = About(
        rows="rows_1", run=str(run), model=model_digest(load(run)), folder=str(place),
        aligned=False, layout=layout, modalities={"question": "text"}, texts=[], chinese={},
    )  # fmt: skip
    store.write_about(about.to_dict())
    return table


def exact(table: VectorTable, questions: np.ndarray) -> tuple[list[list[str]], list[list[str]]]:
    """The true neighbours of each question among all rows, and among those that pass the filter."""
    whole, _ = exact_neighbours(table, FIELD, Sample([""] * len(questions), questions))
    keys, kept = [], []
    for batch in table.batches([KEY, "price", FIELD]):
        passed = batch.filter(pa.compute.less(batch.column("price"), 0.01))
        keys += passed.column(KEY).to_pylist()
        kept.append(passed.column(FIELD).flatten().to_numpy().reshape(-1, WIDTH))
    alike = questions @ np.concatenate(kept).T
    top = np.argsort(-alike, axis=1, kind="stable")[:, :NEIGHBOURS]
    return whole, [[keys[i] for i in line] for line in top]


def peak() -> float:
    """The largest memory of this process in MB of 1,000,000 bytes (its own, not its parent's)."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return float(line.split()[1]) * 1024 / 1e6


def timed(table: VectorTable, asked: np.ndarray, probing: Probing, where: str | None) -> Any:
    """Keys found, and seconds of each question."""
    found, seconds = [], []
    for vector in asked:
        begun = time.perf_counter()
        rows = table.nearest(FIELD, vector, NEIGHBOURS, where=where, probing=probing)
        seconds.append(time.perf_counter() - begun)
        found.append(rows[KEY].to_pylist())
    return found, seconds


def searching(place: str, questions: str, probes: str, refine: str) -> None:
    """A process that only searches: what it found, how fast, in how much memory."""
    table = VectorStore(place).open("rows_1")
    asked, probing = np.load(questions), Probing(int(probes), int(refine))
    timed(table, asked[:5], probing, None)
    found, seconds = timed(table, asked, probing, None)
    memory = peak()
    passed, slower = timed(table, asked, probing, FILTER)
    print(json.dumps({
        "found": found, "ms": [1000 * s for s in seconds], "peak": memory, "passed": passed,
        "passed_ms": [1000 * s for s in slower], "peak_filtered": peak(),
    }))  # fmt: skip


def asking(place: str, run: str) -> None:
    """A process with the model: texts from end to end, and our layer beside bare LanceDB."""
    import lancedb

    from polymodal import load
    from polymodal.search.search_index import SearchIndex

    index = SearchIndex.open(place, predictor=load(run))
    chosen = index.about.measured["question"]["chosen"]
    session = lancedb.Session(CACHE_BYTES, METADATA_BYTES)  # the same memory as ours
    bare = lancedb.connect(place, session=session).open_table("rows_1")
    vector = index.embedded({"question": TEXT}, "question")
    index.embedded = lambda cells, space: vector  # type: ignore[method-assign]
    fields = [KEY, *index.fields, "_thumbnail", "_distance"]

    def by_hand() -> Any:
        asked = bare.search(vector, vector_column_name=FIELD).distance_type("cosine")
        if chosen["kind"] == "exact":
            asked = asked.bypass_vector_index()
        else:
            asked = asked.nprobes(chosen["probes"]).refine_factor(chosen["refine"])
        return asked.limit(NEIGHBOURS).select(fields).to_list()

    def by_us() -> Any:
        return index.search({"question": TEXT}, k=NEIGHBOURS).hits

    times: dict[str, list[float]] = {"bare": [], "ours": []}
    for turn in range(ASKED_TWICE + 10):
        for name, ask in (("bare", by_hand), ("ours", by_us)):
            begun = time.perf_counter()
            ask()
            if turn >= 10:
                times[name].append(time.perf_counter() - begun)
    del index.embedded
    whole, encoding = [], []
    for number in range(ASKED_TWICE):
        found = index.search({"question": f"{TEXT} {number}"}, k=NEIGHBOURS)
        whole.append(found.seconds)
        encoding.append(found.seconds_encoding)
    print(json.dumps({
        "bare": 1000 * float(np.median(times["bare"])),
        "ours": 1000 * float(np.median(times["ours"])),
        "whole": 1000 * float(np.median(whole[5:])),
        "encoding": 1000 * float(np.median(encoding[5:])),
        "peak": peak(),
    }))  # fmt: skip


def reading(place: str, questions: str, probes: str, refine: str, seconds: str, seed: str) -> None:
    """A reader at a steady pace that checks every answer."""
    table = VectorStore(place).open("rows_1")
    known, probing = np.load(questions), Probing(int(probes), int(refine))
    rng, took, wrong, errors = np.random.default_rng(int(seed)), [], 0, 0
    table.nearest(FIELD, known["vectors"][0], NEIGHBOURS, probing=probing)
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        row = int(rng.integers(len(known["keys"])))
        vector = known["vectors"][row]
        begun = time.perf_counter()
        try:
            found = table.nearest(FIELD, vector, NEIGHBOURS, probing=probing, columns=[FIELD])
        except Exception as error:
            errors, _ = errors + 1, print(repr(error), file=sys.stderr)
            continue
        took.append(time.perf_counter() - begun)
        wrong += not _right(found, str(known["keys"][row]), vector)
        time.sleep(max(0.0, 1 / QUESTIONS_A_SECOND - (time.perf_counter() - begun)))
    print(json.dumps({"seconds": took, "wrong": wrong, "errors": errors}))


def _right(found: pa.Table, key: str, vector: np.ndarray) -> bool:
    """The row asked with comes first; distances are true, in order, of different rows."""
    kept = found[FIELD].combine_chunks().flatten().to_numpy().reshape(-1, WIDTH)
    said = found["_distance"].to_numpy()
    true = 1 - kept @ vector
    keys = found[KEY].to_pylist()
    close = bool(np.abs(said - true).max() < 1e-3 and (np.diff(said) >= -1e-6).all())
    return close and keys[0] == key and len(set(keys)) == len(keys) == NEIGHBOURS


def adding(place: str, base: str, noise: str, first: str, count: str, chunk: str) -> None:
    """A writer that says how many rows are on disk, after each part."""
    table, rng = VectorStore(place).open("rows_1"), np.random.default_rng(int(first))
    os.nice(10)
    begin, size, real = int(first), int(chunk), np.load(base)
    for start in range(begin, begin + int(count), size):
        keys = [f"new{i}" for i in range(start, start + size)]
        table.put(table_of(vectors(real, size, rng, float(noise)), keys, rng))
        print(start + size, flush=True)


def readers(place: Path, known: Path, probing: Probing, seconds: float) -> list[subprocess.Popen]:  # type: ignore[type-arg]
    """Readers that wait for their sign to begin."""
    words = [str(place), str(known), str(probing.probes), str(probing.refine), str(seconds)]
    begun = [_begin(["--reading", *words, str(seed)]) for seed in range(READERS)]
    for one in begun:
        assert one.stdout is not None and one.stdout.readline().strip() == "ready"
    return begun


def finish(begun: list[subprocess.Popen]) -> dict[str, Any]:  # type: ignore[type-arg]
    """What the readers say together."""
    said = [json.loads(one.communicate()[0].strip().splitlines()[-1]) for one in begun]
    took = np.concatenate([one["seconds"] for one in said])
    return {
        "p50": 1000 * float(np.median(took)),
        "p99": 1000 * float(np.percentile(took, 99)),
        "count": len(took),
        "wrong": sum(one["wrong"] for one in said),
        "errors": sum(one["errors"] for one in said),
    }


def while_adding(place: Path, known: Path, base: Path, noise: float, probing: Probing) -> None:
    """Four readers alone, then while rows are added."""
    results = []
    for writes in (False, True):
        begun = readers(place, known, probing, seconds=15.0)
        for one in begun:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        took = 0.0
        if writes:
            before = time.perf_counter()
            words = [str(place), str(base), str(noise), "0", str(ADDED), str(CHUNK)]
            writer = _begin(["--adding", *words])
            said = writer.communicate()[0].split()
            took = time.perf_counter() - before
            assert said and int(said[-1]) == ADDED
        results.append(finish(begun))
        name = "while rows are added" if writes else "idle"
        figure(f"{READERS} readers, {name}: p50", results[-1]["p50"], "ms")
        figure(f"{READERS} readers, {name}: p99", results[-1]["p99"], "ms")
        if writes:
            figure(f"adding {ADDED:,} rows, {CHUNK:,} at a time", took, "s")
    idle, busy = results
    print(f"   {idle['count']} and {busy['count']} questions, {QUESTIONS_A_SECOND:g} a second each")
    figure("errors of readers", idle["errors"] + busy["errors"], most=1e-9)
    figure("wrong answers", idle["wrong"] + busy["wrong"], most=1e-9)
    figure("p99 while adding, beside idle", busy["p99"] / idle["p99"], "x", most=3)


def killed(place: Path, base: Path, noise: float) -> None:
    """Writers killed in the midst of an add: every row they were sure of must be there."""
    rng, lost, first = np.random.default_rng(2), 0, ADDED
    for _ in range(KILLS):
        words = [str(place), str(base), str(noise), str(first), "100000", "500"]
        writer = _begin(["--adding", *words])
        assert writer.stdout is not None
        acknowledged = int(writer.stdout.readline())
        until = time.monotonic() + float(rng.uniform(0.0, 1.0))
        os.set_blocking(writer.stdout.fileno(), False)
        while time.monotonic() < until:
            time.sleep(0.01)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        os.set_blocking(writer.stdout.fileno(), True)
        acknowledged = max([acknowledged, *map(int, writer.stdout.read().split())])
        table = VectorStore(place).open("rows_1")
        keys = [f"new{i}" for i in range(first, acknowledged)]
        there = set(table.take(keys, [])[KEY].to_pylist())
        lost += len(set(keys) - there)
        row = table.take(keys[-1:], [FIELD])
        vector = row[FIELD].combine_chunks().flatten().to_numpy()
        lost += table.nearest(FIELD, vector, 1, probing=None)[KEY].to_pylist() != keys[-1:]
        first = acknowledged + 100_000
    figure(f"acknowledged rows lost, {KILLS} x SIGKILL during an add", lost, most=1e-9)


def _begin(words: list[str]) -> subprocess.Popen:  # type: ignore[type-arg]
    return subprocess.Popen(
        [sys.executable, __file__, *words],
        env=os.environ | ONE_THREAD,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def keep_known(table: VectorTable, path: Path) -> None:
    """Some stored rows with their vectors, for readers to ask for."""
    batch = next(iter(table.batches([KEY, FIELD])))
    rows = batch.slice(0, 500)
    found = rows.column(FIELD).flatten().to_numpy().reshape(-1, WIDTH)
    with path.open("wb") as file:
        np.savez(file, keys=np.array(rows.column(KEY).to_pylist()), vectors=found)


def main() -> None:
    options = arguments(__doc__, rows=1_000_000, noise=0.1, out=None, keep=0)
    folder = Path(options.out or tempfile.mkdtemp(prefix="polymodal-search-"))
    folder.mkdir(parents=True, exist_ok=True)
    rows, noise, place = options.rows, options.noise, folder / "index"
    title(f"search: {rows:,} x {WIDTH} vectors on disk, noise {noise:g}")
    try:
        shutil.rmtree(place, ignore_errors=True)
        run, real = model(folder, options.data)
        real = real / np.linalg.norm(real, axis=1, keepdims=True)
        base, held = folder / "base.npy", real[-600:]
        np.save(base, real[:-600])
        begun = time.perf_counter()
        table = write(place, run, real[:-600], rows, noise)
        figure("writing the rows", time.perf_counter() - begun, "s")
        begun = time.perf_counter()
        chosen, measured = tune(table, FIELD, tell=lambda line: print(f"   {line}", flush=True))
        figure(
            "building the index, and choosing how to search it", time.perf_counter() - begun, "s"
        )
        store = VectorStore(place)
        about = store.read_about()
        about["measured"]["question"] = {
            "chosen": chosen.to_dict(), "measured": [m.to_dict() for m in measured], "rows": rows,
        }  # fmt: skip
        store.write_about(about)
        probing = Probing(chosen.probes, chosen.refine)
        asked = vectors(held, QUESTIONS, np.random.default_rng(3), noise).astype(np.float32)
        np.save(folder / "questions.npy", asked)
        whole, passed = exact(table, asked)
        words = [str(place), str(folder / "questions.npy"), str(chosen.probes), str(chosen.refine)]
        said = _answer(child([__file__, "--searching", *words]))
        figure("recall@10 beside exact search", recall(said["found"], whole), least=0.95)
        figure("a question: p50", float(np.median(said["ms"])), "ms", most=15)
        figure("a question: p99", float(np.percentile(said["ms"], 99)), "ms")
        size = rows * WIDTH * 4 / 1e6
        goal = 25 if rows >= MANY else 0  # LanceDB alone, loaded, takes 170 MB
        figure("peak memory of the searching process", said["peak"], "MB")
        figure("  beside the vectors' size", 100 * said["peak"] / size, "%", most=goal)
        figure("filtered (1 % pass): recall@10", recall(said["passed"], passed), least=0.95)
        figure("filtered (1 % pass): p50", float(np.median(said["passed_ms"])), "ms")
        figure("filtered: peak memory", said["peak_filtered"], "MB")
        said = _answer(child([__file__, "--asking", str(place), str(run)]))
        figure("bare LanceDB, the same columns: p50", said["bare"], "ms")
        figure("SearchIndex.search without the model: p50", said["ours"], "ms")
        figure("  beside bare LanceDB", said["ours"] / said["bare"], "x", most=1.1)
        figure("a text from end to end: p50", said["whole"], "ms", most=40)
        figure("  of which the model", said["encoding"], "ms")
        figure("peak memory with the model (torch)", said["peak"], "MB")
        known = folder / "known.npz"
        keep_known(table, known)
        while_adding(place, known, base, noise, probing)
        killed(place, base, noise)
    finally:
        if not options.keep:
            shutil.rmtree(place, ignore_errors=True)
        if options.out is None and not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


def _answer(found: dict[str, Any]) -> dict[str, Any]:
    if "error" in found:
        raise SystemExit(found["error"])
    return found


if __name__ == "__main__":
    PARTS = {
        "--searching": searching, "--asking": asking, "--reading": reading, "--adding": adding,
    }  # fmt: skip
    if sys.argv[1:2] and sys.argv[1] in PARTS:
        PARTS[sys.argv[1]](*sys.argv[2:])
    else:
        main()
