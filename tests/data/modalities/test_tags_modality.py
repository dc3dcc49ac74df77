import numpy as np
import pytest

from polymodal.data.modalities import Tags
from polymodal.data.summary import summarise
from polymodal.errors import CellError


def fitted(cells, **options):
    tags = Tags(**options)
    tags.fit(cells)
    return tags


@pytest.mark.parametrize("separator", [";", "|", "；", "、", ",", "，"])
def test_separators(separator):
    tags = fitted([f"b{separator} a", "a", f"c{separator}b{separator}"])
    assert tags.separator == separator and tags.labels == ["a", "b", "c"]
    assert tags.decode(f"c {separator}a").tolist() == [1, 0, 1]
    assert tags.restore(np.array([[1, 0, 1]])) == [["a", "c"]]


def test_lists_sets_and_arrays():
    tags = fitted([["a", "b"], ["c"]])
    for cell in (["a", "c"], ("c", "a"), {"a", "c"}, np.array(["a", "c"]), ["a", None, "c", ""]):
        assert tags.decode(cell).tolist() == [1, 0, 1]
    assert tags.show(["a", "c"]).content == "a, c"


def test_unknown_labels_are_left_out_and_rare_ones_not_learned():
    cells = [["a", "b"], ["a"], ["a", "c", "c"]]
    assert fitted(cells, min_count=2).labels == ["a"]
    assert fitted(cells, max_labels=1).labels == ["a"]
    assert fitted(cells).decode(["a", "new"]).tolist() == [1, 0, 0]


def test_what_is_no_tags():
    for cell in (3, 2.5, b"a;b", {"a": 1}, np.zeros((2, 2))):
        with pytest.raises(CellError, match="not tags"):
            fitted(["a;b"]).decode(cell)


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["a; b", "b; c", "a; c"] * 5, True),
        ([["a", "b"], ["b"]] * 5, True),
        (["1,000", "2,500", "1,000"] * 5, False),
        (["first, we went home.", "then, it rained, and so on."] * 5, False),
        ([["a sentence that is far too long to be one label"]] * 5, False),
    ],
)
def test_recognised(cells, found):
    assert (Tags.recognise(summarise("x", cells)) >= 0.6) == (found or len(cells[0]) > 17)
