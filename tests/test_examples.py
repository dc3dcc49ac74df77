"""The data that ships with the project, and the scripts that make data."""

import csv
import importlib.util
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
EASY_VQA = ROOT / "examples" / "easy_vqa"
NOISY = "examples/digits_multi_noisy/make_noisy.py"
HANDICAPPED = "examples/av_mnist_like/make_handicapped.py"


def script(path: str) -> ModuleType:
    found = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_easy_vqa_is_whole_small_and_licensed() -> None:
    from pyarrow import parquet

    table = EASY_VQA / "easy_vqa.parquet"
    assert table.stat().st_size < 10e6
    assert "Copyright (c) 2019 Victor Zhou" in (EASY_VQA / "LICENSE").read_text("utf-8")
    rows = parquet.read_table(table)
    assert rows.column_names == ["split", "image", "question", "answer"]
    parts = rows["split"].to_pylist()
    assert (parts.count("train"), parts.count("test")) == (38_575, 9_673)
    pictures = rows["image"].unique().to_pylist()
    assert len(pictures) <= 5_000
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert len(rows["answer"].unique()) == 13


def test_make_table_reads_a_folder(tmp_path: Path) -> None:
    from pyarrow import parquet

    (tmp_path / "a.png").write_bytes(b"\x89PNG one")
    lines = ["split,image,question,answer", "train,a.png,is it?,yes", "test,a.png,is it not?,no"]
    (tmp_path / "data.csv").write_text("\n".join(lines))
    make = script("examples/easy_vqa/make_table.py")
    make.write(list(make.rows_of_folder(tmp_path)), tmp_path / "out.parquet")
    rows = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    expected = {"split": "test", "image": b"\x89PNG one", "question": "is it not?", "answer": "no"}
    assert rows[1] == expected


