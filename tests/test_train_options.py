import pytest
from pydantic import ValidationError

from polymodal.training import TrainOptions, auto_batch_size, auto_epochs, auto_learning_rate


def test_every_option_has_a_comment_of_one_line() -> None:
    for name, field in TrainOptions.model_fields.items():
        assert field.description, name
        assert "\n" not in field.description, name


@pytest.mark.parametrize(
    "wrong",
    [
        {"epoch": 3},
        {"epochs": 0},
        {"epochs": "many"},
        {"epochs": 2.5},
        {"epochs": True},
        {"batch_size": "32"},
        {"optimizer": "adamW"},
        {"learning_rate": 0.0},
        {"learning_rate": float("inf")},
        {"schedule": "step"},
        {"warmup": 1.0},
        {"clip": -1.0},
        {"accumulate": 0},
        {"precision": "fp8"},
        {"patience": -1},
        {"max_minutes": 0.0},
        {"modality_dropout": 1.0},
        {"loss_weights": {"kind": -1.0}},
        {"tensorboard": "no"},
        {"ema": 1.0},
    ],
)
def test_wrong_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        TrainOptions(**wrong)


def test_options_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TrainOptions().epochs = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("rows", "size"), [(1, 16), (511, 16), (512, 32), (575, 32), (3_000, 128), (38_000, 128)]
)
def test_auto_batch_size(rows: int, size: int) -> None:
    assert auto_batch_size(rows) == size


@pytest.mark.parametrize(
    # 18 steps → 167 epochs, too many; 149 → 20.1; 39,063 → 0.08, too few
    ("rows", "epochs"),
    [(575, 60), (38_000, 10), (10_000_000, 8)],
)
def test_auto_epochs(rows: int, epochs: int) -> None:
    assert auto_epochs(rows) == epochs


def test_auto_learning_rate() -> None:
    assert auto_learning_rate("sgd", batch_size=256) == 0.05
    assert auto_learning_rate("adam", batch_size=64) == 0.001
    assert auto_learning_rate("adamw", batch_size=256) == 0.002
    assert auto_learning_rate("adamw", batch_size=1 << 20) == 0.002
    assert auto_learning_rate("adamw", batch_size=1) == 0.0005


def test_resolved_keeps_what_the_user_said_and_counts_accumulated_rows() -> None:
    options = TrainOptions(batch_size=16, accumulate=4).resolved(6_400)
    assert options.batch_size == 16
    assert options.epochs == 30  # 100 steps of 64 rows
    assert options.learning_rate == 0.001
    assert TrainOptions(epochs=3, learning_rate=0.1).resolved(10).epochs == 3
    assert TrainOptions(epochs=3, learning_rate=0.1).resolved(10).learning_rate == 0.1
