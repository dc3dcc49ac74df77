"""What is shown of augmentation: originals beside variations, as a page and as a picture."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner

from polymodal.augmentation import augmented_columns
from polymodal.cli import app
from polymodal.data.heatmap import heatmap
from polymodal.errors import RecipeError


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng, lines = np.random.default_rng(0), ["photo,said,size,label"]
    for n in range(12):
        pixels = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)
        Pillow.fromarray(pixels).save(tmp_path / f"{n}.png")
        lines.append(f"{n}.png,the bird number {n} sings a song for you,{n}.5,{'ab'[n % 2]}")
    (tmp_path / "data.csv").write_text("\n".join(lines))
    return tmp_path / "data.csv"


def test_what_a_recipe_does_and_what_it_could(table: Path) -> None:
    recipe = {
        "columns": {"photo": {"modality": {"name": "image", "augment": ["crop", "flip"]}}},
        "train": {"mix": "cutmix"},
    }
    columns = {c.name: c for c in augmented_columns(table, recipe=recipe, target="label")}
    photo, said, size = columns["photo"], columns["said"], columns["size"]
    assert photo.chosen and photo.headings == (*["as trained"] * 5, "cutmix")
    assert not said.chosen and said.headings == ("token_dropout", "span_mask")
    assert size.headings == ("noise",) and "label" not in columns
    original, *varied = (shown.content for shown in photo.rows[0])
    assert len(set(varied)) >= 4 and original not in varied[:3]
    assert all("▢" in row[2].content for row in said.rows)
    assert "▢" not in said.rows[0][0].content and "sings a song" in said.rows[0][0].content
    assert len(photo.rows) == 4 and len(photo.rows[0]) == 7


def test_nothing_to_vary_is_an_error() -> None:
    with pytest.raises(RecipeError, match="No input of this table can be varied"):
        augmented_columns({"colour": list("rgb") * 9, "label": list("xyz") * 9}, target="label")


@pytest.mark.parametrize("name", ["seen.html", "seen.png"])
def test_the_command(table: Path, name: str) -> None:
    path = table.parent / name
    words = ["augment", str(table), "-t", "label", "--show", str(path), "--examples", "2"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    if name.endswith(".html"):
        page = path.read_text("utf-8")
        assert page.count("<img") == 2 * 8 and "rand augment" in page and "▢" in page
    else:
        with Pillow.open(path) as picture:
            assert picture.width > 900 and picture.height > 400
    refused = CliRunner().invoke(app, [*words[:5], str(path.with_suffix(".txt"))])
    assert refused.exit_code == 1 and "must end in .html or .png" in str(refused.exception)


def test_sounds_are_seen(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sounds = [(rng.normal(0, 0.1, 8000).astype(np.float32), 8000) for _ in range(8)]
    for form, kind in (("log_mel", "image"), ("waveform", "audio")):
        recipe = {"columns": {"cry": {"modality": {"name": "audio", "form": form}}}}
        data = {"cry": sounds, "label": list("ab") * 4}
        (column,) = augmented_columns(data, recipe=recipe, target="label", examples=2)
        assert {shown.kind for row in column.rows for shown in row} == {kind}


def test_a_heatmap_is_dark_where_low_and_bright_where_high() -> None:
    drawn = Pillow.open(io.BytesIO(heatmap(np.array([[0.0, 1.0]]), low=0, high=1, scale=3)))
    pixels = np.asarray(drawn)
    assert pixels.shape == (3, 6, 3)
    assert pixels[0, 0].tolist() == [0, 0, 4] and pixels[0, 5].tolist() == [252, 253, 191]
