"""ExecuTorch: a file for phones and small devices, by the kernels of XNNPACK."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from polymodal.errors import MissingExtra
from polymodal.exporting.deployable import Deployable
from polymodal.exporting.model_file import ModelFile, Run
from polymodal.exporting.onnx_file import quiet_exporters


class ExecutorchFile(ModelFile):
    """A ``.pte``: one row at a time, texts and sounds filled up to their greatest length.

    Memory is planned for these sizes when the file is written, so none is asked for afterwards.
    """

    name = "executorch"
    file = "model.pte"
    fixed = True

    def write(self, network: Deployable, example: tuple[Tensor, ...], path: Path) -> None:
        """Write the file."""
        with quiet_exporters(), torch.no_grad():
            try:
                from executorch.backends.xnnpack.partition.xnnpack_partitioner import (
                    XnnpackPartitioner,
                )
                from executorch.exir import to_edge_transform_and_lower
            except ImportError as error:
                raise MissingExtra("executorch", "mobile") from error
            program = torch.export.export(network, example)
            lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
            path.write_bytes(lowered.to_executorch().buffer)

    def open(self, path: Path) -> Run:
        """What runs it by ExecuTorch's own runtime."""
        with quiet_exporters():
            try:
                from executorch.runtime import Runtime
            except ImportError as error:
                raise MissingExtra("executorch", "mobile") from error
            program = Runtime.get().load_program(path)
            method = program.load_method("forward")
        assert method is not None

        def run(tensors: Sequence[Tensor]) -> list[np.ndarray]:
            with quiet_exporters():
                said = method.execute(list(tensors))
            return [found.numpy().copy() for found in said]  # its memory is used again

        return run

    def versions(self) -> dict[str, str]:
        """Of ExecuTorch and PyTorch."""
        return {name: metadata.version(name) for name in ("executorch", "torch")}
