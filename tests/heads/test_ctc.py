import itertools

import numpy as np
import pytest
import torch

from polymodal.batch import Field, Fused
from polymodal.errors import RecipeError
from polymodal.heads import Ctc
from polymodal.heads.ctc import occupancy, prefix_beam_search
from polymodal.heads.generation import Decoding


def collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(s for s, _ in itertools.groupby(path) if s)


def prediction(symbols: list[list[int]], *, mask: list[list[bool]] | None = None) -> torch.Tensor:
    """Moments that surely say these symbols."""
    logits = torch.nn.functional.one_hot(torch.tensor(symbols), 4).float() * 20
    here = torch.ones(logits.shape[:2]) if mask is None else torch.tensor(mask).float()
    return torch.cat([logits, here[..., None]], -1)


@pytest.fixture
def head() -> Ctc:
    torch.manual_seed(0)
    return Ctc(8, vocabulary=3, length=3).eval()


def test_repeats_and_nothing_are_left_out(head: Ctc):
    said = prediction([[0, 1, 1, 0, 1, 2], [3, 3, 3, 3, 3, 3], [0, 0, 0, 0, 0, 0]])
    assert head.answer(said).tolist() == [[0, 0, 1], [2, -1, -1], [-1, -1, -1]]
    assert head.generate(said).score.exp().min() > 0.99


def test_longer_texts_are_cut(head: Ctc):
    assert head.answer(prediction([[1, 2, 3, 1, 2, 3]])).tolist() == [[0, 1, 2]]


def test_padding_between_tokens_is_not_heard(head: Ctc):
    kept = prediction([[1, 2, 3]])
    padded = prediction([[1, 3, 2, 3]], mask=[[True, False, True, True]])
    assert torch.equal(head.answer(kept), head.answer(padded))
    target = Field(torch.tensor([[0, 1, 2]]), torch.tensor([True]))
    assert torch.equal(head.loss(kept, target)["ctc"], head.loss(padded, target)["ctc"])


def test_the_loss_counts_every_alignment(head: Ctc):
    logits = torch.randn(1, 4, 4)
    said = torch.cat([logits, torch.ones(1, 4, 1)], -1)
    logs = logits[0].log_softmax(-1)
    paths = [p for p in itertools.product(range(4), repeat=4) if collapsed(p) == (2, 2)]
    chance = sum(
        float(torch.stack([logs[t, s] for t, s in enumerate(p)]).sum().exp()) for p in paths
    )
    target = Field(torch.tensor([[1, 1]]), torch.tensor([True]))
    assert float(head.loss(said, target)["ctc"]) == pytest.approx(-np.log(chance) / 2, rel=1e-4)
    expected = torch.tensor([[-float(np.log(chance)), 2.0]])
    torch.testing.assert_close(head.surprise(said, target), expected, rtol=1e-4, atol=0)


def test_beams_find_the_likeliest_text():
    rng = np.random.default_rng(0)
    for _ in range(10):
        logs = np.log(rng.dirichlet(np.ones(3), size=5))
        chances: dict[tuple[int, ...], float] = {}
        for path in itertools.product(range(3), repeat=5):
            log = sum(logs[t, s] for t, s in enumerate(path))
            chances[collapsed(path)] = chances.get(collapsed(path), 0.0) + np.exp(log)
        found = prefix_beam_search(logs, 200)
        assert len(found) == len(chances)
        best = max(chances, key=chances.__getitem__)
        assert found[0][0] == best and np.exp(found[0][1]) == pytest.approx(chances[best])


def test_several_texts(head: Ctc):
    logits = torch.randn(2, 5, 4)
    said = torch.cat([logits, torch.ones(2, 5, 1)], -1)
    found = head.generate(said, best=3)
    assert found.tokens.shape == (2, 3, 3) and (found.score.diff(dim=1) <= 0).all()
    wide = head.generate(said, decoding=Decoding(beams=3))
    assert torch.equal(wide.tokens[:, 0], found.tokens[:, 0])


def test_too_few_tokens_for_the_text():
    head = Ctc(8, vocabulary=3, length=5)
    vector = torch.randn(2, 8)
    said = head(Fused(vector, vector[:, None], torch.ones(2, 1) > 0))
    target = Field(torch.tensor([[0, 1, 2], [1, 1, 2]]), torch.tensor([True, True]))
    with pytest.raises(RecipeError, match=r"2 tokens for a text of 3 symbols.*joint_transformer"):
        head.loss(said, target)


@pytest.mark.parametrize("text", [(2, 2), (1, 2), (1,)])
def test_when_each_symbol_was_said_by_counting_all_alignments(text: tuple[int, ...]):
    logs = np.log(np.random.default_rng(0).dirichlet(np.ones(3), size=5))
    expected, total = np.zeros((len(text), 5)), 0.0
    for path in itertools.product(range(3), repeat=5):
        if collapsed(path) != text:
            continue
        chance = np.exp(sum(logs[t, s] for t, s in enumerate(path)))
        total += chance
        new = [s != 0 and (t == 0 or path[t - 1] != s) for t, s in enumerate(path)]
        for moment, symbol in enumerate(path):
            if symbol:
                expected[sum(new[: moment + 1]) - 1, moment] += chance
    np.testing.assert_allclose(occupancy(logs, np.array(text)), expected / total, rtol=1e-9)


def test_no_room_and_no_text():
    logs = np.log(np.full((2, 3), 1 / 3))
    assert not occupancy(logs, np.array([1, 1])).any()  # needs a nothing in between
    assert occupancy(logs, np.array([], int)).shape == (0, 2)


def test_heard_is_told_at_the_places_of_the_prediction(head: Ctc):
    said = prediction([[1, 3, 0, 2]], mask=[[True, False, True, True]])
    shares = head.heard(said, head.answer(said))
    assert shares.round(decimals=3).tolist() == [[[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]]
