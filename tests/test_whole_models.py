"""Whole pretrained models as heads, from the table to the run and the exported folder."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file

import polymodal as pm
from polymodal.cli.export import Kind
from polymodal.errors import RecipeError
from polymodal.exporting.deployable import ExportError
from polymodal.exporting.transformers_folder import BESIDE, NAME, export_folder
from polymodal.heads import ImageTextToText
from polymodal.training.interruption import Interrupted
from polymodal.training.progress import SilentProgress
from small_table import write_csv
from tiny_language_model import make_language_model
from tiny_vision_language import make_llava, make_qwen, make_whisper

pytestmark = pytest.mark.slow

COLOURS = {"red": (250, 20, 20), "green": (20, 250, 20), "blue": (20, 20, 250)}
FAST = {
    "train": {"epochs": 2, "batch_size": 8, "learning_rate": 0.01, "precision": "fp32",
              "threads": 1, "tensorboard": False, "curves": False},
    "evaluation": {"resamples": 40, "subsets": False, "examples": 2, "trees": False,
                   "single_modalities": "off"},
    "data": {"keep_packs": False, "workers": 1},
}  # fmt: skip


def table(folder: Path, count: int = 40) -> Path:
    """A picture of one colour, a question and its answer; some pictures are missing."""
    from PIL import Image

    rng, rows = np.random.default_rng(0), []
    for row in range(count):
        colour = list(COLOURS)[rng.integers(3)]
        Image.new("RGB", (40, 30), COLOURS[colour]).save(folder / f"{row}.png")
        rows.append(
            {"photo": "" if row % 10 == 9 else f"{row}.png", "question": f"what colour is {row}?",
             "size": row * 1.5, "answer": f"a {colour} shape, number {row}"}
        )  # fmt: skip
    return write_csv(folder / "table.csv", rows)


def recipe(head: dict[str, Any], *inputs: str, **columns: Any) -> dict[str, Any]:
    answer = {"modality": {"name": "text", "max_tokens": 8}, "head": head}
    return {"inputs": list(inputs), "columns": {"answer": answer, **columns}, **FAST}


class Stop(SilentProgress):
    """As if Ctrl-C was pressed after the first epoch."""

    def epoch(self, row: Any, *, metric: str, best: bool) -> None:
        raise Interrupted(Path(), 0)


@pytest.fixture(scope="module", params=["llava", "qwen"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp(request.param)
    make = {"llava": make_llava, "qwen": make_qwen}[request.param]
    make(place / "model")
    size = {"llava": 28, "qwen": 56}[request.param]
    head = {"name": "image_text_to_text", "model": str(place / "model"), "rank": 4}
    chosen = recipe(head, "photo", "question", photo={"modality": {"name": "image", "size": size}})
    pm.fit(table(place), "answer", recipe=chosen, out=place / "run")
    return place


def test_only_what_was_trained_is_kept_and_it_says_the_same(run: Path):
    for file in ("run/weights.safetensors", "run/checkpoints/last.safetensors"):
        with safe_open(run / file, "pt") as weights:
            names = [name for name in weights.keys() if "network" in name]  # noqa: SIM118
        assert names and all("lora_" in name for name in names)
    first, second = pm.load(run / "run"), pm.load(run / "run")
    assert isinstance(first.run.model.head("answer"), ImageTextToText)
    rows = [{"photo": str(run / "1.png"), "question": "what colour is it?"}, {"question": "well?"}]
    said = first.predict(rows)["answer"].tolist()
    assert said == second.predict(rows)["answer"].tolist()
    assert "".join(first.generate(rows[0])).strip() == said[0]


@pytest.mark.slow
def test_interrupted_and_resumed_is_never_interrupted(run: Path, tmp_path: Path):
    effective = run / "run" / "recipe.yaml"
    with pytest.raises(Interrupted):
        pm.fit(recipe=effective, out=tmp_path / "cut", progress=Stop())
    pm.fit(recipe=effective, out=tmp_path / "cut", resume=True)
    whole, cut = (load_file(p / "weights.safetensors") for p in (run / "run", tmp_path / "cut"))
    assert whole.keys() == cut.keys()
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_the_exported_folder_writes_the_same(run: Path, tmp_path: Path):
    made = export_folder(run / "run")
    assert made.directory == run / "run" / NAME and made.alike == 1.0 and not made.beside
    network = transformers.AutoModelForImageTextToText.from_pretrained(made.directory)
    assert not any("lora" in name for name in network.state_dict())
    before = transformers.AutoModelForImageTextToText.from_pretrained(run / "model").state_dict()
    assert any(not torch.equal(before[n], w) for n, w in network.state_dict().items())
    transformers.AutoProcessor.from_pretrained(made.directory)
    trained = pm.load(run / "run")
    side = trained.run.modalities["photo"].facts()["size"]
    head = {"name": "image_text_to_text", "model": str(made.directory), "train": "frozen"}
    chosen = recipe(head, "photo", "question", photo={"modality": {"name": "image", "size": side}})
    again = pm.fit(run / "table.csv", "answer", recipe=chosen, out=tmp_path / "again")
    rows = [{"photo": str(run / f"{n}.png"), "question": f"what colour is {n}?"} for n in range(6)]
    assert again.predict(rows)["answer"].tolist() == trained.predict(rows)["answer"].tolist()
    with pytest.raises(ExportError, match="not an empty folder"):
        export_folder(run / "run", out=made.directory)


def test_a_language_model_is_exported_with_its_projections(tmp_path: Path):
    model = make_language_model(tmp_path / "model")
    head = {"name": "causal_lm", "model": model, "rank": 4}
    chosen = recipe(head, "size", "question")
    pm.fit(table(tmp_path), "answer", recipe=chosen, out=tmp_path / "run")
    made = export_folder(tmp_path / "run", out=tmp_path / "folder")
    assert made.beside and made.alike == 1.0
    assert all("projections" in name for name in load_file(made.directory / BESIDE))
    transformers.AutoModelForCausalLM.from_pretrained(made.directory)
    transformers.AutoTokenizer.from_pretrained(made.directory)


def test_frozen_there_is_nothing_to_train(small_folder: Path, tmp_path: Path, capsys: Any):
    """Out of the box: measured, saved, loaded, predicting, exported."""
    from rich.console import Console

    from polymodal.training import RichProgress

    model = make_whisper(tmp_path / "model")
    chosen = {
        "inputs": ["sound"],
        "columns": {
            "digit": {"modality": {"name": "text", "max_tokens": 4},
                      "head": {"name": "speech_to_text", "model": model, "train": "frozen"}},
            "sound": {"modality": {"name": "audio", "max_seconds": 2}},
        },
        **FAST,
    }  # fmt: skip
    progress = RichProgress(Console(width=200))
    out = tmp_path / "run"
    said = pm.fit(small_folder / "table.csv", "digit", recipe=chosen, out=out, progress=progress)
    assert "Nothing to train: every weight is frozen" in capsys.readouterr().out
    assert said.metrics["training"]["ended"] == "nothing to train"
    assert said.metrics["training"]["steps"] == 0 and (out / "report.html").exists()
    again = pm.load(out)
    rows = [{"sound": str(small_folder / "sounds/000.wav")}, {"sound": None}]
    assert again.predict(rows)["digit"].tolist() == said.predict(rows)["digit"].tolist()
    with safe_open(out / "weights.safetensors", "pt") as weights:
        assert not list(weights.keys())
    made = export_folder(out, out=tmp_path / "folder")
    assert made.alike == 1.0
    transformers.WhisperForConditionalGeneration.from_pretrained(made.directory)
    assert Kind(NAME)


def test_what_no_head_would_read_is_refused(tmp_path: Path):
    model = make_llava(tmp_path / "model")
    place, head = table(tmp_path), {"name": "image_text_to_text", "model": model}
    with pytest.raises(RecipeError, match="would not read the input 'size', of modality number"):
        pm.fit(place, "answer", recipe=recipe(head, "photo", "question", "size"))
    with pytest.raises(RecipeError, match=r"write \{question\} into the prompt"):
        named = {**head, "prompt": "{photo} what is it?"}
        pm.fit(place, "answer", recipe=recipe(named, "photo", "question"))
    with pytest.raises(RecipeError, match=r"names \{foto\}, which is not an input"):
        named = {**head, "prompt": "{foto} {question}"}
        pm.fit(place, "answer", recipe=recipe(named, "photo", "question"))
    with pytest.raises(RecipeError, match=r"names \{row\}, which is not an input"):
        pm.fit(place, "answer", recipe=recipe({**head, "prompt": "{row} {photo}"}, "photo"))
    with pytest.raises(RecipeError, match=r"channels = 1: a pretrained model reads 'photo'"):
        grey = {"modality": {"name": "image", "channels": 1}}
        pm.fit(place, "answer", recipe=recipe(head, "photo", photo=grey))
    with pytest.raises(RecipeError, match=r"columns\.size\.modality to text"):
        named = {**head, "prompt": "{photo} {size}"}
        pm.fit(place, "answer", recipe=recipe(named, "photo", "size"))
