import doctest
import re
from pathlib import Path

from polymodal.fusion import FUSIONS

PAGE = Path(__file__).parents[2] / "docs" / "choosing_a_fusion.md"


def test_the_page_advises_on_every_fusion_and_names_its_class():
    situations, formulas = PAGE.read_text(encoding="utf-8").split("## What each computes")
    for name, cls in FUSIONS.items():
        assert re.search(rf"^\|.*`{name}`", situations, re.MULTILINE), name
        assert re.search(rf"^\|.*`{name}`.*`{cls.__name__}`", formulas, re.MULTILINE), name


def test_its_examples_run():
    assert doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8").failed == 0
