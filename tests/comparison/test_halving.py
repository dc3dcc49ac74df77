from hypothesis import given
from hypothesis import strategies as st

from polymodal.comparison.halving import FEWEST_EPOCHS, affordable, cost, rungs


def test_half_then_two_go_on() -> None:
    found = rungs(8, epochs=27)
    assert [(rung.epochs, rung.keep) for rung in found] == [(3, 4), (9, 2)]


def test_of_many_three_come_to_the_final() -> None:
    assert [rung.keep for rung in rungs(20, epochs=27)] == [10, 3]


def test_nothing_to_halve() -> None:
    assert rungs(1, epochs=27) == [] == rungs(2, epochs=27)


def test_one_epoch_is_had_by_all() -> None:
    assert [(rung.epochs, rung.keep) for rung in rungs(9, epochs=1)] == [(1, 5), (1, 2)]
    assert cost([1.0] * 9, [], epochs=1, seeds=3) == 9 + 2 * 2


@given(st.integers(1, 40), st.integers(1, 100))
def test_every_rung_trains_no_shorter_and_keeps_fewer(fusions: int, epochs: int) -> None:
    found = rungs(fusions, epochs=epochs)
    longer = [rung.epochs for rung in found]
    fewer = [fusions, *(rung.keep for rung in found)]
    assert longer == sorted(longer) and all(0 < e <= epochs for e in longer)
    assert fewer == sorted(set(fewer), reverse=True)
    assert fewer[-1] >= min(fusions, 2)


def test_cost_by_hand() -> None:
    # 1 epoch of four, then two for 8 more and for 9 with the second seed; alone: 9 + 4.5.
    assert rungs(4, epochs=9)[0].epochs == 1 and len(rungs(4, epochs=9)) == 1
    fusions = 4 * 1 + 2 * 8 + 2 * 9
    assert cost([1.0] * 4, [1.0, 0.5], epochs=9, seeds=2) == fusions + 9 + 4.5


def test_the_dearest_are_taken_to_go_on() -> None:
    assert cost([1, 1, 1, 5], [], epochs=9, seeds=1) == 8 + (1 + 5) * 8


def test_epochs_that_fit() -> None:
    costs = [1.0] * 8, [0.5, 0.5]
    found = affordable(*costs, most=27, seeds=2, budget=88)
    assert cost(*costs, epochs=found, seeds=2) <= 88 < cost(*costs, epochs=found + 1, seeds=2)
    assert affordable(*costs, most=27, seeds=2, budget=1e9) == 27
    assert affordable(*costs, most=27, seeds=2, budget=0) == FEWEST_EPOCHS
    assert affordable(*costs, most=2, seeds=2, budget=0) == 2
