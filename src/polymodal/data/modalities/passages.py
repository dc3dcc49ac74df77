"""Several texts in one cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from polymodal.data.media import Shown, as_list, is_missing, remark
from polymodal.data.modalities.modality import Modality
from polymodal.data.modalities.tags import LONGEST_TAG
from polymodal.data.modalities.text import Text, reads_like_text
from polymodal.data.summary import ColumnSummary
from polymodal.errors import NothingThere


class Passages(Modality):
    """A list of texts (JSON text, too) as token ids ``(T, L)`` int32, padded with 0.

    Each text is read as one of modality ``text`` is. As a target they are the references of one
    row: in training one of them is drawn each time, and a score counts all of them.

    Args:
        texts: how many of a list are kept, the first ones; further ones are counted.
        ordered: whether the order of a list means something; otherwise it has no influence.
        vocabulary: most tokens to learn from the training part.
        max_tokens: longer texts are cut (and counted); "auto" takes what 99 % of the texts
            need, at most 256.
        lowercase: whether upper and lower case are the same.
        units: what tokens are made of: "words", or single "characters".
        tokenizer: a tokenizer of the `tokenizers` library as its JSON text, instead of learning
            one.
    """

    name: ClassVar[str] = "passages"
    ragged: ClassVar[bool] = True

    def __init__(
        self,
        *,
        texts: int = 16,
        ordered: bool = False,
        vocabulary: int = 8000,
        max_tokens: int | Literal["auto"] = "auto",
        lowercase: bool = True,
        units: Literal["words", "characters"] = "words",
        tokenizer: str | None = None,
    ) -> None:
        if texts < 1:
            raise ValueError(f"A list of texts needs at least 1 of them, not {texts}.")
        self.texts, self.ordered = texts, ordered
        self.text = Text(
            vocabulary=vocabulary,
            max_tokens=max_tokens,
            lowercase=lowercase,
            units=units,
            tokenizer=tokenizer,
        )

    @classmethod
    def recognise(cls, column: ColumnSummary) -> float:
        """Lists of strings that are longer than labels, or read like sentences."""
        lists = [as_list(cell) for cell in column.sample]
        parts = [part for cell in lists if cell is not None for part in cell]
        if not parts or any(cell is None for cell in lists):
            return 0.0
        if not all(isinstance(part, str) for part in parts):
            return 0.0
        long = sum(len(part) > LONGEST_TAG or reads_like_text(part) for part in parts)
        return 0.92 if long >= 0.5 * len(parts) else 0.0

    def fit(self, cells: Sequence[Any]) -> None:
        """Learn the tokens, and how many a text needs."""
        self.text.fit([part for cell in cells for part in as_list(cell) or [cell]])

    @property
    def max_length(self) -> int:
        """Texts kept of one list."""
        return self.texts

    @property
    def limit(self) -> str:
        """How many texts a list may hold, in words."""
        return f"{self.texts} texts"

    def facts(self) -> dict[str, Any]:
        """The number of token ids, and whether order counts."""
        return self.text.facts() | {"ordered": self.ordered}

    def decode(self, cell: Any) -> np.ndarray:
        """Token ids and 1 ``(T, L)`` int32: a row for each text, 0 after its end."""
        listed = as_list(cell)
        parts = [part for part in ([cell] if listed is None else listed) if not is_missing(part)]
        if not parts:
            raise NothingThere("empty list", "no text in it")
        ids = [self.text.decode(part) for part in parts]
        most = self.text.max_tokens
        longer = sum(len(text) > most for text in ids)
        if longer:
            remark(f"texts longer than {most} tokens, and cut there", f"{longer} of {len(ids)}")
        array = np.zeros((len(ids), most), np.int32)
        for row, text in zip(array, ids, strict=True):
            # Of a given tokenizer the id 0 may be a word.
            row[: len(text)] = text[:most] + 1
        return array

    def blank(self) -> np.ndarray:
        """One empty text."""
        return np.zeros((1, self.text.max_tokens), np.int32)

    def restore(self, array: np.ndarray) -> list[Any]:
        """The texts of token ids ``(N, L)``, one for each row."""
        return self.text.restore(array)

    def references(self, cell: Any) -> tuple[str, ...]:
        """The texts that would be right where this cell is the target: all that it holds."""
        listed = as_list(cell)
        parts = [cell] if listed is None else listed
        texts = (
            one for part in parts if not is_missing(part) for one in self.text.references(part)
        )
        return tuple(texts)

    def summarise(self, array: np.ndarray) -> np.ndarray:
        """Counts of tokens and pairs, as of one text, and how many texts there are."""
        counts = self.text.summarise(array[array > 0] - 1)
        return np.append(counts, len(array)).astype(np.float32)

    def show(self, cell: Any) -> Shown:
        """The texts, a line for each."""
        parts = as_list(cell)
        lines = [f"• {part}" for part in ([cell] if parts is None else parts)]
        return Shown("text", "\n".join(lines))

    def state(self) -> dict[str, Any]:
        """What single texts learn, the length, and whether order counts."""
        return {"texts": self.texts, "ordered": self.ordered, "text": self.text.state()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` gave."""
        self.texts, self.ordered = state["texts"], state["ordered"]
        self.text.load_state(state["text"])
