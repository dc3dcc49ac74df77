"""Every engine answers the same rows alike."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polymodal.errors import PolymodalError, RunError
from polymodal.serving.decoding_worker import decode_rows
from polymodal.serving.engines import load_engine, share_cores
from polymodal.serving.limits import Limits
from polymodal.serving.problem import Problem
from polymodal.serving.served_model import ServedModel

Rows = list[dict[str, Any]]


def test_what_is_not_there_is_explained(ink_run: Path) -> None:
    with pytest.raises(PolymodalError, match="Did you mean 'torch'"):
        load_engine(ink_run, kind="troch")
    with pytest.raises(RunError, match="polymodal export"):
        load_engine(ink_run, kind="onnx")


def test_cores_are_shared_between_decoding_and_computing() -> None:
    workers, threads = share_cores(0, 0)
    assert workers >= 1 and threads >= 1
    assert share_cores(5, 7) == (5, 7)


def test_one_engine_more_has_to_hide_a_column_exactly(whole_run: Path, small_rows: Rows) -> None:
    engine = load_engine(whole_run)
    modalities = {name: m for name, m in engine.inputs.items() if not m.media}
    rows = [{name: row[name] for name in modalities} for row in small_rows[20:24]]
    cells = {name: None for name in engine.inputs}
    said = engine.answer(decode_rows([cells | row for row in rows], engine.inputs).pack)
    alone = engine.answer(decode_rows([cells | rows[2]], engine.inputs).pack)
    for target, answers in said.items():
        if answers.probabilities is not None:
            np.testing.assert_allclose(
                answers.probabilities[2], alone[target].probabilities[0], atol=1e-6
            )


def test_a_model_that_only_compares_gives_vectors_and_says_so(ink_run: Path) -> None:
    engine = load_engine(ink_run)
    engine.answers = False

    async def whole() -> None:
        model = ServedModel("ink", "1", engine, limits=Limits(), workers=1)
        await model.start()
        assert len((await model.embed({"ink": 3.0}))["embedding"]) == 16
        for ask in (model.predict, model.explain):
            with pytest.raises(Problem, match="trained to compare"):
                await ask({"ink": 3.0})
        await model.close()

    asyncio.run(whole())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the exporters' packages
def test_an_exported_model_answers_as_the_network_does(
    ink_run: Path, small_folder: Path, small_rows: Rows, tmp_path: Path
) -> None:
    from polymodal.exporting.exporter import export_run

    run = tmp_path / "run"
    shutil.copytree(ink_run, run)
    export_run(run, "onnx", data=str(small_folder / "table.csv"))
    torch, onnx = load_engine(run), load_engine(run, kind="onnx")
    rows = [{"ink": row["ink"], "hand": row["hand"]} for row in small_rows[20:30]]
    rows += [{"ink": None, "hand": rows[0]["hand"]}, {"ink": 3.0, "hand": None}]
    pack = decode_rows(rows, torch.inputs).pack
    for target, answers in torch.answer(pack).items():
        other = onnx.answer(pack)[target]
        np.testing.assert_array_equal(answers.answer, other.answer)
        np.testing.assert_allclose(answers.probabilities, other.probabilities, atol=1e-5)

    async def whole() -> None:
        model = ServedModel("ink", "1", onnx, limits=Limits(), workers=1)
        await model.start()
        answer = await model.explain({"ink": 3.0, "hand": rows[0]["hand"]})
        assert set(answer["influence"]["digit"]) == {"ink", "hand"}
        with pytest.raises(Problem, match="gives no vectors"):
            await model.embed({"ink": 3.0})
        await model.close()

    asyncio.run(whole())
