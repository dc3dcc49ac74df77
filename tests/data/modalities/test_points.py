import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from polymodal.data.media import hearing
from polymodal.data.modalities.points import Points
from polymodal.data.pack import pack
from polymodal.data.summary import summarise
from polymodal.data.table import Table
from polymodal.errors import CellError

RNG = np.random.default_rng(0)
NAMES = ("x", "y", "z", "intensity")


def cloud(points=40, columns=4, seed=0):
    return np.random.default_rng(seed).normal(0, 2, (points, columns)) + [10, 0, 1, 5][:columns]


def named(values, names):
    return dict(zip(names, values.T, strict=True))


def fitted(cells=None, **options):
    points = Points(**options)
    points.fit([cloud(seed=s) for s in range(5)] if cells is None else cells)
    return points


def seed(number=0):
    return torch.Generator().manual_seed(number)


@pytest.mark.parametrize(
    ("name", "cells", "sure"),
    [
        ("scan", ["a/1.pcd", "a/2.PLY"], 1),
        ("x", [b"ply\nformat ascii 1.0\n", b"# .PCD v0.7\n"], 1),
        ("lidar", ["a/000001.bin", "a/000002.bin"], 1),
        ("radar_points", ["scans.npz#3", "b.npy"], 1),
        ("LidarTop", [cloud(), cloud()], 1),
        ("cloud", [[[1.0, 2.0, 3.0]], [[1.0, 2, 4]]], 1),
        ("windows", ["a/1.npy"], 0),
        ("acceleration", [cloud()], 0),
        ("radar_doppler", [cloud()], 0),
        ("lidar", ["a.png", "b.png"], 0),
        ("cloud", ["cumulus", "cirrus"], 0),
        ("points", [3.0, 4.0], 0),
    ],
)
def test_recognised_by_endings_and_by_the_name_of_the_column(name, cells, sure):
    assert Points.recognise(summarise(name, cells)) == sure


def test_what_is_learned():
    cells = [np.array([[9.0, 0, 0, 2], [11, 0, 0, 4]]), np.array([[19.0, 4, 0, 6], [21, 4, 0, 8]])]
    points = fitted(cells)
    assert points.facts() == {
        "channels": 4,
        "mean": [15, 2, 0, 5],
        "std": [5, 2, pytest.approx(0.057735), pytest.approx(math.sqrt(5), rel=1e-5)],
        "spread": pytest.approx(math.sqrt(1 / 3), rel=1e-5),
        "region": points.region,
    }
    assert points.region[1] == [0, 4] and points.region[0][1] == pytest.approx(20.97)
    assert points.points == 2 and points.features == ["feature_1"]


def test_named_features_are_found_by_name():
    cells = [named(cloud(seed=s), NAMES) for s in range(4)]
    points = fitted(cells)
    assert points.features == ["intensity"]
    turned = {"z": [3.0], "ring": [9.0], "intensity": [4.0], "y": [2.0], "x": [1.0]}
    assert points.decode(turned).tolist() == [[1, 2, 3, 4]]
    with pytest.raises(CellError, match="without a feature of the others: intensity"):
        points.decode({"x": [1.0], "y": [2.0], "z": [3.0]})
    assert points.decode(np.ones((2, 4))).shape == (2, 4)  # no names: by their number


def test_another_number_of_columns_is_refused():
    points = fitted()
    for columns in (3, 5):
        with pytest.raises(CellError, match=f"{columns} in place of 4") as error:
            points.decode(np.ones((7, columns)))
        assert error.value.kind == "point cloud of another number of columns"


def test_every_defect_is_told_with_its_rows():
    cells = [cloud(seed=s) for s in range(8)]
    cells[2] = np.zeros((0, 4))
    cells[3] = np.ones((9, 6))
    cells[4] = cells[4].astype(object)
    cells[5][:3, 2] = np.nan
    cells[6][:] = np.inf
    cells[7][0, 3] = np.nan
    table = Table({"lidar": [*cells, None, b"%PDF", "gone.ply"]})
    packed = pack(table, {"lidar": fitted(cells)}, workers=2)
    found = {
        (f.severity, f.what.split(" (first")[0], tuple(f.rows.tolist())) for f in packed.findings
    }
    assert found == {
        ("error", "empty point cloud", (2,)),
        ("error", "point cloud of another number of columns", (3,)),
        ("error", "no usable point in the cloud", (6,)),
        ("error", "not a point cloud", (9,)),
        ("error", "file not found", (10,)),
        ("note", "points with NaN or infinite numbers, left out", (5, 7)),
    }
    note = next(f.what for f in packed.findings if f.severity == "note")
    assert note.endswith("(first: row 5: 3 of them)")
    assert packed.stores["lidar"].index.tolist() == [0, 1, -1, -1, 2, 3, -1, 4, -1, -1, -1]


def test_features_can_be_chosen():
    cells = [named(cloud(seed=s), NAMES) for s in range(4)]
    assert fitted(cells, features=[]).decode(cells[0]).shape[1] == 3
    assert fitted(features=[]).decode(cloud()).shape[1] == 3
    assert fitted(cells, features=["intensity"]).decode(cells[0]).shape[1] == 4


