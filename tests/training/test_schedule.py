import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymodal.train_options import Schedule
from polymodal.training.schedule import rate_factor


def test_cosine_by_hand() -> None:
    factors = [rate_factor("cosine", step, total=6, warmup=1 / 3) for step in range(7)]
    expected = [0.5, 1.0, 1.0, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2, 0.0]
    assert factors == pytest.approx(expected)


def test_one_cycle_rises_for_three_tenths_and_never_ends() -> None:
    factors = [rate_factor("one_cycle", step, total=10, warmup=0.0) for step in range(11)]
    assert factors[:4] == pytest.approx([1 / 3, 2 / 3, 1.0, 1.0])
    assert factors[10] == 1e-4


@given(
    schedule=st.sampled_from(get_args(Schedule)),
    total=st.integers(1, 2_000),
    warmup=st.floats(0, 0.99),
    data=st.data(),
)
def test_it_is_a_part_that_rises_and_then_never_rises_again(
    schedule: Schedule, total: int, warmup: float, data: st.DataObject
) -> None:
    step = data.draw(st.integers(0, total))
    here = rate_factor(schedule, step, total=total, warmup=warmup)
    following = rate_factor(schedule, step + 1, total=total, warmup=warmup)
    assert 0 <= here <= 1
    assert following <= here or here < 1
