"""Batches of rows that are to be compared."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from polymodal.data.item_loader import ItemLoader, alike_rows
from polymodal.data.loader import Columns
from polymodal.data.modalities import MODALITIES
from polymodal.data.pack import pack
from polymodal.data.table import Table


def loader_of(items: list[int], *, batch_size: int, together: int | None) -> ItemLoader:
    table = Table.read({"x": [float(row) for row in range(len(items))]})
    number = MODALITIES["number"]()
    number.fit(table.cells("x"))
    return ItemLoader(
        pack(table, {"x": number}),
        Columns({"x": number}, {}),
        rows=np.arange(len(items)),
        items=np.array(items),
        batch_size=batch_size,
        together=together,
        seed=3,
        alike=np.array(items)[:, None],
    )


@settings(max_examples=40, deadline=None)
@given(
    items=st.lists(st.integers(0, 8), min_size=1, max_size=40),
    batch_size=st.integers(1, 12),
    together=st.sampled_from([None, 1, 2, 4, 1 << 30]),
)
def test_rows_are_drawn_as_asked(items: list[int], batch_size: int, together: int | None) -> None:
    loader = loader_of(items, batch_size=batch_size, together=together)
    batches = list(loader.epoch(0))
    assert len(batches) == loader.steps_per_epoch and all(len(batch) for batch in batches)
    rows = torch.cat([batch.rows for batch in batches]).tolist()
    if together is None:  # one of each thing
        assert sorted(items[row] for row in rows) == sorted(set(items))
    else:
        assert sorted(rows) == list(range(len(items)))
    for batch in batches:
        assert batch.targets["(item)"].values[:, 0].tolist() == [items[row] for row in batch.rows]
    if together == 1 << 30:  # all rows of a thing meet
        for batch in batches:
            for item in {items[row] for row in batch.rows.tolist()}:
                there = sum(items[row] == item for row in batch.rows.tolist())
                assert there == items.count(item)


@pytest.mark.parametrize("together", [None, 2])
def test_an_epoch_can_be_entered_anywhere_and_others_differ(together: int | None) -> None:
    loader = loader_of([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5], batch_size=2, together=together)
    whole = [batch.rows.tolist() for batch in loader.epoch(1)]
    assert [batch.rows.tolist() for batch in loader.epoch(1, skip=2)] == whole[2:]
    assert [batch.rows.tolist() for batch in loader.epoch(2)] != whole


def test_rows_are_alike_where_a_cell_is() -> None:
    table = Table.read(
        {"says": ["a b", "a b", None, "c d"], "x": [1.0, 2.0, 1.0, None], "y": [5.0] * 3 + [None]}
    )  # fmt: skip
    modalities = {"says": MODALITIES["text"](), "x": MODALITIES["number"]()}
    modalities["y"] = MODALITIES["number"]()
    for name, modality in modalities.items():
        modality.fit([cell for cell in table.cells(name) if cell is not None])
    found = alike_rows(
        pack(table, modalities), {"says": ("says",), "tabular": ("x", "y")}, np.arange(4)
    )
    assert found[:, 0].tolist() == [0, 1, 2, 3]
    assert found[0, 1] == found[1, 1] != found[3, 1] and found[2, 1] == -3
    assert found[0, 2] == found[2, 2] != found[1, 2] and found[3, 2] == -4
