"""The runner: what it loads, how it starts, what it refuses."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from polymodal.errors import RunError, TableError
from polymodal.exporting.exporter import export_run
from polymodal.onnx_runner import OnnxPredictor
from polymodal.onnx_runner.description import DESCRIPTION

ALONE = """
import sys
from polymodal.onnx_runner import OnnxPredictor
model = OnnxPredictor.load(sys.argv[1])
print(model.predict([{"ink": 3.0, "hand": "left"}, {}], missing=True))
unwanted = {"torch", "pandas", "pyarrow", "sklearn", "scipy", "pydantic", "transformers"}
print(sorted(unwanted & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def exported(ink_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_run(ink_run, out=tmp_path_factory.mktemp("onnx")).directory


def test_it_runs_without_torch_pandas_and_arrow(exported: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(exported)], capture_output=True, text=True, check=True
    )
    answers, loaded = done.stdout.strip().splitlines()
    assert "'_missing': ['ink', 'hand']" in answers
    assert loaded == "[]"


def test_batches_do_not_change_answers(exported: Path) -> None:
    model = OnnxPredictor.load(exported)
    rows = [{"ink": float(i), "hand": None if i % 3 else "left"} for i in range(10)]
    whole, parts = model.predict(rows, proba=True), model.predict(rows, proba=True, batch_size=3)
    for one, other in zip(whole, parts, strict=True):
        assert one == pytest.approx(other, abs=1e-6)
    assert model.predict([]) == []
    assert sum(whole[0][f"digit={name}"] for name in ("nought", "one", "two", "three")) == (
        pytest.approx(1, abs=1e-5)
    )


def test_rows_are_dictionaries(exported: Path) -> None:
    with pytest.raises(TableError, match="list of dictionaries"):
        OnnxPredictor.load(exported).predict(["ink"])  # type: ignore[list-item]


def test_what_was_altered_is_refused(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="polymodal export RUN --to onnx"):
        OnnxPredictor.load(tmp_path)
    copy = Path(shutil.copytree(exported, tmp_path / "copy"))
    with (copy / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(RunError, match="not what was exported"):
        OnnxPredictor.load(copy)
    (copy / "model.onnx").unlink()
    with pytest.raises(RunError, match="is missing"):
        OnnxPredictor.load(copy)
    content = json.loads((copy / DESCRIPTION).read_text("utf-8"))
    for changed, message in (
        (content | {"format": 99}, "format 99"),
        (content | {"file": "../model.onnx"}, "is missing"),
        ({"format": 1}, "no description of a model"),
    ):
        (copy / DESCRIPTION).write_text(json.dumps(changed))
        with pytest.raises(RunError, match=message):
            OnnxPredictor.load(copy)
    (copy / DESCRIPTION).write_text("{")
    with pytest.raises(RunError, match="no description of a model"):
        OnnxPredictor.load(copy)
