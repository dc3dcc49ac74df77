from string import Formatter

import pytest

from polymodal.evaluation.language import CHINESE, ENGLISH, number, translate


def fields(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_say_the_same_things_about_the_same_values():
    assert list(ENGLISH) == list(CHINESE)
    for key, text in ENGLISH.items():
        assert fields(text) == fields(CHINESE[key]), key


def test_users_own_words_are_kept():
    assert translate("part", "train", "en") == "training"
    assert translate("part", "holdout", "zh") == "holdout"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.000"), (-1e-9, "−1e−09"), (99.994, "99.99"), (100.04, "100.0"), (-1234.5, "−1,234"),
        (float("inf"), "∞"), (float("-inf"), "−∞"), (0.0004999, "0.0005"), (float("nan"), "–"),
    ],
)  # fmt: skip
def test_numbers_for_people(value, text):
    assert number(value) == text


def test_what_rounds_to_zero_has_no_sign():
    assert number(-1e-6, scale=1) == "0.000"
