import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymodal.errors import RecipeError
from polymodal.heads.prompt import Piece, check_prompt, columns_of, pieces

INPUTS = {"photo": "image", "question": "text", "price": "number", "size, cm": "number"}
READABLE = {"image", "text"}


def test_words_and_columns_in_their_order():
    assert pieces("Look: {photo} {{sic}} {question}") == [
        Piece("Look: ", False),
        Piece("photo", True),
        Piece(" {sic} ", False),
        Piece("question", True),
    ]
    assert pieces("") == [] and pieces("{ photo }") == [Piece("photo", True)]
    assert columns_of("{b} {a} {b}") == ["b", "a"]


@given(st.text())
def test_any_text_comes_back_when_its_braces_are_doubled(text: str):
    doubled = text.replace("{", "{{").replace("}", "}}")
    assert "".join(piece.text for piece in pieces(doubled)) == text
    assert not any(piece.column for piece in pieces(doubled))


@pytest.mark.parametrize("prompt", ["{photo", "photo}", "{photo} {", "{a{b}"])
def test_a_brace_alone(prompt: str):
    with pytest.raises(RecipeError, match="brace without its partner"):
        pieces(prompt)


def test_what_may_stand_there():
    check_prompt("{row} {photo} {question}", INPUTS, READABLE)
    with pytest.raises(RecipeError, match=r"names \{quesiton\}, .* not an input.*question"):
        check_prompt("{quesiton}", INPUTS, READABLE)
    with pytest.raises(RecipeError, match=r"set columns\.size, cm\.modality to text"):
        check_prompt("{size, cm}", INPUTS, READABLE)
