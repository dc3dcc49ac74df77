import torch

from polymodal.batch import Field
from polymodal.encoders import TextRnn


def test_the_order_of_the_tokens_matters() -> None:
    torch.manual_seed(0)
    encoder = TextRnn(5, width=8).eval()
    pooled = encoder(Field(torch.tensor([[1, 2, 3], [3, 2, 1]]), torch.ones(2).bool())).pooled
    assert not torch.allclose(pooled[0], pooled[1])


def test_pooled_is_the_maximum_over_time() -> None:
    encoder = TextRnn(5, width=8).eval()
    mask = torch.tensor([[True, True, False]])
    tokens = encoder(Field(torch.tensor([[1, 2, 3]]), torch.tensor([True]), mask))
    assert torch.equal(tokens.pooled, tokens.x[:, :2].amax(1))
