"""Several pictures in one cell."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from polymodal.data.media import Shown, as_list, is_missing, is_tensor, remark, without_remarks
from polymodal.data.modalities.image import Image
from polymodal.data.modalities.modality import Modality
from polymodal.data.summary import ColumnSummary
from polymodal.errors import CellError, NothingThere

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from polymodal.data.pytorch import torch

SHOWN_SIDE = 120


class Gallery(Modality):
    """A list of pictures (paths, bytes, arrays; JSON text, too) as ``(T, H, W, C)`` uint8.

    Each picture is read as one of modality ``image`` is. A broken one is left out of its list,
    and that is noted.

    Args:
        pictures: how many of a list are kept, the first ones; further ones are counted.
        ordered: whether the order of a list means something; otherwise it has no influence.
        size: height and width in pixels that every picture is brought to; "auto" takes the usual
            size of the column's pictures, at most 96.
        channels: 1 grey, 3 colour; "auto" takes 1 where all training pictures are grey.
        resize: "stretch" keeps the whole picture, "crop" keeps its proportions and cuts the
            longer side, "pad" keeps both and adds a border.
        augment: random variation in training, each picture by its own chance: "none", "shift"
            (by up to 1/12 of the size), "flip" (left and right), or "shift_flip".
        max_pixels: a picture with more pixels is refused before it is decoded.
        mean: of each channel on a scale from 0 to 1; None learns it from the training part.
        std: standard deviation of each channel, likewise.
    """

    name: ClassVar[str] = "gallery"
    media: ClassVar[bool] = True
    ragged: ClassVar[bool] = True
    # (U, T, H, W, C) as (U, T, C, H, W): channels stay last in memory.
    axes: ClassVar[tuple[int, ...] | None] = (0, 1, 4, 2, 3)

    def __init__(
        self,
        *,
        pictures: int = 8,
        ordered: bool = False,
        size: int | Literal["auto"] = "auto",
        channels: Literal[1, 3, "auto"] = "auto",
        resize: Literal["stretch", "crop", "pad"] = "stretch",
        augment: Literal["none", "shift", "flip", "shift_flip"] = "none",
        max_pixels: int = 100_000_000,
        mean: list[float] | None = None,
        std: list[float] | None = None,
    ) -> None:
        if pictures < 1:
            raise ValueError(f"A list of pictures needs at least 1 of them, not {pictures}.")
        self.pictures, self.ordered = pictures, ordered
        self.image = Image(
            size=size,
            channels=channels,
            resize=resize,
            augment=augment,
            max_pixels=max_pixels,
            mean=mean,
            std=std,
        )

    @classmethod
    def recognise(cls, column: ColumnSummary) -> float:
        """Lists of what a column of pictures holds."""
        lists = [as_list(cell) for cell in column.sample]
        parts = [part for cell in lists if cell is not None for part in cell]
        if not parts or any(cell is None for cell in lists):
            return 0.0
        return Image.recognise(_of(column, parts))

    def fit(self, cells: Sequence[Any]) -> None:
        """Learn size, channels, mean and deviation as for single pictures."""
        self.image.fit([part for cell in cells for part in as_list(cell) or [cell]])

    @property
    def max_length(self) -> int:
        """Pictures kept of one list."""
        return self.pictures

    @property
    def limit(self) -> str:
        """How many pictures a list may hold, in words."""
        return f"{self.pictures} pictures"

    def facts(self) -> dict[str, Any]:
        """Channels, size, mean and deviation, and whether order counts."""
        return self.image.facts() | {"ordered": self.ordered}

    def decode(self, cell: Any) -> np.ndarray:
        """The pictures ``(T, size, size, channels)`` uint8; one more than are kept at most."""
        kept: list[np.ndarray] = []
        broken: list[CellError] = []
        for part in _parts(cell):
            if len(kept) > self.pictures:
                break
            try:
                kept.append(self.image.decode(part))
            except CellError as error:
                broken.append(error)
        if not kept:
            raise broken[0]
        for defect in broken:
            remark(f"{defect.kind}, left out of its list", defect.detail)
        return np.stack(kept)

    def blank(self) -> np.ndarray:
        """One black picture."""
        return self.image.blank()[None]

    def restore(self, array: np.ndarray) -> list[Any]:
        """Not yet: several pictures as a target."""
        raise NotImplementedError("several pictures as a target")

    def summarise(self, array: np.ndarray) -> np.ndarray:
        """Mean and deviation of what single pictures are summarised by, and how many there are."""
        each = np.stack([self.image.summarise(picture) for picture in array])
        return np.concatenate([each.mean(0), each.std(0), [len(array)]]).astype(np.float32)

    @without_remarks()
    def show(self, cell: Any) -> Shown:
        """The pictures side by side, as PNG."""
        small = Image(size=SHOWN_SIDE, channels=3, resize="pad")
        found = []
        parts = _parts(cell)
        for part in parts[: self.pictures]:
            try:
                found.append(small.decode(part))
            except CellError:
                continue  # packing has reported it
        if not found:
            raise CellError("no picture in the list can be shown", f"{len(parts)} pictures")
        file = io.BytesIO()
        small.restore(np.concatenate(found, 1)[None])[0].save(file, "PNG", optimize=True)
        return Shown("image", file.getvalue(), f"{len(parts)} pictures")

    def state(self) -> dict[str, Any]:
        """What single pictures learn, the length, and whether order counts."""
        return {"pictures": self.pictures, "ordered": self.ordered, "image": self.image.state()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` gave."""
        self.pictures, self.ordered = state["pictures"], state["ordered"]
        self.image.load_state(state["image"])

    @property
    def augments(self) -> bool:
        """Whether a variation was asked for."""
        return self.image.augments

    def augment(
        self, values: Tensor, generator: torch.Generator, mask: Tensor | None = None
    ) -> Tensor:
        """Vary each picture of ``(U, T, C, H, W)`` as a single one."""
        return self.image.augment(values.flatten(0, 1), generator).unflatten(0, values.shape[:2])


def _parts(cell: Any) -> list[Any]:
    """The pictures of a list; a single picture is a list of one.

    Raises:
        NothingThere: the list is empty.
    """
    listed = as_list(cell)
    if (isinstance(cell, np.ndarray) or is_tensor(cell)) and cell.ndim == 4:
        listed = list(np.asarray(cell))
    parts = [part for part in ([cell] if listed is None else listed) if not is_missing(part)]
    if not parts:
        raise NothingThere("empty list", "no picture in it")
    return parts


def _of(column: ColumnSummary, parts: list[Any]) -> ColumnSummary:
    """A column of the parts of a column's cells."""
    return ColumnSummary(column.name, len(parts), 0, len(parts), parts, None)
