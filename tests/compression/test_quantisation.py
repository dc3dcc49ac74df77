"""Weights of 8 bits: how they are rounded, what is left alone, what it does to answers."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from polymodal.compression.quantisation import quantise, store_in_8_bits


def model(path: Path) -> tuple[Path, np.ndarray]:
    """A table of words, then a product of matrices: ``(rows,)`` ids to ``(rows, 32)``."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(40, 64)).astype(np.float32)
    weight = rng.normal(size=(64, 32)).astype(np.float32) * np.logspace(-2, 1, 32, dtype=np.float32)
    small = rng.normal(size=(32,)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "ids"], ["words"]),
            helper.make_node("MatMul", ["words", "weight"], ["sums"]),
            helper.make_node("Add", ["sums", "small"], ["out"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", 32])],
        [*map(numpy_helper.from_array, (table, weight, small), ("table", "weight", "small"))],
    )
    opset = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), str(path))
    return path, table @ weight + small


def answers(path: Path) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"ids": np.arange(40)})[0]


@pytest.mark.parametrize("how", ["dynamic", "static"])
def test_the_file_is_a_third_and_answers_stay_close(how: str, tmp_path: Path) -> None:
    source, right = model(tmp_path / "whole.onnx")
    calibration = [{"ids": np.arange(i, i + 10)} for i in range(0, 40, 10)]
    quantise(source, tmp_path / "small.onnx", how, calibration=calibration)
    assert (tmp_path / "small.onnx").stat().st_size < 0.5 * source.stat().st_size
    # Each column has a scale of its own: the smallest keeps its digits beside the largest.
    apart = np.abs(answers(tmp_path / "small.onnx") - right)
    assert apart.max() < 0.02 * np.abs(right).max()
    if how == "dynamic":
        assert (apart.mean(0) / np.abs(right).mean(0)).max() < 0.05


def test_what_is_stored_in_8_bits_is_computed_with_as_before(tmp_path: Path) -> None:
    source, right = model(tmp_path / "whole.onnx")
    found = onnx.load(str(source))
    assert store_in_8_bits(found.graph) == ["table", "weight"]
    kinds = {tensor.name: tensor.data_type for tensor in found.graph.initializer}
    assert kinds["table.int8"] == TensorProto.INT8 and kinds["small"] == TensorProto.FLOAT
    onnx.checker.check_model(found)
    onnx.save(found, str(tmp_path / "small.onnx"))
    apart = np.abs(answers(tmp_path / "small.onnx") - right)
    assert (apart / np.abs(right).max(0)).max() < 0.02
