"""Rows travel as plain arrays, and meet again in one batch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polymodal import Predictor
from polymodal.data.loader import gather
from polymodal.data.pack import Pack, Store
from polymodal.serving.decoded_rows import DecodedRows, Remark, Row, given, joined
from polymodal.serving.decoding_worker import decode_rows

Rows = list[dict[str, Any]]


def test_bytes_and_back() -> None:
    ragged = Store(np.array([1, -1]), np.arange(12, dtype=np.float16).reshape(6, 2),
                   np.array([0, 2, 6]))  # fmt: skip
    plain = Store(np.array([-1, 0]), np.array([7], np.int64))
    empty = Store(np.array([-1, -1]), np.zeros((0, 3), np.uint8))
    rows = DecodedRows(
        Pack(2, {"a": ragged, "b.c": plain, "é": empty}), (Remark(1, "a", "cut", True),)
    )
    found = DecodedRows.from_bytes(rows.to_bytes())
    assert found.remarks == rows.remarks
    for name, store in rows.pack.stores.items():
        other = found.pack.stores[name]
        np.testing.assert_array_equal(store.values, other.values)
        assert store.values.dtype == other.values.dtype
        np.testing.assert_array_equal(store.index, other.index)
    np.testing.assert_array_equal(found.pack.stores["a"].cell(1), ragged.cell(1))


@pytest.mark.parametrize("content", [b"", b"\0\0\0\5abcde", b"\0\0\0\2{}", b"\xff" * 40])
def test_other_bytes_are_refused(content: bytes) -> None:
    with pytest.raises((ValueError, KeyError)):
        DecodedRows.from_bytes(content)


def test_rows_of_several_packs_are_what_they_are_in_one(whole: Predictor, small_rows: Rows) -> None:
    modalities = {name: whole.run.modalities[name] for name in whole.inputs}
    cells = [
        {
            name: Path(row[name]).read_bytes() if modalities[name].media else row[name]
            for name in modalities
        }
        for row in small_rows[20:26]
    ]
    cells[1]["says"] = cells[2]["sound"] = None
    together = decode_rows(cells, modalities).pack
    first, second = decode_rows(cells[:4], modalities).pack, decode_rows(cells[4:], modalities).pack
    rows = [Row(second, 1), Row(first, 1), Row(first, 2), Row(first, 0), Row(second, 0)]
    order, pack = [5, 1, 2, 0, 4], joined(rows)
    for name, modality in modalities.items():
        found = gather(pack.stores[name], modality, range(5), share=True).by_row()
        expected = gather(together.stores[name], modality, order, share=True).by_row()
        assert found.equal(expected), name
    assert given(Row(first, 1)) == [n for n in modalities if n != "says"]
    hidden = joined([Row(first, 0), Row(first, 0, frozenset(["ink"]))])
    assert hidden.stores["ink"].index.tolist() == [0, -1]


def test_a_strings_is_never_read_as_a_path(whole: Predictor, small_rows: Rows) -> None:
    photo = {"photo": whole.run.modalities["photo"]}
    with pytest.raises(AssertionError, match="never be read as a path"):
        decode_rows([{"photo": small_rows[20]["photo"]}], photo)
