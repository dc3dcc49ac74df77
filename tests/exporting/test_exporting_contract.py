"""Every fusion with every head, and every encoder, as ONNX: the same answers, whatever the rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_networks import (
    deployed,
    encoder_cases,
    fields_of,
    hidden,
    rows_of,
    tensors_of,
    text_and_number,
    text_and_number_encoders,
)

from polymodal.batch import Field
from polymodal.exporting.deployable import Deployable
from polymodal.exporting.onnx_file import OnnxFile
from polymodal.exporting.torch_file import TorchFile
from polymodal.fusion import FUSIONS

# Exporting takes seconds: a few of different kinds are enough for every day.
DAILY_FUSIONS, DAILY_ENCODERS = ("concat",), ("text_gru",)
ENCODERS = (
    "cnn", "resnet", "vision_transformer", "patches", "bag_of_tokens", "token_embedding",
    "text_gru", "text_lstm", "text_one_way", "text_transformer", "spectrogram_cnn",
    "spectrogram_rnn", "spectrogram_transformer", "frames", "series_cnn", "series_gru",
    "series_lstm", "stretches", "patch_transformer", "vector", "timestamp", "geo", "pointnet",
    "set_transformer", "birds_eye_view", "frame_sequence", "frame_sequence_motion",
    "frame_sequence_patches", "cnn3d", "space_time_transformer", "picture_set",
    "picture_set_ordered", "text_set", "text_set_ordered", "vit_frames", "vit_frames_frozen",
    "number", "log_number", "category", "tags", "tabular_transformer", "column_tokens", "mlp",
    "timm", "timm_frozen", "vit", "vit_lora", "bert", "bert_cls", "bert_frozen",
)  # fmt: skip
"""All but the pretrained Transformers of sounds and clips; docs/exporting.md says so."""


def some(names: Any, daily: tuple[str, ...]) -> list[Any]:
    return [n if n in daily else pytest.param(n, marks=pytest.mark.slow) for n in names]


def differ(network: Deployable, run: Any, fields: dict[str, Field]) -> float:
    """The greatest difference of a number that comes out; of values relative to them."""
    tensors = tensors_of(network, fields)
    with torch.inference_mode():
        wanted = [said.numpy() for said in network(*tensors)]
    worst = 0.0
    for right, said in zip(wanted, run(tensors), strict=True):
        assert right.shape == said.shape and right.dtype == said.dtype
        if right.dtype.kind == "f":
            worst = max(worst, float((np.abs(right - said) / np.maximum(1, np.abs(right))).max()))
    return worst


@pytest.mark.parametrize("fusion", some(FUSIONS, DAILY_FUSIONS))
def test_every_fusion_with_every_head(fusion: str, tmp_path: Path) -> None:
    network = deployed(fusion, text_and_number_encoders(), text_and_number(3, 5))
    OnnxFile().write(network, tensors_of(network, text_and_number(3, 5)), tmp_path / "m.onnx")
    run = OnnxFile().open(tmp_path / "m.onnx")
    for fields in (
        text_and_number(6, 9, seed=1),
        hidden(text_and_number(7, 4, seed=2)),
        text_and_number(1, 3, seed=3),
        {n: f.absent() for n, f in text_and_number(2, 2).items()},
    ):
        assert differ(network, run, fields) < 1e-4


@pytest.mark.parametrize("name", some(ENCODERS, DAILY_ENCODERS))
def test_every_encoder(name: str, tmp_path: Path) -> None:
    case = encoder_cases()[name]
    torch.manual_seed(0)
    encoder = case.build().eval()
    fields = fields_of(encoder, case.field())
    network = deployed("concat", {"a": encoder}, fields)
    OnnxFile().write(network, tensors_of(network, fields), tmp_path / "m.onnx")
    run = OnnxFile().open(tmp_path / "m.onnx")
    for other in (
        rows_of(fields, [2, 0]),
        rows_of(hidden(fields), [0, 1, 2, 3, 0, 1], longer=4),
        rows_of(fields, [1]),
    ):
        assert differ(network, run, other) < 1e-4


@pytest.mark.slow
def test_inputs_and_outputs_are_called_by_their_columns_and_their_sizes_are_free(
    tmp_path: Path,
) -> None:
    import onnx

    fields = text_and_number(3, 5)
    network = deployed("mean", text_and_number_encoders(), fields)
    OnnxFile().write(network, tensors_of(network, fields), tmp_path / "m.onnx")
    graph = onnx.load(str(tmp_path / "m.onnx")).graph
    sizes = {
        put.name: [size.dim_param or size.dim_value for size in put.type.tensor_type.shape.dim]
        for put in [*graph.input, *graph.output]
    }
    assert sizes == {
        "says": ["batch", "length of says"],
        "says.present": ["batch"],
        "says.mask": ["batch", "length of says"],
        "ink": ["batch"],
        "ink.present": ["batch"],
        "kind": ["batch"],
        "kind.probabilities": ["batch", 3],
        "price": ["batch"],
        "marks": ["batch", 2],
        "marks.probabilities": ["batch", 2],
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["text_gru", "spectrogram_cnn", "tabular_transformer"])
def test_as_a_file_of_torch_export(name: str, tmp_path: Path) -> None:
    case = encoder_cases()[name]
    encoder = case.build().eval()
    fields = fields_of(encoder, case.field())
    network = deployed("concat", {"a": encoder}, fields)
    column = network.inputs[0]
    if "mask" in column.tensors:  # where one length only can be exported, it is the longest
        from dataclasses import replace

        network.inputs = (replace(column, longest=40),)
    TorchFile().write(network, tensors_of(network, fields), tmp_path / "m.pt2")
    run = TorchFile().open(tmp_path / "m.pt2")
    for other in (rows_of(fields, [2, 0, 1]), rows_of(hidden(fields), [1], longer=3)):
        assert differ(network, run, other) < 1e-6
