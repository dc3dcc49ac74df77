import numpy as np
import pytest

from polymodal.data.modalities import Vector
from polymodal.data.pack import pack
from polymodal.data.schema import infer_schema
from polymodal.data.table import Table
from polymodal.errors import CellError, SchemaError


def fitted(cells, **options):
    vector = Vector(**options)
    vector.fit(cells)
    return vector


def test_size_mean_and_deviation_are_learned():
    vector = fitted([[1, 10], [3, 10], [7, 8, 9]])
    assert vector.facts() == {"size": 2, "mean": [2.0, 10.0], "std": [1.0, 1.0]}
    assert vector.restore(vector.decode([5, 6])[None]) == [[5.0, 6.0]]
    assert vector.decode(np.ones((1, 2))).shape == (2,)


def test_what_is_wrong_with_a_cell():
    vector = fitted([[1.0, 2.0]])
    for cell, kind in (
        ([1.0], "wrong length of a vector"),
        ([1.0, None], "NaN or infinite values"),
        ([1.0, 1e39], "NaN or infinite values"),
        ([], "empty vector"),
        (np.ones((2, 2)), "not a vector"),
        ("words", "not an array"),
    ):
        with pytest.raises(CellError) as error:
            vector.decode(cell)
        assert error.value.kind == kind


def test_a_ragged_column_is_told_of_by_row():
    rows = [[float(i)] * 4 for i in range(20)]
    rows[3], rows[8] = [1.0], [1.0] * 9
    table = Table.read({"embedding": rows})
    assert infer_schema(table)["embedding"].modality == "vector"
    vector = fitted(rows)
    (finding,) = pack(table, {"embedding": vector}).findings
    assert (finding.severity, finding.rows.tolist()) == ("error", [3, 8])
    assert finding.what.startswith("wrong length of a vector")
    with pytest.raises(SchemaError, match=r"Column 'embedding', row 3: .*1, expected 4"):
        pack(table, {"embedding": vector}, broken="error")


def test_rows_of_a_file(tmp_path):
    values = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)
    np.save(tmp_path / "text.npy", values)
    table = Table.read({"row": list(range(30)), "y": [0.5 * i for i in range(30)]}, folder=tmp_path)
    table = table.with_views({"embedding": "text.npy#{row}"})
    assert infer_schema(table, ["y"])["embedding"].modality == "vector"
    vector = fitted([table.media(cell) for cell in table.cells("embedding")])
    store = pack(table, {"embedding": vector}, workers=2).stores["embedding"]
    assert np.array_equal(store.values, values)


def test_what_is_taken_for_a_vector():
    rng = np.random.default_rng(0)

    def modality(name, cells):
        return infer_schema(Table.read({name: cells}))[name].modality

    assert modality("x", [rng.normal(size=768) for _ in range(9)]) == "vector"
    assert modality("x", rng.normal(size=(9, 6)).tolist()) == "vector"
    assert modality("x", [str(row) for row in rng.normal(size=(9, 6)).tolist()]) == "vector"
    assert modality("emb", [[1.0] * n for n in range(2, 9)]) == "vector"
    assert modality("x", [rng.normal(size=8000) for _ in range(9)]) == "audio"
    assert modality("x", [["a", "b"]] * 9) == "tags"


def test_what_is_shown():
    assert fitted([[1.0] * 9]).show([1 / 3] * 9).content == "0.333, " * 8 + "…"
    assert fitted([[1.0] * 2]).show([2.5, -1]).content == "2.5, -1"
