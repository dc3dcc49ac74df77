"""Which weights go, that they stay away, and that chains keep their ends."""

import pytest
import torch
from torch import nn

from polymodal.batch import Batch, Field
from polymodal.compression.pruning import (
    PruningError,
    Sparse,
    remove_channels,
    smallest_weights,
)
from polymodal.encoders import Cnn, NumberEncoder
from polymodal.fusion import Concat
from polymodal.heads import Classification
from polymodal.layer_sizes import fit_sizes
from polymodal.model import MultimodalModel


def linear(rows: list[list[float]]) -> nn.Linear:
    layer = nn.Linear(len(rows[0]), len(rows))
    layer.weight.data = torch.tensor(rows)
    return layer


def test_weights_are_ranked_by_their_share_of_what_is_as_large() -> None:
    # Squares 1 4 9 16 score 1/30 4/29 9/25 16/16; squares 4 1 score 4/4 1/5.
    model = nn.ModuleDict({"a": linear([[1.0, -2.0], [3.0, 4.0]]), "b": linear([[2.0, 1.0]])})
    kept = smallest_weights(model, 0.5)
    assert kept["a.weight"].tolist() == [[False, False], [True, True]]
    assert kept["b.weight"].tolist() == [[True, False]]
    with pytest.raises(PruningError, match="is none: prune more"):
        smallest_weights(model, 0.01)


def test_pruned_weights_stay_zero_while_others_learn() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    sparse = Sparse(model, smallest_weights(model, 0.5))
    zeros = {name: p == 0 for name, p in model.named_parameters()}
    before = model[0].weight.detach().clone()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        model(torch.randn(16, 4)).square().mean().backward()
        optimizer.step()
    assert all((p[zeros[name]] == 0).all() for name, p in model.named_parameters())
    assert not torch.equal(model[0].weight, before)
    sparse.release()
    model(torch.randn(16, 4)).mean().backward()
    assert int(sum((zero & (p.grad != 0)).sum() for zero, p in zip(
        zeros.values(), model.parameters(), strict=True))) > 0  # fmt: skip


def network() -> MultimodalModel:
    torch.manual_seed(0)
    return MultimodalModel(
        {"photo": Cnn(3, 16, width=16, base=8), "ink": NumberEncoder(width=16)},
        Concat({"photo": 16, "ink": 16}, width=16),
        {"kind": Classification(16, classes=3, hidden=32)},
    ).eval()


def batch() -> Batch:
    here = torch.tensor([True, True, False])
    photos = torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8)
    return Batch({"photo": Field(photos, here), "ink": Field(torch.randn(3), here.flip(0))})


def test_channels_go_and_the_network_still_fits_together() -> None:
    model, rows = network(), batch()
    before = sum(p.numel() for p in model.parameters())
    pruned, whole = remove_channels(model, 0.5, lambda: model(rows))
    assert not whole
    assert {name.rsplit(".", 1)[-1] for name in pruned} == {"layers", "mix", "readout"}
    assert sum(p.numel() for p in model.parameters()) < 0.6 * before
    assert model(rows)["kind"].shape == (3, 3)

    whole = network()
    state = model.state_dict()
    fit_sizes(whole, {name: tensor.shape for name, tensor in state.items()})
    whole.load_state_dict(state)
    torch.testing.assert_close(whole(rows)["kind"], model(rows)["kind"], rtol=0, atol=0)
    assert model.encoder("photo").layers[0].out_channels == whole.encoder("photo").layers[0].out_channels  # type: ignore[union-attr]  # fmt: skip  # noqa: E501


def test_a_network_without_chains_cannot_lose_channels() -> None:
    model = MultimodalModel(
        {"ink": NumberEncoder(width=8)}, Concat({"ink": 8}, 8), {"k": Classification(8, classes=2)}
    ).eval()
    model.fusion.mix = nn.Identity()  # type: ignore[assignment]
    rows = Batch({"ink": Field(torch.randn(2), torch.ones(2, dtype=torch.bool))})
    with pytest.raises(PruningError, match="leave --structured out"):
        remove_channels(model, 0.5, lambda: model(rows))


def test_layers_of_other_kinds_keep_their_sizes() -> None:
    layers = nn.ModuleList([nn.Embedding(4, 3), nn.BatchNorm1d(4), nn.LayerNorm(4)])
    fit_sizes(layers, {"0.weight": (4, 2), "1.weight": (3,), "1.bias": (3,), "2.weight": (2,),
                       "2.bias": (2,), "1.running_mean": (3,), "1.running_var": (3,)})  # fmt: skip
    assert layers[0].weight.shape == (4, 3)
    assert layers[1].running_mean.shape == layers[1].weight.shape == (3,)
    assert layers[2].normalized_shape == (2,)
