"""ONNX: one file for every machine and language that has an ONNX runtime."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from polymodal.errors import MissingExtra
from polymodal.exporting.deployable import Deployable
from polymodal.exporting.model_file import ModelFile, Run, captured
from polymodal.exporting.recurrent_layers import as_onnx_operators


class OnnxFile(ModelFile):
    """ONNX by PyTorch's dynamo exporter: any number of rows, texts and sounds of any length."""

    name = "onnx"
    file = "model.onnx"

    def write(self, network: Deployable, example: tuple[Tensor, ...], path: Path) -> None:
        """Write the file."""
        try:
            import onnx
            import onnxscript  # noqa: F401
        except ImportError as error:
            raise MissingExtra(str(error.name), "onnx") from error
        with quiet_exporters(), torch.inference_mode(), as_onnx_operators(network):
            program: Any = torch.onnx.export(
                captured(network, example, defer=True),
                dynamo=True,
                input_names=network.input_names,
                output_names=network.output_names,
                verbose=False,
            )
        proto = program.model_proto
        _name_sizes(proto.graph, network)
        onnx.save(proto, str(path))

    def open(self, path: Path) -> Run:
        """What runs it by ONNX Runtime."""
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtra("onnxruntime", "onnx") from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        names = [put.name for put in session.get_inputs()]

        def run(tensors: Sequence[Tensor]) -> list[np.ndarray]:
            arrays = [tensor.numpy() for tensor in tensors]
            found: list[np.ndarray] = session.run(None, dict(zip(names, arrays, strict=True)))
            return found

        return run

    def versions(self) -> dict[str, str]:
        """Of onnx, onnxscript and onnxruntime."""
        return {name: metadata.version(name) for name in ("onnx", "onnxscript", "onnxruntime")}


def _name_sizes(graph: Any, network: Deployable) -> None:
    """Call free sizes by what they are ("batch"), in place of the exporter's symbols."""
    specs = [t for column in (*network.inputs, *network.targets) for t in column.tensors.values()]
    for put, spec in zip([*graph.input, *graph.output], specs, strict=True):
        sizes = put.type.tensor_type.shape.dim
        for size, wanted in zip(sizes, spec.shape, strict=True):
            if isinstance(wanted, str):
                size.dim_param = wanted
    # Sizes of values in between would still name the old symbols; a runtime finds them itself.
    del graph.value_info[:]


@contextmanager
def quiet_exporters() -> Iterator[None]:
    """Without what exporters remark about their own insides."""
    logger = logging.getLogger("torch")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)
