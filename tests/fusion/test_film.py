import pytest
import torch

from polymodal.batch import Fused, Tokens
from polymodal.errors import RecipeError
from polymodal.fusion import FiLM
from polymodal.fusion.film import modulate

GENERATOR = torch.Generator().manual_seed(0)
A = torch.randn(1, 2, 4, generator=GENERATOR)
B = torch.randn(1, 3, 4, generator=GENERATOR)


def run(fusion: FiLM, a: torch.Tensor, b: torch.Tensor, here: tuple[bool, bool]) -> Fused:
    tokens = {"a": Tokens(a, None, a.mean(1)), "b": Tokens(b, None, b.mean(1))}
    return fusion.eval()(tokens, {"a": torch.tensor([here[0]]), "b": torch.tensor([here[1]])})


def test_modulation_by_hand():
    result = modulate(torch.tensor([2.0, 3.0]), torch.tensor([0.5, 0.0]), torch.tensor([1.0, -1.0]))
    assert result.tolist() == [4, 2]


def test_the_condition_speaks_through_the_other_branch_only():
    fusion = FiLM({"a": 4, "b": 4}, 8, condition="b")
    for generator in fusion.generators:
        torch.nn.init.zeros_(generator.weight)
    fused = run(fusion, A, B, (True, True))
    assert fused.tokens.shape == (1, 3, 8)  # the vector and the tokens of a
    assert torch.equal(fused.vector, run(fusion, A, -B, (True, True)).vector)


def test_the_condition_modulates():
    fusion = FiLM({"a": 4, "b": 4}, 8, condition="b")
    fused, other = run(fusion, A, B, (True, True)), run(fusion, A, -B, (True, True))
    assert not torch.allclose(fused.vector, other.vector)
    without = run(fusion, A, B, (True, False)).vector
    assert torch.equal(without, run(fusion, A, -B, (True, False)).vector)


def test_the_condition_stands_in_where_nothing_else_is():
    fusion = FiLM({"a": 4, "b": 4}, 8, condition="b")
    vector = run(fusion, A, B, (False, True)).vector
    torch.testing.assert_close(vector, fusion.vectors.projections[0](B.mean(1)))
    torch.nn.init.constant_(fusion.prior, 7)
    assert run(fusion, A, B, (False, False)).vector.tolist() == [[7] * 8]


def test_options_that_do_not_fit_are_errors():
    with pytest.raises(RecipeError, match=r"'question' is no branch\. Known: photo, text"):
        FiLM({"photo": 4, "text": 4}, 8, condition="question")
    with pytest.raises(RecipeError, match="the only branch"):
        FiLM({"photo": 4}, 8, condition="photo")
    with pytest.raises(RecipeError, match="layers is 0"):
        FiLM({"photo": 4}, 8, layers=0)
