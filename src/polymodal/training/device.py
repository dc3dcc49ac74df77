"""Where a training runs: the device, and the processes that share the work."""

from __future__ import annotations

from typing import TypeVar

import torch
from accelerate.state import AcceleratorState, GradientState, PartialState
from accelerate.utils import broadcast_object_list

T = TypeVar("T")


def place(device: torch.device | str | None) -> torch.device:
    """The device to train on; None takes the best one there is.

    Under ``torchrun`` or ``accelerate launch`` it is that of this process.
    """
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    # Accelerate keeps its settings for the life of the process; this training may have others.
    AcceleratorState._reset_state(reset_partial_state=not distributed)
    GradientState._reset_state()
    wanted = None if device is None else torch.device(device)
    if wanted is not None and wanted.index is not None:
        torch.accelerator.set_device_index(wanted.index)
    found: torch.device = PartialState(cpu=wanted is not None and wanted.type == "cpu").device
    return found


def from_main(value: T) -> T:
    """The main process's value, in every process."""
    if PartialState().num_processes == 1:
        return value
    shared: T = broadcast_object_list([value])[0]
    return shared
