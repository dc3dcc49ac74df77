import numpy as np
import pytest

from polymodal.clustering.agreement import agreement, stability
from polymodal.clustering.grouping import group


def test_ari_and_nmi_by_hand() -> None:
    # One row of six in the wrong group. Pairs: together in both 1 + 3 = 4, together in groups
    # 1 + 6 = 7, in labels 3 + 3 = 6, of 15; expected 7 * 6 / 15 = 2.8.
    groups, labels = np.array([0, 0, 1, 1, 1, 1]), np.array([0, 0, 0, 1, 1, 1])
    found = agreement(groups, labels, "kind")
    assert found is not None
    assert found.ari == pytest.approx((4 - 2.8) / ((7 + 6) / 2 - 2.8))
    assert found.rows == 6 and found.classes == 2
    mutual = (2 / 6) * np.log(2) + (1 / 6) * np.log(0.5) + (3 / 6) * np.log(1.5)
    of_groups = -(1 / 3) * np.log(1 / 3) - (2 / 3) * np.log(2 / 3)
    assert found.nmi == pytest.approx(mutual / ((of_groups + np.log(2)) / 2))
    assert found.ari_interval[0] <= found.ari <= found.ari_interval[1]


def test_rows_without_a_label_are_left_out() -> None:
    assert agreement(np.array([0, 1]), np.array([-1, 3]), "kind") is None
    found = agreement(np.array([0, 0, 1, 1, 7]), np.array([4, 4, 9, 9, -1]), "kind")
    assert found is not None and found.ari == 1.0 and found.rows == 4


def test_groups_that_are_there_come_again_and_others_do_not() -> None:
    rng = np.random.default_rng(0)
    apart = np.repeat(np.eye(3, 4) * 9, 60, axis=0) + rng.standard_normal((180, 4))
    cloud = rng.standard_normal((180, 4))
    for vectors, low, high in ((apart, 0.97, 1.0), (cloud, -0.1, 0.75)):
        mean, least, most = stability(vectors, group(vectors, 3), "kmeans", draws=6)
        assert low <= mean <= high and least <= mean <= most
