import pytest
import torch

from polymodal.errors import RecipeError
from polymodal.fusion import MixtureOfExperts
from polymodal.fusion.mixture_of_experts import top_shares


def test_top_shares_by_hand():
    scores = torch.tensor([1.0, 2.0, 4.0]).log()
    torch.testing.assert_close(top_shares(scores, 2), torch.tensor([0, 1 / 3, 2 / 3]))
    assert top_shares(scores, 1).tolist() == [0, 0, 1]


def test_the_chosen_expert_answers(fuse):
    fusion = MixtureOfExperts({"a": 1, "b": 1}, 1, experts=3, active=1)
    fusion.norm = torch.nn.Identity()
    with torch.no_grad():
        fusion.router.weight.zero_()
        fusion.router.weight[0, 0] = 1  # a positive branch goes to expert 0, a negative to 1 or 2
        fusion.router.bias.copy_(torch.tensor([0.0, 0.0, -5.0]))
        for number, expert in enumerate(fusion.experts):
            expert[-1].weight.zero_()
            expert[-1].bias.fill_(100.0 * (number + 1))
    fused = fuse(fusion, a=[[2], [2], None], b=[[-4], None, None])
    # Row 0: mean of 2 + 100 (expert 0) and -4 + 200 (expert 1). Row 1: 2 + 100.
    assert fused.vector.flatten().tolist() == [149, 102, 0]


@pytest.mark.parametrize("active", [0, 5])
def test_active_experts_must_exist(active):
    with pytest.raises(RecipeError, match=f"active is {active} and experts is 4"):
        MixtureOfExperts({"a": 4}, 8, active=active)
