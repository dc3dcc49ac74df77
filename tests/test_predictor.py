import io
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pyarrow as pa
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import polymodal as pm
from polymodal import predictor as predictor_file
from polymodal.build import build_model
from polymodal.encoders import ENCODERS
from polymodal.errors import SchemaError, TableError
from polymodal.evaluation.prediction import UNSEEN
from polymodal.fusion import FUSIONS
from polymodal.predictor import Predictor
from polymodal.run_directory import Run
from small_table import (
    BROKEN_INK,
    BROKEN_PHOTOS,
    BROKEN_SOUNDS,
    EMPTY,
    INPUTS,
    NAMES,
    ROWS,
    TARGETS,
    only,
    small,
)

Rows = list[dict[str, Any]]


def numbers_of(frame: pandas.DataFrame) -> np.ndarray:
    """All float columns, prices on the scale of probabilities."""
    numbers = frame.select_dtypes("float64").copy()
    if "price" in numbers:
        numbers["price"] /= 100
    return numbers.to_numpy()


def assert_same(one: pandas.DataFrame, other: pandas.DataFrame) -> None:
    assert list(one.columns) == list(other.columns)
    np.testing.assert_allclose(numbers_of(one), numbers_of(other), atol=1e-5, rtol=0)


def test_predict_gives_a_data_frame_in_the_order_of_the_rows(
    whole: Predictor, small_folder: Path
) -> None:
    frame = whole.predict(small_folder / "table.csv", proba=True)
    assert len(frame) == ROWS
    kinds = [f"kinds={kind}" for kind in ("even", "high", "low")]
    digits = [f"digit={name}" for name in sorted(NAMES)]
    assert list(frame.columns) == ["digit", *digits, "price", "kinds", *kinds]
    assert (frame.dtypes[[*digits, *kinds, "price"]] == "float64").all()
    np.testing.assert_allclose(frame[digits].sum(axis=1), 1, atol=1e-6)
    assert (frame[digits].idxmax(axis=1) == "digit=" + frame["digit"]).all()
    for tags, row in zip(frame["kinds"], frame[kinds].to_numpy(), strict=True):
        assert tags == [
            k.removeprefix("kinds=") for k, p in zip(kinds, row, strict=True) if p > 0.5
        ]
    assert list(whole.predict(small_folder / "table.csv").columns) == TARGETS


def test_lists_of_tags_of_one_length(whole: Predictor, small_rows: Rows) -> None:
    """NumPy would take them for a matrix."""
    for tags in ([True, True, False], [False, False, False], [False, True, False]):
        head = whole.run.model.head("kinds")
        head.answer = lambda said, tags=tags: torch.tensor([tags] * len(said))
        frame = whole.predict(small_rows[:4])
        labels = [k for k, on in zip(("even", "high", "low"), tags, strict=True) if on]
        assert list(frame["kinds"]) == [labels] * 4


def test_sources_of_any_kind_give_the_same(
    whole: Predictor, small_folder: Path, small_rows: Rows, tmp_path: Path
) -> None:
    class Streamed:
        """What polars, duckdb and datasets have in common."""

        def __init__(self, table: pa.Table) -> None:
            self.table = table

        def __arrow_c_stream__(self, schema: object = None) -> object:
            return self.table.__arrow_c_stream__(schema)

    expected = whole.predict(small_folder / "table.csv", proba=True)
    frame = pandas.DataFrame(small_rows)
    arrow = pa.Table.from_pylist(small_rows)
    frame.to_parquet(tmp_path / "table.parquet")
    columns = {name: list(frame[name]) for name in frame.columns}
    for source in (frame, arrow, Streamed(arrow), small_rows, columns, tmp_path / "table.parquet"):
        assert_same(whole.predict(source, proba=True), expected)


def test_cells_as_paths_bytes_pictures_and_arrays(whole: Predictor, small_rows: Rows) -> None:
    import soundfile

    row = {name: small_rows[0][name] for name in INPUTS}
    expected = whole.predict([row], proba=True)
    picture, sound = Path(row["photo"]), Path(row["sound"])
    opened = Image.open(picture)
    samples = soundfile.read(sound)
    memory = io.BytesIO()
    opened.save(memory, "BMP")
    photos = (picture, picture.read_bytes(), opened, np.asarray(opened), memory.getvalue())
    for photo in photos:
        assert_same(whole.predict([row | {"photo": photo}], proba=True), expected)
    for cell in (sound, sound.read_bytes(), {"bytes": sound.read_bytes(), "path": None}, samples):
        assert_same(whole.predict([row | {"sound": cell}], proba=True), expected)
    mixed = [row | {"photo": photo} for photo in photos]
    repeated = pandas.concat([expected] * len(photos), ignore_index=True)
    assert_same(whole.predict(mixed, proba=True), repeated)


def test_missing_cells_and_what_is_said_of_them(whole: Predictor, small_folder: Path) -> None:
    frame = whole.predict(small_folder / "table.csv", missing=True)
    expected: list[list[str]] = [[] for _ in range(ROWS)]
    lacking = {"photo": BROKEN_PHOTOS, "sound": BROKEN_SOUNDS, "ink": BROKEN_INK}
    for name in INPUTS:
        for row in lacking.get(name) or [EMPTY[name]]:
            expected[row].append(name)
    assert list(frame["_missing"]) == expected
    assert frame.attrs["missing"] == {
        "photo": 5, "sound": 5, "says": 1, "ink": 3, "hand": 1, "traits": 1
    }  # fmt: skip
    again = whole.predict(small_folder / "table.csv")
    assert "_missing" not in again and again.attrs == frame.attrs


def test_broken_cells_are_told_with_their_rows(
    whole: Predictor, small_rows: Rows, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(predictor_file, "CHUNK", 4)
    with caplog.at_level(logging.WARNING):
        whole.predict(small_rows[:8])
    assert "column 'photo', 1 rows (5): zero-byte file" in caplog.text
    assert "column 'photo', 1 rows (7): damaged image" in caplog.text
    with pytest.raises(SchemaError, match=r"Column 'photo', row 5: zero-byte file"):
        whole.predict(small_rows[4:5] * 5 + small_rows[5:6], broken="error")


def test_a_prediction_does_not_depend_on_what_an_absent_or_broken_cell_holds(
    whole: Predictor, small_rows: Rows, tmp_path: Path
) -> None:
    noise = tmp_path / "noise.png"
    noise.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(200)))
    for name, cells in {
        "photo": [None, "", b"", b"no picture", str(tmp_path / "none.png"), noise, 7, float("nan")],
        "sound": [None, b"RIFF1234WAVE", str(tmp_path / "none.wav"), np.zeros((3, 3, 3))],
        "ink": [None, float("nan"), float("inf"), "abc", pandas.NA],
        "hand": [None, "a hand never seen", ["a", "list"]],
        "says": [None, "  "],
    }.items():
        rows = [small_rows[0] | {name: cell} for cell in cells]
        said = numbers_of(whole.predict(rows, proba=True, missing=True))
        np.testing.assert_allclose(said, np.tile(said[:1], (len(rows), 1)), atol=1e-5)
        frame = whole.predict(rows, missing=True)
        assert list(frame["_missing"]) == [[name]] * len(rows)


def test_columns_are_found_by_name(whole: Predictor, small_rows: Rows) -> None:
    expected = whole.predict(small_rows, proba=True)
    frame = pandas.DataFrame(small_rows)[TARGETS[::-1] + INPUTS[::-1]]
    frame.insert(3, "another", "column")
    assert_same(whole.predict(frame, proba=True), expected)
    assert_same(whole.predict(frame.drop(columns=TARGETS), proba=True), expected)


@pytest.mark.parametrize("kind", ["frame", "list", "csv"])
def test_a_renamed_column_is_an_error_that_names_it_and_the_nearest(
    whole: Predictor, small_rows: Rows, kind: str, tmp_path: Path
) -> None:
    frame = pandas.DataFrame(small_rows).rename(columns={"photo": "photos"})
    source: Any = frame
    if kind == "list":
        source = frame.to_dict("records")
    if kind == "csv":
        source = tmp_path / "renamed.csv"
        frame.to_csv(source, index=False)
    with pytest.raises(TableError, match=r"has no column 'photo'.* Did you mean 'photos'\?"):
        whole.predict(source)
    with pytest.raises(TableError, match=r"has no column 'photo'"):
        whole.evaluate(source)


def test_a_row_may_leave_columns_out(whole: Predictor, small_rows: Rows) -> None:
    few = whole.predict([{"ink": 3.0}, {"says": "这是一个偶数"}], proba=True, missing=True)
    assert few["_missing"].tolist() == [
        [n for n in INPUTS if n != "ink"], [n for n in INPUTS if n != "says"]
    ]  # fmt: skip
    alone = whole.predict([{"ink": 3.0}], proba=True, missing=True)
    assert_same(few.iloc[:1], alone)


def test_what_is_no_table(whole: Predictor, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="list of rows is empty"):
        whole.predict([])
    with pytest.raises(TableError, match=r"no file or folder"):
        whole.predict(tmp_path / "none.csv")
    with pytest.raises(TableError, match=r"no rows|empty"):
        whole.predict(pandas.DataFrame({name: [] for name in INPUTS}))


FUSED = st.sampled_from(sorted(FUSIONS))


@pytest.fixture(scope="module")
def of_fusion(whole_run: Path) -> Callable[[str], Predictor]:
    """The whole run with another fusion and random weights."""
    made: dict[str, Predictor] = {}

    def make(fusion: str) -> Predictor:
        if fusion not in made:
            run = Predictor.load(whole_run).run
            recipe = run.recipe.override([f"fusion={fusion}", "fusion.width=8"])
            torch.manual_seed(0)
            model = build_model(recipe, run.schema, run.modalities)
            made[fusion] = Predictor(Run(recipe, run.schema, run.modalities, model, {}))
        return made[fusion]

    return make


@pytest.mark.parametrize("fusion", FUSIONS)
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_row_is_the_same_alone_in_any_batch_and_in_any_order(
    of_fusion: Callable[[str], Predictor], small_rows: Rows, fusion: str, data: st.DataObject
) -> None:
    chosen = data.draw(st.lists(st.integers(0, 23), min_size=1, max_size=9))
    hidden = data.draw(st.lists(st.sampled_from(INPUTS), max_size=len(chosen), unique=True))
    rows = [dict(small_rows[i]) for i in chosen]
    for row, name in zip(rows, hidden, strict=False):
        row[name] = None
    said = numbers_of(of_fusion(fusion).predict(rows, proba=True))
    assert np.isfinite(said).all()
    i = data.draw(st.integers(0, len(rows) - 1))
    alone = numbers_of(of_fusion(fusion).predict([rows[i]], proba=True))
    np.testing.assert_allclose(alone[0], said[i], atol=1e-5, rtol=0)


ENCODED = [
    ("photo", "cnn"), ("photo", "resnet"), ("photo", "vision_transformer"), ("says", "text_rnn"),
    ("says", "text_transformer"), ("says", "bag_of_tokens"), ("sound", "cnn"), ("sound", "rnn"),
    ("sound", "transformer"), ("photo", "patches"), ("says", "token_embedding"),
    ("sound", "frames"),
]  # fmt: skip


def test_all_encoders_are_among_the_encoded() -> None:
    read = {"photo": "image", "says": "text", "sound": "audio"}
    ours = {(column, name) for column, kind in read.items() for name in ENCODERS[kind]}
    others = ("pretrained", "as_is")
    assert ours - set(ENCODED) == {(column, name) for column in read for name in others}


@pytest.mark.parametrize(("column", "encoder"), ENCODED)
def test_so_it_is_with_every_encoder(
    whole_run: Path, small_rows: Rows, column: str, encoder: str
) -> None:
    run = Predictor.load(whole_run).run
    recipe = run.recipe.override([f"columns.{column}.encoder={{name: {encoder}, width: 16}}"])
    torch.manual_seed(0)
    model = build_model(recipe, run.schema, run.modalities)
    other = Predictor(Run(recipe, run.schema, run.modalities, model, {}))
    rows = small_rows[:12]
    said = numbers_of(other.predict(rows, proba=True))
    turned = numbers_of(other.predict(rows[::-1], proba=True))[::-1]
    alone = np.concatenate([numbers_of(other.predict([row], proba=True)) for row in rows])
    np.testing.assert_allclose(turned, said, atol=1e-5, rtol=0)
    np.testing.assert_allclose(alone, said, atol=1e-5, rtol=0)


def test_a_table_of_several_chunks(
    whole: Predictor, small_rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = whole.predict(small_rows, proba=True, missing=True)
    vectors = whole.embed(small_rows)
    monkeypatch.setattr(predictor_file, "CHUNK", 50)
    found = whole.predict(small_rows, proba=True, missing=True)
    assert_same(found, expected)
    assert list(found["_missing"]) == list(expected["_missing"])
    assert found.attrs == expected.attrs
    np.testing.assert_allclose(whole.embed(small_rows), vectors, atol=1e-5)


def test_embed_gives_each_row_a_vector(whole: Predictor, small_rows: Rows) -> None:
    vectors = whole.embed(small_rows[:5])
    assert vectors.shape == (5, 16) and vectors.dtype == np.float32
    np.testing.assert_allclose(whole.embed(small_rows[3:4])[0], vectors[3], atol=1e-5)


def test_evaluate_prints_as_a_table_and_is_a_dictionary(
    whole: Predictor, small_folder: Path
) -> None:
    found = whole.evaluate(small_folder / "table.csv")
    assert "accuracy" in str(found) and "95" in str(found)
    scores = found.to_dict()
    assert list(scores) == TARGETS
    for target, metric in (("digit", "accuracy"), ("price", "r2"), ("kinds", "map")):
        score = scores[target][metric]
        assert score["low"] <= score["value"] <= score["high"]
    frame = whole.predict(small_folder / "table.csv")
    truth = pandas.read_csv(small_folder / "table.csv")["digit"]
    assert scores["digit"]["accuracy"]["value"] == pytest.approx((frame["digit"] == truth).mean())


def test_evaluate_on_labels_that_were_not_seen_counts_them_as_wrong(
    ink_run: Path, small_rows: Rows
) -> None:
    trained = pm.load(ink_run)
    before = trained.outcomes(small_rows)["digit"]
    changed = [row | {"digit": "nine"} if i < 30 else row for i, row in enumerate(small_rows)]
    after = trained.outcomes(changed)["digit"]
    assert len(after) == ROWS
    assert after.labels[-1] == UNSEEN and before.labels == after.labels[:-1]
    assert (after.truth[np.isin(after.rows, range(30))] == 4).all()
    right = before.right[~np.isin(before.rows, range(30))].sum()
    value = trained.evaluate(changed)["digit"]["accuracy"].value
    assert value == pytest.approx(right / ROWS)
    assert np.isfinite(trained.evaluate(changed)["digit"]["log_loss"].value)


def test_evaluate_needs_targets(ink_run: Path, small_rows: Rows) -> None:
    trained = pm.load(ink_run)
    with pytest.raises(TableError, match="has no column 'digit'"):
        trained.evaluate([{n: row[n] for n in ("ink", "hand")} for row in small_rows])
    with pytest.raises(TableError, match=r"No row .* has a target"):
        trained.evaluate([row | {"digit": None} for row in small_rows])


def test_evaluate_leaves_rows_without_the_target_out(ink_run: Path, small_rows: Rows) -> None:
    some = [row | {"digit": row["digit"] if i % 2 else None} for i, row in enumerate(small_rows)]
    found = pm.load(ink_run).outcomes(some)["digit"]
    assert sorted(found.rows) == list(range(1, ROWS, 2))


def test_a_part_of_the_split_column(small_rows: Rows) -> None:
    parts = ["train", "train", "val", "test"]
    rows = [row | {"split": parts[i % 4]} for i, row in enumerate(small_rows)]
    trained = pm.fit(rows, "digit", recipe=only("ink", train={"epochs": 1}))
    assert trained.evaluate(rows, split="test").rows == ROWS // 4
    assert trained.evaluate(rows, split="test").to_dict() == trained.metrics["test"]
    with pytest.raises(TableError, match="no part 'tset'"):
        trained.evaluate(rows, split="tset")
    with pytest.raises(TableError, match=r"No row .* 'split' = 'test'"):
        trained.evaluate([row | {"split": "train"} for row in rows], split="test")


def test_a_part_without_a_split_column(ink_run: Path, small_rows: Rows) -> None:
    with pytest.raises(TableError, match="trained without a split column"):
        pm.load(ink_run).evaluate(small_rows, split="test")


def test_save_and_load_predict_the_same(whole: Predictor, small_rows: Rows, tmp_path: Path) -> None:
    whole.save(tmp_path / "deep" / "copy")
    again = pm.load(tmp_path / "deep" / "copy")
    one, other = (p.predict(small_rows, proba=True) for p in (whole, again))
    assert np.array_equal(numbers_of(one), numbers_of(other))
    assert again.metrics == whole.metrics
    assert again.inputs == INPUTS and again.targets == TARGETS


def test_numbers_as_classes_keep_their_type(small_rows: Rows) -> None:
    rows = [row | {"digit": NAMES.index(row["digit"])} for row in small_rows]
    trained = pm.fit(rows, "digit", recipe=only("ink", train={"epochs": 1}))
    frame = trained.predict(rows, proba=True)
    assert frame["digit"].dtype == "int64"
    assert list(frame.columns) == ["digit", "digit=0", "digit=1", "digit=2", "digit=3"]


def test_a_table_of_one_modality_each(small_folder: Path, small_rows: Rows) -> None:
    for name in INPUTS:
        recipe = only(name, train={"epochs": 1}, fusion={"name": "mean", "width": 16})
        trained = pm.fit(small_folder / "table.csv", "digit", recipe=recipe)
        assert trained.inputs == [name]
        assert numbers_of(trained.predict(small_rows[:9], proba=True)).shape == (9, 4)
    assert small()["fusion"]["name"] == "concat"
