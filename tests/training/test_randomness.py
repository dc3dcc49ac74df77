import json
import random

import numpy as np
import torch

from polymodal.training.randomness import random_state, restore_random_state

CPU = torch.device("cpu")


def draw() -> list[float]:
    return [
        *torch.rand(3).tolist(),
        torch.randn(()).item(),
        random.random(),
        random.gauss(),
        *np.random.rand(3),
        np.random.standard_normal(),
    ]


def test_what_is_put_back_draws_the_same_again() -> None:
    random.gauss(), np.random.standard_normal()  # each keeps a spare number
    tensors, facts = random_state(CPU)
    first = draw()
    draw()
    restore_random_state(tensors, json.loads(json.dumps(facts)), CPU)
    assert draw() == first
