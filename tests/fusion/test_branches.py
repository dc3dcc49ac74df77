import torch

from polymodal.batch import Tokens
from polymodal.fusion.branches import BranchTokens, BranchVectors, with_tokens

NAN = float("nan")


def test_vectors_are_normalised_and_zero_where_absent():
    pooled = torch.tensor([[1.0, 2.0, 3.0], [NAN, NAN, NAN]], requires_grad=True)
    branches = BranchVectors({"a": 3}, 4)
    present = {"a": torch.tensor([True, False])}
    vectors, here = branches({"a": Tokens(pooled[:, None], None, pooled)}, present)
    assert vectors.shape == (2, 1, 4) and here.tolist() == [[True], [False]]
    torch.testing.assert_close(vectors[0].mean(), torch.tensor(0.0), atol=1e-6, rtol=0)
    assert vectors[1].tolist() == [[0, 0, 0, 0]]
    vectors.square().sum().backward()
    assert pooled.grad[1].tolist() == [0, 0, 0]


def test_tokens_are_masked_where_padding_or_absent():
    x = torch.tensor([[[1.0, 2.0], [NAN, NAN]], [[NAN, NAN], [NAN, NAN]]])
    mask = torch.tensor([[True, False], [True, True]])
    branches = BranchTokens({"a": 2}, 4)
    (sequence,), (seen,) = branches(
        {"a": Tokens(x, mask, x[:, 0])}, {"a": torch.tensor([True, False])}
    )
    assert seen.tolist() == [[True, False], [False, False]]
    assert sequence.isfinite().all()


def test_branches_are_marked():
    x = torch.ones(1, 1, 2)
    branches = BranchTokens({"a": 2, "b": 2}, 4)
    branches.projections[1].load_state_dict(branches.projections[0].state_dict())
    present = torch.tensor([True])
    tokens = Tokens(x, None, x[:, 0])
    (a, b), _ = branches({"a": tokens, "b": tokens}, {"a": present, "b": present})
    torch.testing.assert_close((a - b)[0, 0], branches.kinds[0] - branches.kinds[1])


def test_the_fused_vector_is_the_first_token_and_always_open():
    fused = with_tokens(torch.ones(1, 2), torch.zeros(1, 3, 2), torch.zeros(1, 3) > 0)
    assert fused.tokens[0, 0].tolist() == [1, 1]
    assert fused.mask.tolist() == [[True, False, False, False]]
