"""Fixtures of the training room; the tiny network itself is in ``tiny_network.py`` beside this."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_network import TinySource, tiny_model

from polymodal.model import MultimodalModel
from polymodal.training import TrainOptions, TrainResult, train


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny_options() -> Callable[..., TrainOptions]:
    """Options for which nothing is measured."""

    def make(**changes: Any) -> TrainOptions:
        plain = {
            "epochs": 2,
            "learning_rate": 0.01,
            "precision": "fp32",
            "threads": 1,
            "tensorboard": False,
        }
        return TrainOptions(**(plain | changes))

    return make


@pytest.fixture
def run_tiny(tiny_options: Callable[..., TrainOptions], tmp_path: Path) -> Callable[..., Any]:
    """Train the tiny model; further names are options."""

    def run(
        *,
        model: MultimodalModel | None = None,
        source: TinySource | None = None,
        directory: Path = tmp_path,
        resume: bool = False,
        validate: Callable[..., Any] | None = None,
        progress: Any = None,
        **options: Any,
    ) -> tuple[MultimodalModel, TrainResult]:
        model = model or tiny_model()
        source = source or TinySource()
        result = train(
            model,
            source,
            tiny_options(**options),
            seed=3,
            directory=directory,
            validate=validate or source.validate,
            progress=progress,
            device="cpu",
            resume=resume,
        )
        return model, result

    return run
