import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from polymodal.errors import PolymodalError
from polymodal.search.vector_table import KEY, Probing, VectorStore, VectorTable

WIDTH = 8
SCHEMA = pa.schema(
    [
        pa.field(KEY, pa.string(), nullable=False),
        pa.field("price", pa.float64()),
        pa.field("says", pa.string()),
        pa.field("v", pa.list_(pa.float32(), WIDTH)),
    ]
)


def rows(first: int, count: int, says: str = "a red bus", seed: int | None = None) -> pa.Table:
    rng = np.random.default_rng(first if seed is None else seed)
    vectors = rng.standard_normal((count, WIDTH)).astype(np.float32)
    numbers = range(first, first + count)
    return pa.table(
        {
            KEY: [f"k{i}" for i in numbers],
            "price": [float(i) for i in numbers],
            "says": [says] * count,
            "v": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), WIDTH),
        },
        schema=SCHEMA,
    )


def vector_of(table: pa.Table, row: int) -> np.ndarray:
    return np.array(table["v"][row].as_py(), np.float32)


@pytest.fixture
def table(tmp_path: Path) -> VectorTable:
    made = VectorStore(tmp_path / "store").create("rows", SCHEMA)
    made.put(rows(0, 300))
    return made


def test_the_nearest_by_hand(tmp_path: Path) -> None:
    table = VectorStore(tmp_path).create("rows", SCHEMA)
    vectors = np.eye(WIDTH, dtype=np.float32)[:3] * 2  # lengths do not count
    flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), WIDTH)
    columns = [pa.array(["a", "b", "c"]), pa.array([1.0, 2.0, 3.0]), pa.array(["x"] * 3), flat]
    table.put(pa.Table.from_arrays(columns, schema=SCHEMA))
    asked = np.zeros(WIDTH, np.float32)
    asked[:2] = (0.6, 0.8)
    found = table.nearest("v", asked, 2)
    assert found[KEY].to_pylist() == ["b", "a"]
    assert found["_distance"].to_pylist() == pytest.approx([0.2, 0.4], abs=1e-6)


def test_put_replaces_by_key_and_delete_counts(table: VectorTable) -> None:
    table.put(rows(299, 2, says="new"))
    assert len(table) == 301
    assert table.take(["k299"], ["says"])["says"].to_pylist() == ["new"]
    assert table.delete(["k0", "k0", "not there", "it's"]) == 1
    assert len(table) == 300


def test_filters_come_before_the_search(table: VectorTable) -> None:
    found = table.nearest("v", vector_of(rows(0, 300), 200), 5, where="price < 10")
    assert all(int(key[1:]) < 10 for key in found[KEY].to_pylist()) and len(found) == 5
    assert table.count("price < 10") == 10
    with pytest.raises(PolymodalError, match=r"'prise < 3' cannot be used.*Columns: price, says"):
        table.nearest("v", vector_of(rows(0, 300), 0), 5, where="prise < 3")


def test_words_of_several_languages(tmp_path: Path) -> None:
    table = VectorStore(tmp_path).create("rows", SCHEMA)
    for place, says in enumerate(["一只狗在草地上奔跑", "the dogs run", "a café", "两个女孩"]):
        table.put(rows(place, 1, says=says))
    table.index_words("says")
    table.put(rows(9, 1, says="another dog"))  # the index does not know it yet
    for words, keys in {"狗": ["k0"], "女孩": ["k3"], "cafe": ["k2"]}.items():
        assert table.matching(words, ["says"], 5)[KEY].to_pylist() == keys
    assert set(table.matching("dog", ["says"], 5)[KEY].to_pylist()) == {"k1", "k9"}
    assert table.matching("dog", ["says"], 5, where="price > 5")[KEY].to_pylist() == ["k9"]


def test_an_index_finds_rows_that_came_after_it(table: VectorTable) -> None:
    table.index_vectors("v", "ivf_pq", rows=300, width=WIDTH)
    later = rows(300, 5, seed=7)
    table.put(later)
    assert table.indexed()["v"] == 5
    thorough = Probing(17, 20)
    assert table.nearest("v", vector_of(later, 2), 1, probing=thorough)[KEY].to_pylist() == ["k302"]
    table.tidy()
    assert table.indexed()["v"] == 0
    assert table.nearest("v", vector_of(later, 2), 1, probing=thorough)[KEY].to_pylist() == ["k302"]
    found = table.nearest("v", vector_of(later, 2), 3, probing=thorough, where="price > 301")
    assert set(found[KEY].to_pylist()) == {"k302", "k303", "k304"}


def test_rows_without_a_vector_are_not_found(table: VectorTable) -> None:
    absent = rows(300, 2).set_column(3, SCHEMA.field("v"), pa.nulls(2, SCHEMA.field("v").type))
    table.put(absent)
    found = table.nearest("v", vector_of(rows(0, 300), 0), 400)
    assert len(found) == 300 and not {"k300", "k301"} & set(found[KEY].to_pylist())


def test_readers_see_no_error_while_rows_are_added_and_an_index_is_built(
    tmp_path: Path,
) -> None:
    writer = VectorStore(tmp_path).create("rows", SCHEMA)
    first = rows(0, 400)
    writer.put(first)
    failures: list[object] = []
    done = threading.Event()

    def read(seed: int) -> None:
        table, rng = VectorStore(tmp_path).open("rows"), np.random.default_rng(seed)
        while not done.is_set():
            row = int(rng.integers(400))
            try:
                found = table.nearest("v", vector_of(first, row), 3)[KEY].to_pylist()
            except Exception as error:
                failures.append(error)
                return
            if found[0] != f"k{row}" or len(set(found)) != 3:
                failures.append((row, found))

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for start in range(400, 1000, 200):
        writer.put(rows(start, 200))
    writer.index_vectors("v", "ivf_pq", rows=1000, width=WIDTH)
    writer.tidy()
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(writer) == 1000


ADDER = """
import sys
sys.path[:0] = [{tests!r}]
from test_vector_table import rows
from polymodal.search.vector_table import VectorStore
table = VectorStore({place!r}).open("rows")
for start in range(1000, 100000, 50):
    table.put(rows(start, 50))
    print(start + 50, flush=True)
"""


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    VectorStore(tmp_path / "s").create("rows", SCHEMA).put(rows(0, 10))
    code = ADDER.format(tests=str(Path(__file__).parent), place=str(tmp_path / "s"))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as adder:
        assert adder.stdout is not None
        said = [int(adder.stdout.readline()) for _ in range(4)]
        adder.kill()  # in the midst of the next
        last = max([*said, *map(int, adder.stdout.read().split())])
    table = VectorStore(tmp_path / "s").open("rows")
    keys = [f"k{i}" for i in range(1000, last)]
    assert set(table.take(keys, [])[KEY].to_pylist()) == set(keys)
    assert len(table) in (10 + len(keys), 10 + len(keys) + 50)  # the next one whole, or not at all
    sample = rows(last - 50, 50)
    assert table.nearest("v", vector_of(sample, 7), 1)[KEY].to_pylist() == [f"k{last - 43}"]
    table.put(rows(last, 50))


def test_what_is_no_index_is_told(tmp_path: Path) -> None:
    with pytest.raises(PolymodalError, match="There is no search index in"):
        VectorStore(tmp_path / "nothing").read_about()
    assert not (tmp_path / "nothing").exists() or not any((tmp_path / "nothing").iterdir())
    store = VectorStore(tmp_path / "s")
    store.write_about({"a": "ä"})
    store.write_about({"a": "ö"})
    assert VectorStore(tmp_path / "s").read_about() == {"a": "ö"}
