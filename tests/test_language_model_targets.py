"""A pretrained language model as a head, from the table to the answer."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

import polymodal as pm
from polymodal.errors import RecipeError, RunError
from test_text_targets import RECIPE, rows
from tiny_language_model import make_language_model

SHORT = {**RECIPE["train"], "epochs": 2}


def table(count: int = 48) -> list[dict[str, Any]]:
    """A picture of two colours, a question on one of them, and the answer."""
    made = []
    for number, row in enumerate(rows(count)):
        words = row["captions"][0].split()
        side = number % 2
        made.append(
            {
                "picture": row["picture"],
                "question": f"what colour is the {['left', 'right'][side]} one here?",
                "mood": row["mood"],
                "answer": f"the colour is {[words[1], words[-2]][side]} here",
            }
        )
    return made


def recipe(model: str, **head: Any) -> dict[str, Any]:
    changed = deepcopy({**RECIPE, "train": SHORT})
    changed["inputs"] = ["picture", "question", "mood"]
    changed["columns"]["question"] = {"modality": "text"}
    changed["columns"]["answer"] = {
        "modality": "text",
        "head": {"name": "causal_lm", "model": model, "rank": 2, **head},
    }
    return changed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_language_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def run(folder: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("language") / "run"
    pm.fit(table(), "answer", recipe=recipe(folder), out=out)
    return out


def weights(file: Path) -> set[str]:
    with safe_open(file, "pt") as content:
        return set(content.keys())


@pytest.mark.slow
def test_it_writes_and_is_saved_without_the_model(run: Path):
    predictor = pm.load(run)
    asked = [{n: row[n] for n in ("picture", "question", "mood")} for row in table(4)]
    asked.append({"picture": None, "question": asked[0]["question"], "mood": None})
    frame = predictor.predict(asked, proba=True)
    assert len(frame) == 5 and frame["answer=score"].between(0, 1).all()
    assert "".join(predictor.generate(asked[0])) == frame["answer"][0]
    assert len(predictor.candidates(asked[:1], best=3)[0]) == 3
    others = predictor.metrics["baselines"]["answer"]
    assert {"most_frequent", "nearest_neighbour"} <= set(others)
    assert "as_is" in (run / "recipe.yaml").read_text("utf-8")
    for file in (run / "weights.safetensors", *(run / "checkpoints").glob("last*")):
        of_model = [name for name in weights(file) if "language_model" in name]
        assert of_model and all("lora_" in name for name in of_model)


@pytest.mark.slow
def test_without_its_model_a_run_says_what_it_needs(run: Path, tmp_path: Path, folder: str):
    moved = tmp_path / "moved"
    Path(folder).rename(moved)
    try:
        with pytest.raises(RecipeError, match=r"trained beside that model.*keep: all"):
            pm.load(run)
    finally:
        moved.rename(folder)


def test_prompts_that_cannot_be(folder: str, tmp_path: Path):
    for prompt, message in {
        "{pictrue} {question}": r"columns\.answer\.head\.prompt: .*\{pictrue\}.*'picture'",
        "{mood} {question}": r"modality number.*columns\.mood\.modality to text",
        "{question": "brace without its partner",
        "{picture} {question}": r"not read the input 'mood', of modality number.*\{row\}",
    }.items():
        with pytest.raises(RecipeError, match=message):
            pm.fit(table(), "answer", recipe=recipe(folder, prompt=prompt), out=tmp_path / "run")


@pytest.mark.slow
def test_without_an_encoder_there_are_no_vectors(folder: str, tmp_path: Path):
    asked = recipe(folder, train="frozen")
    asked["inputs"] = ["question"]
    predictor = pm.fit(table(32), "answer", recipe=asked, out=tmp_path / "run")
    with pytest.raises(RunError, match="no vectors: its pretrained head reads every column"):
        predictor.embed([{"question": "what?"}])


@pytest.mark.slow
def test_a_prompt_of_all_and_of_single_inputs(folder: str, tmp_path: Path):
    """Each input alone learns from the same prompt without the others."""
    asked = recipe(folder, prompt="Look: {picture} {row} {question} Answer:", keep="all")
    asked["evaluation"]["single_modalities"] = "trained"
    asked["train"]["epochs"] = 1
    predictor = pm.fit(table(32), "answer", recipe=asked, out=tmp_path / "run")
    assert predictor.embeds == ["picture", "mood"]
    others = predictor.metrics["baselines"]["answer"]
    assert {"picture", "question", "tabular"} <= set(others)
