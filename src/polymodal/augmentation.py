"""What training sees: cells of a table as they are, beside random variations of them.

Letters: U cells · T tokens, frames or steps.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from polymodal.batch import Batch, Field
from polymodal.build import build_modalities
from polymodal.data.heatmap import heatmap
from polymodal.data.media import Shown, spread
from polymodal.data.modalities import MODALITIES, Audio, Image, Modality, Points, Series, Text
from polymodal.data.modalities.point_picture import draw_points
from polymodal.data.plot import lines
from polymodal.data.table import Table
from polymodal.errors import CellError, RecipeError
from polymodal.evaluation.augmentation_page import AugmentedColumn
from polymodal.named_part import NamedPart
from polymodal.preparation import chosen_targets, schema_of
from polymodal.recipe import Recipe
from polymodal.train_options import Mix, TrainOptions
from polymodal.training.mixing import Mixing

# What a modality could do, shown where the recipe asks for nothing: heading -> options.
POSSIBLE: dict[str, dict[str, dict[str, Any]]] = {
    "image": {
        name: {"augment": [name]} for name in ("shift", "flip", "crop", "colour", "rand_augment")
    },
    "audio": {name: {"augment": [name]} for name in ("mask", "shift", "noise", "speed")},
    "video": {name: {"augment": name} for name in ("shift", "crop", "flip")},
    "gallery": {"shift": {"augment": "shift"}, "flip": {"augment": "flip"}},
    "text": {name: {"augment": [name], "share": 0.2} for name in ("token_dropout", "span_mask")},
    "series": {name: {"augment": [name]} for name in ("jitter", "scale", "time_warp", "cut_out")},
    "points": {
        "rotate": {"rotate": 180.0},
        "jitter": {"jitter": 0.02},
        "rescale": {"rescale": 0.2},
        "drop": {"drop": 0.5},
    },
    "number": {"noise": {"noise": 0.1}},
}
MIXES: tuple[Mix, ...] = ("mixup", "cutmix")
MOST_FITTED = 2000
DRAWS = 5
HIDDEN = "▢"
LONGEST_TEXT = 300


def augmented_columns(
    data: Any,
    *,
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
    target: str | Sequence[str] | None = None,
    examples: int = 4,
    seed: int = 0,
) -> list[AugmentedColumn]:
    """Cells of every column that can be varied, as they are and as training may see them.

    Args:
        data: a table as :meth:`Table.read` takes it.
        recipe: whose variations are shown; for a column without, one of each that there is.
        target: the column or columns to predict, which are never varied.
        examples: cells of each column.
        seed: of the variations.

    Raises:
        PolymodalError: the table cannot be read, the recipe does not fit it, or no input can be
            varied.
    """
    loaded, table = Recipe.load(recipe), Table.read(data)
    schema = schema_of(loaded, table, chosen_targets(loaded, target))
    table = table.with_views(schema.sources)
    found = []
    for name, modality in build_modalities(loaded, schema).items():
        if name in schema.inputs and (modality.augments or modality.name in POSSIBLE):
            part = loaded.column(name).modality or NamedPart(name=modality.name)
            shown = _column(table, name, modality, part, loaded, examples=examples, seed=seed)
            found += [shown] if shown is not None else []
    if not found:
        raise RecipeError("No input of this table can be varied in training.")
    return found


def _column(
    table: Table,
    name: str,
    modality: Modality,
    part: NamedPart,
    recipe: Recipe,
    *,
    examples: int,
    seed: int,
) -> AugmentedColumn | None:
    cells = spread([cell for cell in table.cells(name) if cell is not None], MOST_FITTED)
    cells = [table.media(cell) for cell in cells] if modality.media else cells
    modality.fit(cells)
    arrays = _decoded(modality, cells, examples)
    if not arrays:
        return None
    generator = torch.Generator().manual_seed(seed)
    chosen = modality.augments
    ways = [("as trained", modality)] * DRAWS if chosen else list(_possible(modality, part))
    varied = [_cut(modality, arrays, _augmented(way, arrays, generator)) for _, way in ways]
    headings = [heading for heading, _ in ways]
    if isinstance(modality, Image):
        wanted = recipe.train.mix
        for mix in MIXES if wanted in ("off", "both") else (wanted,):
            if wanted != "off" or not chosen:
                headings.append(mix)
                varied.append(_mixed(arrays, mix, seed))
    show = _shower(modality, arrays)
    rows = zip(arrays, *varied, strict=True)
    return AugmentedColumn(
        name, modality.name, chosen, tuple(headings), tuple(tuple(map(show, row)) for row in rows)
    )


def _decoded(modality: Modality, cells: Sequence[Any], most: int) -> list[np.ndarray]:
    """The first cells that can be read, from all over the column."""
    arrays: list[np.ndarray] = []
    for cell in spread(cells, 4 * most):
        try:
            array = modality.decode(cell)
        except CellError:
            continue  # inspect tells of these
        arrays.append(modality.cut(array) if modality.ragged else array)
    return spread(arrays, most)


def _possible(modality: Modality, part: NamedPart) -> Iterator[tuple[str, Modality]]:
    """The same modality with each variation that there is."""
    for heading, options in POSSIBLE.get(modality.name, {}).items():
        way = NamedPart(name=modality.name, **(dict(part.options) | options)).build(MODALITIES)
        way.load_state(modality.state())
        yield heading, way


def _stacked(arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, Tensor | None]:
    """Cells ``(U, …)``, those of several lengths filled up with noughts, and which are real."""
    lengths = [len(a) if a.ndim else 1 for a in arrays]
    if not arrays[0].ndim or len(set(lengths)) == 1:
        return np.stack(arrays), None
    whole = np.zeros((len(arrays), max(lengths), *arrays[0].shape[1:]), arrays[0].dtype)
    for row, array in zip(whole, arrays, strict=True):
        row[: len(array)] = array
    return whole, torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]


def _augmented(
    modality: Modality, arrays: Sequence[np.ndarray], generator: torch.Generator
) -> np.ndarray:
    whole, mask = _stacked(arrays)
    values = torch.from_numpy(whole)
    if modality.axes is not None:
        values = values.permute(modality.axes)
    values = modality.augment(values, generator, mask)
    if modality.axes is not None:
        values = values.permute(*np.argsort(modality.axes).tolist())
    return values.numpy()


def _cut(modality: Modality, arrays: Sequence[np.ndarray], varied: np.ndarray) -> list[np.ndarray]:
    """The variations without what fills them up."""
    pairs = zip(varied, arrays, strict=True)
    return [v[: len(a)] if modality.ragged else v for v, a in pairs]


def _mixed(arrays: Sequence[np.ndarray], mix: Mix, seed: int) -> list[np.ndarray]:
    """Each picture mixed with another of them, by a half or so."""
    values = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)
    present = torch.ones(len(values), dtype=torch.bool)
    batch = Batch({"": Field(values, present)}, {}, torch.arange(len(values)))
    mixing = Mixing(TrainOptions(mix=mix, mix_alpha=8.0), seed=seed)
    found = mixing(batch, epoch=0, place=0).inputs[""].values
    return list(found.permute(0, 2, 3, 1).numpy())


def _shower(modality: Modality, arrays: Sequence[np.ndarray]) -> Callable[[np.ndarray], Shown]:
    """How decoded cells of a modality are shown."""
    if isinstance(modality, Audio) and modality.form == "log_mel":
        low = float(min(a.min() for a in arrays))
        high = float(max(a.max() for a in arrays))
        return lambda a: Shown("image", heatmap(a.T[::-1].astype(float), low=low, high=high))
    if isinstance(modality, Audio):
        return lambda a: Shown("audio", _sound(a, modality.rate))
    if isinstance(modality, Text):
        return lambda a: Shown("text", _text(modality, a))
    if isinstance(modality, Series):
        return lambda a: Shown("image", lines(a))
    if isinstance(modality, Points):
        return lambda a: Shown("image", draw_points(a))
    if arrays[0].ndim >= 3:
        return lambda a: Shown("image", _picture(a))
    return lambda a: Shown("text", f"{float(a):.5g}" if a.ndim == 0 else np.array2string(a[:8]))


def _picture(array: np.ndarray) -> bytes:
    """A picture, or the pictures of ``(T, H, W, C)`` side by side, as PNG."""
    from PIL import Image as Pillow

    whole = np.concatenate(list(array), 1) if array.ndim == 4 else array
    picture = Pillow.fromarray(whole.squeeze(-1) if whole.shape[-1] == 1 else whole)
    times = max(1, 160 // picture.height)
    if times > 1:
        size = (picture.width * times, picture.height * times)
        picture = picture.resize(size, Pillow.Resampling.NEAREST)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _sound(samples: np.ndarray, rate: int) -> bytes:
    import wave

    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


def _text(modality: Text, ids: np.ndarray) -> str:
    """The words of token ids, with a box where one is hidden."""
    assert modality.tokenizer is not None
    parts, run = [], []
    for token in [*ids.tolist(), None]:
        if token is not None and token != modality.hidden:
            run.append(token)
            continue
        if run:
            parts.append(modality.tokenizer.decode(run))
            run = []
        if token is not None:
            parts.append(HIDDEN)
    text = " ".join(part.strip() for part in parts)
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"
