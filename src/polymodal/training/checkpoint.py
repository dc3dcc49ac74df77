"""Checkpoints: all that a training needs to go on as if it had never stopped.

A checkpoint is one safetensors file: the tensors, and the rest as JSON in its header. One file
can be replaced in one step, and reading it executes no code.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from polymodal.errors import RunError
from polymodal.files import link_file, write_file

_HEADER = "polymodal"

Parts = Mapping[str, Mapping[str, Tensor]]
"""The tensors of a checkpoint: part (model, optimizer, …) -> name -> tensor."""


class Checkpoints:
    """The two checkpoints of a run: the last one and the best one.

    Args:
        directory: the run's directory; they are in its folder ``checkpoints``.
    """

    def __init__(self, directory: Path) -> None:
        self.last = directory / "checkpoints" / "last.safetensors"
        self.best = directory / "checkpoints" / "best.safetensors"

    def save(self, parts: Parts, facts: Mapping[str, Any], *, best: bool) -> None:
        """Write the last checkpoint, and the same as the best one if it is.

        Killed at any instant, the checkpoints before stay readable. The best one goes first: a
        training that goes on from the older last one will find the same best one again.

        Args:
            parts: part -> name -> tensor.
            facts: everything else, plain JSON.
            best: whether it is the best one so far.

        Raises:
            RunError: it cannot be written; the checkpoints before are as they were.
        """
        content = {
            f"{part}/{name}": tensor.detach().contiguous()
            for part, tensors in parts.items()
            for name, tensor in tensors.items()
        }
        header = {_HEADER: json.dumps(facts)}
        try:
            self.last.parent.mkdir(parents=True, exist_ok=True)
            first = self.best if best else self.last
            write_file(first, lambda path: save_file(content, path, metadata=header))
            if best:
                link_file(self.best, self.last)
        except (OSError, SafetensorError) as error:
            kept = "The one before is untouched" if self.last.exists() else "There is none before"
            raise RunError(
                f"A checkpoint could not be written into {self.last.parent}: {error}. {kept}. "
                "Make room on the disk (or allow writing there), then resume the training."
            ) from error


def load_checkpoint(path: Path) -> tuple[Parts, dict[str, Any]]:
    """The parts and facts of a checkpoint; a part without tensors is an empty one.

    Raises:
        RunError: there is none, or it is damaged.
    """
    parts: defaultdict[str, dict[str, Tensor]] = defaultdict(dict)
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {})[_HEADER]
            for key in file.keys():  # noqa: SIM118
                part, _, name = key.partition("/")
                parts[part][name] = file.get_tensor(key)
        return parts, json.loads(header)
    except FileNotFoundError:
        raise RunError(f"There is no checkpoint {path}.") from None
    except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise RunError(f"The checkpoint {path} is damaged: {error!r}.") from error


def model_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Trained weights and buffers by name; one that has several names, under the first.

    Frozen weights are those that the model was built with: writing them out after each epoch would
    take longer than the epoch.
    """
    named: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        frozen = isinstance(tensor, nn.Parameter) and not tensor.requires_grad
        if id(tensor) not in seen and not frozen:
            seen.add(id(tensor))
            named[name] = tensor
    return named


@torch.no_grad()
def load_model(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy tensors of :func:`model_tensors` into a model, in place.

    Raises:
        RunError: they are those of another model.
    """
    own = model_tensors(model)
    names = own.keys() ^ tensors.keys()
    names |= {name for name in own.keys() - names if own[name].shape != tensors[name].shape}
    if names:
        raise RunError(
            "The checkpoint is that of another model; it differs in "
            f"{', '.join(sorted(names)[:5])}. Resume with the same recipe and table."
        )
    for name, tensor in own.items():
        tensor.copy_(tensors[name])


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """What the optimizer remembers of each weight, under ``number of the weight/name``."""
    return {
        f"{number}/{name}": value
        for number, (weight, _) in enumerate(_weights(optimizer))
        for name, value in optimizer.state.get(weight, {}).items()
        if value is not None
    }


@torch.no_grad()
def load_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what :func:`optimizer_tensors` gave, in the memory layout of the weights.

    ``Optimizer.load_state_dict`` keeps the layout of the file, and the fused kernels then pair
    the numbers of a channels_last weight wrongly.
    """
    weights = _weights(optimizer)
    for place, value in tensors.items():
        number, _, name = place.partition("/")
        weight, group = weights[int(number)]
        if name == "step":
            own = value.to(weight.device) if group.get("fused") else value
        else:
            own = torch.empty_like(weight, requires_grad=False).copy_(value)
        optimizer.state[weight][name] = own


def _weights(optimizer: Optimizer) -> list[tuple[nn.Parameter, dict[str, Any]]]:
    return [(weight, group) for group in optimizer.param_groups for weight in group["params"]]
