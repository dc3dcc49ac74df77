"""From a run to a smaller one, to the end."""

import json
from pathlib import Path

import numpy as np
import pytest

from polymodal.compression import compression
from polymodal.compression.changes import Changes
from polymodal.compression.compression import compress_run
from polymodal.errors import RunError
from polymodal.evaluation.scores import Score
from polymodal.onnx_runner import OnnxPredictor
from polymodal.predictor import Predictor


@pytest.mark.slow
def test_pruned_and_in_8_bits_it_is_a_run_like_any_other(
    ink_run: Path, small_folder: Path, tmp_path: Path
) -> None:
    changes = Changes(prune=0.3, recover=1, int8="dynamic")
    found = compress_run(ink_run, changes, out=tmp_path / "small", force=True)
    names = [(price.name, price.engine) for price in found.prices]
    assert names == [
        ("as trained", "PyTorch"),
        ("as trained", "ONNX"),
        ("without 30% of the weights", "PyTorch"),
        ("without 30% of the weights, int8 dynamic", "ONNX"),
    ]
    assert all(price.memory_mb > 10 and price.one_ms[0] > 0 for price in found.prices)
    assert found.prices[0].memory_mb > found.prices[1].memory_mb
    model = Predictor.load(tmp_path / "small").run.model
    weights = [p for p in model.parameters() if p.ndim > 1]
    zeros = sum(int((p == 0).sum()) for p in weights)
    assert zeros > 0.2 * sum(p.numel() for p in weights)
    rows = [{"ink": 3.0, "hand": "left"}, {"hand": "right"}]
    runner = OnnxPredictor.load(tmp_path / "small")
    assert len(runner.predict(rows)) == 2
    assert runner.description.notes == ("without 30% of the weights", "int8 dynamic")
    told = json.loads((tmp_path / "small" / "compression.json").read_text())
    assert told["saved"] and len(told["variants"]) == 4
    assert "<svg" in (tmp_path / "small" / "compression.html").read_text("utf-8")
    assert not [path for path in tmp_path.iterdir() if path.name != "small"]


@pytest.mark.slow
def test_what_loses_too_much_is_not_kept(
    ink_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "prices", lambda *_, **__: [])
    monkeypatch.setattr(compression, "points_lost", lambda *_, **__: {"digit": Score(1.5, 1, 2)})
    found = compress_run(ink_run, Changes(bf16=True), out=tmp_path / "small")
    assert not found.saved and found.most_lost == 1.5
    assert not [*tmp_path.iterdir()]
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "mine").touch()
    with pytest.raises(RunError, match="not empty"):
        compress_run(ink_run, Changes(bf16=True), out=tmp_path / "small")


@pytest.mark.slow
def test_half_the_file_by_bf16_and_all_else_together(whole_run: Path, tmp_path: Path) -> None:
    found = compress_run(whole_run, Changes(bf16=True), out=tmp_path / "half", force=True)
    assert found.prices[2].file_mb < 0.6 * found.prices[0].file_mb
    student = tmp_path / "student.yaml"
    student.write_text("fusion: {name: mean, width: 8}\ntrain: {epochs: 2}\n")
    changes = Changes(distil=student, prune=0.4, structured=True, recover=1, int8="static")
    found = compress_run(whole_run, changes, out=tmp_path / "all", force=True)
    assert found.prices[-1].name == "distilled, without 40% of the channels, int8 static"
    whole, small = (Predictor.load(place) for place in (whole_run, tmp_path / "all"))
    count = [sum(p.numel() for p in one.run.model.parameters()) for one in (whole, small)]
    assert count[1] < count[0]
    assert np.isfinite(found.most_lost)
