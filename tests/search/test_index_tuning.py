from pathlib import Path

import numpy as np
import pyarrow as pa

from polymodal.search.index_tuning import Sample, draw, exact_neighbours, tune
from polymodal.search.vector_table import KEY, VectorStore, VectorTable

WIDTH = 8
SCHEMA = pa.schema(
    [pa.field(KEY, pa.string(), nullable=False), pa.field("v", pa.list_(pa.float32(), WIDTH))]
)


def filled(place: Path, vectors: np.ndarray) -> VectorTable:
    table = VectorStore(place).create("rows", SCHEMA)
    flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.astype(np.float32).ravel()), WIDTH)
    keys = pa.array([f"k{i}" for i in range(len(vectors))])
    table.put(pa.Table.from_arrays([keys, flat], schema=SCHEMA))
    return table


def test_exact_neighbours_are_those_of_all_pairs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((500, WIDTH))
    table = filled(tmp_path, vectors)
    sample = draw(table, "v", count=20)
    assert len(set(sample.keys)) == 20
    found, rows = exact_neighbours(table, "v", sample, k=3)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for key, near in zip(sample.keys, found, strict=True):
        own = int(key[1:])
        alike = unit @ unit[own]
        alike[own] = -2  # it is not its own answer
        assert near == [f"k{i}" for i in np.argsort(-alike)[:3]]
    assert rows == 500
    foreign, _ = exact_neighbours(table, "v", Sample(["?"], unit[:1].astype(np.float32)), k=2)
    assert foreign[0][0] == "k0"


def test_an_index_is_searched_as_little_as_its_recall_allows(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    middles = rng.standard_normal((30, WIDTH))
    vectors = middles[rng.integers(0, 30, 3000)] + 0.2 * rng.standard_normal((3000, WIDTH))
    table = filled(tmp_path, vectors)
    chosen, measured = tune(table, "v")
    assert chosen.recall >= 0.97 and chosen == measured[-1]
    assert measured[0].kind == "exact"
    assert all(one.recall < 0.97 for one in measured[1:-1])
    assert "v" in table.indexed()
    none, _ = tune(table, "v", kinds=())
    assert none.kind == "exact" and "v" not in table.indexed()
