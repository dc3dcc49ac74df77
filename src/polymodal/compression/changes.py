"""What is done to a model to make it smaller or faster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from polymodal.compression.quantisation import Int8
from polymodal.errors import PolymodalError

MOST_PRUNED = 0.95


class CompressionError(PolymodalError):
    """Nothing was asked for, or what was asked for contradicts itself."""


@dataclass(frozen=True)
class Changes:
    """What is done, in this order; each is left out by default.

    Args:
        distil: a student's recipe: what is smaller than in the trained network.
        prune: share of the weights that are set to zero, or of the channels that are taken out.
        structured: take whole channels and hidden units out, which makes the file smaller and the
            network faster; single zeros do neither.
        bf16: keep the weights in 16 bits: half the file, the same speed.
        int8: compute with whole numbers of 8 bits: "dynamic" or "static".
        recover: epochs of training after pruning.

    Raises:
        CompressionError: nothing is asked for, or an option is out of range.
    """

    distil: Path | None = None
    prune: float = 0.0
    structured: bool = False
    bf16: bool = False
    int8: Int8 | None = None
    recover: int = 3

    def __post_init__(self) -> None:
        if not (self.distil or self.prune or self.bf16 or self.int8):
            raise CompressionError(
                "Nothing to do: ask for --int8 dynamic, --int8 static, --prune 0.5, --bf16 or "
                "--distil student.yaml; several go together."
            )
        if not 0 <= self.prune <= MOST_PRUNED:
            raise CompressionError(
                f"--prune {self.prune:g}: a share from 0 to {MOST_PRUNED:g} of the weights can go."
            )
        if self.structured and not self.prune:
            raise CompressionError("--structured says how to prune: add --prune 0.5.")
        if self.recover < 0:
            raise CompressionError(f"--recover {self.recover}: epochs are not negative.")

    @property
    def words(self) -> list[str]:
        """What is done, for people."""
        found = ["distilled"] if self.distil else []
        if self.prune:
            how = "of the channels" if self.structured else "of the weights"
            found.append(f"without {self.prune:.0%} {how}")
        found += ["bf16"] if self.bf16 else []
        return found + ([f"int8 {self.int8}"] if self.int8 else [])

    @property
    def suffix(self) -> str:
        """What a folder's name tells of it."""
        found = ["student"] if self.distil else []
        if self.prune:
            found.append(f"{'narrow' if self.structured else 'sparse'}{100 * self.prune:.0f}")
        found += ["bf16"] if self.bf16 else []
        return "-".join(found + ([f"int8-{self.int8}"] if self.int8 else []))
