"""What LSTM and Transformer share, and that step by step they say what they were taught."""

import itertools

import pytest
import torch

from polymodal.batch import Field, Fused
from polymodal.errors import RecipeError
from polymodal.heads import LstmDecoder, TransformerDecoder
from polymodal.heads.autoregressive import Autoregressive
from polymodal.heads.generation import Decoding

LENGTH = 6
MAKE = {
    "transformer": lambda: TransformerDecoder(8, 11, LENGTH, layers=2, heads=2),
    "lstm": lambda: LstmDecoder(8, 11, LENGTH, layers=2),
    "plain lstm": lambda: LstmDecoder(8, 11, LENGTH, attention=False),
}
each = pytest.mark.parametrize("name", MAKE)


def made(name: str) -> Autoregressive:
    torch.manual_seed(0)
    return MAKE[name]().eval()


def fused(rows: int = 3) -> Fused:
    chance = torch.Generator().manual_seed(1)
    tokens = torch.randn(rows, 5, 8, generator=chance)
    mask = torch.ones(rows, 5, dtype=torch.bool)
    mask[-1, 3:] = False
    return Fused(tokens[:, 0], tokens, mask)


@each
def test_step_by_step_as_it_was_taught(name: str):
    head = made(name)
    x, mask = head._opened(head(fused()))
    symbols = torch.tensor([[0, 3, 1, 9, 2], [0, 11, 4, 4, 4], [0, 1, 2, 3, 4]])
    whole = head.logits(head.teach(x, mask, symbols))
    state = head.begin(x, mask)
    for place in range(symbols.shape[1]):
        logits, state = head.step(symbols[:, place], state)
        torch.testing.assert_close(logits, whole[:, place], atol=1e-5, rtol=1e-5)


@each
def test_later_symbols_and_padding_change_nothing(name: str):
    head, rows = made(name), fused()
    x, mask = head._opened(head(rows))
    symbols = torch.tensor([[0, 3, 1, 9]] * 3)
    changed = symbols.clone()
    changed[:, 3] = 5
    known, other = head.teach(x, mask, symbols), head.teach(x, mask, changed)
    torch.testing.assert_close(known[:, :3], other[:, :3])
    broken = rows._replace(tokens=torch.where(rows.mask[..., None], rows.tokens, torch.nan))
    assert torch.equal(head(rows), head(broken))
    x = torch.where(mask[..., None], x, 99.0)
    torch.testing.assert_close(head.teach(x, mask, symbols)[2], known[2])


@each
def test_a_row_does_not_depend_on_the_others(name: str):
    head = made(name)
    both, alone = head(fused()), head(fused())[1:2]
    torch.testing.assert_close(head.generate(alone).score, head.generate(both).score[1:2])
    assert torch.equal(head.answer(alone), head.answer(both)[1:2])
    wide = Decoding(beams=3)
    assert torch.equal(
        head.generate(alone, decoding=wide).tokens, head.generate(both, decoding=wide).tokens[1:2]
    )


@each
def test_scores_are_what_the_texts_surprise(name: str):
    """What was written, given back as the truth, surprises by its score."""
    head = made(name)
    read = head(fused())
    said = head.generate(read, best=4, decoding=Decoding(beams=4, length_penalty=0.3))
    for place in range(4):
        ids = said.tokens[:, place]
        target = Field(ids.clamp_min(0), torch.ones(3) > 0, mask=ids >= 0)
        nll, count = head.surprise(read, target).unbind(1)
        ended = (ids < 0).any(1)  # a text of full length has no end to be scored
        torch.testing.assert_close(-(nll / count)[ended], said.score[ended, place])


@each
def test_beams_find_no_worse_text_than_greed(name: str):
    head = made(name)
    read = head(fused())
    greedy = head.generate(read).score
    best = head.generate(read, decoding=Decoding(beams=12)).score
    assert (best >= greedy - 1e-5).all()


@each
def test_streamed_as_it_is_answered(name: str):
    head = made(name)
    read = head(fused())
    symbols = torch.stack([step.symbols for step in head.stream(read)], 1)
    ids = head.answer(read)[:, : symbols.shape[1]]
    assert torch.equal(torch.where(symbols > 0, symbols - 1, -1), ids)


