import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymodal.data.schema import infer_schema
from polymodal.data.split import split_rows
from polymodal.data.table import Table
from polymodal.errors import SchemaError


def split(columns, targets=("y",), **options):
    table = Table.read(columns)
    return split_rows(table, infer_schema(table, targets), **options)


def test_each_class_has_its_share():
    y = np.repeat(["a", "b", "c"], [400, 200, 100])
    parts = split({"x": np.arange(700) % 97 / 3, "y": y.tolist()})
    for name, count in (("a", 400), ("b", 200), ("c", 100)):
        assert abs((parts[y == name] == "test").sum() - 0.2 * count) <= 1
        assert abs((parts[y == name] == "validation").sum() - 0.1 * count) <= 1


def test_each_fifth_of_a_number_has_its_share():
    y = np.random.default_rng(0).gamma(1, 10, 500)
    parts = split({"x": np.arange(500) % 97 / 3, "y": y})
    for fifth in np.array_split(np.sort(y), 5):
        assert abs((parts[np.isin(y, fifth)] == "test").sum() - 20) <= 2


def test_a_number_target_written_with_commas_or_missing():
    y = [f"{i * 1000:,}" for i in range(1, 60)] + [None, "inf"]
    assert set(split({"x": np.arange(61) / 3, "y": y})) == {"train", "validation", "test"}


def test_rare_sets_of_tags():
    rng = np.random.default_rng(0)
    tags = [rng.choice(list("abcdefgh"), 4).tolist() for _ in range(100)]
    assert (split({"x": np.arange(100) / 3, "y": tags}) == "test").sum() == 20


def test_the_seed_decides():
    columns = {"x": np.arange(100) / 3, "y": ["a", "b"] * 50}
    assert (split(columns, seed=1) == split(columns, seed=1)).all()
    assert (split(columns, seed=1) != split(columns, seed=2)).any()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=40, max_size=80), st.integers(0, 5))
def test_groups_are_never_torn(groups, seed):
    columns = {"x": np.arange(len(groups)) / 3, "g": groups, "y": ["a", "b"] * 99}
    columns["y"] = columns["y"][: len(groups)]
    try:
        parts = split(columns, group_by="g", seed=seed)
    except SchemaError as error:
        assert len(set(groups)) < 6, error
        return
    for group in set(groups):
        assert len(set(parts[np.array(groups) == group])) == 1


def test_one_large_group_does_not_leave_a_part_empty():
    groups = [0] * 60 + list(range(1, 41))
    for seed in range(10):
        parts = split({"x": np.arange(100) / 3, "g": groups, "y": ["a"] * 99 + ["b"]},
                      group_by="g", seed=seed)  # fmt: skip
        assert {"train", "validation", "test"} == set(parts)
        assert 10 <= (parts == "test").sum() <= 30


def test_rows_with_the_same_picture_stay_together():
    photos = [f"{i % 20}.png" for i in range(200)]
    blobs = [b"\x89PNG" + bytes([i % 20]) for i in range(200)]
    for media in (photos, blobs, [{"bytes": b, "path": None} for b in blobs]):
        parts = split({"photo": media, "n": np.arange(200) / 3, "y": ["a", "b"] * 100})
        for i in range(20):
            assert len(set(parts[i::20])) == 1


def test_pictures_that_tie_each_class_together_are_not_followed():
    """Ten classes whose rows hang together by what they share: a part would lack whole classes."""
    y = np.repeat(list("abcdefghij"), 60)
    chained = [f"{row // 2}.png" for row in range(600)]  # pairs of rows
    shared = [f"{row // 60}{(row + 1) // 2 % 30}.png" for row in range(600)]  # the pairs between
    parts = split({"p": chained, "q": shared, "y": y.tolist()})
    for name in "abcdefghij":
        assert set(parts[y == name]) == {"train", "validation", "test"}
    pairs = parts.reshape(-1, 2)
    assert (pairs[:, 0] == pairs[:, 1]).all()


def test_one_picture_in_most_rows_is_not_followed():
    photos = ["logo.png"] * 90 + [f"{i}.png" for i in range(10)]
    parts = split({"photo": photos, "n": np.arange(100) / 3, "y": ["a", "b"] * 50})
    assert (parts == "test").sum() == 20


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["train"] * 60 + ["dev"] * 20 + ["test"] * 20, (60, 20, 20)),
        (["train"] * 80 + ["Test "] * 20, (72, 8, 20)),
        (["train"] * 80 + ["val"] * 20, (64, 20, 16)),
        (["train"] * 100, (70, 10, 20)),
    ],
)
def test_a_split_column_is_followed_and_completed(given, expected):
    table = Table.read({"split": given, "x": np.arange(100) / 3, "y": ["a", "b"] * 50})
    schema = infer_schema(table, ["y"], roles={"split": "split"})
    parts = split_rows(table, schema)
    assert tuple(int((parts == p).sum()) for p in ("train", "validation", "test")) == expected


def test_few_groups_of_many_classes_still_make_all_parts():
    """Six speakers of ten words: no word has a speaker of its own for each part."""
    speakers = np.repeat(np.arange(6), 50)
    words = [f"word {i % 10}" for i in range(300)]
    columns = {"x": np.arange(300) / 7, "speaker": [f"s{i}" for i in speakers], "y": words}
    parts = split(columns, group_by="speaker")
    assert set(parts) == {"train", "validation", "test"}
    assert all(len(set(parts[speakers == i])) == 1 for i in range(6))


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"x": [1, 2, 4], "y": ["a", "b", "a"]}, {}, "too few"),
        ({"x": [1, 2, 4, 5], "g": [1] * 4, "y": [*"abab"]}, {"group_by": "g"}, "part is empty"),
    ],
)
def test_errors(columns, options, message):
    with pytest.raises(SchemaError, match=message):
        split(columns, **options)


@pytest.mark.parametrize(
    ("values", "message"),
    [(["train", "test", "maybe", "test"], "row 2: 'maybe'"), (["test"] * 4, "no row for training")],
)
def test_a_split_column_that_cannot_be_followed(values, message):
    table = Table.read({"part": values, "x": [1, 2, 3, 5], "y": [*"abab"]})
    with pytest.raises(SchemaError, match=message):
        split_rows(table, infer_schema(table, ["y"], roles={"part": "split"}))
