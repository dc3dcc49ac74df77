"""What can be asked for, and what it is called."""

from pathlib import Path

import pytest

from polymodal.compression.changes import Changes, CompressionError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Nothing to do: ask for --int8"),
        ({"prune": 1.0}, "from 0 to 0.95"),
        ({"structured": True, "bf16": True}, "add --prune"),
        ({"bf16": True, "recover": -1}, "not negative"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict, message: str) -> None:
    with pytest.raises(CompressionError, match=message):
        Changes(**options)


def test_names_for_people_and_for_folders() -> None:
    every = Changes(distil=Path("s.yaml"), prune=0.5, structured=True, bf16=True, int8="static")
    assert every.words == ["distilled", "without 50% of the channels", "bf16", "int8 static"]
    assert every.suffix == "student-narrow50-bf16-int8-static"
    assert Changes(prune=0.3).suffix == "sparse30"
