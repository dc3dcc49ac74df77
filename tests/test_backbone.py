from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from polymodal.backbone import Backbone, found, needed
from polymodal.errors import MissingExtra, RecipeError


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def backbone(net: nn.Sequential, **options: Any) -> Backbone:
    groups = [list(m.parameters()) for m in net]
    return Backbone(net, **{"train": "full", "layers": None, "rank": 2, "groups": groups} | options)


def run(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return net(x)


def test_frozen_stays_in_eval_mode_without_gradient() -> None:
    net = network()
    frozen = backbone(net, train="frozen").train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    assert not frozen(run, torch.randn(8, 4)).requires_grad
    assert not net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_the_last_layers_are_trained() -> None:
    net = network()
    backbone(net, layers=2)
    assert [p.requires_grad for p in net.parameters()] == [False] * 2 + [True] * 4


def test_lora_starts_as_the_network_and_trains_only_its_matrices() -> None:
    torch.manual_seed(0)
    net, x = network().eval(), torch.randn(3, 4)
    expected = net(x)
    adapted = backbone(net, train="lora").eval()
    torch.testing.assert_close(adapted(run, x), expected)
    trained = [n for n, p in adapted.named_parameters() if p.requires_grad]
    assert len(trained) == 4 and all("lora_" in name for name in trained)


def test_options_are_checked() -> None:
    with pytest.raises(RecipeError, match="'frozen', 'full' or 'lora', not 'partly'"):
        backbone(network(), train="partly")
    with pytest.raises(RecipeError, match="from 1 to 3"):
        backbone(network(), layers=4)
    with pytest.raises(RecipeError, match="it is for train='full'"):
        backbone(network(), train="frozen", layers=1)


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", refuse)
    with pytest.raises(MissingExtra, match=r"polymodal\[pretrained\]"):
        needed("timm")


def test_a_model_that_is_not_found_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polymodal.hub.closed", lambda: "")  # the hub answers
    message = r"'a/b' cannot be loaded \(gone\).*--local-dir"
    with pytest.raises(RecipeError, match=message), found("a/b", "weights"):
        raise OSError("gone\nand much more")


def test_heavy_packages_are_not_imported() -> None:
    code = (
        "import sys, polymodal.encoders; "
        "print([m for m in ('transformers', 'timm', 'peft', 'torchvision') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr
