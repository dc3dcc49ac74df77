"""Training on a stream: through every stage, and resumed bit for bit."""

import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image as Pillow
from pyarrow import parquet

from polymodal.errors import RecipeError
from polymodal.experiment import Experiment
from polymodal.recipe import Recipe

RECIPE = {
    "targets": ["kind"],
    "data": {"stream": True, "stream_sample": 48, "stream_shuffle": 20, "workers": 2},
    "train": {"epochs": 2, "batch_size": 16, "precision": "fp32", "threads": 1, "curves": False,
              "tensorboard": False},
    "evaluation": {"single_modalities": "off", "trees": False, "subsets": False, "resamples": 50},
}  # fmt: skip


@pytest.fixture
def shards(tmp_path):
    rng = np.random.default_rng(0)
    for part in range(3):
        rows = []
        for _ in range(40):
            kind = int(rng.integers(2))
            pixels = rng.integers(0, 99, (8, 8, 3), dtype=np.uint8)
            pixels[2:6, 2:6, kind] = 255
            file = io.BytesIO()
            Pillow.fromarray(pixels).save(file, "PNG")
            rows.append({"photo": file.getvalue(), "n": rng.normal(), "kind": "ab"[kind]})
        parquet.write_table(pa.Table.from_pylist(rows), tmp_path / f"{part}.parquet")
    return str(tmp_path / "*.parquet")


def built(shards, out):
    experiment = Experiment(shards, Recipe.load(RECIPE), out=out)
    experiment.prepare()
    experiment.build()
    return experiment


def test_from_shards_to_scores_and_resumed_exactly(shards, tmp_path):
    whole = built(shards, tmp_path / "whole")
    # 48 rows are the sample; of them 10 % are for validation and 20 % for the test.
    assert whole.pack.rows == 48 and 104 <= len(whole.stream) <= 107
    assert any("48 of 120 rows" in finding.what for finding in whole.dataset.findings)
    result = whole.train()
    assert result.steps == 2 * (len(whole.stream) // 16)
    whole.assess()
    predictor = whole.save()
    assert len(predictor.predict([{"n": 0.5}])) == 1

    stopped = built(shards, tmp_path / "stopped")
    options, place = stopped.recipe.train, tmp_path / "stopped"
    stopped.trainer.fit(stopped.model, options, directory=place, until=1)
    again = built(shards, tmp_path / "again")
    again.trainer.fit(again.model, options, directory=place, resume=True)
    for name, weight in whole.model.state_dict().items():
        assert weight.equal(again.model.state_dict()[name]), name


def test_a_stream_needs_files(tmp_path):
    experiment = Experiment([{"n": 1, "kind": "a"}], Recipe.load(RECIPE), out=tmp_path / "run")
    with pytest.raises(RecipeError, match="reads files"):
        experiment.prepare()
