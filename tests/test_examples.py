"""The data that ships with the project, and the scripts that make data."""

import csv
import importlib.util
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
EASY_VQA = ROOT / "examples" / "easy_vqa"


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


def test_make_noisy_adds_the_noise_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import soundfile
    from PIL import Image

    rng, rows = np.random.default_rng(0), []
    for folder in ("audio", "mnist"):
        (tmp_path / "clean" / folder).mkdir(parents=True)
    for number in range(6):
        row = {"id": number, "split": "train", "digit": number, "speaker": "a"}
        row |= {"image_mnist": f"mnist/{number}.png", "audio": f"audio/{number}.flac"}
        grey = Image.fromarray(np.full((28, 28), 255 * (number % 2), np.uint8))
        grey.save(tmp_path / "clean" / row["image_mnist"])
        sound = np.clip(rng.normal(0, 0.1, 4000), -1, 1)
        soundfile.write(tmp_path / "clean" / row["audio"], sound, 8000)
        rows.append(row)
    with (tmp_path / "clean" / "data.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)

    def run(out: str) -> Path:
        path = ROOT / "examples/digits_multi_noisy/make_noisy.py"
        arguments = [str(path), str(tmp_path / "clean"), str(tmp_path / out)]
        monkeypatch.setattr(sys, "argv", arguments)
        runpy.run_path(str(path), run_name="__main__")
        return tmp_path / out

    first, again = run("first"), run("again")
    files = sorted(p.relative_to(first) for p in first.rglob("*") if p.is_file())
    assert len(files) == 13
    assert all((first / f).read_bytes() == (again / f).read_bytes() for f in files)
    black = np.stack([np.asarray(Image.open(first / f"mnist/{n}.png")) for n in (0, 2, 4)])
    values = -4.05 + black.astype(float) / 255 * 9.1
    assert abs(values.mean()) < 0.06 and abs(values.std() - 0.9) < 0.04
    said = capsys.readouterr().out.splitlines()[-1]
    arrived = float(said.split("sd ")[2].split()[0])
    assert 1.7 < arrived < 2.3


def test_open_page_never_fails(tmp_path: Path) -> None:
    (tmp_path / "a page.html").write_text("<p>")
    command = [sys.executable, ROOT / "tools/open_page.py", tmp_path / "a page.html"]
    run = subprocess.run(
        command, env={"CI": "true", "PATH": ""}, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == f"Open {(tmp_path / 'a page.html').as_uri()}"
