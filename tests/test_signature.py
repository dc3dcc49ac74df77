from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from polymodal.encoders import ENCODERS, TABLE_ENCODERS
from polymodal.errors import RecipeError
from polymodal.fusion import FUSIONS
from polymodal.heads import HEADS
from polymodal.named_part import user_options
from polymodal.signature import REQUIRED, check, explanations, options_of, to_json


class Example:
    """An encoder.

    Args:
        channels, size: facts of the data.
        width (int): size of the
            pooled vector: always given.

        shape: of the kernel.
        depth: number of stages.

    Raises:
        ValueError: never.
    """

    def __init__(
        self,
        channels: int,
        model: str,
        width: int = 8,
        size: int = 3,
        *,
        shape: tuple[int, int] = (1, 2),
        rate: "float" = 0.5,
        weights: Sequence[float] | None = None,
        kind: Literal["a", "b"] = "a",
        depth: Annotated[int, Field(ge=1)],
        log: bool = False,
    ) -> None: ...


def test_options_are_keyword_only_arguments_and_width_and_model():
    options = options_of(Example, {"log"})
    assert list(options) == ["model", "width", "shape", "rate", "weights", "kind", "depth"]
    assert options["width"].default == 8
    assert options["width"].about == "size of the pooled vector: always given."
    assert options["shape"].about == "of the kernel."
    assert options["rate"].type is float
    assert options["rate"].about == ""
    assert options["model"].default is options["depth"].default is REQUIRED


def test_a_width_without_default_is_a_fact_not_an_option():
    assert "width" not in options_of(HEADS["classification"])


def test_explanations_of_a_class_without_any():
    class Silent: ...

    assert explanations(Silent) == {}
    assert explanations(Example)["size"] == "facts of the data."


def test_right_values_get_the_types_of_the_signature():
    given = {"model": "m", "depth": 2, "shape": [3, 4], "rate": 1, "weights": [1, 2.5]}
    right, wrong = check(options_of(Example), given)
    assert wrong == []
    assert right == {"model": "m", "depth": 2, "shape": (3, 4), "rate": 1.0, "weights": [1, 2.5]}


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("width", "abc", 'width = "abc": it should be a whole number.'),
        ("width", True, "width = true: it should be a whole number."),
        ("width", 2.5, "width = 2.5: it should be a whole number."),
        ("rate", "1", 'rate = "1": it should be a number.'),
        ("rate", float("nan"), "rate = NaN: it should be a finite number."),
        ("model", 3, "model = 3: it should be text (put it in quotes)."),
        ("shape", [1, "x"], 'shape.1 = "x": it should be a whole number.'),
        ("kind", "c", 'kind = "c": Known: a, b.'),
        ("kind", 1, "kind = 1: it should be 'a' or 'b'."),
        ("depth", 0, "depth = 0: it should be greater than or equal to 1."),
        ("weights", "x", 'weights = "x": it should be a list.'),
        ("withd", 3, "withd: unknown option. Did you mean 'width'? Known: depth, kind, "),
        ("channels", 3, "channels: unknown option. Known: "),
        ("size", 3, "size: unknown option."),
    ],
)
def test_wrong_values_are_named_with_what_is_allowed(option, value, message):
    given = {"model": "m", "depth": 2} | {option: value}
    (wrong,) = check(options_of(Example), given)[1]
    assert str(wrong).startswith(message)


def test_an_option_without_default_must_be_given():
    _, wrong = check(options_of(Example), {})
    assert [str(mistake) for mistake in wrong] == [
        "model: it has no default: give one.",
        "depth: it has no default: give one. number of stages.",
    ]


def test_only_plain_values_have_a_place_in_a_recipe():
    assert to_json(Path("a")) == '"a"'
    with pytest.raises(RecipeError, match="A recipe holds text, numbers"):
        to_json({"a": object()})


CLASSES = [
    *FUSIONS.values(),
    *HEADS.values(),
    *TABLE_ENCODERS.values(),
    *(cls for encoders in ENCODERS.values() for cls in encoders.values()),
]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_class_tells_its_options(cls):
    options = user_options(cls)
    defaults = {name: o.default for name, o in options.items() if o.default is not REQUIRED}
    for name, option in options.items():
        assert option.about, f"{cls.__name__}: say in Args what {name} does"
    needed = {name: "x" for name in options if name not in defaults}
    assert check(options, defaults | needed)[1] == []
    assert "name" not in options
    assert not {"classes", "labels", "vocabulary", "channels", "center", "log"} & options.keys()
