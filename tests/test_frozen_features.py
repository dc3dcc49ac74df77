from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from polymodal import frozen_features
from polymodal.data.loader import Columns, Loader
from polymodal.data.modalities import Image, Modality
from polymodal.data.pack import Pack, Store
from polymodal.experiment import Experiment, chosen_recipe
from polymodal.frozen_features import FrozenFeatures, reads_tokens
from polymodal.fusion import FUSIONS
from polymodal.model import MultimodalModel
from polymodal.recipe import Recipe
from polymodal.trainer import Trainer
from small_backbones import make_bert, make_vit, make_wav2vec
from small_table import only, write_csv

FROZEN = ["photo", "sound", "says"]
MODALITIES = {"photo": "image", "sound": "audio", "says": "text"}
# These read more of a branch than one vector.
READ_TOKENS = {
    "bottleneck", "cross_attention", "early", "film", "hybrid", "joint_transformer",
}  # fmt: skip


@dataclass
class Prepared:
    """The small table decoded, for networks on tiny pretrained encoders."""

    recipe: Recipe
    trainer: Trainer

    def model(self, **changes: Any) -> MultimodalModel:
        """A network of the recipe with some options changed (``says.train="full"``)."""
        set_ = [f"columns.{name.replace('__', '.encoder.')}={v}" for name, v in changes.items()]
        return self.trainer.build(self.recipe.override(set_))

    def fused(self, fusion: str) -> MultimodalModel:
        return self.trainer.build(self.recipe.override([f"fusion={{name: {fusion}, width: 16}}"]))

    @property
    def pack(self) -> Pack:
        return self.trainer.pack

    @property
    def modalities(self) -> dict[str, Modality]:
        return dict(self.trainer.modalities)

    def features(self, directory: Path, **changes: Any) -> FrozenFeatures:
        options = {"pack": self.pack, "modalities": self.modalities, "directory": directory}
        return FrozenFeatures(**options | changes)


def recipe_of(folder: Path, **changes: Any) -> dict[str, Any]:
    recipe = only(*FROZEN, "ink", **changes)
    for name in FROZEN:
        encoder = {"name": "pretrained", "model": str(folder / name)}
        recipe["columns"][name] = {"modality": MODALITIES[name], "encoder": encoder}
    return recipe


@pytest.fixture(scope="module")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backbones")
    for name, make in (("photo", make_vit), ("sound", make_wav2vec), ("says", make_bert)):
        make(folder / name)
    return folder


