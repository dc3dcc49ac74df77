from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from polymodal.data.table import Table, concatenate
from polymodal.errors import TableError


def test_a_missing_file_suggests_its_neighbour(tmp_path):
    (tmp_path / "train.csv").write_text("a\n1\n")
    with pytest.raises(TableError, match=r"no file or folder .*train\.csv"):
        Table.read(tmp_path / "trian.csv")
    with pytest.raises(TableError, match="No file matches"):
        Table.read(str(tmp_path / "*.parquet"))


def test_a_file_with_brackets_in_its_name_is_taken_literally(tmp_path):
    (tmp_path / "set[1].csv").write_text("a\n1\n")
    assert Table.read(tmp_path / "set[1].csv").cells("a") == [1]


def test_a_folder_of_unlike_tables_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "b.csv").write_text("b\n1\n")
    with pytest.raises(TableError, match="different columns"):
        Table.read(tmp_path)
    (tmp_path / "b.jsonl").write_text("{}\n")
    with pytest.raises(TableError, match="several kinds"):
        Table.read(tmp_path)


@pytest.mark.parametrize("source", [[], {}, 3, [1, 2], {"a": [1], "b": [1, 2]}])
def test_sources_that_are_no_table(source):
    with pytest.raises(TableError):
        Table.read(source)


def test_an_unknown_column_suggests_one():
    with pytest.raises(TableError, match="Did you mean 'label'"):
        Table.read({"label": [1]}).column("lable")


def test_rows_may_lack_columns():
    table = Table.read([{"a": 1}, {"b": "x"}])
    assert table.cells("a") == [1, None] and table.cells("b") == [None, "x"]


def test_cells_slices_chunks_and_takes_agree():
    table = Table.read({"a": list(range(10)), "o": [np.full(2, i) for i in range(10)]})
    assert [c for chunk in table.chunks("a", 3) for c in chunk] == table.cells("a")
    assert table.slice(2, 4).cells("a") == [2, 3]
    assert table.take(np.array([7, 1])).cells("a") == table.cells("a", [7, 1]) == [7, 1]
    assert table.take(np.array([7, 1])).cells("o")[0].tolist() == [7, 7]


def test_media_paths_start_at_the_folder():
    table = Table({"a": [1]}, folder=Path("/data"))
    assert table.media("x/1.png") == Path("/data/x/1.png")
    assert table.media("/abs/1.png") == Path("/abs/1.png")
    assert table.media("https://example.org/1.png") == "https://example.org/1.png"
    assert table.media({"bytes": None, "path": "1.png"}) == Path("/data/1.png")
    assert table.media(b"abc") == b"abc"


def test_concatenation_keeps_types_and_anchors_paths(tmp_path):
    one = Table({"n": pa.chunked_array([[1, 2]]), "i": ["a.png", None]}, folder=tmp_path / "one")
    two = Table({"n": pa.chunked_array([[1.5]]), "t": ["a word."]}, folder=tmp_path / "two")
    whole = concatenate([one, two])
    assert not isinstance(whole.column("n"), list)
    assert whole.cells("n") == [1.0, 2.0, 1.5]
    assert whole.cells("i") == [str(tmp_path / "one" / "a.png"), None, None]
    assert whole.cells("t") == [None, None, "a word."]


def test_concatenation_of_unlike_types_keeps_the_cells():
    whole = concatenate([Table.read({"zip": [123]}), Table.read({"zip": ["0123"]})])
    assert whole.cells("zip") == [123, "0123"]


def test_codes_are_equal_where_the_cells_are():
    array = np.zeros(3)
    table = Table.read(
        {
            "text": ["a", " ", "b", "a"],
            "number": [1.0, float("nan"), 2.0, 1.0],
            "list": [["x"], [], ["y"], ["x"]],
            "bytes": [{"bytes": b"1"}, None, {"bytes": b"2"}, {"bytes": b"1"}],
            "array": [array, None, np.zeros(3), array],
        }
    )
    for name in table.names:
        assert table.codes(name).tolist() == [0, -1, 1, 0] or name in ("text", "number")
        a, gap, b, again = table.codes(name)
        assert a == again != b and gap == -1


def test_views_show_a_column_or_fill_a_text_in():
    table = Table.read({"row": [3, None, 5.0], "who": ["a", "b", "c"], "n": [1, 2, 3]})
    sources = {"clip": "who", "acc": "50% of/{who}.npz#{row}", "n": "{n}.png"}
    seen = table.with_views(sources)
    assert seen.cells("clip") == ["a", "b", "c"]
    assert seen.cells("acc") == ["50% of/a.npz#3", None, "50% of/c.npz#5"]
    assert seen.cells("n") == ["1.png", "2.png", "3.png"]
    assert seen.names == ["row", "who", "n", "clip", "acc"] and table.cells("n") == [1, 2, 3]
    # What is there already needs no source.
    given = Table.read({"acc": ["x.npz"]})
    assert given.with_views({"acc": "{row}"}).cells("acc") == ["x.npz"]
    with pytest.raises(TableError, match="no column 'row'"):
        given.with_views({"clip": "{row}.png"})


def test_a_view_that_lists_columns():
    table = Table.read({"one": ["a", None, None], "two": ["b", "c", None]})
    listed = table.with_views({"both": "[{one}, {two}]"})
    assert listed.cells("both") == [["a", "b"], ["c"], None]
