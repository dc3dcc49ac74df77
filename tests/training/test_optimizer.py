from collections.abc import Callable

import pytest
import torch
from torch import nn

from polymodal.errors import PolymodalError
from polymodal.training import TrainOptions
from polymodal.training.optimizer import make_optimizer


def network() -> nn.Module:
    return nn.Sequential(nn.Embedding(5, 4), nn.Conv1d(4, 4, 1), nn.BatchNorm1d(4), nn.Linear(4, 2))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)],
)
def test_only_matrices_decay(
    tiny_options: Callable[..., TrainOptions], name: str, kind: type
) -> None:
    model = network()
    optimizer = make_optimizer(model, tiny_options(optimizer=name, weight_decay=0.3))
    assert type(optimizer) is kind
    decay = {
        id(weight): group["weight_decay"]
        for group in optimizer.param_groups
        for weight in group["params"]
    }
    named = {name: decay[id(weight)] for name, weight in model.named_parameters()}
    assert {name for name, value in named.items() if value} == {"1.weight", "3.weight"}
    assert len(named) == 7


def test_frozen_weights_are_left_out(tiny_options: Callable[..., TrainOptions]) -> None:
    model = network()
    model[0].requires_grad_(False)  # type: ignore[index]
    optimizer = make_optimizer(model, tiny_options())
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 6
    with pytest.raises(PolymodalError, match="nothing to train"):
        make_optimizer(model.requires_grad_(False), tiny_options())
