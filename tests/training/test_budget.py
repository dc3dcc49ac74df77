from polymodal.training.budget import Budget


def test_without_a_limit_everything_is_planned() -> None:
    budget = Budget(None, full=50)
    assert budget.fit(20, step=10, seconds=1e9) == 50
    assert not budget.over(1e9)


def test_slow_first_steps_do_not_count() -> None:
    budget, planned = Budget(1.0, full=10_000), 10_000
    for step in range(1, 11):
        planned = budget.fit(planned, step=step, seconds=9.7 + 0.01 * step)
    assert abs(planned - 10 - 4840) <= 1  # 58.2 s less 9.8 s, at 0.01 s each


def test_validation_counts_at_the_end_of_an_epoch() -> None:
    budget, planned = Budget(1.0, full=10_000), 10_000
    for step in range(1, 11):
        planned = budget.fit(planned, step=step, seconds=0.1 * step)
    assert planned == 10 + 572  # 58.2 s less 1 s, at 0.1 s each
    # ten steps and a validation of 1.1 s: 7 steps since the third cost 1.8 s
    planned = budget.fit(planned, step=10, seconds=2.1, at_epoch_end=True)
    assert planned == 10 + 218


def test_small_differences_change_nothing_and_fast_machines_plan_all() -> None:
    budget = Budget(1.0, full=100)
    planned = 100
    for step in range(1, 11):
        planned = budget.fit(planned, step=step, seconds=0.585 * step)  # 99 would fit
    assert planned == 100
    assert not budget.over(59.9)
    assert budget.over(60.0)
