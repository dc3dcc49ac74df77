"""The state of every random generator, to be put back later exactly."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor


def random_state(device: torch.device) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The state of the generators of torch (CPU and ``device``), numpy and Python.

    Returns:
        tensors, and the rest as plain JSON.
    """
    version, python, spare = random.getstate()
    numpy = np.random.get_state(legacy=False)
    assert isinstance(numpy, dict)
    keys = np.asarray(numpy["state"]["key"], dtype=np.int64)
    tensors = {
        "torch": torch.get_rng_state(),
        "python": torch.tensor(python, dtype=torch.int64),
        "numpy": torch.from_numpy(keys),
    }
    if device.type != "cpu":
        tensors["device"] = torch.get_device_module(device).get_rng_state()
    facts = {
        "python": [version, spare],
        "numpy": [numpy["state"]["pos"], numpy["has_gauss"], numpy["gauss"]],
    }
    return tensors, facts


def restore_random_state(
    tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device
) -> None:
    """Put back what :func:`random_state` gave; a state of another device is left out."""
    torch.set_rng_state(tensors["torch"])
    version, spare = facts["python"]
    random.setstate((version, tuple(tensors["python"].tolist()), spare))
    position, has_gauss, gauss = facts["numpy"]
    keys = tensors["numpy"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", keys, position, has_gauss, gauss))
    if device.type != "cpu" and "device" in tensors:
        torch.get_device_module(device).set_rng_state(tensors["device"])
