import itertools
import math

import pytest
import torch
from torch import Tensor

from polymodal.heads.decoding import State, beam_search, narrowed, write, written
from polymodal.heads.generation import Decoding

# Logits of the next symbol (0 ends) after each symbol: a language of two letters.
TABLE = torch.tensor([[0.1, 1.0, 0.7], [0.6, 0.2, 1.1], [1.5, 0.3, 0.1]])
LENGTH = 4


def step(symbols: Tensor, state: State) -> tuple[Tensor, State]:
    """Counts its steps, to see that beams take their memory along."""
    seen = torch.cat([state.moving["seen"], symbols[:, None]], 1)
    return state.fixed["table"][torch.arange(len(symbols)), symbols], State(
        state.fixed, {"seen": seen}
    )


def start(*tables: Tensor) -> State:
    return State(
        {"table": torch.stack(tables)}, {"seen": torch.zeros(len(tables), 0, dtype=torch.long)}
    )


def every_text(table: Tensor) -> dict[tuple[int, ...], tuple[float, int]]:
    """Each text's log-probability and symbols; those of full length need no end."""
    logs = table.log_softmax(-1)
    found = {}
    for length in range(LENGTH + 1):
        for text in itertools.product((1, 2), repeat=length):
            whole = (*text, 0)[:LENGTH]
            log = sum(float(logs[a, b]) for a, b in itertools.pairwise((0, *whole)))
            found[text] = (log, len(whole))
    return found


def text_of(tokens: Tensor) -> tuple[int, ...]:
    return tuple(int(i) + 1 for i in tokens if i >= 0)


@pytest.mark.parametrize("penalty", [0.0, 0.7, 1.0])
def test_many_beams_find_the_best_texts(penalty: float):
    other = torch.tensor([[1.0, 0.2, 0.0], [0.1, 2.0, 0.3], [0.0, 0.5, 1.4]])
    decoding = Decoding(beams=40, length_penalty=penalty)
    found = beam_search(step, start(TABLE, other), 2, LENGTH, decoding)
    for row, table in enumerate((TABLE, other)):
        texts = every_text(table)
        assert math.fsum(math.exp(log) for log, _ in texts.values()) == pytest.approx(1)
        ranked = sorted(texts, key=lambda t, all_=texts: -all_[t][0] / all_[t][1] ** penalty)
        assert [text_of(found.tokens[row, i]) for i in range(5)] == ranked[:5]
        log, count = texts[ranked[0]]
        assert float(found.score[row, 0]) == pytest.approx(log / count, abs=1e-5)


def test_texts_that_do_not_exist_have_no_score():
    found = beam_search(step, start(TABLE), 1, 1, Decoding(beams=6))  # "", "1" and "2"
    assert torch.isfinite(found.score[0]).tolist() == [True] * 3 + [False] * 3
    assert (found.tokens[0, 3:] == -1).all()


def test_greedy_by_hand():
    # 0 -> 1 (1.0), 1 -> 2 (1.1), 2 -> end (1.5)
    found = written(step, start(TABLE), 1, LENGTH, Decoding())
    assert found.tokens.tolist() == [[[0, 1, -1, -1]]]
    logs = TABLE.log_softmax(-1)
    mean = (logs[0, 1] + logs[1, 2] + logs[2, 0]) / 3
    torch.testing.assert_close(found.score[0, 0], mean)


def test_a_row_that_has_ended_waits_for_the_others():
    ends = torch.tensor([[5.0, 0.0, 0.0]] * 3)
    steps = list(write(step, start(ends, TABLE), 2, LENGTH, Decoding()))
    assert [s.symbols.tolist() for s in steps] == [[0, 1], [0, 2], [0, 0]]
    assert [s.counts.tolist() for s in steps] == [[True, True], [False, True], [False, True]]
    assert all(s.logs[0] == 0 for s in steps[1:])
    alone = written(step, start(TABLE), 1, LENGTH, Decoding())
    both = written(step, start(ends, TABLE), 2, LENGTH, Decoding())
    assert torch.equal(both.tokens[1], alone.tokens[0])


def test_drawn_symbols_have_their_probabilities():
    rows = 20_000
    state = State({"table": TABLE.expand(rows, 3, 3)}, {"seen": torch.zeros(rows, 0).long()})
    first = next(write(step, state, rows, LENGTH, Decoding(temperature=2.0, seed=1))).symbols
    shares = torch.bincount(first, minlength=3) / rows
    torch.testing.assert_close(shares, (TABLE[0] / 2).softmax(-1), atol=0.015, rtol=0)
    again = next(write(step, state, rows, LENGTH, Decoding(temperature=2.0, seed=1))).symbols
    assert torch.equal(first, again)


def test_fewer_symbols_to_draw_from():
    logits = torch.tensor([[0.4, 0.3, 0.2, 0.1]]).log()
    torch.testing.assert_close(narrowed(logits, top_k=2), torch.tensor([[4 / 7, 3 / 7, 0, 0]]))
    torch.testing.assert_close(narrowed(logits, top_p=0.65), torch.tensor([[4 / 7, 3 / 7, 0, 0]]))
    torch.testing.assert_close(narrowed(logits, top_p=0.01), torch.tensor([[1.0, 0, 0, 0]]))
    torch.testing.assert_close(narrowed(logits, top_k=9), logits.exp())
