import json

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from polymodal.data.media import hearing
from polymodal.data.modalities import Passages, Tags, Text
from polymodal.data.summary import summarise
from polymodal.errors import CellError, NothingThere

REVIEWS = [
    ["a good book, read in one evening", "the end is too long for me"],
    ["nobody should read this book"],
]


def passages(**options):
    made = Passages(**options)
    made.fit(REVIEWS)
    return made


def test_each_row_is_a_text():
    made = passages()
    array = made.decode(REVIEWS[0])
    for row, text in zip(array, REVIEWS[0], strict=True):
        assert (row[row != 0] - 1).tolist() == made.text.decode(text).tolist()
    assert array.dtype == np.int32 and array.shape == (2, made.text.max_tokens)
    assert np.array_equal(made.decode(json.dumps(REVIEWS[0])), array)
    assert np.array_equal(made.decode(REVIEWS[0][0]), array[:1])


def test_a_given_tokenizer_may_have_a_word_with_the_id_nought():
    words = Tokenizer(WordLevel({"read": 0, "this": 1}, unk_token="this"))
    words.pre_tokenizer = Whitespace()
    made = passages(tokenizer=words.to_str(), max_tokens=3)
    array = made.decode(["this read", "read"])
    assert array.tolist() == [[2, 1, 0], [1, 0, 0]]


def test_long_texts_are_cut_and_noted():
    made = passages(max_tokens=3)
    with hearing() as remarks:
        array = made.decode(REVIEWS[0])
    assert array.shape == (2, 3) and array.all()
    assert [str(remark) for remark in remarks] == [
        "texts longer than 3 tokens, and cut there: 2 of 2"
    ]


def test_what_holds_no_text_is_refused():
    with pytest.raises(NothingThere):
        passages().decode([None, ""])
    with pytest.raises(CellError):
        passages().decode([b"bytes"])
    with pytest.raises(ValueError, match="at least 1"):
        Passages(texts=0)


def test_long_lists_are_seen_to_be_longer():
    made = passages(texts=1)
    assert len(made.decode(REVIEWS[0])) > made.max_length and made.limit == "1 texts"


def test_sentences_are_passages_and_labels_are_tags():
    def best(cells):
        column = summarise("x", cells)
        kinds = (Passages, Tags, Text)
        return max(kinds, key=lambda kind: kind.recognise(column))

    assert best(REVIEWS) is Passages
    assert best([["这本书很好看", "我不喜欢它的结尾"], ["大家都应该读一读"]]) is Passages
    assert best([["red", "large"], ["blue"], ["red"]]) is Tags
    assert best([json.dumps(texts) for texts in REVIEWS]) is Passages
    assert best(["one text in a cell", "another text there"]) is Text


def test_every_text_is_shown_on_its_line():
    assert passages().show(["one", "two"]).content == "• one\n• two"


def test_the_references_of_a_row():
    passages = Passages(units="characters")
    assert passages.references(["a dog", "", None, "the dog"]) == ("a dog", "the dog")
    assert passages.references('["a dog", "two dogs"]') == ("a dog", "two dogs")
    assert passages.references("a dog") == ("a dog",)
