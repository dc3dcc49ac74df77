"""Weights and computation in 8 bits, by ONNX Runtime.

Letters: N rows · C output channels.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np

from polymodal.errors import MissingExtra

Int8 = Literal["dynamic", "static"]
LEAST_WEIGHTS = 512
"""Smaller arrays are left as they are: a scale for each channel would eat what they save."""
COMPUTED = {"dynamic": ["MatMul", "Gemm"], "static": ["Conv", "MatMul", "Gemm"]}


def quantise(
    source: Path, path: Path, how: Int8, *, calibration: Sequence[Mapping[str, np.ndarray]] = ()
) -> None:
    """Write an ONNX model with weights of 8 bits.

    "dynamic" computes products of matrices in integers, with the range of their inputs taken anew
    for each answer; "static" convolutions too, with ranges that were seen in calibration. All other
    large weights are stored in 8 bits and made 32-bit numbers when the file is loaded, which
    takes no time afterwards.

    Args:
        source: the model in 32 bits.
        path: the file to write.
        how: "dynamic" or "static".
        calibration: for "static", the network's tensors on some rows, batch by batch.

    Raises:
        MissingExtra: ONNX Runtime is not installed.
    """
    try:
        import onnx
        from onnxruntime import quantization
    except ImportError as error:
        raise MissingExtra(str(error.name), "compress") from error
    with _quiet():
        if how == "dynamic":
            quantization.quantize_dynamic(
                source, path, op_types_to_quantize=COMPUTED[how], per_channel=True,
                weight_type=quantization.QuantType.QInt8,
            )  # fmt: skip
        else:
            quantization.quantize_static(
                source, path, _Reader(calibration), per_channel=True,
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=COMPUTED[how],
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
            )  # fmt: skip
    model = onnx.load(str(path))
    store_in_8_bits(model.graph)
    del model.graph.value_info[:]
    onnx.save(model, str(path))


def store_in_8_bits(graph: Any) -> list[str]:
    """Store what is left of large 32-bit weights as integers, with a scale for each channel.

    Args:
        graph: of an ONNX model, changed in place.

    Returns:
        The weights that were changed.
    """
    from onnx import TensorProto, helper, numpy_helper

    axes: dict[str, tuple[int, ...]] = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            if place in _weight_places(node.op_type):
                axes[name] = _channel_axes(node)
    changed, nodes, added, kept = [], [], [], []
    for tensor in graph.initializer:
        large = int(np.prod(tensor.dims)) >= LEAST_WEIGHTS and len(tensor.dims) > 1
        if tensor.data_type != TensorProto.FLOAT or not large or tensor.name not in axes:
            kept.append(tensor)
            continue
        whole, scale = _in_8_bits(numpy_helper.to_array(tensor), axes[tensor.name])
        name = tensor.name
        added += [
            numpy_helper.from_array(whole, f"{name}.int8"),
            numpy_helper.from_array(scale, f"{name}.scale"),
        ]
        # Not DequantizeLinear, which ONNX Runtime would compute anew for every answer.
        nodes += [
            helper.make_node("Cast", [f"{name}.int8"], [f"{name}.cast"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}.cast", f"{name}.scale"], [name]),
        ]
        changed.append(name)
    del graph.initializer[:]
    graph.initializer.extend([*kept, *added])
    others = [*graph.node]
    del graph.node[:]
    graph.node.extend([*nodes, *others])
    return changed


def _weight_places(operator: str) -> tuple[int, ...]:
    """Which inputs of an operator are weights."""
    if operator in ("GRU", "LSTM"):
        return (1, 2)
    return {"Gather": (0,)}.get(operator, (1,) if operator in ("Conv", "MatMul", "Gemm") else ())


def _channel_axes(node: Any) -> tuple[int, ...]:
    """The axes of a node's weight along which each place has a scale of its own."""
    if node.op_type in ("GRU", "LSTM"):
        return (0, 1)
    if node.op_type == "Gemm":
        turned = any(one.name == "transB" and one.i for one in node.attribute)
        return (0,) if turned else (1,)
    return (-1,) if node.op_type == "MatMul" else (0,)


def _in_8_bits(weight: np.ndarray, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers from -127 to 127, and the scale of each channel, that broadcasts to them.

    >>> whole, scale = _in_8_bits(np.array([[1.0, -2.0], [0.0, 0.0]], np.float32), (0,))
    >>> whole.tolist(), scale.shape
    ([[64, -127], [0, 0]], (2, 1))
    """
    kept = {axis % weight.ndim for axis in axes}
    others = tuple(i for i in range(weight.ndim) if i not in kept)
    largest = np.abs(weight).max(axis=others, keepdims=True)
    scale = np.where(largest > 0, largest, 1) / 127
    return np.round(weight / scale).astype(np.int8), scale.astype(np.float32)


class _Reader:
    """Hands calibration batches out, one after the other."""

    def __init__(self, batches: Sequence[Mapping[str, np.ndarray]]) -> None:
        self._left: Iterator[Mapping[str, np.ndarray]] = iter(batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next batch; None after the last."""
        return next((dict(batch) for batch in self._left), None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the advice that the quantiser logs for its own developers."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
