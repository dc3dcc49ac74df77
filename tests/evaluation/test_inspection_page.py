import numpy as np

from polymodal.data.findings import Finding
from polymodal.data.media import Shown
from polymodal.evaluation.inspection_charts import counted, histogram, missing_map
from polymodal.evaluation.inspection_page import (
    InspectionPage,
    ShownColumn,
    ShownFinding,
    ShownRow,
    render_inspection,
)

NASTY = '<script>alert("x")</script>'


def page(findings):
    return InspectionPage(
        title=NASTY,
        created="today",
        rows={"train": 60, "test": 20},
        findings=findings,
        columns=[
            ShownColumn("age", "number", "input", "", 75, 5, 40, np.arange(75.0), marked=[70.0]),
            ShownColumn(NASTY, "category", "target", NASTY, 80, 0, 2, values={NASTY: 60, "b": 20}),
        ],
        missing=np.arange(80)[:, None] < 5,
        gaps=["age"],
    )


def test_words_of_users_are_never_markup():
    finding = Finding(
        "spelling_variants", "warning", column=NASTY, what=NASTY, rows=np.array([1]), why=NASTY,
        remedy=NASTY, values={NASTY: "b"}, remarks={1: NASTY},
    )  # fmt: skip
    row = ShownRow(1, {NASTY: Shown("text", NASTY, NASTY)}, NASTY)
    html = render_inspection(page([ShownFinding(finding, [[row]])]), command=NASTY)
    assert NASTY not in html and "alert(" in html
    assert "http" not in html.replace("http-equiv", "")  # nothing is loaded from elsewhere


def test_findings_are_counted_and_alike_ones_share_a_card():
    gaps = [
        Finding("missing_values", "note", column=c, what=f"{c} lacks", rows=np.arange(5), why="w")
        for c in "ab"
    ]
    error = Finding("missing_file", "error", column="photo", what="gone", rows=np.array([3]))
    html = render_inspection(page([ShownFinding(f) for f in [error, *gaps]]))
    assert html.count('class="card finding') == 2 and "2 columns" in html
    assert "<b>1</b><span>error</span>" in html and "<b>2</b><span>notes</span>" in html


def test_a_clean_table_says_so():
    assert "Nothing was found" in render_inspection(page([]))


def test_charts_of_little():
    assert histogram(np.zeros(0), title="none") == ""
    assert "<rect" in histogram(np.ones(4), title="one value")
    assert counted([], title="none") == "" and "and 3 more" in counted(
        [("a", 2)], title="", others=3
    )
    assert "50%" in missing_map(np.array([[True], [False]]), ["a"], title="gaps")
