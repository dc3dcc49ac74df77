"""What stands beside an exported model: its tensors, the preprocessing, what answers mean."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from polymodal.data.modalities import MODALITIES, Modality
from polymodal.errors import RunError

FORMAT = 1
DESCRIPTION = "model.json"


@dataclass(frozen=True)
class TensorSpec:
    """One tensor that goes into the network or comes out of it.

    Args:
        name: its name in the model file.
        dtype: as NumPy names it.
        shape: sizes; a word where the size is free ("batch", "length of says").
        meaning: what it holds, for people.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    meaning: str


@dataclass(frozen=True)
class Column:
    """An input or target column: its modality, and the tensors it has.

    Args:
        name: the column.
        modality: the name of its modality.
        options: how the modality was configured.
        state: what it had learned.
        tensors: "values" (of a target "answer"), and further ones: "present" and "mask" of an
            input, "probabilities" of a target that has them.
        source: what the cells are made of, where they are not in the table ("clip", "{a}.npz").
        labels: of a target, what its classes or tags are called.
        longest: of a ragged input, how many tokens or frames are taken; None takes all.
        shortest: of a ragged input, to how many tokens or frames a batch is filled up at least.
    """

    name: str
    modality: str
    options: dict[str, Any]
    state: dict[str, Any]
    tensors: dict[str, TensorSpec]
    source: str = ""
    labels: tuple[str, ...] = ()
    longest: int | None = None
    shortest: int = 1

    def built(self) -> Modality:
        """The modality, as it was fitted."""
        # JSON knows no tuples, by which options that take one or several are told apart.
        options = {n: tuple(o) if isinstance(o, list) else o for n, o in self.options.items()}
        modality = MODALITIES[self.modality](**options)
        modality.load_state(self.state)
        return modality


@dataclass(frozen=True)
class Description:
    """All that is needed to run an exported model, beside the model file.

    Args:
        file: name of the model file, beside this one.
        sha256: of the model file.
        inputs: in the order of the network's tensors.
        targets: likewise.
        batch: rows of a batch; None where any number goes.
        title: what the model answers, in a few words.
        versions: of what it was made with.
        parity: how far its answers were from those of the trained network.
        notes: how it was changed (pruned, quantised, …), for people.
    """

    file: str
    sha256: str
    inputs: tuple[Column, ...]
    targets: tuple[Column, ...]
    batch: int | None = None
    title: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    parity: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def tensors(self) -> list[TensorSpec]:
        """The tensors that go in, in order."""
        return [tensor for column in self.inputs for tensor in column.tensors.values()]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def read(cls, directory: Path) -> Description:
        """Read the description of an exported model, and check that the model file is its own.

        Raises:
            RunError: there is none, it is damaged or from a newer version, or the model file is
                not the one that was exported.
        """
        path = directory / DESCRIPTION
        if not path.is_file():
            raise RunError(
                f"{str(directory)!r} holds no exported model: it has no {DESCRIPTION}. Export one: "
                "polymodal export RUN --to onnx"
            )
        try:
            content = json.loads(path.read_text("utf-8"))
            written = content.pop("format")
            if written != FORMAT:
                raise RunError(
                    f"{str(path)!r} is of format {written}, and this version of polymodal reads "
                    f"{FORMAT}: export the model anew, or pip install -U polymodal."
                )
            found = cls(
                **content
                | {
                    "inputs": _columns(content["inputs"]),
                    "targets": _columns(content["targets"]),
                    "notes": tuple(content["notes"]),
                }
            )
        except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as e:
            raise RunError(f"{str(path)!r} is no description of a model: {e!r}.") from e
        found.check(directory)
        return found

    def check(self, directory: Path) -> Path:
        """The path of the model file, whose content is as it was exported.

        Raises:
            RunError: it is missing, or another one.
        """
        path = directory / self.file
        if Path(self.file).name != self.file or not path.is_file():
            raise RunError(f"{str(directory)!r} is incomplete: {self.file!r} is missing.")
        if digest(path) != self.sha256:
            raise RunError(
                f"{str(path)!r} is not what was exported: it was truncated or edited. Copy it "
                "again, or export the model anew."
            )
        return path


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _columns(content: Sequence[Mapping[str, Any]]) -> tuple[Column, ...]:
    return tuple(
        Column(
            **dict(one)
            | {
                "tensors": {
                    part: TensorSpec(**dict(t) | {"shape": tuple(t["shape"])})
                    for part, t in one["tensors"].items()
                },
                "labels": tuple(one["labels"]),
            }
        )
        for one in content
    )
