import torch

from polymodal.batch import Field
from polymodal.encoders import BagOfTokens


def test_pooled_is_the_mean_of_the_real_embeddings() -> None:
    encoder = BagOfTokens(3, width=2, depth=0)
    encoder.embedding.weight.data = torch.tensor([[9.0, 9.0], [1.0, 2.0], [3.0, 6.0]])
    ids = torch.tensor([[1, 2, 2, 0]])
    mask = torch.tensor([[True, True, False, False]])
    tokens = encoder(Field(ids, torch.tensor([True]), mask))
    assert tokens.pooled.tolist() == [[2.0, 4.0]]


def test_an_empty_text_is_one_padding_token() -> None:
    encoder = BagOfTokens(3, width=2, depth=0)
    empty = Field(torch.tensor([[2, 1]]), torch.tensor([True]), torch.tensor([[False, False]]))
    tokens = encoder(empty)
    assert torch.equal(tokens.pooled[0], encoder.embedding.weight[0])
    assert tokens.mask is not None and tokens.mask.tolist() == [[True, False]]
