import torch

from polymodal.fusion import Concat
from polymodal.fusion.concat import concatenate


def test_concatenation_of_the_worked_example():
    image, text = torch.tensor([0.2, 0.3, 0.4]), torch.tensor([0.1, 0.5, 0.3])
    expected = torch.tensor([0.2, 0.3, 0.4, 0.1, 0.5, 0.3])
    assert torch.equal(concatenate([image, text]), expected)
    assert concatenate([torch.zeros(2, 3), torch.zeros(2, 5)]).shape == (2, 8)


def test_the_mixing_layers_see_all_features_and_a_learned_vector_where_absent(fuse):
    fusion = Concat({"a": 2, "b": 2}, 2)
    seen = []
    fusion.mix[0].register_forward_hook(lambda module, args, out: seen.append(args[0]))
    with torch.no_grad():
        fusion.absent.copy_(torch.tensor([[10.0, 20.0], [30.0, 40.0]]))
    fuse(fusion, a=[[1, 2], [1, 2], None], b=[[3, 4], None, None])
    assert seen[0].tolist() == [[1, 2, 3, 4], [1, 2, 30, 40], [10, 20, 30, 40]]


def test_tokens_are_the_branches(fuse):
    fused = fuse(Concat({"a": 2, "b": 2}, 2), a=[[1, 2]], b=[None])
    assert fused.tokens[:, 1:].tolist() == [[[1, 2], [0, 0]]]
    assert fused.mask.tolist() == [[True, True, False]]
