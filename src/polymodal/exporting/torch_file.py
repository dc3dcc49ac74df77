"""``torch.export``: a file that PyTorch alone runs."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from polymodal.exporting.deployable import Deployable
from polymodal.exporting.model_file import ModelFile, Run, captured
from polymodal.exporting.onnx_file import quiet_exporters
from polymodal.exporting.recurrent_layers import as_loops


class TorchFile(ModelFile):
    """A ``.pt2``: loaded by ``torch.export.load``, any number of rows, any length."""

    name = "torch"
    file = "model.pt2"

    def write(self, network: Deployable, example: tuple[Tensor, ...], path: Path) -> None:
        """Write the file."""
        with quiet_exporters(), torch.no_grad(), as_loops():
            torch.export.save(captured(network, example), path)

    def open(self, path: Path) -> Run:
        """What runs it by PyTorch."""
        with quiet_exporters():
            network = torch.export.load(path).module()

        def run(tensors: Sequence[Tensor]) -> list[np.ndarray]:
            with quiet_exporters(), torch.no_grad():
                return [found.numpy() for found in network(*tensors)]

        return run

    def versions(self) -> dict[str, str]:
        """Of PyTorch."""
        return {"torch": metadata.version("torch")}
