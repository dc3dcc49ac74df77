import torch

from polymodal.batch import Field
from polymodal.encoders import CategoryEncoder


def test_each_class_has_its_vector() -> None:
    encoder = CategoryEncoder(3, width=4)
    tokens = encoder(Field(torch.tensor([2, 0]), torch.tensor([True, True])))
    assert torch.equal(tokens.pooled, encoder.embedding.weight[[2, 0]])
    assert torch.equal(tokens.x[:, 0], tokens.pooled)
