import numpy as np
import pytest
from subjects import classes, subject

from polymodal.checks import checking
from polymodal.checks.subject import Subject
from polymodal.data.findings import Finding


def small() -> Subject:
    rng = np.random.default_rng(0)
    return subject({"x": rng.normal(size=60).tolist(), "y": classes(rng, 60)})


def test_a_check_that_fails_is_told_of_and_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_trouble(subject: Subject) -> list[Finding]:
        raise ZeroDivisionError("nothing to divide")

    def find_note(subject: Subject) -> list[Finding]:
        return [Finding("outlier", "note", column="x", what="one", why="", remedy="")]

    monkeypatch.setattr(checking, "CHECKS", (find_trouble, find_note))
    failed, note = checking.check(small(), labels=False)
    assert (failed.kind, failed.severity) == ("not_checked", "warning")
    assert failed.what == "trouble: the check failed (ZeroDivisionError('nothing to divide'))"
    assert note.what == "one"


def test_no_check_fails_on_a_plain_table() -> None:
    assert not [f for f in checking.check(small()) if "failed" in f.what]
