import pytest

from polymodal.errors import MissingExtra, RecipeError
from polymodal.fusion import FUSIONS
from polymodal.heads import HEADS
from polymodal.named_part import NamedPart


class Window:
    """A window over a series."""

    def __init__(self, length: int, *, sizes: tuple[int, ...] = (3, 5), step: int = 1) -> None:
        if step < 1:
            raise ValueError(f"A step of {step} leads nowhere.")
        self.length, self.sizes, self.step = length, sizes, step


class Absent:
    def __init__(self, *, step: int = 1) -> None:
        raise MissingExtra("timm", "pretrained")


WINDOWS = {"window": Window, "absent": Absent}


def test_short_form_is_the_name_alone():
    part = NamedPart.model_validate("window")
    assert part == NamedPart(name="window")
    assert part.model_dump() == "window"
    assert NamedPart(name="window", step=2).model_dump() == {"name": "window", "step": 2}


def test_build_joins_facts_and_options():
    window = NamedPart(name="window", sizes=[7]).build(WINDOWS, length=4)
    assert (window.length, window.sizes, window.step) == (4, (7,), 1)


def test_complete_writes_every_default_out_as_plain_values():
    part = NamedPart(name="window", step=2).complete(WINDOWS)
    assert part.options == {"sizes": [3, 5], "step": 2}
    assert part.complete(WINDOWS) == part


def test_what_the_class_refuses_is_an_error_of_the_recipe():
    with pytest.raises(RecipeError, match="window: A step of 0 leads nowhere"):
        NamedPart(name="window", step=0).build(WINDOWS, length=4)
    with pytest.raises(MissingExtra, match="pip install"):
        NamedPart(name="absent").build(WINDOWS)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (NamedPart(name="windw"), "Did you mean 'window'"),
        (NamedPart(name="window", length=3), "window.length: unknown option. Known: sizes, step"),
        (NamedPart(name="window", step="2"), 'window.step = "2": it should be a whole number'),
    ],
)
def test_a_wrong_part_is_not_built(part, message):
    with pytest.raises(RecipeError, match=message):
        part.build(WINDOWS, length=4)


def test_where_classes_share_a_name_the_one_that_fits_best_judges():
    narrow = {"window": Absent}
    assert NamedPart(name="window", sizes=[1]).mistakes([narrow, WINDOWS]) == []
    (wrong,) = NamedPart(name="window", sizes="x").mistakes([narrow, WINDOWS])
    assert wrong.path == ("sizes",)


def test_real_classes():
    fusion = NamedPart(name="gated", width=8).build(FUSIONS, widths={"a": 4, "b": 4})
    assert fusion.width == 8
    with pytest.raises(RecipeError, match="center: unknown option"):
        NamedPart(name="regression", center=3.0).build(HEADS, width=8)
