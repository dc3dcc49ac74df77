"""Sentences, in any language."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Sequence
from datetime import date, time
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from polymodal.data.media import Shown, spread
from polymodal.data.modalities.modality import Modality
from polymodal.data.summary import ColumnSummary
from polymodal.data.token_variation import TokenVariation, hide_tokens
from polymodal.errors import CellError

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from polymodal.data.pytorch import torch

PADDING = "[PAD]"
# What tokenizers of pretrained networks call a token that says nothing; ours have padding only.
HIDDEN = ("[MASK]", "<mask>", "[UNK]", "<unk>", PADDING)
LONGEST_AUTO_TOKENS = 256
# Han, kana and hangul: scripts in which a character says as much as a word elsewhere.
IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
BUCKETS = 256


class Text(Modality):
    """Text of any language as token ids ``(T,)`` int32, by byte-level BPE or a given tokenizer.

    Nothing is ever out of vocabulary: rare words fall apart into bytes. Chinese, Japanese and
    Korean characters are tokens of their own. A list of strings is read as one text of many lines.
    As a target it is written token by token; of a text that is written, letters keep their case
    unless ``lowercase`` says otherwise.

    Args:
        vocabulary: most tokens to learn from the training part.
        max_tokens: longer texts are cut (and counted); "auto" takes what 99 % of the texts
            need, at most 256.
        lowercase: whether upper and lower case are the same.
        units: what tokens are made of: "words", whose frequent parts are tokens, or single
            "characters", which is what aligned speech wants.
        tokenizer: a tokenizer of the `tokenizers` library as its JSON text, instead of learning
            one; a pretrained encoder brings its own.
        augment: random variations in training, any of "token_dropout" (tokens hidden one by one)
            and "span_mask" (a stretch of tokens hidden); a text keeps at least one token.
        share: how much of a text is hidden: the chance of each token, and the longest stretch.

    Raises:
        ValueError: ``share`` is not between 0 and 1.
    """

    name: ClassVar[str] = "text"
    ragged: ClassVar[bool] = True

    def __init__(
        self,
        *,
        vocabulary: int = 8000,
        max_tokens: int | Literal["auto"] = "auto",
        lowercase: bool = True,
        units: Literal["words", "characters"] = "words",
        tokenizer: str | None = None,
        augment: tuple[TokenVariation, ...] = (),
        share: float = 0.1,
    ) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"share must lie between 0 and 1, not {share}.")
        self.variations, self.share = augment, share
        self.most = vocabulary
        self.max_tokens = 0 if max_tokens == "auto" else max_tokens
        self.lowercase, self.units = lowercase, units
        self.tokenizer = None if tokenizer is None else Tokenizer.from_str(tokenizer)
        if self.tokenizer is not None:
            self.tokenizer.no_padding()
            self.tokenizer.no_truncation()

    @classmethod
    def recognise(cls, column: ColumnSummary) -> float:
        """Strings, or lists of strings, that read like words or sentences."""
        texts = [_joined(cell) for cell in column.sample if _is_text(cell)]
        if len(texts) < 0.95 * len(column.sample) or not texts:
            return 0.0
        return 0.5 + 0.35 * sum(map(reads_like_text, texts)) / len(texts)

    def fit(self, cells: Sequence[Any]) -> None:
        """Learn the tokens, and how many a text needs."""
        texts = []
        for cell in cells:
            try:
                texts.append(_written(cell))
            except CellError:
                continue  # packing reports it, with its row
        if self.tokenizer is None:
            self.tokenizer = _train(texts, self.most, lowercase=self.lowercase, units=self.units)
        if not self.max_tokens:
            encoded = self.tokenizer.encode_batch(spread(texts, 5000))
            lengths = [len(e.ids) for e in encoded] or [1]
            usual = 1.5 * float(np.percentile(lengths, 99)) + 2
            self.max_tokens = int(min(usual, LONGEST_AUTO_TOKENS))

    @property
    def max_length(self) -> int:
        """Tokens kept of one text."""
        return self.max_tokens

    @property
    def vocabulary(self) -> int:
        """How many token ids there are; id 0 is padding."""
        assert self.tokenizer is not None, "fit first"
        return self.tokenizer.get_vocab_size()

    def facts(self) -> dict[str, Any]:
        """The number of token ids, and of tokens of the longest text."""
        return {"vocabulary": self.vocabulary, "length": self.max_tokens}

    def decode(self, cell: Any) -> np.ndarray:
        """Token ids ``(T,)`` int32."""
        assert self.tokenizer is not None, "fit first"
        text = _written(cell)
        ids = self.tokenizer.encode(text).ids
        if not ids:
            raise CellError("text without content", repr(text[:40]))
        return np.asarray(ids, dtype=np.int32)

    def blank(self) -> np.ndarray:
        """One token of padding."""
        return np.zeros(1, np.int32)

    def restore(self, array: np.ndarray) -> list[Any]:
        """The texts of token ids ``(N, L)``, which end at the first -1."""
        assert self.tokenizer is not None, "fit first"
        kept = [ids[: int((ids < 0).argmax()) if (ids < 0).any() else None] for ids in array]
        return [text.strip() for text in self.tokenizer.decode_batch([i.tolist() for i in kept])]

    def references(self, cell: Any) -> tuple[str, ...]:
        """The texts that would be right where this cell is the target: the one it holds."""
        return (_written(cell),)

    def summarise(self, array: np.ndarray) -> np.ndarray:
        """How often each token and pair of tokens occurs, hashed into 256 counts (logarithms)."""
        counts = np.zeros(BUCKETS, np.float32)
        ids = array.tolist()
        for gram in [*((i,) for i in ids), *pairwise(ids)]:
            counts[zlib.crc32(np.asarray(gram, np.int32).tobytes()) % BUCKETS] += 1
        return np.log1p(counts)

    def show(self, cell: Any) -> Shown:
        """The text itself."""
        return Shown("text", _written(cell))

    def state(self) -> dict[str, Any]:
        """The tokenizer and the greatest length."""
        assert self.tokenizer is not None, "fit first"
        return {"max_tokens": self.max_tokens, "tokenizer": json.loads(self.tokenizer.to_str())}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` gave."""
        self.max_tokens = state["max_tokens"]
        self.tokenizer = Tokenizer.from_str(json.dumps(state["tokenizer"]))

    @property
    def augments(self) -> bool:
        """Whether a variation was asked for."""
        return bool(self.variations)

    def augment(
        self, values: Tensor, generator: torch.Generator, mask: Tensor | None = None
    ) -> Tensor:
        """Some token ids of each ``(U, T)`` replaced by one that says nothing."""
        if not self.augments:
            return values
        assert self.tokenizer is not None, "fit first"
        special = [i for i, t in self.tokenizer.get_added_tokens_decoder().items() if t.special]
        free = torch.isin(values, torch.tensor(special, dtype=values.dtype), invert=True)
        free = free if mask is None else free & mask
        return hide_tokens(
            values, free, self.variations, generator, share=self.share, instead=self.hidden
        )

    @property
    def hidden(self) -> int:
        """Id of the token that stands for a hidden one."""
        assert self.tokenizer is not None, "fit first"
        ids = [self.tokenizer.token_to_id(name) for name in HIDDEN]
        return next((i for i in ids if i is not None), 0)


