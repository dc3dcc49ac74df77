from datetime import date

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from polymodal.data.modalities import Text
from polymodal.data.modalities.text import reads_like_text
from polymodal.data.summary import summarise
from polymodal.errors import CellError

SENTENCES = ["the red bus stops here", "the blue bus does not stop", "红色的公共汽车"] * 4


def fitted(cells=SENTENCES, **options):
    text = Text(**options)
    text.fit(cells)
    return text


def test_nothing_is_out_of_vocabulary():
    text = fitted()
    for cell in ("zebra 🦓", "Ünïcödé", "العربية", "红鞋"):
        ids = text.decode(cell)
        assert text.tokenizer.decode(ids.tolist()) == cell.lower()
        assert ids.min() > 0 and ids.max() < text.vocabulary


def test_chinese_characters_are_tokens_of_their_own():
    text = fitted(["红色的车", "红色的花", "的色"] * 5)
    assert len(text.decode("红色的")) == 3


def test_case():
    assert np.array_equal(fitted().decode("The BUS"), fitted().decode("the bus"))
    kept = fitted(lowercase=False)
    assert not np.array_equal(kept.decode("The BUS"), kept.decode("the bus"))


def test_lists_numbers_and_dates_are_written_out():
    text = fitted()
    assert np.array_equal(text.decode(["a bus", None, "b"]), text.decode("a bus\nb"))
    assert np.array_equal(text.decode(12), text.decode("12"))
    assert text.show(date(2020, 1, 2)).content == "2020-01-02"


def test_the_length_that_texts_need_is_learned():
    assert fitted(["a b"] * 99 + ["a b c d"]).max_length < 12
    assert fitted(max_tokens=5).max_length == 5


@pytest.mark.parametrize("cell", [b"abc", {"a": 1}, np.zeros(3), object()])
def test_what_is_no_text(cell):
    with pytest.raises(CellError, match="not a text"):
        fitted().decode(cell)


def test_half_a_character():
    with pytest.raises(CellError, match="damaged text"):
        fitted().decode("\ud800")
    assert fitted(["\ud800", *SENTENCES]).vocabulary > 256


def test_a_tokenizer_of_ones_own():
    own = Tokenizer(models.WordLevel({"[PAD]": 0, "bus": 1, "[UNK]": 2}, unk_token="[UNK]"))
    own.pre_tokenizer = pre_tokenizers.Whitespace()
    own.enable_padding(length=9)
    text = fitted(tokenizer=own.to_str())
    assert text.decode("bus car").tolist() == [1, 2]


def test_reading_like_text():
    assert reads_like_text("a very red bus") and reads_like_text("小酒馆")
    assert not reads_like_text("A-17b") and not reads_like_text("red")
    assert Text.recognise(summarise("x", SENTENCES)) > 0.84
    assert Text.recognise(summarise("x", [1, 2])) == 0


def test_written_texts_keep_their_case_and_end_at_the_first_nothing():
    text = Text(lowercase=False)
    text.fit(["A Red ball", "两只狗 run"] * 3)
    ids = [text.decode("A Red ball"), text.decode("两只狗 run")]
    array = np.full((2, 12), -1)
    for row, one in zip(array, ids, strict=True):
        row[: len(one)] = one
    assert text.restore(array) == ["A Red ball", "两只狗 run"]
    array[0, 1] = -1
    assert text.restore(array)[0] == "A"
    assert text.references("  A Red ball ") == ("  A Red ball ",)
    assert text.facts() == {"vocabulary": text.vocabulary, "length": text.max_tokens}


def test_characters_as_tokens():
    text = Text(units="characters", lowercase=False)
    text.fit(["zero one two", "两只狗两只狗"] * 3)
    assert len(text.decode("zero one")) == 8
    assert len(text.decode("两只狗")) == 3  # often seen: one token each, not three bytes
    assert text.restore(text.decode("two one")[None]) == ["two one"]


def test_a_tokenizer_without_padding_or_end():
    """Its id 0 is a token like any other."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    given = Tokenizer(models.WordLevel({"red": 0, "blue": 1, "bus": 2}, unk_token="bus"))
    given.pre_tokenizer = pre_tokenizers.Whitespace()
    text = Text(tokenizer=given.to_str())
    text.fit(["red bus"])
    assert text.decode("red bus red").tolist() == [0, 2, 0]
    assert text.restore(np.array([[0, 2, 0, -1]])) == ["red bus red"]
