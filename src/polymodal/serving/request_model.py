"""What a client may send: made from the schema, checked by pydantic, shown as OpenAPI."""

from __future__ import annotations

import base64
import binascii
import io
import math
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from pydantic_core import PydanticCustomError

from polymodal.data.media import is_missing
from polymodal.data.modalities import Category, Image, Modality, Vector
from polymodal.data.schema import Schema
from polymodal.data.table import columns_named
from polymodal.errors import nearest
from polymodal.serving.limits import Limits
from polymodal.serving.problem import Mistake, Problem, unreadable

MOST_CHOICES = 200  # values that are listed in the OpenAPI description
MOST_TEXTS = 1000  # of a list
FILES = {
    "image": "a picture's file", "audio": "a sound's file", "video": "a video's file",
    "gallery": "pictures' files", "points": "a point cloud's file", "series": "a .npy file",
    "vector": "a .npy file",
}  # fmt: skip


def _from_base64(value: Any) -> bytes:
    if not isinstance(value, str):
        raise PydanticCustomError("base64", "text in base64")
    if value[:5] == "data:":
        value = value.partition(",")[2]
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise PydanticCustomError("base64", "text in base64") from error


Media = Annotated[
    bytes,
    BeforeValidator(_from_base64),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]
Number = Annotated[StrictFloat, Field(allow_inf_nan=False)] | StrictInt
Numbers = list[Number | None]


@dataclass(frozen=True)
class InputField:
    """One thing that a client may send.

    Args:
        name: what the client calls it.
        columns: the input columns that read it: a video may be seen and heard.
        modality: that says what it is.
        title: an example of the training table.
    """

    name: str
    columns: tuple[str, ...]
    modality: Modality
    title: str

    @property
    def kind(self) -> str:
        """The name of its modality."""
        return self.modality.name

    @property
    def is_file(self) -> bool:
        """Whether the cells are files."""
        return self.modality.media

    @property
    def choices(self) -> list[Any]:
        """The values that it may have; empty where it is not of a few values."""
        return self.modality.labels if isinstance(self.modality, Category) else []

    @property
    def expected(self) -> str:
        """What is expected, in plain words."""
        if self.choices:
            listed = ", ".join(str(c) for c in self.choices[:8])
            return f"one of {listed}" + (", …" if len(self.choices) > 8 else "")
        if isinstance(self.modality, Vector):
            return f"a list of {self.modality.size} numbers, or a .npy file in base64"
        words = {
            "text": "text", "number": "a number", "timestamp": "a date or time (2024-05-31 17:05)",
            "geo": 'a place ({"lat": 48.1, "lon": 11.6})', "tags": "a list of labels",
            "passages": "a list of texts", "series": "a list of numbers for each step, or a .npy "
            "file in base64", "gallery": "a list of pictures' files, each in base64",
        }  # fmt: skip
        return words.get(self.kind) or f"the content of {FILES[self.kind]} in base64"

    def annotation(self, limits: Limits) -> Any:
        """The type that pydantic checks."""
        text = Annotated[StrictStr, Field(max_length=limits.characters)]
        short = Annotated[StrictStr, Field(max_length=200)]
        kinds: dict[str, Any] = {
            "text": text,
            "passages": Annotated[list[text], Field(max_length=MOST_TEXTS)] | text,
            "tags": Annotated[list[short | StrictInt], Field(max_length=MOST_TEXTS)] | text,
            "category": short | StrictBool | StrictInt | StrictFloat,
            "number": Number | short,
            "timestamp": short | Number,
            "geo": dict[short, Number] | list[Number] | short,
            "gallery": Annotated[list[Media], Field(max_length=100)] | Media,
            "series": list[Numbers] | Numbers | Media,
            "vector": Numbers | Media,
        }
        return kinds.get(self.kind, Media)

    def from_upload(self, content: bytes | str) -> Any:
        """What a part of a form means as JSON would have it.

        Raises:
            ValueError: a text is not UTF-8.
        """
        if self.is_file or isinstance(content, str):
            return content
        return content.decode("utf-8")

    @cached_property
    def example(self) -> Any:
        """Something that can be sent; None where there is nothing short."""
        blank = self.modality.blank()
        if isinstance(self.modality, Image):
            file = io.BytesIO()
            self.modality.restore(np.full_like(blank, 128)[None])[0].save(file, "PNG")
            return base64.b64encode(file.getvalue()).decode()
        if self.kind == "audio":
            return base64.b64encode(_tone()).decode()
        if self.choices:
            return self.choices[0]
        made = {
            "text": self.title, "passages": [self.title], "tags": self.title,
            "number": _number(self.title), "timestamp": self.title or "2024-05-31 17:05",
            "geo": {"lat": 48.137, "lon": 11.575}, "vector": np.zeros_like(blank).tolist(),
            "series": np.zeros_like(blank).tolist(),
        }  # fmt: skip
        return made.get(self.kind)