def reads_like_text(text: str) -> bool:
    """Whether a string reads like words: several of them, or three or more ideographs.

    >>> reads_like_text("one red bus"), reads_like_text("老板娘"), reads_like_text("A-17b")
    (True, True, False)
    """
    words = re.findall(r"[^\W\d_]{2,}", text)
    return len(words) >= 3 or len(re.findall(f"[{IDEOGRAPHS}]", text)) >= 3


def _is_text(cell: Any) -> bool:
    if isinstance(cell, list | tuple):
        return bool(cell) and all(isinstance(part, str) for part in cell)
    return isinstance(cell, str)


def _written(cell: Any) -> str:
    """A cell as text: strings, lists of strings, numbers, dates."""
    if isinstance(cell, list | tuple):
        return "\n".join(_written(part) for part in cell if part is not None)
    if not isinstance(cell, str | int | float | np.number | Decimal | date | time):
        raise CellError("not a text", type(cell).__name__)
    text = str(cell)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise CellError("damaged text", "half a character (a lone surrogate)") from error
    return text


def _joined(cell: str | Sequence[str]) -> str:
    return cell if isinstance(cell, str) else "\n".join(cell)


def _train(texts: Sequence[str], vocabulary: int, *, lowercase: bool, units: str) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    steps: list[Any] = [normalizers.NFKC()]
    if lowercase:
        steps.append(normalizers.Lowercase())
    tokenizer.normalizer = normalizers.Sequence([*steps, normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(f"[{IDEOGRAPHS}]" if units == "words" else "."), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=[PADDING],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer
