"""A text column as target, from the table to the answer."""

import json
from pathlib import Path

import numpy as np
import pytest

import polymodal as pm
from polymodal.data.dataset import prepare
from polymodal.data.schema import infer_schema
from polymodal.data.table import Table
from polymodal.errors import RecipeError, SchemaError, TableError

COLOURS = {"red": (250, 20, 20), "green": (20, 250, 20), "blue": (20, 20, 250)}
FAST = {
    "train": {"epochs": 12, "batch_size": 16, "learning_rate": 0.01, "precision": "fp32",
              "threads": 1, "modality_dropout": 0.0, "patience": 0},
    "evaluation": {"resamples": 50, "subsets": False, "examples": 3, "single_modalities": "off"},
    "data": {"keep_packs": False},
}  # fmt: skip


def rows(count: int = 64) -> list[dict]:
    """A picture whose halves have a colour each, and three sentences that tell of them."""
    rng, found = np.random.default_rng(0), []
    for row in range(count):
        left, right = rng.choice(list(COLOURS), 2, replace=False)
        picture = np.zeros((16, 16, 3), np.uint8)
        picture[:, :8], picture[:, 8:] = COLOURS[left], COLOURS[right]
        texts = [
            f"A {left} thing stands beside a {right} one.",
            f"The {left} one is left of the {right} thing.",
            f"Left is the {left} thing and right the {right} one.",
        ]
        found.append(
            {"picture": picture, "mood": float(row % 7), "captions": texts, "text_1": texts[0],
             "text_2": texts[1], "text_3": None if row % 4 else texts[2]}
        )  # fmt: skip
    return found


RECIPE = {
    "inputs": ["picture", "mood"],
    "columns": {"picture": {"encoder": "patches"}},
    "fusion": {"name": "joint_transformer", "width": 32, "layers": 1},
    **FAST,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("text") / "run"
    pm.fit(rows(), "captions", recipe=RECIPE, out=out)
    return out


def test_it_learns_to_write(run: Path):
    predictor = pm.load(run)
    scores = predictor.metrics["test"]["captions"]
    assert next(iter(scores)) == "cider"
    others = predictor.metrics["baselines"]["captions"]
    assert set(others) == {"most_frequent", "nearest_neighbour"}
    assert scores["token_f1"]["value"] > others["most_frequent"]["token_f1"]["value"]
    assert 1 <= scores["perplexity"]["value"] < 10
    asked = [{n: row[n] for n in ("picture", "mood")} for row in rows(6)]
    frame = predictor.predict(asked, proba=True)
    assert list(frame.columns) == ["captions", "captions=score"]
    assert frame["captions"].str.len().min() > 10 and frame["captions=score"].between(0, 1).all()
    assert predictor.predict(asked)["captions"].tolist() == frame["captions"].tolist()
    found = predictor.evaluate(rows(12))
    assert found["captions"]["exact_match"].value <= found["captions"]["token_f1"].value


def test_streamed_and_several(run: Path):
    predictor = pm.load(run)
    asked = {n: rows(1)[0][n] for n in ("picture", "mood")}
    whole = predictor.predict([asked])["captions"][0]
    pieces = list(predictor.generate(asked))
    assert "".join(pieces) == whole and len(pieces) > 3
    assert "".join(predictor.generate(asked, beams=2))
    assert "".join(predictor.generate(asked, stop=[" "])) == whole.split(" ")[0]
    drawn = ["".join(predictor.generate(asked, temperature=2.0, seed=s)) for s in range(4)]
    assert len(set(drawn)) > 1
    assert "".join(predictor.generate(asked, temperature=2.0, seed=0)) == drawn[0]
    found = predictor.candidates([asked, {"picture": None, "mood": None}], best=3)
    assert len(found) == 2 and [len(texts) for texts in found] == [3, 3]
    scores = [score for _, score in found[0]]
    assert scores == sorted(scores, reverse=True) and len({text for text, _ in found[0]}) == 3
    with pytest.raises(RecipeError, match="Did you mean 'temperature'"):
        predictor.generate(asked, temperatur=1.0)  # before anything is written
    with pytest.raises(TableError, match="'mood' is no text"):
        predictor.candidates([asked], target="mood")


def test_the_report_shows_references_and_where_it_looked(run: Path):
    page = (run / "report.html").read_text("utf-8")
    assert "References" in page and 'class="looks"' in page
    assert "nearest neighbour" in page and "CIDEr-D" in page


def test_a_saved_run_writes_the_same(run: Path):
    asked = [{n: row[n] for n in ("picture", "mood")} for row in rows(3)]
    assert pm.load(run).predict(asked).equals(pm.load(run).predict(asked))
    recipe = pm.Recipe.load(run / "recipe.yaml")
    assert recipe.columns["captions"].head.name == "transformer"
    assert recipe.columns["captions"].modality.options["lowercase"] is False


def test_columns_with_numbers_are_references_of_one_row():
    schema = infer_schema(Table.read(rows(20)), ["text"])
    assert schema["text"].source == "[{text_1}, {text_2}, {text_3}]"
    assert (schema["text"].role, schema["text"].modality) == ("target", "passages")
    assert {schema[f"text_{i}"].role for i in (1, 2, 3)} == {"ignored"}
    dataset = prepare(Table.read(rows(20)), ["text"])
    assert [len(cell) for cell in dataset.table.cells("text", [0, 1])] == [3, 2]


def test_numbered_columns_as_target_whole(tmp_path: Path):
    columns = RECIPE | {"train": FAST["train"] | {"epochs": 1}}
    predictor = pm.fit(rows(40), "text", recipe=columns, out=tmp_path / "run")
    assert len(pm.load(tmp_path / "run").evaluate(rows(8)).targets["text"].scores) > 5
    assert predictor.run.schema["text_1"].role == "ignored"


def test_short_answers_stay_classes():
    table = Table.read(
        {"q": [f"which one is number {i}" for i in range(30)], "a": ["a cat", "a dog"] * 15}
    )
    assert infer_schema(table, ["a"])["a"].modality == "category"
    asked = infer_schema(table, ["a"], modalities={"a": "text"})
    assert asked["a"].modality == "text" and asked["a"].role == "target"


def test_the_target_under_another_name_is_a_leak():
    said = [f"the person number {i} walks home" for i in range(40)]
    table = Table.read({"n": list(map(float, range(40))), "heard": said, "text": said})
    dataset = prepare(table, ["text"])
    assert dataset.schema["heard"].role == "ignored"
    assert "leaking_column" in {finding.kind for finding in dataset.findings}
    several = Table.read(
        {"n": list(map(float, range(40))), "heard": said, "texts": [[t, "x y z w"] for t in said]}
    )
    assert prepare(several, ["texts"]).schema["heard"].role == "ignored"


@pytest.mark.parametrize("head", ["lstm", "transformer"])
def test_bad_texts_are_told_of(tmp_path: Path, head: str):
    table = rows(60)
    for place, bad in ((2, ""), (5, "   "), (9, None), (11, "a " * 400)):
        table[place]["said"] = bad
    for place, row in enumerate(table):
        row.setdefault("said", f"the {'red' if place % 2 else 'blue'} number {place}")
        row.pop("captions")
    recipe = {
        "inputs": ["mood"], "columns": {"said": {"modality": "text", "head": head}},
        "fusion": {"name": "concat", "width": 16}, **FAST,
        "train": FAST["train"] | {"epochs": 1},
    }  # fmt: skip
    pm.fit(table, "said", recipe=recipe, out=tmp_path / "run")
    findings = json.loads((tmp_path / "run/metrics.json").read_text())["findings"]
    told = {finding["kind"]: finding["rows"] for finding in findings if finding["column"] == "said"}
    assert told["missing_target"] == [2, 5, 9] and told["too_long"] == [11]


def test_speech_without_time_is_an_error():
    recipe = {
        "inputs": ["mood"], "columns": {"said": {"modality": "text", "head": "ctc"}},
        "fusion": {"name": "concat", "width": 16}, **FAST,
    }  # fmt: skip
    table = [{"mood": float(i), "said": f"number {i} says hello"} for i in range(40)]
    with pytest.raises(RecipeError, match=r"The head ctc gets .* tokens for a text of"):
        pm.fit(table, "said", recipe=recipe)


def test_heads_of_other_modalities_are_refused():
    recipe = {"columns": {"said": {"modality": "text", "head": "tagging"}}, **FAST}
    table = [{"mood": float(i), "said": f"number {i} says hello"} for i in range(40)]
    with pytest.raises(RecipeError, match="whose head is transformer or lstm or ctc"):
        pm.fit(table, "said", recipe=recipe)
    with pytest.raises(SchemaError, match="looks like image"):
        infer_schema(Table.read({"p": ["a.png", "b.png", "c.png"], "n": [1, 2, 3]}), ["p"])


def test_absent_inputs_are_written_about_too(run: Path):
    said = pm.load(run).predict([{"picture": None, "mood": None}, {"picture": None, "mood": 3.0}])
    assert said["captions"].str.len().min() > 5


def test_the_report_shows_when_words_were_heard(small_folder: Path, tmp_path: Path):
    recipe = {
        "inputs": ["sound", "ink"],
        "columns": {
            "sound": {"modality": {"name": "audio", "mels": 16},
                      "encoder": {"name": "rnn", "width": 8}},
            "says": {"modality": "text", "head": "transformer"},
        },
        "fusion": {"name": "joint_transformer", "width": 8, "layers": 1, "heads": 2}, **FAST,
        "train": FAST["train"] | {"epochs": 1},
    }  # fmt: skip
    pm.fit(small_folder / "table.csv", "says", recipe=recipe, out=tmp_path / "run")
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert 'class="hearing"' in page and 'class="strip"' in page
    assert "(TransformerDecoder; a text of " in page  # what it costs holds the writing
