import itertools

import numpy as np
import pytest
import torch

from polymodal.batch import Batch, Field, Tokens
from polymodal.data.loader import gather
from polymodal.data.modalities import Image, Text
from polymodal.data.pack import Store
from polymodal.encoders import AsIs, Cnn, NumberEncoder, TabularMlp, TextRnn
from polymodal.fusion import FUSIONS, Concat
from polymodal.heads import Classification, Regression
from polymodal.model import MultimodalModel
from small_table import NAMES


def numbers(values: list[float | None]) -> Field:
    present = torch.tensor([value is not None for value in values])
    return Field(torch.tensor([value or 0.0 for value in values]), present)


def two_numbers(**options: object) -> MultimodalModel:
    torch.manual_seed(0)
    return MultimodalModel(
        encoders={"a": NumberEncoder(width=8), "b": NumberEncoder(width=8)},
        fusion=Concat({"a": 8, "b": 8}, width=16, dropout=0.0),
        heads={"kind": Classification(16, classes=2), "price": Regression(16)},
        **options,
    )


def two_numbers_batch() -> Batch:
    truth = {
        "kind": Field(torch.tensor([0, 1, 1]), torch.tensor([True, True, False])),
        "price": numbers([1.0, 2.0, 3.0]),
    }
    inputs = {"a": numbers([0.5, None, 1.0]), "b": numbers([1.0, 2.0, None])}
    return Batch(inputs, truth, torch.arange(3))


def test_cells_left_as_they_are_that_no_head_reads() -> None:
    with pytest.raises(ValueError, match="No head reads \\['says'\\] by itself"):
        MultimodalModel(
            encoders={"a": NumberEncoder(width=8), "says": AsIs()},
            fusion=Concat({"a": 8}, width=16),
            heads={"kind": Classification(16, classes=2)},
        )


