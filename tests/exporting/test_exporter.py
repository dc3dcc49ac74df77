"""A run as a file that answers as it does, and what is refused."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from polymodal.errors import PolymodalError, RunError
from polymodal.experiment import fit
from polymodal.exporting import exporter
from polymodal.exporting.deployable import ExportError
from polymodal.exporting.exporter import KINDS, export_run
from polymodal.exporting.onnx_file import OnnxFile
from polymodal.onnx_runner import OnnxPredictor
from polymodal.onnx_runner.description import DESCRIPTION, Description
from polymodal.predictor import Predictor
from small_table import only


@pytest.mark.slow
def test_every_input_and_target_answers_as_the_predictor_does(
    whole_run: Path, small_folder: Path, small_rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    told: list[str] = []
    made = export_run(whole_run, out=tmp_path / "onnx", tell=told.append)
    assert made.rows > 0 and told[0] == "writing model.onnx"
    assert max(made.description.parity.values()) < 1e-4
    assert {"digit.probabilities", "price", "kinds.probabilities"} == set(made.description.parity)

    found = pandas.DataFrame(
        OnnxPredictor.load(tmp_path / "onnx").predict(small_rows, proba=True, missing=True)
    )
    wanted = Predictor.load(whole_run).predict(small_folder / "table.csv", proba=True, missing=True)
    assert list(found) == list(wanted)
    for name in wanted:
        if name == "price" or "=" in name:
            np.testing.assert_allclose(found[name], wanted[name], rtol=1e-4, atol=1e-4)
        else:
            assert found[name].tolist() == wanted[name].tolist(), name


@pytest.mark.slow
def test_a_run_stays_what_it_was_and_can_be_exported_again(ink_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(ink_run, tmp_path / "run"))
    first = export_run(run)
    assert first.directory == run / "onnx"
    assert {path.name for path in first.directory.iterdir()} == {"model.onnx", DESCRIPTION}
    Predictor.load(run)
    assert export_run(run).description.inputs == first.description.inputs
    assert OnnxPredictor.load(run).targets == ["digit"]


@pytest.mark.slow
def test_a_file_that_answers_otherwise_is_not_kept(
    ink_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "onnx"
    export_run(ink_run, out=out)
    before = (out / "model.onnx").read_bytes()
    right = OnnxFile.open

    def wrong(self: OnnxFile, path: Path) -> Callable[[Sequence[Any]], list[np.ndarray]]:
        run = right(self, path)
        return lambda tensors: [said + 0.01 for said in run(tensors)]

    monkeypatch.setattr(OnnxFile, "open", wrong)
    with pytest.raises(ExportError, match=r"digit.probabilities: 0.01 \(at most 0.0001"):
        export_run(ink_run, out=out)
    assert (out / "model.onnx").read_bytes() == before
    assert {path.name for path in out.iterdir()} == {"model.onnx", DESCRIPTION}
    with pytest.raises(ExportError):
        export_run(ink_run, out=tmp_path / "other")
    assert not [*(tmp_path / "other").iterdir()]


def test_what_cannot_be_exported_says_why(
    ink_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ExportError, match="Did you mean 'onnx'"):
        export_run(ink_run, "onx")
    with pytest.raises(RunError, match="no run directory"):
        export_run(tmp_path / "nothing")

    def fails(*_: object) -> None:
        raise RuntimeError("no such operator\nand more")

    monkeypatch.setattr(OnnxFile, "write", fails)
    with pytest.raises(ExportError, match=r"to onnx: RuntimeError: no such operator\. Its parts"):
        export_run(ink_run, out=tmp_path / "onnx")


def test_a_run_that_does_not_know_its_table_wants_one(
    small_rows: list[dict[str, Any]], small_folder: Path, tmp_path: Path
) -> None:
    frame = pandas.DataFrame(small_rows)
    fit(frame, "digit", recipe=only("ink", train={"epochs": 1}), out=tmp_path / "run")
    with pytest.raises(ExportError, match="give a table with --data"):
        export_run(tmp_path / "run")
    made = export_run(tmp_path / "run", data=small_folder / "table.csv")
    assert made.path.exists()
    with pytest.raises(PolymodalError, match="has no column"):
        export_run(tmp_path / "run", data=frame[["digit", "hand"]])


def test_the_description_tells_all_that_is_needed(ink_run: Path, tmp_path: Path) -> None:
    export_run(ink_run, out=tmp_path)
    content = json.loads((tmp_path / DESCRIPTION).read_text("utf-8"))
    assert content["title"] == "ink, hand -> digit"
    assert {"polymodal", "onnx", "onnxruntime"} <= set(content["versions"])
    target = content["targets"][0]
    assert target["labels"] == ["nought", "one", "three", "two"]
    assert target["tensors"]["probabilities"]["shape"] == ["batch", 4]
    assert json.loads(json.dumps(Description.read(tmp_path).to_json())) == content


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["torch", "executorch"])
def test_other_kinds_of_file_answer_alike(kind: str, whole_run: Path, tmp_path: Path) -> None:
    made = export_run(whole_run, kind, out=tmp_path)
    assert max(made.description.parity.values()) < 1e-4
    assert made.description.batch == (1 if kind == "executorch" else None)
    assert made.path.name == KINDS[kind].file
    assert exporter.KINDS[kind].versions()
