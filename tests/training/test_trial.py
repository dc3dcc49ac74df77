from time import sleep

import torch
from tiny_network import TinySource, tiny_model

from polymodal.training.trial import seconds_per_step, untouched


def test_the_first_call_does_not_count_and_there_are_six_at_most() -> None:
    pauses = iter([0.03, 0.001, 0.001, 0.001, 0.001, 0.001])
    assert 0.001 <= seconds_per_step(lambda: sleep(next(pauses))) < 0.02
    assert next(pauses, None) is None


def test_long_steps_are_called_twice() -> None:
    calls = []
    seconds_per_step(lambda: calls.append(sleep(0.02)), budget=0.01)
    assert len(calls) == 2


def test_untouched_puts_everything_back() -> None:
    model = tiny_model().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random = torch.get_rng_state()
    batch = next(TinySource().epoch(0))
    with untouched(model, torch.device("cpu")):
        sum(model.losses(model(batch), batch).values()).backward()
        assert any(not before[n].equal(t) for n, t in model.state_dict().items())
    assert all(before[name].equal(tensor) for name, tensor in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())
    assert torch.get_rng_state().equal(random)
