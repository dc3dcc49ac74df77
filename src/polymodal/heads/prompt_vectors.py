"""A prompt as the vectors that a language model reads: its words, texts and what encoders made.

Letters: B rows · M branches · S vectors of a prompt · D width of the language model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from polymodal.backbone import fast_tokenizer
from polymodal.batch import Fused
from polymodal.errors import RecipeError
from polymodal.heads.processor_files import texts_of
from polymodal.heads.prompt import ROW, Piece, pieces

_HERE = "(the prompt)"
Part = tuple[Tensor, Tensor]
"""Vectors ``(B, T, D)`` and which of them are there ``(B, T)``."""


class PromptVectors(nn.Module):
    """Puts together what a language model reads of each row.

    Args:
        written: what :func:`tokenized` gave.
        branches: branch -> width of its encoder.
        texts: those of them whose tokens are the model's token ids.
        row: width of the fused vector and tokens.
        width: of the model's vectors.
        spread: standard deviation of their numbers.
    """

    def __init__(
        self,
        written: Mapping[str, Any],
        *,
        branches: Mapping[str, int],
        texts: Collection[str],
        row: int,
        width: int,
        spread: float,
    ) -> None:
        super().__init__()
        self.words, self.start = written["words"], written["start"]
        self.texts = frozenset(texts)
        # A rival that learns from fewer columns has the same prompt without the others.
        parts = [Piece(text, column) for text, column in written["prompt"]]
        self.parts = [p for p in parts if not p.column or p.text in branches or p.text == ROW]
        named = [part.text for part in self.parts if part.column]
        self.reads = tuple(name for name in branches if name in named)
        """The branches that it names."""
        sizes = {name: branches[name] for name in self.reads if name not in self.texts}
        if ROW in named and ROW not in branches:
            sizes[ROW] = row
        self.projected = list(sizes)
        self.projections = nn.ModuleList(_projection(s, width, spread) for s in sizes.values())
        # A prompt must never be empty, whatever is absent in a row.
        sure = self.start or any(not p.column or p.text == ROW for p in self.parts)
        self.first = None if sure else nn.Parameter(torch.randn(width) * spread)

    def forward(self, fused: Fused, embeddings: nn.Module) -> Part:
        """Vectors ``(B, S, D)`` and their mask ``(B, S)``; what is there comes last.

        Args:
            fused: the rows.
            embeddings: from token ids to the model's vectors.
        """
        found = [self._start(fused, embeddings)]
        for part in self.parts:
            if not part.column:
                found.append(self._ids(self.words[part.text], fused, embeddings))
            elif part.text in self.texts:
                tokens = (fused.branches or {})[part.text]
                assert tokens.mask is not None
                ids = torch.where(tokens.mask, tokens.x[..., 0], 0.0).long()
                found.append((embeddings(ids), tokens.mask))
            else:
                found.append(self._projected(part.text, fused))
        given = [part for part in found if part is not None]
        mask = torch.cat([there for _, there in given], 1)
        # The next symbol follows the last vector, so gaps go to the front.
        order = mask.long().argsort(dim=1, stable=True)[:, -int(mask.sum(1).max()) :]
        x = torch.cat([part.float() for part, _ in given], 1)
        x, mask = x.gather(1, order[..., None].expand(-1, -1, x.shape[2])), mask.gather(1, order)
        return torch.where(mask[..., None], x, 0.0), mask

    def _start(self, fused: Fused, embeddings: nn.Module) -> Part | None:
        if self.first is not None:
            return self.first.expand(len(fused.vector), 1, -1), _every(fused, 1)
        return self._ids(self.start, fused, embeddings) if self.start else None

    def _ids(self, ids: list[int], fused: Fused, embeddings: nn.Module) -> Part:
        tensor = torch.tensor(ids, device=fused.vector.device).expand(len(fused.vector), -1)
        return embeddings(tensor), _every(fused, len(ids))

    def _projected(self, name: str, fused: Fused) -> Part:
        """A branch, or the row, among the model's own vectors."""
        x, mask = fused.vector[:, None], _every(fused, 1)
        if name in self.reads:
            x, there, _ = (fused.branches or {})[name]
            assert there is not None
            mask = there
        elif fused.experts is None:
            x, mask = torch.cat([x, fused.tokens], 1), torch.cat([mask, fused.mask], 1)
        # Chosen, not multiplied: NaN times zero is NaN.
        x = self.projections[self.projected.index(name)](torch.where(mask[..., None], x, 0.0))
        return x, mask


def _every(fused: Fused, count: int) -> Tensor:
    return torch.ones(len(fused.vector), count, dtype=torch.bool, device=fused.vector.device)


def _projection(size: int, width: int, spread: float) -> nn.Sequential:
    """To vectors that are as large as those of tokens."""
    last = nn.LayerNorm(width)
    nn.init.constant_(last.weight, spread)
    return nn.Sequential(
        nn.LayerNorm(size), nn.Linear(size, width), nn.GELU(), nn.Linear(width, width), last
    )


def usual_prompt(branches: Collection[str], texts: Collection[str]) -> str:
    r"""The prompt where none was given: the row, then the texts with their names.

    Example:
        >>> usual_prompt(["photo", "question"], ["question"])
        '{row}\nquestion: {question}\n'
    """
    lines = [f"{name}: {{{name}}}\n" for name in branches if name in texts]
    row = [f"{{{ROW}}}\n"] if set(branches) - set(texts) else []
    return "".join([*row, *lines])


def tokenized(model: str, prompt: str, chat: bool | None) -> dict[str, Any]:
    """A prompt's pieces, the token ids of its words, and the tokens for start and end of a text.

    Args:
        model: name on the hub or local folder.
        prompt: see :func:`~polymodal.heads.prompt.pieces`.
        chat: whether it is a message of a user; None where the model has a template for such.

    Raises:
        RecipeError: it is to be a message, and the model knows none.
    """
    tokenizer = fast_tokenizer(model)
    if chat and tokenizer.chat_template is None:
        raise RecipeError(f"chat: {model!r} has no template for messages. Set chat to false.")
    parts = pieces(prompt)
    start = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    if chat or (chat is None and tokenizer.chat_template is not None):
        message = [{"role": "user", "content": _HERE}]
        whole = tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        before, _, after = whole.partition(_HERE)
        # The template writes the first token itself where the model wants one.
        start = []
        parts = [Piece(before, False), *parts, Piece(after, False)]
    words = {
        part.text: tokenizer.encode(part.text, add_special_tokens=False)
        for part in parts
        if not part.column
    }
    return {
        "prompt": [list(part) for part in parts if part.column or words[part.text]],
        "words": words,
        "start": start,
        "end": tokenizer.eos_token_id,
        "files": texts_of(tokenizer),
    }
