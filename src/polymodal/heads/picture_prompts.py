"""Prompts with pictures, as the processor of a vision-language model makes them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from polymodal.errors import RecipeError
from polymodal.heads.processor_files import from_texts, picture_processor, texts_of
from polymodal.heads.prompt import Piece, pieces

Cells = Mapping[str, Sequence[Tensor]]
"""Of one row: column -> token ids ``(T,)`` of a text, or its pictures ``(C, H, W)``."""


class PicturePrompts:
    """From a row's cells to what a vision-language model reads.

    Args:
        processor: of the model.
        parts: pieces of the prompt.
        chat: whether the prompt is a message of a user.
        files: those of the processor, as texts.
    """

    def __init__(
        self, processor: Any, parts: Sequence[Piece], *, chat: bool, files: dict[str, str]
    ) -> None:
        tokenizer = processor.tokenizer
        # Rows of different length are filled up before their first token, and what fills is masked:
        # any token will do.
        tokenizer.padding_side = "left"
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
        self.processor, self.parts, self.chat = processor, list(parts), chat
        self.settings = {"pieces": [list(part) for part in parts], "chat": chat}
        """Plain JSON to make it again, together with the files."""
        self.files = files

    @classmethod
    def of(cls, model: str, prompt: str, *, chat: bool | None) -> PicturePrompts:
        """Those of a model.

        Args:
            model: name on the hub or local folder.
            prompt: words, with {column} where a picture or a text stands.
            chat: whether it is a message; None where the model has a template for it.

        Raises:
            RecipeError: it is to be a message, and the model knows none; or it names the fused row.
        """
        processor = picture_processor(model)
        if chat and processor.chat_template is None:
            raise RecipeError(
                f"chat=True: the processor of {model!r} has no template for messages. Set chat to "
                "false."
            )
        files = texts_of(processor)
        chat = processor.chat_template is not None if chat is None else chat
        return cls(processor, pieces(prompt), chat=chat, files=files)

    @classmethod
    def saved(cls, settings: Mapping[str, Any], files: dict[str, str]) -> PicturePrompts:
        """Those of ``settings`` and ``files``."""
        parts = [Piece(text, column) for text, column in settings["pieces"]]
        return cls(from_texts(files), parts, chat=settings["chat"], files=files)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are named."""
        return tuple(dict.fromkeys(part.text for part in self.parts if part.column))

    @property
    def end(self) -> int | None:
        """The tokenizer's token for the end of a text."""
        end: int | None = self.processor.tokenizer.eos_token_id
        return end

    def keep_only(self, columns: Collection[str]) -> None:
        """Leave out all other columns."""
        self.parts = [part for part in self.parts if not part.column or part.text in columns]

    def batches(self, rows: Sequence[Cells]) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
        """Rows that go through the network together, and what it reads.

        Rows have one number of pictures in a batch, since processors want either none or some.

        Args:
            rows: the cells of each row.
        """
        contents = [self._content(cells) for cells in rows]
        counts = [sum(not isinstance(part, str) for part in content) for content in contents]
        for count in sorted(set(counts)):
            chosen = [row for row, other in enumerate(counts) if other == count]
            yield chosen, self._processed([contents[row] for row in chosen])

    def _content(self, cells: Cells) -> list[str | Tensor]:
        """A row's prompt: words, and pictures where they stand; what is absent leaves a gap."""
        content: list[str | Tensor] = []
        for text, column in self.parts:
            held = cells[text] if column else text
            if isinstance(held, str | Tensor):
                words = held if isinstance(held, str) else self._words(held)
                if content and isinstance(content[-1], str):
                    words = str(content.pop()) + words
                content += [words] if words else []
            else:
                content += held
        return content

    def _words(self, ids: Tensor) -> str:
        """A text that a cell holds; what stands for a picture in the model's language is left out.

        Else a text that holds such a word would ask for a picture that is not there.
        """
        text: str = self.processor.tokenizer.decode(ids.tolist(), skip_special_tokens=True)
        for name in ("image_token", "video_token"):
            token = getattr(self.processor, name, None)
            text = text.replace(str(token), "") if token else text
        return text

    def _processed(self, contents: Sequence[Sequence[str | Tensor]]) -> dict[str, Tensor]:
        pictures = [[p for p in content if not isinstance(p, str)] for content in contents]
        texts = [self._text(content) for content in contents]
        start = self.processor.tokenizer.bos_token
        inputs = self.processor(
            text=texts,
            images=pictures if pictures[0] else None,
            padding=True,
            return_tensors="pt",
            # A template writes the first token itself where the model wants one.
            add_special_tokens=not (start and texts[0].startswith(start)),
        )
        return dict(inputs)

    def _text(self, content: Sequence[str | Tensor]) -> str:
        if not self.chat:
            mark = self.processor.image_token
            return "".join(part if isinstance(part, str) else mark for part in content)
        said = [
            {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}
            for part in content
        ]
        message = [{"role": "user", "content": said}]
        text: str = self.processor.apply_chat_template(
            message, tokenize=False, add_generation_prompt=True
        )
        return text