def test_every_reference_counts_where_nothing_is_learned():
    head = made("transformer")
    read = head(fused(2))
    texts = torch.tensor([[[4, 5, 0], [6, 0, 0]], [[3, 3, 3], [0, 0, 0]]])
    there = torch.tensor([[True, True], [True, False]])
    both = head.loss(read, Field(texts, torch.ones(2) > 0, there))["cross_entropy"]

    def alone(row: int, ids: list[int]) -> torch.Tensor:
        field = Field(torch.tensor([ids]), torch.ones(1) > 0)
        return head.loss(read[row : row + 1], field)["cross_entropy"]

    expected = ((alone(0, [3, 4]) + alone(0, [5])) / 2 + alone(1, [2, 2, 2])) / 2
    torch.testing.assert_close(both, expected)
    sums = head.surprise(read, Field(texts, torch.ones(2) > 0, there))
    assert sums[:, 1].tolist() == [5, 4]  # with the ends


def test_in_training_one_reference_is_drawn():
    head = TransformerDecoder(8, 11, LENGTH, dropout=0.0).train()
    read = head(fused(1)).detach()
    texts = Field(torch.tensor([[[4, 5, 0], [6, 0, 0]]]), torch.ones(1) > 0)
    torch.manual_seed(0)
    singles = [Field(torch.tensor([ids]), torch.ones(1) > 0) for ids in ([3, 4], [5])]
    with torch.no_grad():
        losses = [float(head.loss(read, texts)["cross_entropy"]) for _ in range(20)]
        known = [float(head.loss(read, one)["cross_entropy"]) for one in singles]
    drawn = {min(range(2), key=lambda i: abs(known[i] - loss)) for loss in losses}
    assert drawn == {0, 1} and all(min(abs(k - v) for k in known) < 1e-5 for v in losses)


def test_attention_is_a_share_of_what_may_be_read():
    for name in ("transformer", "lstm"):
        head = made(name)
        read = head(fused())
        looks = head.looks(read, head.answer(read))
        assert looks.shape == (3, LENGTH, 6) and head.looks_around
        torch.testing.assert_close(looks.sum(-1), torch.ones(3, LENGTH))
        assert not looks[-1, :, 4:].any()
    plain = made("plain lstm")
    assert not plain.looks_around
    with pytest.raises(RecipeError, match="attention=false"):
        plain.looks(plain(fused()), torch.zeros(3, LENGTH, dtype=torch.long))


def test_smoothing_by_hand():
    head = made("transformer")
    head.label_smoothing = 0.2
    read = head(fused(1))
    target = Field(torch.tensor([[3]]), torch.ones(1) > 0)
    x, mask = head._opened(read)
    logs = head.logits(head.teach(x, mask, torch.tensor([[0, 4]])))[0].log_softmax(-1)
    right = torch.stack([logs[0, 4], logs[1, 0]])
    expected = -(0.8 * right + 0.2 * logs.mean(-1)).mean()
    torch.testing.assert_close(head.loss(read, target)["cross_entropy"], expected)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TransformerDecoder(8, 0, 3), "vocabulary is 0"),
        (lambda: TransformerDecoder(8, 3, 3, heads=3), "do not divide the width 8"),
        (lambda: TransformerDecoder(8, 3, 3, layers=0), "at least 1"),
        (lambda: TransformerDecoder(8, 3, 3, label_smoothing=1.0), "0 to below 1"),
        (lambda: LstmDecoder(8, 3, 3, layers=0), "at least 1"),
        (lambda: LstmDecoder(8, 3, 0), "length is 0"),
    ],
)
def test_what_cannot_be_built(make, message: str):
    with pytest.raises(RecipeError, match=message):
        make()


def test_all_texts_of_a_tiny_language_hold_all_the_probability():
    torch.manual_seed(1)
    head = LstmDecoder(4, 2, 3).eval()
    read = head(Fused(torch.randn(1, 4), torch.randn(1, 2, 4), torch.ones(1, 2) > 0))
    texts = [t for n in range(4) for t in itertools.product((0, 1), repeat=n)]
    total = 0.0
    for text in texts:
        field = Field(
            torch.tensor([[*text, *[0] * (3 - len(text))]]),
            torch.ones(1) > 0,
            torch.tensor([[i < len(text) for i in range(3)]]),
        )
        nll = head.surprise(read, field)[0, 0].item()
        total += torch.tensor(-nll).exp().item()
    assert 0 < total < 1  # what is longer holds the rest
