"""Tiny networks of any parts, as they are exported, and cells for them."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from polymodal.batch import Batch, Field
from polymodal.encoders import NumberEncoder, PretrainedText, TextTransformer
from polymodal.encoders.encoder import TableEncoder
from polymodal.exporting.deployable import BATCH, LEAST_LENGTH, Deployable
from polymodal.fusion import FUSIONS
from polymodal.heads import Classification, Regression, Tagging
from polymodal.model import MultimodalModel
from polymodal.onnx_runner.description import Column, TensorSpec

CONTRACT = Path(__file__).parents[1] / "encoders" / "test_encoders_contract.py"
WIDTH = 8


def encoder_cases() -> dict[str, Any]:
    """The encoders of the encoders' own contract, with cells for each."""
    spec = importlib.util.spec_from_file_location("encoders_contract", CONTRACT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look for their types
    spec.loader.exec_module(module)
    return module.CASES


def all_heads() -> dict[str, Any]:
    """A head of each kind."""
    return {
        "kind": Classification(WIDTH, classes=3),
        "price": Regression(WIDTH, center=100.0, scale=20.0, log=False),
        "marks": Tagging(WIDTH, labels=2, hidden=4),
    }


def input_column(name: str, field: Field) -> Column:
    """The description of an input, from cells of it."""
    inner = tuple(field.values.shape[1:])
    if field.mask is not None:
        inner = (f"length of {name}", *inner[1:])
    dtype = str(field.values.dtype).removeprefix("torch.")
    tensors = {
        "values": TensorSpec(name, dtype, (BATCH, *inner), ""),
        "present": TensorSpec(f"{name}.present", "bool", (BATCH,), ""),
    }
    if field.mask is not None:
        tensors["mask"] = TensorSpec(f"{name}.mask", "bool", (BATCH, inner[0]), "")
    shortest = LEAST_LENGTH if field.mask is not None else 1
    return Column(name, "", {}, {}, tensors, shortest=shortest)


def target_columns(model: MultimodalModel) -> list[Column]:
    """The descriptions of the targets."""
    sizes = {"kind": 3, "marks": 2}
    found = []
    for name in model.targets:
        inner = (2,) if name == "marks" else ()
        dtype = {"kind": "int64", "marks": "bool"}.get(name, "float32")
        tensors = {"answer": TensorSpec(name, dtype, (BATCH, *inner), "")}
        if name in sizes:
            shape = (BATCH, sizes[name])
            tensors["probabilities"] = TensorSpec(f"{name}.probabilities", "float32", shape, "")
        found.append(Column(name, "", {}, {}, tensors))
    return found


def deployed(
    fusion: str, encoders: dict[str, Any], fields: dict[str, Field], heads: Any = None
) -> Deployable:
    """A tiny network with its weights stirred, so that nothing hides behind a zero."""
    torch.manual_seed(0)
    widths = {name: encoder.width for name, encoder in encoders.items()}
    options = {"size": 3} if fusion == "tensor" else {}
    model = MultimodalModel(
        encoders, FUSIONS[fusion](widths, WIDTH, **options), heads or all_heads()
    )
    for parameter in model.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    inputs = [input_column(name, field) for name, field in fields.items()]
    # A text column is cut to what its pretrained encoder can read.
    limits = {n: e.limit for n, e in encoders.items() if isinstance(e, PretrainedText)}
    inputs = [replace(c, longest=limits[c.name]) if c.name in limits else c for c in inputs]
    return Deployable(model, inputs, target_columns(model))


def texts(rows: int, longest: int, *, seed: int = 0) -> Field:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 20, (rows, longest), generator=generator, dtype=torch.int32)
    lengths = torch.randint(1, longest + 1, (rows,), generator=generator)
    lengths[0] = longest
    return Field(ids, torch.ones(rows, dtype=torch.bool), torch.arange(longest) < lengths[:, None])


def text_and_number(rows: int, longest: int, *, seed: int = 0) -> dict[str, Field]:
    generator = torch.Generator().manual_seed(seed)
    number = torch.randn(rows, generator=generator)
    return {
        "says": texts(rows, longest, seed=seed),
        "ink": Field(number, torch.ones(rows, dtype=torch.bool)),
    }


def text_and_number_encoders() -> dict[str, Any]:
    return {
        "says": TextTransformer(20, width=WIDTH, depth=1, heads=2),
        "ink": NumberEncoder(width=WIDTH),
    }


def fields_of(encoder: Any, cells: Any) -> dict[str, Field]:
    """The columns that an encoder reads: one, or those of a table."""
    return dict(cells) if isinstance(encoder, TableEncoder) else {"a": cells}


def hidden(fields: dict[str, Field], *, seed: int = 0) -> dict[str, Field]:
    """The same with cells absent by chance."""
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for name, field in fields.items():
        here = torch.rand(len(field.present), generator=generator) > 0.4
        made[name] = replace(field, present=field.present & here)
    return made


def rows_of(fields: dict[str, Field], rows: Any, *, longer: int = 0) -> dict[str, Field]:
    """Some rows, and more padding after ragged cells."""
    made = {}
    for name, field in fields.items():
        values, mask = field.values[rows], field.mask
        if mask is not None:
            mask = _padded(mask[rows], longer)
            values = _padded(values, longer)
        made[name] = Field(values, field.present[rows], mask)
    return made


def _padded(x: Tensor, longer: int) -> Tensor:
    return torch.cat([x, x.new_zeros(len(x), longer, *x.shape[2:])], 1) if longer else x


def tensors_of(network: Deployable, fields: dict[str, Field]) -> tuple[Tensor, ...]:
    return network.tensors(Batch(fields))
