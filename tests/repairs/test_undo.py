"""Any table that is cleaned and undone is itself again."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from polymodal import Table
from polymodal.clean_options import CleanOptions
from polymodal.data.schema import infer_schema
from polymodal.errors import PolymodalError, TableError
from polymodal.repairs.cleaned_files import write_cleaned
from polymodal.repairs.draft import Draft
from polymodal.repairs.record import read_record
from polymodal.repairs.undo import undo

words = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8)
cells = st.one_of(words, st.sampled_from(['a "b"', "a,b", "a\nb", "a\r\nb", '"', "007", "NA", ""]))
changes = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["drop", "x", "y", None, 3.5, 2, "q,\n"])),
    max_size=8,
)


def drafted(place: Path, change: list[tuple[int, Any]], *, add: bool) -> Draft | None:
    """A draft with some changes; None where no such table can be read or no row is left."""
    try:
        table = Table.read(place)
    except TableError:
        return None
    schema = infer_schema(table)
    draft = Draft(table, schema, np.full(len(table), "train"), frozenset(), CleanOptions())
    for number, (row, what) in enumerate(change):
        if row >= len(table):
            continue
        if what == "drop":
            draft.drop(row, why="test", rule="test")
        else:
            draft.change(row, table.names[number % len(table.names)], what, why="t", rule="t")
    if add:
        draft.add("added", [row % 2 for row in range(len(table))], why="test", rule="test")
    return draft if len(draft.dropped) < len(table) else None


def round_trip(
    place: Path, change: list[tuple[int, Any]], *, add: bool, folder: str
) -> Path | None:
    draft = drafted(place, change, add=add)
    if draft is None:
        return None
    out = place.parent / folder / f"cleaned{place.suffix}"
    out.parent.mkdir(exist_ok=True)
    write_cleaned(draft, out, place, options={})
    back = undo(out.parent / "repairs.jsonl", out, place.parent / f"back{place.suffix}")
    assert len(Table.read(out)) == len(draft.table) - len(draft.dropped)
    return back


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(cells, cells, st.booleans()), min_size=1, max_size=10),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    changes,
    st.booleans(),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]),
)
def test_a_csv_to_the_byte(rows, end, ends, change, add, codec):
    def written(cell: str, quoted: bool) -> str:
        special = any(mark in cell for mark in ',"\n\r')
        return '"' + cell.replace('"', '""') + '"' if special or quoted else cell

    lines = ["name,other", *(f"{written(a, q)},{written(b, not q)}" for a, b, q in rows)]
    with TemporaryDirectory() as folder:
        place = Path(folder) / "data.csv"
        place.write_bytes((end.join(lines) + (end if ends else "")).encode(codec))
        back = round_trip(place, change, add=add, folder="out")
        assert back is None or back.read_bytes() == place.read_bytes()


values = st.one_of(
    cells, st.none(), st.integers(-9, 10**17), st.floats(), st.lists(words, max_size=2)
)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.fixed_dictionaries({"a": values}, optional={"b": values}), min_size=1, max_size=9),
    st.booleans(),
    st.booleans(),
    changes,
    st.booleans(),
)
def test_a_jsonl_to_the_byte(rows, ascii_, blanks, change, add):
    marks = (", ", ": ") if blanks else (",", ":")
    lines = [json.dumps(row, ensure_ascii=ascii_, separators=marks) for row in rows]
    with TemporaryDirectory() as folder:
        place = Path(folder) / "data.jsonl"
        place.write_text("\n".join(lines), encoding="utf-8")
        back = round_trip(place, change, add=add, folder="out")
        assert back is None or back.read_bytes() == place.read_bytes()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.one_of(st.none(), words), st.integers(-9, 9), st.floats()),
        min_size=1,
        max_size=9,
    ),
    changes,
    st.booleans(),
)
def test_a_parquet_with_its_types(rows, change, add):
    text, number, real = zip(*rows, strict=True)
    whole = pa.table(
        {
            "t": pa.array(text, pa.large_string()),
            "n": pa.array(number, pa.int8()),
            "f": pa.array(real, pa.float64()),
            "d": pa.array([n for n in number], pa.date32()),
        }
    ).replace_schema_metadata({"mine": "kept"})
    with TemporaryDirectory() as folder:
        place = Path(folder) / "data.parquet"
        parquet.write_table(whole, place)
        back = round_trip(place, change, add=add, folder="out")
        if back is not None:
            found = parquet.read_table(back)
            assert found.schema.equals(parquet.read_table(place).schema, check_metadata=True)
            assert repr(found.to_pylist()) == repr(whole.to_pylist())


@pytest.fixture
def cleaned(tmp_path: Path) -> Path:
    place = tmp_path / "data.csv"
    place.write_text("image,n\na.png,007\nimages/b.png,1.50\n'c.png',x\n")
    for name in ("a.png", "images/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"\x89PNG")
    draft = drafted(place, [(2, "drop")], add=False)
    assert draft is not None
    (tmp_path / "deep" / "er").mkdir(parents=True)
    write_cleaned(draft, tmp_path / "deep" / "er" / "new.csv", place, options={})
    return tmp_path / "deep" / "er" / "new.csv"


def test_paths_still_lead_to_the_same_files_and_other_cells_stay_to_the_letter(cleaned):
    assert cleaned.read_text() == "image,n\n../../a.png,007\n../../images/b.png,1.50\n"
    table = Table.read(cleaned)
    assert all(table.media(cell).is_file() for cell in table.cells("image"))
    back = undo(cleaned.parent / "repairs.jsonl", cleaned, cleaned.parent / "back.csv")
    assert back.read_text() == (cleaned.parents[2] / "data.csv").read_text()


def test_undo_refuses_what_is_not_its_own(cleaned, tmp_path):
    record = cleaned.parent / "repairs.jsonl"
    with pytest.raises(TableError, match=r"must end in '\.csv'"):
        undo(record, cleaned, tmp_path / "x.jsonl")
    with pytest.raises(TableError, match="exists already"):
        undo(record, cleaned, tmp_path / "data.csv")
    with pytest.raises(PolymodalError, match="There is no cleaned table"):
        undo(record, tmp_path / "gone.csv", tmp_path / "x.csv")
    with pytest.raises(PolymodalError, match="no record of repairs"):
        undo(cleaned, cleaned, tmp_path / "x.csv")
    cleaned.write_text(cleaned.read_text() + "more,1\n")
    with pytest.raises(PolymodalError, match="or was changed since"):
        undo(record, cleaned, tmp_path / "x.csv")


def test_a_record_tells_every_change(cleaned):
    record = read_record(cleaned.parent / "repairs.jsonl")
    assert record.dropped == [2] and record.lines == {2: "'c.png',x\n"}
    assert [repair.row for repair in record.repairs] == [2]
    assert record.move.prefix == "../../" and record.move.columns == ("image",)


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".json", ".parquet"])
def test_another_format_than_the_input(tmp_path, ending):
    place = tmp_path / "data.csv"
    place.write_text("name,n\na,1\nb,\nc,3\n")
    draft = drafted(place, [(0, "x"), (2, "drop")], add=True)
    assert draft is not None
    out = tmp_path / f"new{ending}"
    write_cleaned(draft, out, None, options={})
    table = Table.read(out)
    assert table.cells("name") == ["x", "b"] and table.cells("added") == [0, 1]
    back = Table.read(undo(tmp_path / "repairs.jsonl", out, tmp_path / f"back{ending}"))
    assert {name: back.cells(name) for name in back.names} == {
        "name": ["a", "b", "c"],
        "n": [1, None, 3],
    }
