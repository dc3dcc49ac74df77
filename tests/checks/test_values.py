from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from subjects import by_column, classes, subject

from polymodal.checks.column_values import (
    find_constant_columns,
    find_impossible_dates,
    find_mixed_types,
    find_rare_classes,
)
from polymodal.checks.missingness import find_missing_values, find_telling_gaps
from polymodal.checks.outliers import find_odd_numbers
from polymodal.checks.spelling import (
    find_broken_encoding,
    find_spelling_variants,
    plain,
    unscrambled,
    variants,
)
from polymodal.checks.swapped_cells import find_swapped_cells

COUNT = 120


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_gaps_that_go_with_the_target(rng):
    y = classes(rng, COUNT)
    told = [None if v == "yes" and rng.random() < 0.8 else rng.normal() for v in y]
    chance = [None if rng.random() < 0.2 else rng.normal() for _ in y]
    looked_at = subject({"told": told, "chance": chance, "y": y})
    assert set(by_column(find_telling_gaps(looked_at), "missing_tells_target")) == {"told"}
    missing = by_column(find_missing_values(looked_at), "missing_values")
    assert missing["chance"] == [i for i, v in enumerate(chance) if v is None]


def test_another_unit_and_a_slip_of_the_pen(rng):
    height = (170 + rng.normal(0, 8, COUNT)).tolist()
    for row in (5, 50, 90):
        height[row] /= 100
    weight = rng.normal(70, 10, COUNT).tolist()
    weight[7] = 7000.0
    looked_at = subject({"height": height, "weight": weight, "y": classes(rng, COUNT)})
    found = find_odd_numbers(looked_at)
    assert by_column(found, "unit_error") == {"height": [5, 50, 90]}
    assert next(f for f in found if f.kind == "unit_error").values == {"factor": "0.01"}
    assert by_column(found, "outlier") == {"weight": [7]}


def test_long_tails_are_no_finding(rng):
    income = np.exp(rng.normal(10, 1, COUNT)).tolist()
    assert not find_odd_numbers(subject({"income": income, "y": classes(rng, COUNT)}))


def test_nearly_constant_mixed_and_rare(rng):
    y = ["no"] * 70 + ["yes"] * 46 + ["perhaps"] * 4
    same = [0.0] * COUNT
    same[9] = 1.0
    mixed = [str(i * 7 % 50 + 0.5) for i in range(COUNT)]
    mixed[3] = mixed[8] = "unknown"
    looked_at = subject({"same": same, "mixed": mixed, "y": y}, mixed="number")
    assert by_column(find_constant_columns(looked_at), "constant_column") == {"same": [9]}
    assert by_column(find_mixed_types(looked_at), "mixed_types") == {"mixed": [3, 8]}
    assert by_column(find_rare_classes(looked_at), "class_imbalance") == {"y": [116, 117, 118, 119]}


def test_dates_beyond_all_sense(rng):
    days = [date(2020, 1 + i % 12, 1 + i % 28).isoformat() for i in range(COUNT)]
    days[4], days[5] = "0020-03-01", "2920-03-01"
    found = find_impossible_dates(subject({"day": days, "y": classes(rng, COUNT)}))
    assert by_column(found, "impossible_date") == {"day": [4, 5]}


def test_wrong_encodings(rng):
    towns = rng.choice(["München", "Zürich", "Genève", "上海"], COUNT).tolist()
    rows = [i for i, town in enumerate(towns) if town == "Zürich"][:3]
    for row in rows:
        towns[row] = "ZÃ¼rich"
    found = find_broken_encoding(subject({"town": towns, "y": classes(rng, COUNT)}))
    assert by_column(found, "broken_encoding") == {"town": rows}
    assert "Zürich" in found[0].remarks[rows[0]]


@given(st.text(st.characters(codec="utf-8", min_codepoint=0xA1, max_codepoint=0x2FFF), min_size=1))
def test_what_was_scrambled_is_unscrambled(text):
    """Or left as it is, where Windows-1252 could not have shown it."""
    try:
        scrambled = text.encode().decode("cp1252")
    except UnicodeDecodeError:
        return
    assert unscrambled(scrambled) == text


@given(st.text(max_size=40))
def test_any_text_can_be_unscrambled_and_plain(text):
    unscrambled(text)
    assert plain(plain(text)) == plain(text)


def test_spellings(rng):
    hands = rng.choice(["left", "right", "both hands"], COUNT).tolist()
    hands[2], hands[6], hands[9] = "Left ", "ＲＩＧＨＴ", "both-hands"
    looked_at = subject({"hand": hands, "y": classes(rng, COUNT)})
    (found,) = find_spelling_variants(looked_at)
    assert found.rows.tolist() == [2, 6, 9]
    assert found.values == {"Left ": "left", "ＲＩＧＨＴ": "right", "both-hands": "both hands"}


def test_names_that_differ_by_a_number_are_no_slips():
    assert not variants({"type 1": 90, "type 2": 1, "cat": 80, "car": 1, "cats": 1})
    assert variants({"pneumonia": 90, "pnuemonia": 2}) == {"pnuemonia": "pneumonia"}


def test_cells_of_two_languages_exchanged(rng):
    words = ["red bus", "tall house", "old tree", "cold stone"]
    chinese = ["红色的巴士", "高高的房子", "古老的大树", "冰冷的石头"]
    english = [f"a {rng.choice(words)} by the {rng.choice(words)} today" for _ in range(COUNT)]
    other = [f"{rng.choice(chinese)}在{rng.choice(chinese)}旁边" for _ in range(COUNT)]
    for row in (11, 30):
        english[row], other[row] = other[row], english[row]
    looked_at = subject({"en": english, "zh": other, "y": classes(rng, COUNT)})
    found = find_swapped_cells(looked_at)
    assert by_column(found, "swapped_cells") == {"en": [11, 30]}
    assert found[0].values == {"en": "zh"}


def test_columns_that_are_alike_cannot_be_exchanged(rng):
    columns = {name: rng.normal(size=COUNT).tolist() for name in ("a", "b")}
    assert not find_swapped_cells(subject({**columns, "y": classes(rng, COUNT)}))
