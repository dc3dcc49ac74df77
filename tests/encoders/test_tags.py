import torch

from polymodal.batch import Field
from polymodal.encoders import TagsEncoder


def test_the_labels_vectors_are_summed() -> None:
    encoder = TagsEncoder(2, width=2)
    encoder.project.weight.data = torch.tensor([[1.0, 10.0], [2.0, 20.0]])  # a column per label
    encoder.project.bias.data = torch.tensor([0.5, 0.25])
    tags = Field(torch.tensor([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]), torch.ones(3).bool())
    assert encoder(tags).pooled.tolist() == [[11.5, 22.25], [10.5, 20.25], [0.5, 0.25]]
