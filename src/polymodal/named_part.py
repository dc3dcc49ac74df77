"""A class chosen by name in a recipe, with the options of its constructor."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationInfo, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from polymodal.data.modalities import MODALITIES, Modality
from polymodal.encoders import ENCODERS, TABLE_ENCODERS
from polymodal.errors import MissingExtra, RecipeError, nearest
from polymodal.fusion import FUSIONS
from polymodal.heads import HEADS
from polymodal.heads.objectives import OBJECTIVES
from polymodal.mistake import Mistake, report
from polymodal.signature import REQUIRED, Option, check, options_of, to_json

T = TypeVar("T")
Registry: TypeAlias = Mapping[str, type[T]]
"""Name -> class."""

SLOTS = ("modality", "encoder", "head", "objective", "fusion", "tabular")
"""The options of a recipe in which a named part stands."""

DATA_DERIVED = frozenset({"center", "scale", "log", "weights", "config"})
"""Keyword arguments of encoders and heads that the data or a saved run brings, not the user."""


class NamedPart(BaseModel):
    """A name and options: in YAML ``resnet`` or ``{name: resnet, depth: 18}``.

    Args:
        name: the name under which a registry holds the class.
        options: keyword options of the class's constructor.

    Example:
        >>> from polymodal.fusion import FUSIONS
        >>> part = NamedPart(name="concat", width=16)
        >>> part.complete(FUSIONS).options
        {'width': 16, 'dropout': 0.1}
        >>> part.build(FUSIONS, widths={"photo": 8, "question": 8}).width
        16
    """

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    name: str

    @model_validator(mode="before")
    @classmethod
    def _from_short(cls, given: Any) -> Any:
        if not isinstance(given, str | Mapping):
            raise PydanticCustomError("part_type", "a name, or a mapping of name and options")
        return {"name": given} if isinstance(given, str) else given

    @model_serializer
    def _to_short(self) -> str | dict[str, Any]:
        return {"name": self.name, **self.options} if self.options else self.name

    @property
    def options(self) -> dict[str, Any]:
        """The options that are given, as plain values."""
        return dict(self.model_extra or {})

    def build(self, registry: Registry[T], **data: Any) -> T:
        """An instance of the class.

        Args:
            registry: where the name is looked up.
            data: the arguments that come from the data or the network.

        Raises:
            RecipeError: no such name or option, or the class refuses a value.
        """
        cls, options = self._checked(registry)
        try:
            return cls(**data, **options)
        except MissingExtra:
            raise
        except ValueError as error:
            raise RecipeError(f"{self.name}: {error}") from error

    def complete(self, registry: Registry[Any]) -> NamedPart:
        """The same part with every default written out, in the order of the signature."""
        cls, _ = self._checked(registry)
        defaults = {name: option.default for name, option in user_options(cls).items()}
        plain = {n: json.loads(to_json(d)) for n, d in defaults.items() if d is not REQUIRED}
        given = {name: self.options.get(name, plain.get(name)) for name in defaults}
        return NamedPart(name=self.name, **given)

    def mistakes(self, registries: Sequence[Registry[Any]]) -> list[Mistake]:
        """What is wrong with name or options; where several classes have the name, for the best."""
        classes = [registry[self.name] for registry in registries if self.name in registry]
        if not classes:
            known = {name for registry in registries for name in registry}
            return [Mistake((), f" = {self.name!r}: {nearest(self.name, known)}")]
        return min((check(user_options(cls), self.options)[1] for cls in classes), key=len)

    def _checked(self, registry: Registry[T]) -> tuple[type[T], dict[str, Any]]:
        wrong = self.mistakes([registry])
        if wrong:
            raise RecipeError("\n".join(str(mistake.under(self.name)) for mistake in wrong))
        cls = registry[self.name]
        return cls, check(user_options(cls), self.options)[0]


def user_options(cls: type) -> dict[str, Option]:
    """The options of a modality, encoder, fusion or head that a recipe may set."""
    return options_of(cls, () if issubclass(cls, Modality) else DATA_DERIVED)


def registries(slot: str, modality: NamedPart | None = None) -> list[Registry[Any]]:
    """Where the name of a part is looked up; for an encoder, by its column's modality if known."""
    if slot == "encoder":
        if modality is not None and modality.name in ENCODERS:
            return [ENCODERS[modality.name]]
        return list(ENCODERS.values())
    places: dict[str, Registry[Any]] = {
        "modality": MODALITIES,
        "head": HEADS,
        "objective": OBJECTIVES,
        "fusion": FUSIONS,
        "tabular": TABLE_ENCODERS,
    }
    return [places[slot]]


def only_registry(part: NamedPart, slot: str, modality: NamedPart | None) -> Registry[Any] | None:
    """Where a part is found; None while several classes have its name and no modality decides."""
    found = [registry for registry in registries(slot, modality) if part.name in registry]
    return found[0] if len({registry[part.name] for registry in found}) == 1 else None


def checked(part: NamedPart | None, info: ValidationInfo) -> NamedPart | None:
    """The validator of a slot: a part whose name and options are known."""
    assert info.field_name is not None
    if part is not None:
        report(part.mistakes(registries(info.field_name, info.data.get("modality"))))
    return part


def comments_of(part: NamedPart, registry: Registry[Any]) -> dict[str, str]:
    """What each line of a part says: its name what the class is, its options what they do."""
    cls = registry[part.name]
    what = (inspect.getdoc(cls) or "").split("\n")[0]
    comments = {"name": what} | {name: o.about for name, o in user_options(cls).items()}
    return {name: text.replace("``", "") for name, text in comments.items()}
