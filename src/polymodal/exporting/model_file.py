"""What every kind of model file promises."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from polymodal.exporting.deployable import BATCH, LEAST_LENGTH, Deployable, ExportError
from polymodal.onnx_runner.description import Column

MOST_ATTEMPTS, MOST_ROWS, LONGEST = 6, 1 << 16, 1 << 20
"""Exporters compare sizes with one another, and want to know how large each may be."""
Run = Callable[[Sequence[Tensor]], list[np.ndarray]]
"""Tensors in → outputs, in the order of the deployable's names."""


class ModelFile(ABC):
    """One kind of file that a model can be exported to."""

    name: ClassVar[str]
    """What ``--to`` calls it, and the folder of the run that it is written to."""
    file: ClassVar[str]
    """The name of the file."""
    fixed: ClassVar[bool] = False
    """Whether it takes one row at a time, filled up to the greatest length."""

    @abstractmethod
    def write(self, network: Deployable, example: tuple[Tensor, ...], path: Path) -> None:
        """Write the file.

        Args:
            network: what to export.
            example: tensors of some rows; of one, as long as may be, where the file is ``fixed``.
            path: the file.
        """

    @abstractmethod
    def open(self, path: Path) -> Run:
        """What runs the file, by the runtime it is made for."""

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """The versions of the packages it was made with."""


def captured(
    network: Deployable, example: tuple[Tensor, ...], *, defer: bool = False
) -> torch.export.ExportedProgram:
    """The network's graph, for any number of rows and cells of any length.

    Layers that halve the length need some of it: how much, only a failed attempt tells. The
    network's inputs then say so (``shortest``), and whoever runs it fills shorter cells up. Where
    no length but one can be exported, it is the greatest.

    Args:
        network: what to export.
        example: tensors of some rows.
        defer: where it cannot be proved that two ways of counting frames agree, leave it to
            the runtime; some cannot prove it either.
    """
    deferred = False
    for _ in range(MOST_ATTEMPTS):
        try:
            sizes = (_free_sizes(network),)
            return torch.export.export(
                network,
                example,
                dynamic_shapes=sizes,
                prefer_deferred_runtime_asserts_over_guards=deferred,
            )
        except torch._dynamo.exc.UserError as error:
            needed = [int(found) for found in re.findall(r"generated guard (\d+) <=", str(error))]
            if needed and max(needed) > network.least_length:
                network.need(max(needed))
                example = network.filled(example)
            elif defer and not deferred:
                deferred = True
            elif network.fix_lengths():
                example = network.filled(example)
            else:
                raise
    raise ExportError(f"No length of the cells up to {network.least_length} could be exported.")


def _free_sizes(network: Deployable) -> tuple[dict[int, torch.export.Dim], ...]:
    """Of each tensor, the axes whose size may change."""
    known: dict[str, torch.export.Dim] = {}

    def dim(word: str, column: Column) -> torch.export.Dim:
        if word not in known:
            least = 1 if word == BATCH or column.shortest == LEAST_LENGTH else column.shortest
            most = MOST_ROWS if word == BATCH else max(column.longest or LONGEST, least + 2)
            name = BATCH if word == BATCH else f"length_{len(known)}"
            known[word] = torch.export.Dim(name, min=least, max=most)
        return known[word]

    return tuple(
        {
            axis: dim(str(size), column)
            for axis, size in enumerate(tensor.shape)
            if size == BATCH or (isinstance(size, str) and column.shortest != column.longest)
        }
        for column in network.inputs
        for tensor in column.tensors.values()
    )
