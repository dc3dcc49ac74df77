import torch

from polymodal.batch import Field
from polymodal.encoders import TextTransformer


def test_a_text_may_be_of_any_length() -> None:
    encoder = TextTransformer(5, width=8, depth=1).eval()
    text = Field(torch.ones(1, 3000, dtype=torch.int32), torch.tensor([True]))
    assert encoder(text).x.shape == (1, 3000, 8)


def test_the_order_of_the_tokens_matters() -> None:
    torch.manual_seed(0)
    encoder = TextTransformer(5, width=8).eval()
    pooled = encoder(Field(torch.tensor([[1, 2, 3], [3, 2, 1]]), torch.ones(2).bool())).pooled
    assert not torch.allclose(pooled[0], pooled[1])
