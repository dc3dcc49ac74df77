import errno
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from polymodal.errors import RunError
from polymodal.training import Checkpoints, TrainOptions, checkpoint
from polymodal.training.checkpoint import (
    load_checkpoint,
    load_model,
    load_optimizer,
    model_tensors,
    optimizer_tensors,
)
from polymodal.training.optimizer import make_optimizer

PARTS = {"model": {"a/b": torch.arange(2_000.0)}, "random": {"torch": torch.get_rng_state()}}


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(PARTS, {"step": 1, "loss": 0.1}, best=True)
    checkpoints.save(PARTS, {"step": 2, "loss": float("nan")}, best=False)
    parts, facts = load_checkpoint(checkpoints.best)
    assert facts == {"step": 1, "loss": 0.1}
    assert parts["model"]["a/b"].equal(PARTS["model"]["a/b"])
    assert parts["random"]["torch"].equal(PARTS["random"]["torch"])
    assert parts["optimizer"] == {}
    assert load_checkpoint(checkpoints.last)[1]["step"] == 2


def check_old_one_is_kept(checkpoints: Checkpoints, *, best: bool) -> None:
    with pytest.raises(RunError, match=r"could not be written.*untouched.*Make room"):
        checkpoints.save(PARTS, {"step": 2}, best=best)
    for path in (checkpoints.last, checkpoints.best):
        assert load_checkpoint(path)[1] == {"step": 1}
    assert sorted(os.listdir(checkpoints.last.parent)) == ["best.safetensors", "last.safetensors"]


@pytest.mark.parametrize("best", [True, False])
@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_leaves_the_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, best: bool
) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(PARTS, {"step": 1}, best=True)

    def fail(tensors: dict[str, Tensor], path: Path, **_: object) -> None:
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(checkpoint, "save_file", fail)
    check_old_one_is_kept(checkpoints, best=best)


def test_a_write_that_the_system_refuses_leaves_the_old_ones(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(PARTS, {"step": 1}, best=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
    try:
        check_old_one_is_kept(checkpoints, best=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_missing_and_damaged_ones_are_named(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    with pytest.raises(RunError, match=r"no checkpoint .*last\.safetensors"):
        load_checkpoint(path)
    for content in (b"", b"\x80\x04 no pickle is ever read", bytes(8)):
        path.write_bytes(content)
        with pytest.raises(RunError, match="damaged"):
            load_checkpoint(path)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, 2)
        self.second = nn.Linear(2, 2)
        self.second.weight = self.first.weight
        self.register_buffer("count", torch.tensor(3))
        self.register_buffer("scratch", torch.zeros(1), persistent=False)


def test_tied_weights_are_held_once() -> None:
    model, other = Tied(), Tied()
    tensors = model_tensors(model)
    assert list(tensors) == ["count", "first.weight", "first.bias", "second.bias"]
    load_model(other, tensors)
    assert other.second.weight.equal(model.first.weight)
    assert other.second.weight is other.first.weight


def test_another_models_checkpoint_is_refused() -> None:
    with pytest.raises(RunError, match=r"another model.* differs in bias, weight"):
        load_model(nn.Linear(2, 3), model_tensors(nn.Linear(2, 4)))
    with pytest.raises(RunError, match="differs in bias"):
        load_model(nn.Linear(2, 3), model_tensors(nn.Linear(2, 3, bias=False)))


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_an_optimizer_goes_on_bit_for_bit_with_channels_last_weights(
    tiny_options: Callable[..., TrainOptions], name: str
) -> None:
    def make() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        return model, make_optimizer(model, tiny_options(optimizer=name))

    def step(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
        optimizer.zero_grad()
        inputs = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
        model(inputs).square().mean().backward()
        optimizer.step()

    model, optimizer = make()
    step(model, optimizer, 0)
    weights = {name: t.detach().clone() for name, t in model_tensors(model).items()}
    memory = {name: t.clone().contiguous() for name, t in optimizer_tensors(optimizer).items()}
    step(model, optimizer, 1)
    other, fresh = make()
    load_model(other, weights)
    load_optimizer(fresh, memory)
    step(other, fresh, 1)
    for expected, found in zip(model.parameters(), other.parameters(), strict=True):
        assert found.equal(expected)
        assert found.stride() == expected.stride()
