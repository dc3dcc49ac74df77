"""Rows mixed in pairs: what is mixed, by which shares, and that a resumed training is the same."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_network import TinyImage, TinyNumber, TinySource, TinySum
from torch import Tensor

from polymodal.batch import Batch, Field, Mixture, Tokens
from polymodal.errors import RecipeError
from polymodal.heads import Classification
from polymodal.model import MultimodalModel
from polymodal.training import TrainOptions
from polymodal.training.mixing import Mixing
from polymodal.training.objective import Objective


class BytePictures(TinySource):
    """Pictures as the loader gives them: uint8."""

    def __init__(self) -> None:
        super().__init__()
        self.photos = (64 + 100 * torch.rand(self.photos.shape)).to(torch.uint8)


class ByteImage(TinyImage):
    def forward(self, field: Field) -> Tokens:
        return super().forward(replace(field, values=field.values / 255))


def byte_model() -> MultimodalModel:
    torch.manual_seed(0)
    return MultimodalModel(
        {"photo": ByteImage(8), "size": TinyNumber(8)},
        TinySum(8),
        {"kind": Classification(8, classes=2)},
    )


def batch_of(values: Tensor, **others: Field) -> Batch:
    present = torch.ones(len(values), dtype=torch.bool)
    kind = Field(torch.arange(len(values)), present)
    return Batch({"photo": Field(values, present), **others}, {"kind": kind}, torch.arange(6))


def flat(levels: list[int], size: int = 10) -> Tensor:
    return torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, size, size)


def mixed(kind: str, batch: Batch, place: int = 0) -> Batch:
    return Mixing(TrainOptions(mix=kind, mix_alpha=1.0), seed=1)(batch, epoch=0, place=place)


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_a_picture_holds_as_much_of_each_row_as_its_targets_count(kind: str) -> None:
    levels = [0, 40, 80, 120, 160, 200]
    for place in range(20):
        found = mixed(kind, batch_of(flat(levels)), place)
        assert found.mixture is not None
        other = found.mixture.targets["kind"].values
        own = found.mixture.own
        for row, picture in enumerate(found.inputs["photo"].values.float()):
            wanted = own * levels[row] + (1 - own) * levels[other[row]]
            assert picture.mean().item() == pytest.approx(wanted, abs=0.51)
            if kind == "mixup":
                assert picture.std() == 0
            else:
                assert set(picture.unique().tolist()) <= {levels[row], levels[other[row]]}


def test_what_is_no_picture_comes_whole_from_one_of_the_two_rows() -> None:
    sizes = Field(torch.arange(6.0), torch.tensor([True] * 5 + [False]))
    words = Field(torch.arange(12).reshape(6, 2), torch.ones(6, dtype=torch.bool))
    own = 0
    for place in range(30):
        found = mixed("mixup", batch_of(flat([9] * 6), size=sizes, words=words), place)
        assert found.mixture is not None
        partner = found.mixture.targets["kind"].values
        taken = found.inputs["words"].values[:, 0] // 2
        assert ((taken == torch.arange(6)) | (taken == partner)).all()
        assert (found.inputs["size"].values == taken).all()
        assert (found.inputs["size"].present == (taken != 5)).all()
        own += int((taken == torch.arange(6)).sum())
    assert 60 < own < 170


def test_an_absent_picture_is_not_mixed() -> None:
    photos = Field(flat([10, 20, 30]), torch.tensor([True, True, False]))
    kinds = Field(torch.arange(3), torch.ones(3, dtype=torch.bool))
    for place in range(20):
        batch = Batch({"photo": photos}, {"kind": kinds}, torch.arange(3))
        found = mixed("mixup", batch, place)
        assert found.mixture is not None
        partner = found.mixture.targets["kind"].values
        values, present = found.inputs["photo"].values, found.inputs["photo"].present
        for row in range(3):
            if 2 in (row, int(partner[row])):  # its own, or its partner's: nothing in between
                level = int(values[row].float().mean())
                assert level in (10, 20) if present[row] else True


def test_shared_cells_are_mixed_row_by_row() -> None:
    index, present = torch.tensor([0, 0, 1, 1]), torch.ones(4, dtype=torch.bool)
    photos = Field(flat([0, 100]), present, index=index)
    batch = Batch({"photo": photos}, {"kind": Field(index, present)}, torch.arange(4))
    found = mixed("mixup", batch)
    assert found.mixture is not None and found.inputs["photo"].index is None
    own, other = found.mixture.own, found.mixture.targets["kind"].values
    wanted = (own * 100 * index + (1 - own) * 100 * other).round()
    assert torch.allclose(found.inputs["photo"].values[:, 0, 0, 0].float(), wanted, atol=1)


def test_the_loss_is_that_of_soft_targets() -> None:
    model = byte_model()
    batch = BytePictures().batch(torch.arange(8))
    found = Mixing(TrainOptions(mix="cutmix"), seed=0)(batch, epoch=0, place=0)
    assert found.mixture is not None
    model.eval()
    logits = model(found)["kind"]
    one_hot = torch.nn.functional.one_hot
    soft = found.mixture.own * one_hot(found.targets["kind"].values, 2)
    soft = soft + (1 - found.mixture.own) * one_hot(found.mixture.targets["kind"].values, 2)
    expected = torch.nn.functional.cross_entropy(logits, soft)
    assert Objective(model)(found).total.item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_mixture_travels_with_its_batch() -> None:
    present = torch.ones(2, dtype=torch.bool)
    field = Field(torch.arange(2), present)
    batch = Batch({}, {"kind": field}, torch.arange(2), Mixture({"kind": field}, 0.25))
    counted = batch.to("cpu").counting(torch.tensor([True, False]))
    assert counted.mixture is not None and counted.mixture.own == 0.25
    assert counted.mixture.targets["kind"].present.tolist() == [True, False]


def test_no_pictures_or_one_row_or_off_leave_the_batch_as_it_is() -> None:
    tiny = TinySource().batch(torch.arange(8))  # its pictures are floats: no pixels
    assert mixed("mixup", tiny) is tiny
    pixels = BytePictures()
    assert mixed("both", one := pixels.batch(torch.arange(1))) is one
    assert mixed("off", some := pixels.batch(torch.arange(8))) is some


@pytest.mark.parametrize("kind", ["mixup", "cutmix", "both"])
def test_resumed_is_never_interrupted(run_tiny, tmp_path: Path, kind: str) -> None:
    source = BytePictures()
    plain, _ = run_tiny(model=byte_model(), source=source, directory=tmp_path / "plain")
    whole, _ = run_tiny(model=byte_model(), source=source, directory=tmp_path / "whole", mix=kind)

    class Stopped(BytePictures):
        def epoch(self, number: int, skip: int = 0):
            for place, batch in enumerate(super().epoch(number, skip)):
                if (number, place) == (1, 3):
                    raise OSError("the power is gone")
                yield batch

    def train(source: TinySource, resume: bool) -> MultimodalModel:
        return run_tiny(
            model=byte_model(),
            source=source,
            directory=tmp_path / "cut",
            mix=kind,
            checkpoint_minutes=1e-9,
            resume=resume,
        )[0]

    with pytest.raises(OSError, match="power"):
        stopped = Stopped()
        stopped.photos = source.photos
        train(stopped, resume=False)
    resumed = train(source, resume=True)
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(next(whole.parameters()), next(plain.parameters()))


def test_a_table_without_pictures_cannot_be_mixed() -> None:
    from polymodal import Recipe, Table
    from polymodal.build import build_modalities
    from polymodal.data.schema import infer_schema

    table = Table.read({"a": [0.5 * n for n in range(20)], "b": list("xy") * 10})
    schema = infer_schema(table, ["b"])
    recipe = Recipe.load({"targets": ["b"], "train": {"mix": "cutmix"}})
    with pytest.raises(RecipeError, match=r"train.mix = 'cutmix' mixes pictures, but no input"):
        build_modalities(recipe, schema)
