from datetime import UTC, date, datetime, time, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymodal.data.modalities import Number, Timestamp
from polymodal.data.pack import pack
from polymodal.data.schema import infer_schema
from polymodal.data.table import Table
from polymodal.errors import CellError


@pytest.mark.parametrize(
    ("cell", "days", "seconds"),
    [
        ("1970-01-02", 1, 0),
        ("1970/1/2 01:00:05", 1, 3605),
        ("1970-01-02T01:00:05.250Z", 1, 3605),
        ("1970-01-02 01:00+09:00", 1, 3600),
        ("1970年1月2日", 1, 0),
        ("1969.12.31", -1, 0),
        (date(1970, 1, 3), 2, 0),
        (datetime(1970, 1, 2, 0, 0, 9, 999_999), 1, 9),
        (datetime(1970, 1, 2, 3, tzinfo=timezone(timedelta(hours=-8))), 1, 10800),
        (time(0, 2), 0, 120),
        (np.datetime64("1970-01-02T00:00:01"), 1, 1),
        (86401.0, 1, 1),
        (-1, -1, 86399),
    ],
)
def test_days_and_seconds(cell, days, seconds):
    found = Timestamp().decode(cell)
    assert found.tolist() == [days, seconds] and found.dtype == np.int32


@pytest.mark.parametrize("cell", ["2023-02-30", "2023-13-01", "2023-01-01 25:00", 1e300])
def test_impossible_dates(cell):
    with pytest.raises(CellError) as error:
        Timestamp().decode(cell)
    assert error.value.kind == "impossible date"


@pytest.mark.parametrize("cell", ["soon", "01/02/2023", True, [1], "2023-01-01 noon"])
def test_other_things(cell):
    with pytest.raises(CellError, match="not a date or time"):
        Timestamp().decode(cell)


def test_another_form_is_named():
    stamp = Timestamp(format="%d/%m/%Y %H:%M")
    assert stamp.restore(stamp.decode("03/01/1970 12:30")[None]) == [datetime(1970, 1, 3, 12, 30)]
    with pytest.raises(CellError, match="impossible date"):
        stamp.decode("2023-01-01")


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))
def test_moments_come_back(moment):
    stamp = Timestamp()
    assert stamp.restore(stamp.decode(moment)[None]) == [moment.replace(microsecond=0)]
    written = moment.replace(tzinfo=UTC).isoformat(" ", "seconds")
    assert np.array_equal(stamp.decode(written), stamp.decode(moment))


def test_the_trend_is_learned_and_shown():
    stamp = Timestamp()
    stamp.fit(["1970-01-02", "1970-01-04", "never"])
    assert stamp.facts() == {"center": 2.0, "scale": 1.0}
    assert stamp.summarise(stamp.decode("1970-01-02 00:00:07")).tolist() == [1, 4, 1, 7]
    assert stamp.show("1970-01-02").content == "1970-01-02"
    assert stamp.show("1970-01-02 05:06").content == "1970-01-02 05:06:00"


def test_columns_of_dates(tmp_path):
    (tmp_path / "a.csv").write_text(
        "day,at,text,wrong,price\n"
        + "".join(
            f"2024-01-{i % 28 + 1:02},2024-01-01 {i % 24:02}:00:00,2023.5.{i % 28 + 1},"
            f"2024-02-{i % 30 + 1:02},{i}.5\n"
            for i in range(60)
        )
    )
    table = Table.read(tmp_path / "a.csv")
    schema = infer_schema(table, ["price"])
    assert {schema[name].modality for name in ("day", "at", "text", "wrong")} == {"timestamp"}
    stamp = Timestamp()
    stamp.fit(table.cells("wrong"))
    (finding,) = pack(table, {"wrong": stamp}).findings
    assert finding.what.startswith("impossible date") and finding.rows.tolist() == [29, 59]


def test_a_duration_is_a_number():
    table = Table.read({"for": [timedelta(seconds=1.5 * i) for i in range(9)]})
    assert infer_schema(table)["for"].modality == "number"
    assert Number().decode(timedelta(minutes=2)) == 120
