import pytest
import torch

from polymodal.batch import Field, Fused
from polymodal.errors import RecipeError
from polymodal.heads.generation import Decoding, Reading, one_of, opened, references, token_ids


def test_one_text_for_each_row():
    ids = torch.tensor([[7, 0, 3], [5, 9, 9]])  # id 0 is a token like any other
    mask = torch.tensor([[True, True, True], [True, False, False]])
    field = Field(ids, torch.tensor([True, False, True]), mask, index=torch.tensor([1, 0, 0]))
    symbols, there = references(field)
    assert symbols.tolist() == [[[6, 0, 0]], [[0, 0, 0]], [[8, 1, 4]]]
    assert there.tolist() == [[True], [False], [True]]


def test_several_texts_for_each_row():
    ids = torch.tensor([[[8, 1], [6, 0]], [[5, 5], [9, 9]]])  # 1 is the token with the id 0
    mask = torch.tensor([[True, True], [True, False]])  # the second row has one text
    symbols, there = references(Field(ids, torch.tensor([True, True]), mask))
    assert symbols.tolist() == [[[8, 1], [6, 0]], [[5, 5], [0, 0]]]
    assert there.tolist() == [[True, True], [True, False]]


def test_one_of_several_is_drawn_among_those_there():
    symbols = torch.arange(1, 4).reshape(1, 3, 1).expand(200, 3, 1)
    there = torch.tensor([[True, False, True]]).expand(200, 3)
    torch.manual_seed(0)
    drawn = one_of(symbols, there)
    assert drawn.shape == (200, 1, 1) and set(drawn.flatten().tolist()) == {1, 3}
    assert 60 < int((drawn == 1).sum()) < 140


def test_token_ids_end_at_the_first_end():
    assert token_ids(torch.tensor([[3, 1, 0, 2]])).tolist() == [[2, 0, -1, -1]]


def test_what_may_not_be_read_has_no_influence():
    torch.manual_seed(0)
    reading = Reading(4, 6)
    tokens, mask = torch.randn(2, 3, 4), torch.tensor([[True, True, False], [True, False, False]])
    broken = torch.where(mask[..., None], tokens, torch.nan)
    read, other = (reading(Fused(tokens[:, 0], x, mask)) for x in (tokens, broken))
    assert torch.equal(read, other) and read.shape == (2, 4, 7)
    assert opened(read)[1].tolist() == [[True, True, True, False], [True, True, False, False]]


def test_branches_that_decide_alone_offer_one_vector_each():
    reading, vectors = Reading(4, 6), torch.randn(2, 3, 4)
    assert reading(Fused(vectors, vectors, torch.ones(2, 3) > 0)).shape == (2, 3, 1, 7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beams": 0}, "at least 1"),
        ({"temperature": -1.0}, "not negative"),
        ({"top_p": 0.0}, "above 0"),
        ({"beams": 2, "temperature": 1.0}, "set temperature=0 or beams=1"),
    ],
)
def test_ways_that_do_not_exist(options: dict, message: str):
    with pytest.raises(RecipeError, match=message):
        Decoding(**options)
