import numpy as np
import pytest
import torch

from polymodal.data.loader import Columns, Loader
from polymodal.data.modalities import Category, Modality, Number, Tags
from polymodal.data.pack import Pack, pack
from polymodal.data.table import Table
from polymodal.encoders import NumberEncoder
from polymodal.evaluation.prediction import (
    UNSEEN,
    answers,
    explained,
    outcomes,
    predict_batches,
)
from polymodal.fusion import Concat
from polymodal.heads import Classification, Regression, Tagging
from polymodal.model import MultimodalModel

ROWS = 7
TABLE = {
    "n": [1.0, 2.0, None, 4.0, 5.0, 6.0, 7.0],
    "kind": ["a", "b", "a", "new", None, "b", "a"],
    "price": [10.0, 20.0, 30.0, None, 50.0, 60.0, 70.0],
    "tags": ["x;y", "x", "y", "x;y", "y", None, "x"],
}
WHOLE = Table.read(TABLE)


@pytest.fixture
def packed() -> tuple[Pack, dict[str, Modality]]:
    """A table whose training part is the rows 0 to 2."""
    modalities = {"n": Number(), "kind": Category(), "price": Number(), "tags": Tags()}
    for name, modality in modalities.items():
        modality.fit([cell for cell in TABLE[name][:3] if cell is not None])
    return pack(Table.read(TABLE), modalities), modalities


@pytest.fixture
def model() -> MultimodalModel:
    torch.manual_seed(0)
    return MultimodalModel(
        {"n": NumberEncoder(width=8)},
        Concat({"n": 8}, width=8),
        {
            "kind": Classification(8, classes=2),
            "price": Regression(8, center=20.0, scale=5.0),
            "tags": Tagging(8, labels=2),
        },
    )


def loader(packed: Pack, modalities: dict[str, Modality], *, size: int, truth: bool) -> Loader:
    targets = {n: m for n, m in modalities.items() if n != "n"} if truth else {}
    columns = Columns({"n": modalities["n"]}, targets)
    return Loader(packed, columns, rows=np.arange(ROWS), batch_size=size)


def test_the_batches_make_no_difference(packed: tuple, model: MultimodalModel) -> None:
    model.train()
    whole = predict_batches(model, loader(*packed, size=7, truth=True))
    assert not model.training
    parts = predict_batches(model, loader(*packed, size=2, truth=False))
    assert whole[0].tolist() == parts[0].tolist() == list(range(ROWS))
    for name in model.targets:
        torch.testing.assert_close(whole[1][name], parts[1][name])
    assert {term.split("/")[0] for term in whole[2]} == set(model.targets) and parts[2] == {}


def test_hidden_columns(packed: tuple, model: MultimodalModel) -> None:
    _, said, _ = predict_batches(model, loader(*packed, size=7, truth=False), without=["n"])
    torch.testing.assert_close(said["price"], said["price"][2].expand(ROWS))


def test_no_batches(model: MultimodalModel) -> None:
    rows, said, losses = predict_batches(model, [])
    assert len(rows) == 0 and said == {} and losses == {}


def test_answers_are_arrays(packed: tuple, model: MultimodalModel) -> None:
    _, said, _ = predict_batches(model, loader(*packed, size=7, truth=False))
    found = answers(model, said)
    assert found["kind"].answer.shape == (ROWS,) and found["kind"].probabilities.shape == (ROWS, 2)
    assert found["price"].probabilities is None
    assert found["tags"].answer.dtype == bool and found["tags"].answer.shape == (ROWS, 2)


def test_outcomes_stand_beside_the_truth(packed: tuple, model: MultimodalModel) -> None:
    _, said, _ = predict_batches(model, loader(*packed, size=7, truth=False))
    found = outcomes(model, said, np.arange(ROWS), *packed, table=WHOLE)
    kind = found["kind"]
    # Row 4 has no kind; that of row 3 was never seen: a class of its own, always wrong.
    assert kind.rows.tolist() == [0, 1, 2, 3, 5, 6]
    assert kind.labels == ("a", "b", UNSEEN)
    assert kind.truth.tolist() == [0, 1, 0, 2, 1, 0]
    assert (kind.probabilities[:, 2] == 0).all() and not kind.right[3]
    assert found["price"].truth.tolist() == [10, 20, 30, 50, 60, 70]
    assert found["tags"].truth.tolist() == [[1, 1], [1, 0], [0, 1], [1, 1], [0, 1], [1, 0]]


def test_outcomes_of_some_rows_in_their_order(packed: tuple, model: MultimodalModel) -> None:
    rows, said, _ = predict_batches(model, loader(*packed, size=7, truth=False))
    chosen = np.array([5, 0])
    found = outcomes(
        model, {n: p[chosen] for n, p in said.items()}, rows[chosen], *packed, table=WHOLE
    )
    assert found["kind"].rows.tolist() == [5, 0] and found["kind"].truth.tolist() == [1, 0]
    assert found["kind"].labels == ("a", "b")


def test_a_target_that_no_row_has(packed: tuple, model: MultimodalModel) -> None:
    _, said, _ = predict_batches(model, loader(*packed, size=7, truth=False))
    found = outcomes(
        model, {n: p[4:5] for n, p in said.items()}, np.array([4]), *packed, table=WHOLE
    )
    assert set(found) == {"price", "tags"}


def test_findings_say_what_is_done_about_targets(packed: tuple) -> None:
    decoded, _ = packed
    said = {f.column: f.remedy for f in explained(decoded.findings, ["kind"])}
    assert said == {"kind": "counted as a wrong answer"}
    said = {f.column: f.remedy for f in explained(decoded.findings, [])}
    assert said == {"kind": "treated as missing"}
