import numpy as np

from polymodal.data.modalities import Category, Number, Text
from polymodal.data.pack import pack
from polymodal.data.table import Table
from polymodal.evaluation.features import table_features


def test_features_of_rows_in_the_order_asked_for() -> None:
    table = Table.read({"n": [1.5, None, 3.0], "c": ["a", "b", None], "t": ["so", "so", None]})
    modalities = {"n": Number(), "c": Category(), "t": Text()}
    for name, modality in modalities.items():
        modality.fit([cell for cell in table.cells(name) if cell is not None])
    packed = pack(table, modalities)
    found = table_features(packed, modalities, np.array([2, 0, 1, 0]))
    np.testing.assert_array_equal(found["n"], [[3], [1.5], [np.nan], [1.5]])
    np.testing.assert_array_equal(found["c"], [[np.nan] * 2, [1, 0], [0, 1], [1, 0]])
    assert np.isnan(found["t"][0]).all() and np.array_equal(found["t"][1], found["t"][2])
    assert all(features.dtype == np.float32 for features in found.values())


def test_a_column_absent_in_all_rows() -> None:
    table = Table.read({"n": [1.0, 2.0, None, None]})
    number = Number()
    number.fit([1.0, 2.0])
    found = table_features(pack(table, {"n": number}), {"n": number}, np.array([2, 3]))
    assert found["n"].shape == (2, 1) and np.isnan(found["n"]).all()