def test_a_plain_pytorch_loop_of_ten_lines() -> None:
    torch.manual_seed(0)
    photos = torch.randint(0, 256, (32, 1, 8, 8), dtype=torch.uint8)
    photos[16:] //= 4
    size, kind = torch.randn(32), (torch.arange(32) >= 16).long()
    all_there = torch.ones(32, dtype=torch.bool)

    model = MultimodalModel(
        encoders={"photo": Cnn(1, 8, width=16, base=8), "size": NumberEncoder(width=16)},
        fusion=Concat({"photo": 16, "size": 16}, width=16),
        heads={"kind": Classification(16, classes=2)},
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    batch = Batch(
        inputs={"photo": Field(photos, all_there), "size": Field(size, all_there)},
        targets={"kind": Field(kind, all_there)},
    )
    for _ in range(15):
        loss = sum(model.losses(model(batch), batch).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    assert (model.eval()(batch)["kind"].argmax(1) == kind).float().mean() > 0.9


def test_modality_dropout_is_for_training_only() -> None:
    model, batch = two_numbers(modality_dropout=0.9), two_numbers_batch()
    model.train()
    ways = {tuple(model(batch)["price"].tolist()) for _ in range(20)}
    assert len(ways) > 1
    model.eval()
    assert torch.equal(model(batch)["price"], model(batch)["price"])


def test_the_balance_of_several_targets_is_learned() -> None:
    model, batch = two_numbers().eval(), two_numbers_batch()
    plain = model.losses(model(batch), batch)
    model.log_variance.data = torch.tensor([np.log(2.0), 0.0]).float()
    weighted = model.losses(model(batch), batch)
    kind, price = weighted
    assert kind.startswith("kind/") and price.startswith("price/")
    expected = float(plain[kind].detach()) / 2 + 0.5 * np.log(2)
    assert float(weighted[kind].detach()) == pytest.approx(expected, rel=1e-5)
    assert torch.equal(weighted[price], plain[price])
    sum(weighted.values()).backward()
    assert model.log_variance.grad.abs().sum() > 0


def test_given_loss_weights() -> None:
    batch = two_numbers_batch()
    plain, weighted = two_numbers(loss_weights={}), two_numbers(loss_weights={"kind": 0.5})
    assert weighted.log_variance is None
    weighted.load_state_dict(plain.state_dict())
    before, after = (m.losses(m.eval()(batch), batch) for m in (plain, weighted))
    kind, price = before
    assert float(after[kind].detach()) == pytest.approx(float(before[kind].detach()) / 2)
    assert torch.equal(after[price], before[price])


def test_one_target_has_no_balance_to_learn() -> None:
    model = MultimodalModel(
        {"a": NumberEncoder(width=8)}, Concat({"a": 8}, width=8), {"x": Regression(8)}
    )
    assert model.log_variance is None


def test_wrong_compositions() -> None:
    fusion = Concat({"a": 8}, width=8)
    with pytest.raises(ValueError, match="at least one encoder and one head"):
        MultimodalModel({}, fusion, {"x": Regression(8)})
    with pytest.raises(ValueError, match=r"\['y'\], which are not targets"):
        MultimodalModel(
            {"a": NumberEncoder(width=8)}, fusion, {"x": Regression(8)}, loss_weights={"y": 1.0}
        )


def test_names_that_are_no_names_of_modules() -> None:
    names = ("a.b", "keys", "training", "价格", "")
    model = MultimodalModel(
        {name: NumberEncoder(width=4) for name in names},
        Concat(dict.fromkeys(names, 4), width=8),
        {"forward": Regression(8)},
    )
    batch = Batch({name: numbers([1.0]) for name in names})
    assert model(batch)["forward"].shape == (1,)
    assert model.columns == {name: (name,) for name in names}


def media_model(fusion: str) -> MultimodalModel:
    widths = {"photo": 8, "says": 8, "table": 8}
    torch.manual_seed(1)
    return MultimodalModel(
        {
            "photo": Cnn(1, 8, width=8, base=8),
            "says": TextRnn(20, width=8),
            "table": TabularMlp({"n": NumberEncoder(width=8)}, width=8),
        },
        FUSIONS[fusion](widths, width=8),
        {"kind": Classification(8, classes=len(NAMES))},
    ).eval()


def media_field(present: list[bool], seed: int) -> Batch:
    rng = np.random.default_rng(seed)
    image, text = Image(size=8, channels=1), Text()
    there = np.array(present)
    index = np.where(there, np.cumsum(there) - 1, -1)
    photos = rng.integers(0, 255, (there.sum(), 8, 8, 1), np.uint8)
    lengths = rng.integers(1, 5, there.sum())
    ids = rng.integers(1, 20, lengths.sum()).astype(np.int32)
    words = Store(index, ids, np.append(0, np.cumsum(lengths)))
    rows = np.arange(len(present))
    return Batch(
        {
            "photo": gather(Store(index, photos), image, rows, share=True),
            "says": gather(words, text, rows, share=True),
            "n": numbers([1.0 if p else None for p in present]),
        }
    )


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_batch_in_which_every_column_is_absent(fusion: str) -> None:
    """``Tokens.take`` then points all rows at the one blank cell that stands for none."""
    batch = media_field([False, False], seed=0)
    assert batch.inputs["photo"].values.shape[0] == 1
    with torch.inference_mode():
        said = media_model(fusion)(batch)["kind"]
    assert said.isfinite().all()
    torch.testing.assert_close(said[0], said[1])


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_row_is_the_same_beside_rows_that_lack_what_it_has(fusion: str) -> None:
    model, batch = media_model(fusion), media_field([True, False, True], seed=0)
    says, there = batch.inputs["says"], torch.tensor([True])
    length = says.values.shape[1] if says.mask is None else int(says.mask[0].sum())
    alone = Batch(
        {
            "photo": Field(batch.inputs["photo"].values[:1], there),
            "says": Field(says.values[:1, :length], there),
            "n": numbers([1.0]),
        }
    )
    with torch.inference_mode():
        torch.testing.assert_close(
            model(batch)["kind"][:1], model(alone)["kind"], atol=1e-5, rtol=1e-5
        )


def test_take_of_tokens() -> None:
    x = torch.arange(6.0).reshape(2, 1, 3)
    tokens = Tokens(x, torch.tensor([[True], [False]]), x[:, 0])
    assert tokens.take(None) is tokens
    taken = tokens.take(torch.tensor([1, 0, 1]))
    assert torch.equal(taken.x, x[[1, 0, 1]])
    assert taken.mask.tolist() == [[False], [True], [False]]
    assert taken.pooled[:, 0].tolist() == [3, 0, 3]
    assert Tokens(x, None, x[:, 0]).take(torch.tensor([0])).mask is None


def test_embeddings_of_every_set_of_branches_are_finite() -> None:
    model = two_numbers().eval()
    for a, b in itertools.product([None, 1.0], repeat=2):
        fused = model.fuse(Batch({"a": numbers([a]), "b": numbers([b])}))
        assert fused.vector.isfinite().all()


def test_columns_of_a_batch_are_found_by_name() -> None:
    model = two_numbers().eval()
    batch = two_numbers_batch()
    turned = Batch(dict(reversed(batch.inputs.items())) | {"other": numbers([9.0] * 3)})
    assert torch.equal(model(batch)["price"], model(turned)["price"])


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("training", [False, True])
def test_a_branch_alone_is_the_model_with_the_others_hidden(fusion: str, training: bool) -> None:
    model, batch = media_model(fusion).train(training), media_field([True, False, True], seed=0)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    columns = {"photo": "photo", "says": "says", "table": "n"}
    with torch.no_grad():
        alone = model.alone(*model.encode(batch))
        for branch, said in alone.items():
            others = [column for name, column in columns.items() if name != branch]
            expected = model(batch.without(others))
            assert list(said) == ["kind"]
            torch.testing.assert_close(said["kind"], expected["kind"], atol=1e-5, rtol=1e-5)
