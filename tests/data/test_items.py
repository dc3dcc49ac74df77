"""Things with several rows."""

import numpy as np
import pytest

from polymodal.data.items import identities_of, items_of, unfolded
from polymodal.data.schema import infer_schema
from polymodal.data.table import Table
from polymodal.errors import SchemaError

SAYS = ["a dog runs over the green field", "a brown dog is running", "the dog plays outside"]


def test_lists_and_numbered_columns_become_rows() -> None:
    table = Table.read(
        {
            "photo": ["a.png", "b.png", "c.png"],
            "says": [SAYS, SAYS[:1], None],
            "zh_1": ["狗在跑", "狗在草地上", "猫"],
            "zh_2": ["一只狗", None, None],
            "zh_10": ["棕色的狗在外面", None, None],
        }
    )
    found = unfolded(table, ["photo", "says", "zh"], first=7)
    assert found.names == ["photo", "says", "item", "zh"] or set(found.names) == {
        "photo", "says", "zh", "item",
    }  # fmt: skip
    assert found.cells("photo") == ["a.png"] * 3 + ["b.png", "c.png"]
    assert found.cells("says") == [*SAYS, SAYS[0], None]
    # In the order of their numbers; where one has fewer, it is missing.
    assert found.cells("zh") == ["狗在跑", "一只狗", "棕色的狗在外面", "狗在草地上", "猫"]
    assert found.cells("item") == [7, 7, 7, 8, 9]


def test_a_table_without_lists_stays_as_it_is() -> None:
    table = Table.read({"photo": ["a.png"], "says": ["a dog"]})
    assert unfolded(table, ["photo", "says"]) is table
    lists = Table.read({"photo": ["a.png"], "says": [SAYS]})
    assert unfolded(lists, ["photo", "says"], kept=["says"]) is lists


def test_a_column_named_item_is_in_the_way() -> None:
    table = Table.read({"item": [1], "says": [SAYS]})
    with pytest.raises(SchemaError, match="says holds several of one thing"):
        unfolded(table, ["says"])


def test_rows_that_share_a_picture_are_the_same_thing() -> None:
    words = [f"some words about number {n}" for n in range(20)]
    table = Table.read(
        {
            "photo": ["a.png", "a.png", *(f"{n}.png" for n in range(18))],
            "says": [*words[:3], words[2], *words[4:]],
            "price": [1.5] * 20,
        }
    )
    schema = infer_schema(table, inputs=["photo", "says", "price"])
    items = items_of(table, schema)
    assert items[0] == items[1]
    assert len(np.unique(items)) == 19  # the same words and the same price say nothing


def test_a_picture_that_many_rows_share_ties_nothing() -> None:
    photos = ["blank.png"] * 15 + [f"{n}.png" for n in range(15)]
    table = Table.read({"photo": photos, "says": [f"other words {n}" for n in range(30)]})
    schema = infer_schema(table, inputs=["photo", "says"], modalities={"says": "text"})
    assert len(np.unique(items_of(table, schema))) == 30


def test_identities_never_cross_the_split() -> None:
    table = Table.read({"who": ["ann", "ann", "bob", "bob", "cyd", "cyd", "dan", "dan", None]})
    parts = np.array(["train"] * 4 + ["test"] * 4 + ["train"], dtype="<U10")
    parts[:2] = "validation"
    with pytest.raises(SchemaError, match="validation part holds 1 of 'who'"):
        identities_of(table, "who", parts)
    parts = np.array(["validation"] * 4 + ["test"] * 4 + ["train"])
    assert identities_of(table, "who", parts).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, -1]
    parts[0] = "train"
    with pytest.raises(SchemaError, match="'ann' of 'who' is in the training part and in the val"):
        identities_of(table, "who", parts)
