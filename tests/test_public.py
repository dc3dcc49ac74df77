import subprocess
import sys
from importlib import import_module

import pytest

import polymodal


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, polymodal; assert sorted(dir(polymodal)) == sorted(polymodal.__all__);"
        "heavy = {'torch', 'pandas', 'numpy', 'pyarrow', 'pydantic'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there_and_is_what_its_module_holds() -> None:
    assert polymodal.__all__ == sorted(polymodal.__all__)
    assert set(polymodal.__all__) == {*polymodal._HOMES, "load"}
    for name, home in polymodal._HOMES.items():
        assert getattr(polymodal, name) is getattr(import_module(f"polymodal.{home}"), name)
    assert polymodal.load == polymodal.Predictor.load


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'train'"):
        polymodal.train  # noqa: B018