class RequestModel:
    """What a client may send to one model.

    Args:
        schema: the columns.
        modalities: column -> fitted modality.
        limits: of sizes.
    """

    def __init__(self, schema: Schema, modalities: Mapping[str, Modality], limits: Limits) -> None:
        self.fields = {field.name: field for field in _fields(schema, modalities)}
        self.inputs: type[BaseModel] = create_model(
            "Inputs",
            __config__=ConfigDict(extra="forbid", hide_input_in_errors=True),
            **{
                f"input_{number}": (
                    field.annotation(limits) | None,
                    Field(None, alias=name, description=_described(field), examples=_listed(field)),
                )
                for number, (name, field) in enumerate(self.fields.items())
            },
        )  # type: ignore[call-overload]
        self.row: type[BaseModel] = create_model(
            "Row",
            __config__=ConfigDict(extra="forbid", hide_input_in_errors=True),
            inputs=(self.inputs, Field(description="Leave out, or set to null, what is missing.")),
            id=(StrictStr | StrictInt | None, Field(None, description="Comes back as it is.")),
        )

    def parse(self, body: bytes) -> tuple[dict[str, Any], str | int | None]:
        """The cells of a row in JSON, and its id.

        Raises:
            Problem: it is no JSON (400), or not what is expected (422).
        """
        try:
            row: Any = self.row.model_validate_json(body)
        except ValidationError as error:
            raise self._explained(error) from None
        return self._given(row.inputs), row.id

    def parse_cells(self, cells: Mapping[str, Any]) -> dict[str, Any]:
        """Cells as forms and the page have them: files as bytes, all else as JSON has it.

        Raises:
            Problem: they are not what is expected (422).
        """
        files = {n: c for n, c in cells.items() if isinstance(c, bytes | list) and _is_files(c)}
        others = {name: cell for name, cell in cells.items() if name not in files}
        unwanted = [n for n in files if n in self.fields and not self.fields[n].is_file]
        if unwanted:
            field = self.fields[unwanted[0]]
            raise unreadable([_mistake(f"inputs.{unwanted[0]}", "a file", field.expected)])
        try:
            checked: Any = self.inputs.model_validate(others | dict.fromkeys(files))
        except ValidationError as error:
            raise self._explained(error, prefix=("inputs",)) from None
        return self._given(checked, files)

    def columns(self, cells: Mapping[str, Any]) -> dict[str, Any]:
        """Input column -> cell, from field -> cell."""
        return {
            column: cells[name]
            for name, field in self.fields.items()
            if name in cells
            for column in field.columns
        }

    def field_of(self, column: str) -> InputField:
        """The field that an input column reads."""
        return next(field for field in self.fields.values() if column in field.columns)

    @cached_property
    def example(self) -> dict[str, Any]:
        """A request that is answered."""
        made = {name: field.example for name, field in self.fields.items()}
        return {"inputs": {name: cell for name, cell in made.items() if cell is not None}}

    def _given(self, checked: BaseModel, files: Mapping[str, Any] | None = None) -> dict[str, Any]:
        found = {
            name: (files or {}).get(name, getattr(checked, f"input_{number}"))
            for number, name in enumerate(self.fields)
        }
        found = {name: cell for name, cell in found.items() if not is_missing(cell)}
        if not found:
            expected = f"at least one of {', '.join(self.fields)}"
            remedy = "Send at least one input; there is nothing to answer otherwise."
            raise unreadable([Mistake("inputs", "nothing", expected, remedy)])
        empty = [n for n, c in found.items() if isinstance(c, bytes) and not c]
        if empty:
            field = self.fields[empty[0]]
            raise unreadable([_mistake(f"inputs.{empty[0]}", "an empty file", field.expected)])
        return found

    def _explained(self, error: ValidationError, prefix: tuple[str, ...] = ()) -> Problem:
        errors = error.errors(include_url=False, include_context=False)
        first = errors[0]
        if first["type"] == "json_invalid":
            return Problem(
                400,
                "not-json",
                f"The request is no JSON: {first['msg'].removeprefix('Invalid JSON: ')}. Send "
                '{"inputs": {…}} in UTF-8, or a form with Content-Type multipart/form-data.',
            )
        found: dict[str, Mistake] = {}
        for one in errors:
            place = [*prefix, *map(str, one["loc"])]
            mistake = self._mistake(place, one)
            found.setdefault(mistake.field, mistake)
        return unreadable(list(found.values()))

    def _mistake(self, place: Sequence[str], error: Any) -> Mistake:
        name = place[1] if len(place) > 1 else ""
        where = ".".join(place[:2]) or "body"
        came = describe(error.get("input"))
        if error["type"] == "missing":
            return Mistake(
                where, "nothing", 'an object: {"inputs": {…}}', "Put the row under inputs."
            )
        if error["type"] == "extra_forbidden":
            known = self.fields if len(place) > 1 else ("inputs", "id")
            hint = nearest(name or place[0], known)
            return Mistake(where, "a field that the model does not read", "a known field", hint)
        if name not in self.fields:
            return Mistake(where, came, 'an object: {"inputs": {…}}', "See the example in /docs.")
        if error["type"] == "string_too_long":
            return _mistake(where, came, f"{self.fields[name].expected} that is shorter")
        return _mistake(where, came, self.fields[name].expected, self.fields[name])