def test_points_that_are_no_numbers_are_left_out_and_told():
    points, cell = fitted(), cloud()
    cell[3, 1], cell[7, 3], cell[9, 0] = np.nan, np.inf, 1e30
    with hearing() as remarks:
        assert len(points.decode(cell)) == 37
    assert [str(r) for r in remarks] == ["points with NaN or infinite numbers, left out: 3 of them"]
    with pytest.raises(CellError, match="no usable point"):
        points.decode(np.full((5, 4), np.nan))
    # Of columns that are not used nothing is asked.
    assert len(fitted(features=[]).decode(np.c_[cloud(columns=3), np.full(40, np.nan)])) == 40


@pytest.mark.parametrize("sampling", ["farthest", "voxel", "random"])
def test_larger_clouds_are_thinned(sampling):
    points = fitted(points=16, sampling=sampling)
    assert 10 <= len(points.decode(cloud(500))) <= 16
    assert np.array_equal(points.decode(cloud(500)), points.decode(cloud(500)))
    assert len(points.decode(cloud(9))) == 9


def test_the_number_of_points_is_what_most_clouds_have():
    assert fitted([cloud(10 * (i + 1)) for i in range(10)]).points == 91
    assert fitted([cloud(3000)] * 2).points == 512


def test_normalisation_of_each_cloud():
    cell = np.array([[3.0, 5, 0, 7], [3, 1, 0, 9]])
    assert fitted(normalise="centre").decode(cell).tolist() == [[0, 2, 0, 7], [0, -2, 0, 9]]
    assert fitted(normalise="unit").decode(cell).tolist() == [[0, 1, 0, 7], [0, -1, 0, 9]]
    assert fitted(normalise="unit").decode(cell[:1]).tolist() == [[0, 0, 0, 7]]
    assert fitted().decode(cell).tolist() == cell.tolist()


def test_clouds_on_a_map_keep_their_centimetres():
    place = np.array([500_000, 4_600_000, 0, 0])
    tile = cloud() + place
    points = fitted([tile])
    assert points.origin[:2] == [500_010, 4_600_000]
    assert np.abs(points.decode(tile) - (tile - [*points.origin, 0])).max() < 1e-5


def batch(**options):
    points = fitted(**options)
    values = torch.from_numpy(np.stack([points.decode(cloud(seed=s)) for s in range(6)]))
    mask = torch.arange(40) < torch.tensor([40, 30, 20, 10, 3, 1])[:, None]
    return points, torch.where(mask.unsqueeze(-1), values, 0), mask


def test_turning_keeps_height_and_distance():
    points, values, mask = batch(rotate=180)
    turned = points.augment(values, seed(), mask)
    assert torch.equal(turned[..., 2:], values[..., 2:])
    far = [v[..., :2].norm(dim=-1) for v in (values, turned)]
    assert torch.allclose(*far, atol=1e-4)
    angle = [v[:, 0, 1].atan2(v[:, 0, 0]) for v in (values, turned)]
    assert len({round(float(a), 3) for a in angle[1] - angle[0]}) == 6, "each by its own amount"


def test_directions_turn_with_the_cloud():
    arrows = [named(np.c_[c[:, :3], c[:, :2]], ("x", "y", "z", "vx", "vy")) for c in [cloud()] * 3]
    points = fitted(arrows, rotate=90)
    values = torch.from_numpy(points.decode(arrows[0]))[None]
    turned = points.augment(values, seed())
    assert not torch.equal(turned, values)
    assert torch.allclose(turned[..., 3:5], turned[..., :2])


def test_rescaling_keeps_the_centre():
    points, values, mask = batch(rescale=0.2)
    scaled = points.augment(values, seed(), mask)
    for before, after, real in zip(values, scaled, mask, strict=True):
        assert torch.allclose(before[real][:, :3].mean(0), after[real][:, :3].mean(0), atol=1e-5)
    ratio = scaled[0, :, :3].std() / values[0, :, :3].std()
    assert 0.8 <= ratio <= 1.2 and ratio != 1


def test_dropped_points_are_copies_of_those_that_are_kept():
    points, values, mask = batch(drop=0.8)
    thinned = points.augment(values, seed(), mask)
    for before, after, real in zip(values, thinned, mask, strict=True):
        known = {tuple(p) for p in before[real].tolist()}
        assert {tuple(p) for p in after[real].tolist()} <= known
    assert len(thinned[0].unique(dim=0)) < 40


def test_jitter_is_as_wide_as_was_said():
    points, values, _ = batch(jitter=0.05)
    moved = points.augment(values, seed()) - values
    assert 0.04 < float(moved[..., :3].std()) < 0.06 and not moved[..., 3:].any()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(0, 3), st.integers(0, 100))
def test_summaries_do_not_depend_on_the_order(points, features, number):
    rng = np.random.default_rng(number)
    values = rng.normal(size=(points, 3 + features)).astype(np.float32)
    modality = Points()
    first, again = (modality.summarise(v) for v in (values, values[rng.permutation(points)]))
    assert np.allclose(first, again, atol=1e-4)
    assert first.shape == (1 + 6 * (3 + features) + 3 + 8 + 3,)


def test_shown_as_a_picture():
    shown = Points().show(named(cloud(), NAMES))
    assert shown.kind == "image" and str(shown.content[1:4], "ascii") == "PNG"
    assert shown.note == "40 points (intensity)"
    assert Points().show(np.ones((1, 3))).note == "1 points"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"points": 0}, "not 0"),
        ({"bin_columns": 2}, "x, y and z at least"),
        ({"drop": 1.0}, r"below 1, not 1\.0"),
    ],
)
def test_options_out_of_range(options, words):
    with pytest.raises(ValueError, match=words):
        Points(**options)
