import pytest
import torch

from polymodal.errors import RecipeError
from polymodal.fusion import WeightedSum
from polymodal.fusion.weighted_sum import shares, weighted_sum

IMAGE, TEXT = [0.2, 0.3, 0.4], [0.1, 0.5, 0.3]


def test_the_worked_example():
    result = weighted_sum(torch.tensor([IMAGE, TEXT]), torch.tensor([0.6, 0.4]))
    torch.testing.assert_close(result, torch.tensor([0.16, 0.38, 0.36]))


def test_fixed_weights_are_renormalised_over_the_branches_present(fuse):
    fusion = WeightedSum({"image": 3, "text": 3}, 3, weights={"text": 0.4, "image": 0.6})
    fused = fuse(fusion, image=[IMAGE, IMAGE, None], text=[TEXT, None, None])
    expected = torch.tensor([[0.16, 0.38, 0.36], IMAGE, [0.0, 0.0, 0.0]])
    torch.testing.assert_close(fused.vector, expected)
    torch.testing.assert_close(fused.weights, torch.tensor([[0.6, 0.4], [1, 0], [0, 0]]))


def test_learned_weights_start_equal_and_fixed_ones_are_not_parameters(fuse):
    fused = fuse(WeightedSum({"a": 1, "b": 1}, 1), a=[[1]], b=[[3]])
    assert fused.vector.tolist() == [[2]] and fused.weights.tolist() == [[0.5, 0.5]]
    fixed = WeightedSum({"a": 1, "b": 1}, 1, weights={"a": 1, "b": 3})
    assert "scores" not in fixed.state_dict() | dict(fixed.named_parameters())


def test_shares_by_hand():
    scores = torch.tensor([[0.0, 1000.0, 2.0], [5.0, 5.0, 5.0]]).log().nan_to_num(neginf=-1e9)
    chosen = torch.tensor([[True, True, True], [False, False, False]])
    torch.testing.assert_close(
        shares(scores, chosen), torch.tensor([[0, 1000 / 1002, 2 / 1002], [0, 0, 0]])
    )


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"image": 1.0, "txt": 1.0}, "'txt', no branch. Did you mean 'text'"),
        ({"image": 1.0}, r"lacks the branches \['text'\]"),
        ({"image": 1.0, "text": 0.0}, "'text' is 0.0; it must be positive"),
        ({"image": float("nan"), "text": 1.0}, "'image' is nan"),
    ],
)
def test_weights_that_do_not_fit_are_errors(weights, message):
    with pytest.raises(RecipeError, match=message):
        WeightedSum({"image": 3, "text": 3}, 3, weights=weights)