def write_digits(folder: Path) -> Path:
    """A folder like digits_multi: three black and three white pictures, half a second of hiss."""
    import soundfile
    from PIL import Image

    rng, rows = np.random.default_rng(0), []
    for inner in ("audio", "mnist"):
        (folder / inner).mkdir(parents=True)
    for number in range(6):
        row = {
            "id": f"{number}_ann_{2 * number}",
            "split": "train",
            "digit": number,
            "speaker": "ann",
        }
        row |= {"image_mnist": f"mnist/{number}.png", "audio": f"audio/{number}.flac"}
        grey = Image.fromarray(np.full((28, 28), 255 * (number % 2), np.uint8))
        grey.save(folder / row["image_mnist"])
        sound = np.clip(rng.normal(0, 0.1, 4000), -1, 1)
        soundfile.write(folder / row["audio"], sound, 8000)
        rows.append(row)
    with (folder / "data.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture
def run_script(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run a script of an example with these arguments."""

    def run(path: str, *arguments: str | Path) -> None:
        monkeypatch.setattr(sys, "argv", [path, *map(str, arguments)])
        runpy.run_path(str(ROOT / path), run_name="__main__")

    return run


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("grid", ["features", "cells", "fine"])
def test_make_noisy_adds_the_noise_it_says(
    grid: str,
    tmp_path: Path,
    run_script: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    from PIL import Image

    source = write_digits(tmp_path / "clean")
    for out in ("first", "again"):
        run_script(NOISY, source, tmp_path / out, "--grid", grid)
    first = files_of(tmp_path / "first")
    assert len(first) == 13 and first == files_of(tmp_path / "again")
    black = [np.asarray(Image.open(tmp_path / f"first/mnist/{n}.png")) for n in (0, 2, 4)]
    values = -4.05 + np.stack(black).astype(float) / 255 * 9.1
    assert abs(values.mean()) < 0.06 and abs(values.std() - 0.9) < 0.04
    said = capsys.readouterr().out.splitlines()[-1]
    arrived = float(said.split("sd ")[2].split()[0])
    assert 1.7 < arrived < 2.4


def test_noisy_features_hold_nothing_but_the_cells() -> None:
    """Two recordings with the same cells become the same sound, whatever is within the cells."""
    import torch

    make = script(NOISY)
    log_mel = torch.arange(64.0)[:, None] + torch.zeros(64, 16)
    detail = torch.tensor([1.0, -1.0]).repeat(8)
    means = make.cell_means(log_mel)
    assert means.shape == (12, 8)
    torch.testing.assert_close(make.cell_means(log_mel + detail), means)
    held = make.held(means, 16)
    assert held.shape == (64, 16) and len(held[:, 0].unique()) == 12


def test_make_handicapped_is_the_same_again_and_tests_on_its_fold(
    tmp_path: Path, run_script: Callable[..., None]
) -> None:
    source = write_digits(tmp_path / "clean")
    for out, fold in (("first", "1"), ("again", "1"), ("other", "0")):
        run_script(HANDICAPPED, source, tmp_path / out, "--fold", fold)
    first = files_of(tmp_path / "first")
    assert len(first) == 13 and first == files_of(tmp_path / "again")
    for out, tested in (("first", {"3", "4"}), ("other", {"0", "1", "2"})):
        with (tmp_path / out / "data.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert {row["digit"] for row in rows if row["split"] == "test"} == tested


def test_the_components_kept_are_the_fewest_that_hold_a_quarter() -> None:
    make = script(HANDICAPPED)
    # Variances 3, 2, 2, 2, 1 of 10: the first alone holds 30 %; then 2, 2, 2, 2, 2: two hold 40 %.
    for variances, kept, share in (([3, 2, 2, 2, 1], 1, 0.3), ([2.0] * 5, 2, 0.4)):
        pictures = np.concatenate([np.diag(np.sqrt(variances)), -np.diag(np.sqrt(variances))]) + 7
        mean, components, energy = make.principal_components(pictures)
        assert np.allclose(mean, 7) and components.shape == (kept, 5)
        assert energy == pytest.approx(share)


@pytest.mark.parametrize("kind", range(4))
def test_the_noise_of_handicapped_recordings_is_as_loud_as_asked(
    kind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = script(HANDICAPPED)
    monkeypatch.setattr(make, "NOISES", (make.NOISES[kind],))
    clean = np.sin(np.arange(4000) * 0.3)
    loud = make.noisy(clean, 300.0, np.random.default_rng(0))
    assert np.allclose(loud, 0.9 * clean / np.abs(clean).max())
    mixed = make.noisy(clean, -15.0, np.random.default_rng(0))
    assert np.abs(mixed).max() == pytest.approx(0.9)
    # The share of the clean recording in the mixture, by least squares; the rest is the noise.
    share = mixed @ clean / (clean @ clean)
    power = ((mixed - share * clean) ** 2).mean() / (share**2 * (clean**2).mean())
    assert 10 * np.log10(power) == pytest.approx(15.0, abs=1.5)


def test_scenes_for_driving_are_what_they_say(tmp_path: Path) -> None:
    import polymodal as pm

    make = script("examples/driving_perception/make_scenes.py")
    for folder in ("first", "again"):
        for inner in ("camera", "lidar", "radar"):
            (tmp_path / folder / inner).mkdir(parents=True)
        rows = [make.write_scene(n, tmp_path / folder, seed=0, test=True) for n in range(8)]
    assert [row["usual"]["object"] for row in rows] == list(make.CLASSES)
    assert rows[0].keys() == {"usual", "clear", "fog", "rain"}
    files = sorted(p.relative_to(tmp_path / "first") for p in (tmp_path / "first").rglob("*.*"))
    assert len(files) > 60
    first, again = (
        b"".join((tmp_path / f / p).read_bytes() for p in files) for f in ("first", "again")
    )
    assert first == again
    table = pm.Table.read([w for row in rows for w in row.values()], folder=tmp_path / "first")
    recipe = ROOT / "examples/driving_perception/recipe.yaml"
    found = pm.inspect(table, ["object", "distance"], recipe=recipe)
    kinds = {c.name: c.modality for c in found.schema.columns}
    assert (kinds["camera"], kinds["lidar"], kinds["radar"]) == ("image", "points", "points")
    sizes = {
        weather: sum((tmp_path / "first" / row[weather]["lidar"]).stat().st_size for row in rows)
        for weather in ("clear", "rain")
    }
    assert sizes["rain"] < 0.5 * sizes["clear"]
    assert all(3 < float(row["usual"]["distance"]) < 50 for row in rows)


def test_rays_hit_what_is_there() -> None:
    make = script("examples/driving_perception/make_scenes.py")
    solids = make.Solids(
        np.array([False, True]), np.array([[10.0, 0, 0], [20, 5, 0]]), np.full((2, 3), 1.0),
        np.array([np.pi / 4, 0.0]), np.ones((2, 3)), np.array([True, False]),
    )  # fmt: skip
    rays = np.array([[1.0, 0, 0], [20, 5, 0], [0, 1, 0]])
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    reach, which, normal = make.cast(np.zeros(3), rays, solids)
    # A box turned by half a right angle shows an edge; a ball is met at its radius.
    assert np.allclose(reach.min(0), [10 - 2**0.5, 425**0.5 - 1, np.inf])
    assert which[:2].tolist() == [0, 1] and np.allclose(normal[1], -rays[1], atol=1e-6)
    assert np.isclose(abs(normal[0] @ rays[0]), 0.5**0.5)


def test_half_of_the_cells_of_four_kinds_are_hidden() -> None:
    make = script("examples/digits_four/make_table.py")
    rows = [dict.fromkeys(make.INPUTS, "x") | {"digit": str(n)} for n in range(51)]
    hidden = make.hide_half(rows, np.random.default_rng(0))
    left = np.array([[bool(row[name]) for name in make.INPUTS] for row in hidden])
    assert left.sum() == 102 and left.any(1).all()
    assert [row["digit"] for row in hidden] == [row["digit"] for row in rows]
    assert len({tuple(row) for row in left}) == 15


def test_open_page_never_fails(tmp_path: Path) -> None:
    (tmp_path / "a page.html").write_text("<p>")
    command = [sys.executable, ROOT / "tools/open_page.py", tmp_path / "a page.html"]
    run = subprocess.run(
        command, env={"CI": "true", "PATH": ""}, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == f"Open {(tmp_path / 'a page.html').as_uri()}"
