import pytest
import torch

from polymodal.batch import Field
from polymodal.encoders import CategoryEncoder, TabularMlp


def test_an_absent_column_gives_its_learned_vector() -> None:
    encoder = TabularMlp({"a": CategoryEncoder(2, width=2)}, width=2, depth=1).eval()
    encoder.absent[0].data = torch.tensor([3.0, -4.0])
    encoder.layers[0].weight.data = torch.eye(2)
    encoder.layers[0].bias.data.zero_()
    encoder.features[0].embedding.weight.data = torch.tensor([[1.0, 2.0], [5.0, 6.0]])
    field = Field(torch.tensor([1, 0]), torch.tensor([True, False]))
    assert encoder({"a": field}).pooled.tolist() == [[5.0, 6.0], [3.0, 0.0]]


def test_it_needs_features_and_layers() -> None:
    with pytest.raises(ValueError, match="at least one feature"):
        TabularMlp({})
    with pytest.raises(ValueError, match="at least one layer, not 0"):
        TabularMlp({"a": CategoryEncoder(2)}, depth=0)
