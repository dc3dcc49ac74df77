import json

import numpy as np

from polymodal.data.findings import KINDS, Finding


def test_a_finding_keeps_all_rows_and_writes_a_thousand():
    remarks = {7: "seven", 4000: "far"}
    finding = Finding(
        "outlier", "note", column="a", what="what", rows=np.arange(5000), remarks=remarks
    )
    assert len(finding.rows) == finding.count == 5000
    written = json.loads(json.dumps(finding.to_dict()))
    assert written["count"] == 5000 and len(written["rows"]) == 1000
    assert written["remarks"] == {"7": "seven"}


def test_findings_are_equal_when_they_say_the_same_of_the_same_rows():
    one, two, other = (
        Finding("outlier", "note", what="far", rows=[*range(1000), last]) for last in (1, 1, 2)
    )
    assert one == two and one != other and one != "far"


def test_every_kind_of_finding_is_a_slug_and_explained():
    assert all(kind.isidentifier() and kind.islower() and said for kind, said in KINDS.items())