def _mistake(where: str, came: str, expected: str, field: InputField | None = None) -> Mistake:
    remedy = "Send that, or leave the field out where it is not known."
    if field is not None and field.is_file and came.startswith("text"):
        remedy = (
            "Send the file's content, in base64 or as an upload: the server opens no paths and "
            "no addresses."
        )
    return Mistake(where, came, expected, remedy)


def describe(value: Any) -> str:
    """What a value is, in plain words, without showing more than a little of it.

    >>> describe("abc"), describe([1, 2]), describe(None), describe(2.5)
    ("text ('abc')", 'a list of 2', 'nothing', 'the number 2.5')
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"text ({value!r})" if len(value) <= 40 else f"text of {len(value):,} characters"
    if isinstance(value, int | float):
        return f"the number {str(value)[:40]}" if _finite(value) else "a number without bounds"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object of {len(value)}"
    return f"a file of {len(value):,} bytes" if isinstance(value, bytes) else "something else"


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value) and bool(str(value))
    except (OverflowError, ValueError):  # whole numbers of thousands of digits
        return False


def _is_files(cell: bytes | list[Any]) -> bool:
    return isinstance(cell, bytes) or (bool(cell) and all(isinstance(c, bytes) for c in cell))


def _fields(schema: Schema, modalities: Mapping[str, Modality]) -> list[InputField]:
    """The fields: an input that shows another column is sent under that column's name."""
    read: dict[str, list[str]] = {}
    for name in schema.inputs:
        source = schema[name].source
        plain = bool(source) and columns_named(source) == [source]
        read.setdefault(source if plain else name, []).append(name)
    return [
        InputField(
            field,
            tuple(columns),
            modalities[field if field in columns else columns[0]],
            schema[columns[0]].example,
        )
        for field, columns in read.items()
    ]


def _described(field: InputField) -> str:
    read = "" if field.columns == (field.name,) else f" Read as {', '.join(field.columns)}."
    return f"{field.kind}: {field.expected}.{read}"


def _listed(field: InputField) -> list[Any]:
    if field.choices:
        return field.choices[:MOST_CHOICES]
    return [] if field.example is None else [field.example]


def _number(text: str) -> float:
    try:
        number = float(text.replace(",", ""))
    except ValueError:
        return 1.0
    return number if math.isfinite(number) else 1.0


def _tone() -> bytes:
    """A twentieth of a second of a tone, as WAV."""
    samples = (8000 * np.sin(2 * np.pi * 440 * np.arange(400) / 8000)).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(samples.tobytes())
    return file.getvalue()
