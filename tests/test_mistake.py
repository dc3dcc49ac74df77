import pytest
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from polymodal.mistake import Mistake, dotted, mistakes, report


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    places: str | list[str] = "x"
    steps: dict[str, int] = {}
    depth: int | None = None


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    first: Inner
    second: Inner = Inner()
    names: list[str] = []

    @field_validator("names")
    @classmethod
    def _short(cls, names: list[str]) -> list[str]:
        report([Mistake((str(i),), " is long") for i, n in enumerate(names) if len(n) > 3])
        return names


def found(data: object) -> list[str]:
    with pytest.raises(ValidationError) as raised:
        Outer.model_validate(data)
    return [str(mistake) for mistake in mistakes(raised.value, data, Outer)]


def test_all_mistakes_at_once_by_path():
    assert found(
        {
            "second": {"deph": 3, "depth": "3", "steps": {"a.b": 1.5}},
            "names": ["a", "long name", "another"],
            "first": 3,
        }
    ) == [
        "first = 3: it should be a mapping.",
        "names.1 is long",
        "names.2 is long",
        "second.deph: unknown option. Did you mean 'depth'? Known: depth, places, steps.",
        'second.depth = "3": it should be a whole number.',
        'second.steps."a.b" = 1.5: it should be a whole number.',
    ]


def test_a_needed_option():
    assert found({}) == ["first: it has no default: give one."]


def test_of_a_union_only_the_innermost_place_is_named():
    assert found({"first": {"places": 3}}) == [
        "first.places = 3: it should be text or a list (put it in quotes)."
    ]
    assert found({"first": {"places": ["a", 3]}}) == [
        "first.places.1 = 3: it should be text (put it in quotes)."
    ]


def test_long_values_are_shortened():
    (message,) = found({"first": "x" * 500})
    assert len(message) < 110


def test_paths():
    assert dotted(["a", "b c", "d.e", ""]) == 'a.b c."d.e".""'
    assert Mistake(("c",), ": no.").under("a", "b") == Mistake(("a", "b", "c"), ": no.")