@pytest.fixture(scope="module")
def table(small_rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 rows, some with missing or broken cells; the first 30 twice: rows that share cells."""
    rows = small_rows[:60] + [row | {"ink": 0.5} for row in small_rows[:30]]
    return write_csv(tmp_path_factory.mktemp("table") / "table.csv", rows)


@pytest.fixture(scope="module")
def prepared(
    backbones: Path, table: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prepared]:
    recipe = recipe_of(backbones, data={"keep_features": False})
    out = tmp_path_factory.mktemp("prepared") / "run"
    experiment = Experiment(table, chosen_recipe(recipe, "digit", None), out=out)
    experiment.prepare()
    experiment.build()
    yield Prepared(experiment.recipe, experiment.trainer)


@contextmanager
def encoded(model: MultimodalModel, stop_after: int | None = None) -> Iterator[list[int]]:
    """The number of cells that the encoders are given in each call; interrupted after some."""
    calls: list[int] = []

    def note(module: Any, given: Any, output: Any) -> None:
        calls.append(len(given[0].values))
        if stop_after is not None and len(calls) > stop_after:
            raise KeyboardInterrupt

    handles = [model.encoder(name).register_forward_hook(note) for name in FROZEN]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


@pytest.mark.parametrize("fusion", ["concat", "joint_transformer"])
@pytest.mark.parametrize("training", [True, False])
def test_batches_hold_what_the_encoders_would_make(
    prepared: Prepared, tmp_path: Path, fusion: str, training: bool
) -> None:
    model = prepared.fused(fusion).eval()
    kept = prepared.features(tmp_path).pack_for(model)
    assert set(kept.features) == set(FROZEN)
    names = [*FROZEN, "ink"]
    columns = Columns({name: prepared.modalities[name] for name in names}, {})
    rows = np.arange(kept.rows)
    live_batches, kept_batches = (
        Loader(pack, columns, rows=rows, batch_size=16, training=training)
        for pack in (prepared.pack, kept)
    )
    absent = 0
    for live, other in zip(live_batches, kept_batches, strict=True):
        assert torch.equal(live.rows, other.rows)
        with torch.no_grad():
            expected, present = model.encode(live)
            found, here = model.encode(other)
        for name in FROZEN:
            assert torch.equal(present[name], here[name])
            absent += int((~here[name]).sum())
            torch.testing.assert_close(
                found[name].pooled[here[name]], expected[name].pooled[here[name]],
                atol=1e-6, rtol=1e-5,
            )  # fmt: skip
            if fusion == "concat":
                assert found[name].x.shape[1] == 0
                continue
            for row in here[name].nonzero().flatten().tolist():
                torch.testing.assert_close(
                    _real(found[name], row), _real(expected[name], row), atol=1e-6, rtol=1e-5
                )
    assert absent


def _real(tokens: Any, row: int) -> torch.Tensor:
    return tokens.x[row] if tokens.mask is None else tokens.x[row][tokens.mask[row]]


def test_a_text_without_a_token_has_features(prepared: Prepared, tmp_path: Path) -> None:
    index = np.arange(prepared.pack.rows) % 3 - 1  # missing, empty, "It"
    says = Store(index, np.array([2, 8, 3], np.int32), np.array([0, 0, 3]))
    pack = replace(prepared.pack, stores=prepared.pack.stores | {"says": says})
    model = prepared.fused("joint_transformer").eval()
    kept = prepared.features(tmp_path, pack=pack).pack_for(model)
    columns = Columns({name: prepared.modalities[name] for name in [*FROZEN, "ink"]}, {})
    live, found = (
        Loader(each, columns, rows=np.arange(6), batch_size=6).batch(np.arange(6))
        for each in (pack, kept)
    )
    with torch.no_grad():
        torch.testing.assert_close(model(found), model(live), atol=1e-5, rtol=1e-5)


def test_cells_of_other_tables_in_the_same_pack_are_passed_over(
    prepared: Prepared, tmp_path: Path
) -> None:
    photos = prepared.pack.stores["photo"]
    own = np.stack([photos.cell(unit) for unit in range(photos.distinct)])
    foreign = np.concatenate([own[:2] // 2, own[::-1]])  # two others first, then in another order
    places = np.arange(len(foreign) - 1, 1, -1)
    mixed = Store(photos.index, foreign, None, places)
    pack = replace(prepared.pack, stores=prepared.pack.stores | {"photo": mixed})
    model = prepared.fused("concat").eval()
    found = prepared.features(tmp_path / "mixed", pack=pack).pack_for(model).features["photo"]
    wanted = prepared.features(tmp_path / "own").pack_for(model).features["photo"]
    for row in np.flatnonzero(photos.index >= 0)[:5]:
        one, other = (store.cell(int(store.index[row])) for store in (found, wanted))
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("fusion", ["concat", "cross_attention"])
def test_training_comes_to_the_same(prepared: Prepared, tmp_path: Path, fusion: str) -> None:
    # AdamW makes whole steps of gradients that are nothing but rounding; SGD does not.
    options = prepared.recipe.train.model_copy(update={"optimizer": "sgd", "epochs": 2})
    live, kept = prepared.fused(fusion), prepared.fused(fusion)
    trainer = prepared.trainer
    expected = trainer.fit(live, options, directory=tmp_path / "live")
    features = prepared.features(tmp_path / "features")
    features.pack_for(kept)
    other = Trainer(
        trainer.dataset, trainer.pack, trainer.modalities, seed=trainer.seed, features=features
    )
    with encoded(kept) as calls:
        found = other.fit(kept, options, directory=tmp_path / "kept")
    assert calls == []
    states = live.state_dict(), kept.state_dict()
    assert states[0].keys() == states[1].keys()
    for name, weight in states[0].items():
        torch.testing.assert_close(states[1][name], weight, atol=1e-5, rtol=0)
        if "backbone" in name:
            assert torch.equal(states[1][name], weight)
    for epoch, same in zip(expected.history, found.history, strict=True):
        assert same["validation_loss"] == pytest.approx(epoch["validation_loss"], abs=1e-5)
        assert same["train_loss"] == pytest.approx(epoch["train_loss"], abs=1e-5)


def test_networks_share_what_their_encoders_have_in_common(
    prepared: Prepared, tmp_path: Path
) -> None:
    first, second = prepared.model(), prepared.fused("gated")
    with encoded(first) as calls:
        prepared.features(tmp_path).pack_for(first)
    distinct = [prepared.pack.stores[name].distinct for name in FROZEN]
    assert sum(calls) == sum(distinct)
    with encoded(second) as calls:
        pack = prepared.features(tmp_path).pack_for(second)
    assert calls == [] and set(pack.features) == set(FROZEN)
    assert prepared.pack.features == {}


def test_an_interrupted_computation_goes_on(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen_features, "MOST_CELLS", 8)
    model = prepared.fused("joint_transformer")
    with encoded(model) as calls:
        prepared.features(tmp_path / "whole").pack_for(model)
    total = len(calls)
    with encoded(model, stop_after=10), pytest.raises(KeyboardInterrupt):
        prepared.features(tmp_path / "stopped").pack_for(model)
    with encoded(model) as calls:
        prepared.features(tmp_path / "stopped").pack_for(model)
    assert len(calls) == total - 10
    assert files(tmp_path / "stopped") == files(tmp_path / "whole")


def test_another_content_encoder_or_preprocessing_is_computed_anew(
    prepared: Prepared, tmp_path: Path
) -> None:
    def names(pack: Pack, model: MultimodalModel) -> set[str]:
        prepared.features(tmp_path, pack=pack).pack_for(model)
        found = {path.name for path in tmp_path.iterdir() if path.suffix == ".pooled"}
        shutil.rmtree(tmp_path)
        return found

    usual = names(prepared.pack, prepared.model())
    assert len(usual) == 3 and names(prepared.pack, prepared.model()) == usual
    photos = prepared.pack.stores["photo"]
    pixels = np.array(photos.values)
    pixels[7, 0, 0, 0] ^= 1
    stores = prepared.pack.stores | {"photo": Store(photos.index, pixels)}
    weights, normalisation = prepared.model(), prepared.model()
    with torch.no_grad():
        next(weights.encoder("sound").parameters()).view(-1)[0] += 1e-3
        normalisation.encoder("photo").normalise.shift += 0.1  # type: ignore[union-attr, operator]
    for pack, model in (
        (replace(prepared.pack, stores=stores), prepared.model()),
        (prepared.pack, weights),
        (prepared.pack, normalisation),
        (prepared.pack, prepared.model(says__pooling="cls")),
    ):
        assert len(names(pack, model) & usual) == 2


def test_what_is_trained_or_varied_is_not_kept(prepared: Prepared, tmp_path: Path) -> None:
    features = prepared.features(tmp_path)
    assert features.columns(prepared.model()) == FROZEN
    assert features.columns(prepared.model(says__train="full")) == ["photo", "sound"]
    assert features.columns(prepared.model(photo__train="lora")) == ["sound", "says"]
    flipped = Image(size=12, channels=3, augment="flip")
    varied = prepared.features(tmp_path, modalities=prepared.modalities | {"photo": flipped})
    assert varied.columns(prepared.model()) == ["sound", "says"]
    empty = replace(
        prepared.pack,
        stores=prepared.pack.stores
        | {"photo": Store(np.full(prepared.pack.rows, -1), np.zeros((0, 12, 12, 3), np.uint8))},
    )
    assert prepared.features(tmp_path, pack=empty).columns(prepared.model()) == ["sound", "says"]
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_too_small(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Pooled vectors of 16 numbers: 3 to 4 kB for a column, of which the first batch is 512 bytes.
    monkeypatch.setattr(frozen_features, "MOST_CELLS", 8)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    told: list[str] = []
    features = prepared.features(tmp_path, tell=told.append)
    for _ in range(2):
        assert features.pack_for(prepared.model()).features == {}
    assert len(told) == 3 and not list(tmp_path.iterdir())
    assert re.fullmatch(
        r"features of 'photo' by its frozen encoder: not kept, .* it runs at each step instead",
        told[0],
    )


def test_it_says_how_far_it_is(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen_features, "SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr(frozen_features, "MOST_CELLS", 30)
    told: list[str] = []
    features = prepared.features(tmp_path, tell=told.append)
    features.pack_for(prepared.model())
    what = "features of 'photo' by its frozen encoder: "
    assert re.fullmatch(what + r"30 of 5\d cells, \d+ s left", told[0])
    assert re.fullmatch(what + r"5\d cells in \d+ s, 0\.0 MB on disk", told[2])


@pytest.mark.slow
def test_a_run_keeps_features_unless_told_not_to(
    backbones: Path, table: Path, tmp_path: Path
) -> None:
    runs = {}
    for keep in (True, False):
        recipe = recipe_of(
            backbones,
            train={"epochs": 2, "optimizer": "sgd"},
            evaluation={"single_modalities": "probe", "subsets": True},
            **({} if keep else {"data": {"keep_features": False}}),
        )
        told: list[str] = []
        run = Experiment(
            table, chosen_recipe(recipe, "digit", None), out=tmp_path / str(keep), tell=told.append
        )
        run.prepare()
        run.build()
        run.train()
        with encoded(run.model) as calls:
            run.assess()
        assert bool(calls) is not keep
        runs[keep] = run.save()
        assert any("frozen encoder" in line for line in told) is keep
        assert ("running frozen encoders" in run.seconds) is keep
        assert not (tmp_path / str(keep) / "pack").exists()
    rows = str(table)
    expected = runs[False].predict(rows, proba=True).drop(columns="digit").to_numpy()
    found = runs[True].predict(rows, proba=True).drop(columns="digit").to_numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_it_knows_which_fusions_read_tokens(prepared: Prepared, fusion: str) -> None:
    model = prepared.fused(fusion)
    read = {name for name in model.branches if reads_tokens(model, name)}
    assert read == (set(model.branches) if fusion in READ_TOKENS else set())
    assert model.fusion.training
