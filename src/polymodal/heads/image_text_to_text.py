"""A whole pretrained vision-language model that reads pictures and texts as they are.

Letters: B rows · S tokens of a prompt · T symbols of a text · N numbers of a row's cells · V token
ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from polymodal.backbone import Training, bare_rules
from polymodal.batch import Fused
from polymodal.errors import RecipeError
from polymodal.heads.adapted_network import Adaptation, Keep, NumberFormat
from polymodal.heads.autoregressive import Autoregressive
from polymodal.heads.cells_in_a_row import packed, unpacked
from polymodal.heads.decoding import State
from polymodal.heads.generation import Decoding, checked_sizes
from polymodal.heads.key_values import named
from polymodal.heads.next_symbol import NextSymbol
from polymodal.heads.picture_prompts import PicturePrompts
from polymodal.heads.processor_files import picture_processor, wanted_pictures
from polymodal.heads.prompt import columns_of
from polymodal.heads.prompted import Prompted
from polymodal.heads.vision_language_model import Told, VisionLanguageModel, last_position

PICTURES = ("image", "gallery")


class ImageTextToText(Autoregressive, Prompted):
    """Writes with a whole pretrained vision-language model, which reads pictures and texts itself.

    Qwen-VL, LLaVA, SmolVLM, Idefics and other models that transformers knows as
    ``image-text-to-text``. Each row is one prompt with all its pictures and texts, made by the
    model's own processor and template for messages; with "lora", small matrices beside its linear
    layers are trained (Hu et al. 2022, https://arxiv.org/abs/2106.09685).

    When to choose it: such a model is at hand and pictures with words are all that is to be read.
    It already knows much, so that little data is enough; a row costs as much as the model is
    large. With numbers, sounds or many columns choose ``causal_lm``, for closed questions a
    classification.

    Args:
        width: of the fused vector, which is not read.
        vocabulary: token ids of the model's tokenizer.
        length: most tokens of a text.
        branches: column -> pixels of a picture's side, 1 of texts.
        inputs: column -> its modality, of those that are read.
        model: name on the hub ("HuggingFaceTB/SmolVLM-256M-Instruct") or a local folder.
        train: "lora" (small matrices beside linear layers), "frozen" (nothing) or "full" (all
            weights).
        prompt: words, with {column} where a picture or a text stands; None for all pictures, then
            the texts with their names.
        chat: whether the prompt is a message of a user, as chat models know it; None where the
            model has a template for it.
        rank: with "lora", rank of the small matrices.
        dtype: format of the model's weights; "bfloat16" takes half the memory.
        checkpointing: whether layers are computed again in the backward pass, to save memory.
        keep: "adapter" saves what was trained, and takes the model from its place again; "all"
            saves the model, too.
        beams: texts followed side by side; 1 takes the likeliest token at each step.
        length_penalty: exponent of a text's length when beams are compared; 0 favours short ones.
        temperature: 0 takes the likeliest token; above 0, tokens are drawn at random.
        top_k: tokens that may be drawn, the likeliest ones; 0 for all.
        top_p: tokens are drawn from the likeliest ones that hold this share of the probability.
        config: ``config`` of a saved head.

    Raises:
        RecipeError: the model cannot be found or is of another kind, or an option does not fit.
        MissingExtra: transformers or peft is needed and not installed.
    """

    readable = frozenset({"text", *PICTURES})
    reads_row = False
    rows_at_once = 16

    def __init__(
        self,
        width: int,
        vocabulary: int,
        length: int,
        branches: Mapping[str, int],
        inputs: Mapping[str, str],
        model: str,
        *,
        train: Training = "lora",
        prompt: str | None = None,
        chat: bool | None = None,
        rank: int = 8,
        dtype: NumberFormat = "float32",
        checkpointing: bool = False,
        keep: Keep = "adapter",
        beams: int = 1,
        length_penalty: float = 1.0,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        config: dict[str, Any] | None = None,
    ) -> None:
        decoding = Decoding(beams, length_penalty, temperature, top_k, top_p)
        super().__init__(length, decoding=decoding, label_smoothing=0.0)
        checked_sizes(width, vocabulary, length)
        read = {name: kind for name, kind in inputs.items() if kind in self.readable}
        if config is None:
            text = usual_prompt(read) if prompt is None else prompt
            self.prompts = PicturePrompts.of(model, text, chat=chat)
        else:
            self.prompts = PicturePrompts.saved(config["prompts"], config["files"])
        # A rival that learns from fewer columns has the same prompt without the others.
        self.prompts.keep_only(read)
        self.reads = tuple(name for name in branches if name in self.prompts.columns)
        if not self.reads:
            raise RecipeError(
                f"image_text_to_text with {model!r} reads pictures and texts, and its prompt names "
                "none of the inputs. Name one as {column}, or set prompt to null."
            )
        self._sides = {n: branches[n] if read[n] in PICTURES else 0 for n in self.reads}
        self.network = VisionLanguageModel(
            model,
            vocabulary,
            Adaptation(train, rank, dtype, keep, checkpointing),
            saved=config,
        )
        ends = config["ends"] if config else _ends(self.prompts.end, self.network.ends)
        self.next_symbol = NextSymbol(vocabulary, ends, self.network.width)
        self.config = self.network.settings | {
            "prompts": self.prompts.settings,
            "files": self.prompts.files,
            "ends": ends,
        }
        """Plain JSON to keep with the weights: rebuilds the head."""

    @classmethod
    def as_is(cls, prompt: str | None, inputs: Mapping[str, str]) -> tuple[str, ...]:
        """The pictures and texts that the prompt names; all of them without a prompt."""
        readable = [name for name, modality in inputs.items() if modality in cls.readable]
        named = readable if prompt is None else columns_of(prompt)
        return tuple(name for name in readable if name in named)

    @staticmethod
    def preprocessing(model: str, modality: str) -> dict[str, Any]:
        """``tokenizer`` as JSON for texts; size, channels and way of resizing for pictures."""
        processor = picture_processor(model)
        if modality in PICTURES:
            return wanted_pictures(processor.image_processor)
        return {"tokenizer": bare_rules(processor.tokenizer)}

    @property
    def number_format(self) -> torch.dtype:
        """That of cells, which must stay exact."""
        return torch.float32

    def read(self, fused: Fused) -> Tensor:
        """The row's cells as they are: ``(B, 1, N + 1)``, or ``(B, M, 1, N + 1)``."""
        assert fused.branches is not None
        numbers = packed({name: fused.branches[name] for name in self.reads}, self._sides)
        numbers = torch.cat([numbers, torch.ones_like(numbers[:, :1])], 1)[:, None]
        if fused.vector.ndim == 2:
            return numbers
        return numbers[:, None].expand(-1, fused.vector.shape[1], -1, -1)

    def taught(self, x: Tensor, mask: Tensor, symbols: Tensor, counts: Tensor) -> Tensor:
        """Logits of each next symbol that counts, of prompt and text read at once."""
        ids, there = (symbols[:, 1:] - 1).clamp_min(0), counts[:, 1:]
        order, parts = [], []
        for rows, inputs in self._prompted(x):
            told = self.network.taught(inputs, ids[rows], there[rows], hidden=self._hidden)
            parts.append(self._said(told))
            order.append(rows)
        return torch.cat(parts)[torch.cat(order).argsort()][counts]

    def begin(self, x: Tensor, mask: Tensor) -> State:
        """Keys and values of the prompts, and what is said of the first symbol."""
        fixed, moving, order = [], [], []
        for rows, inputs in self._prompted(x):
            told = self.network.begin(inputs, hidden=self._hidden)
            place = last_position(self.network.positions(inputs))
            fixed.append((inputs["attention_mask"].bool(), place, self._said(told)[:, -1]))
            moving.append(told.cache)
            order.append(rows)
        back = torch.cat(order).argsort()
        masks, places, first = zip(*fixed, strict=True)
        longest = max(there.shape[1] for there in masks)
        cache = [
            torch.cat([_filled(part, longest) for part in layer])[back]
            for layer in zip(*moving, strict=True)
        ]
        mask = torch.cat([pad(there, (longest - there.shape[1], 0)) for there in masks])
        known = {"mask": mask, "place": torch.cat(places), "first": torch.cat(first)}
        return State({name: part[back] for name, part in known.items()}, named(cache))

    def step(self, symbols: Tensor, state: State) -> tuple[Tensor, State]:
        """The logits of the next symbol, and the next state."""
        following = replace(state, steps=state.steps + 1)
        if not state.steps:
            return state.fixed["first"], following
        mask = state.fixed["mask"]
        told = self.network.step(
            (symbols - 1).clamp_min(0),
            torch.cat([mask, mask.new_ones(len(mask), state.steps)], 1),
            state.fixed["place"] + state.steps,
            list(state.moving.values()),
            hidden=self._hidden,
        )
        return self._said(told)[:, -1], replace(following, moving=named(told.cache))

    @property
    def _hidden(self) -> bool:
        return self.next_symbol.learned

    def _said(self, told: Told) -> Tensor:
        said: Tensor = self.next_symbol(told.logits, told.hidden)
        return said

    def _prompted(self, x: Tensor) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        """Rows with the same number of pictures, and their prompts as the network reads them."""
        cells = unpacked(x[:, 0].cpu(), self._sides)
        for rows, inputs in self.prompts.batches(cells):
            moved = {name: part.to(x.device) for name, part in inputs.items()}
            yield (
                torch.tensor(rows, device=x.device),
                {
                    name: part.to(self.network.number_format) if part.is_floating_point() else part
                    for name, part in moved.items()
                },
            )


def usual_prompt(inputs: Mapping[str, str]) -> str:
    r"""The prompt where none was given.

    Example:
        >>> usual_prompt({"question": "text", "photo": "image"})
        '{photo}question: {question}'
    """
    pictures = [f"{{{name}}}" for name, kind in inputs.items() if kind in PICTURES]
    texts = [f"{name}: {{{name}}}" for name, kind in inputs.items() if kind == "text"]
    return "".join(pictures) + "\n".join(texts)


def _ends(own: int | None, others: list[int]) -> list[int]:
    """Token ids that end a text: the tokenizer's, and those that the network writes."""
    return sorted({*others, own} - {None}) if own is not None else []


def _filled(part: Tensor, length: int) -> Tensor:
    """Keys or values ``(B, heads, S, D / heads)`` with nothing before them, up to a length."""
    return pad(part, (0, 0, length - part.shape[2], 0))
