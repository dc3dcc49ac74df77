from typing import Any

import numpy as np
import pytest
import torch

from polymodal.batch import Batch, Field
from polymodal.data.modalities import Audio, Text
from polymodal.encoders import NumberEncoder, Patches, SpectrogramRnn
from polymodal.evaluation.attended import _joined, _pieces, attended, heard
from polymodal.fusion import Concat, JointTransformer
from polymodal.heads import Ctc, LstmDecoder, TransformerDecoder
from polymodal.model import MultimodalModel


@pytest.fixture
def text() -> Text:
    modality = Text(lowercase=False)
    modality.fit(["a red ball", "a blue ball", "两只狗"] * 3)
    return modality


def batch() -> Batch:
    torch.manual_seed(0)
    pictures = torch.randint(0, 255, (3, 3, 16, 16), dtype=torch.uint8)
    here = torch.tensor([True, True, False])
    return Batch(
        {"n": Field(torch.ones(3), here), "photo": Field(pictures, here)}, rows=torch.arange(3)
    )


def model(
    text: Text, head: type = TransformerDecoder, fusion: type = JointTransformer
) -> MultimodalModel:
    torch.manual_seed(0)
    encoders = {"n": NumberEncoder(width=8), "photo": Patches(3, 16, width=8, patch=4)}
    fused = fusion({"n": 8, "photo": 8}, 8)
    return MultimodalModel(encoders, fused, {"said": head(8, text.vocabulary, 6)}).eval()


def test_every_word_has_a_grid_of_the_picture(text: Text):
    network = model(text)
    ids = torch.tensor(text.decode("a red ball"))
    head = network.head("said")
    head.answer = lambda prediction: torch.cat([ids, -torch.ones(6)])[:6].long().expand(3, 6)
    found = attended(network, batch(), "said", "photo", text)
    assert [[look.word for look in looks] for looks in found] == [["a", "red", "ball"]] * 2 + [[]]
    grid = found[0][1].grid
    assert grid.shape == (4, 4) and grid.max() == 1 and grid.min() >= 0
    # The same numbers as the head's own, of the picture's tokens: vector, CLS, number, 16 patches.
    tokens, present = network.encode(batch())
    prediction = network.predict(tokens, present)["said"]
    looks = head.looks(prediction, head.answer(prediction))[0, :, 3:19].detach()
    np.testing.assert_allclose(grid.ravel(), looks[1] / looks[1].max(), rtol=1e-4)


def test_characters_are_words(text: Text):
    network = model(text, LstmDecoder)
    ids = torch.tensor(text.decode("两只狗"))
    network.head("said").answer = lambda prediction: (
        torch.cat([ids, -torch.ones(6)])[:6].long().expand(3, 6)
    )
    found = attended(network, batch(), "said", "photo", text)
    assert [look.word for look in found[0]] == ["两", "只", "狗"]


@pytest.mark.parametrize(
    ("head", "fusion"), [(TransformerDecoder, Concat), (Ctc, JointTransformer)]
)
def test_nothing_where_no_parts_are_looked_at(text: Text, head: type, fusion: type):
    assert attended(model(text, head, fusion), batch(), "said", "photo", text) == [[], [], []]


FRAMES = [16, 9, 16]


def sounds() -> Batch:
    torch.manual_seed(0)
    mask = torch.arange(16) < torch.tensor(FRAMES)[:, None]
    field = Field(torch.randn(3, 16, 8), torch.tensor([True, True, False]), mask)
    numbers = Field(torch.ones(3), torch.ones(3, dtype=torch.bool))
    return Batch({"n": numbers, "voice": field}, rows=torch.arange(3))


def listener(text: Text, head: type, fusion: type = JointTransformer) -> MultimodalModel:
    torch.manual_seed(0)
    encoders = {"n": NumberEncoder(width=8), "voice": SpectrogramRnn(8, width=8, base=4)}
    fused = fusion({"n": 8, "voice": 8}, 8)
    return MultimodalModel(encoders, fused, {"said": head(8, text.vocabulary, 6)}).eval()


def saying(model: MultimodalModel, text: Text, words: str, rows: int = 3) -> Any:
    """The head, which says these words about every row."""
    ids = torch.tensor(text.decode(words)).long()
    whole = torch.cat([ids, -torch.ones(6, dtype=torch.long)])[:6].expand(rows, 6)
    head: Any = model.head("said")
    head.answer = lambda prediction: whole
    return head


@pytest.fixture
def sound() -> Audio:
    return Audio(mels=8, max_seconds=0.2)


def test_every_word_has_a_strip_of_the_sound(text: Text, sound: Audio):
    network = listener(text, TransformerDecoder)
    head = saying(network, text, "a red ball")
    first, second, third = heard(network, sounds(), "said", "voice", (text, sound))
    assert third is None  # the row has no sound
    assert first.column == "voice" and not first.aligned
    assert [first.seconds, second.seconds] == pytest.approx([0.16, 0.09])
    assert [one.word for one in first.words] == ["a", "red", "ball"]
    assert [len(one.words[0].shares) for one in (first, second)] == [4, 3]  # a token of 4 frames
    # The same numbers as the head's own: vector, CLS, number, then the sound's tokens.
    tokens, present = network.encode(sounds())
    prediction = network.predict(tokens, present)["said"]
    looks = head.looks(prediction, head.answer(prediction)).detach()
    np.testing.assert_allclose(
        first.words[1].shares, looks[0, 1, 3:7] / looks[0, 1, 3:7].max(), rtol=1e-4
    )
    assert first.words[1].inside == pytest.approx(float(looks[0, 1, 3:7].sum()), rel=1e-4)


def test_of_ctc_each_piece_is_told_by_its_moments(sound: Audio):
    text = Text(units="characters")
    text.fit(["ab"] * 9)
    network = listener(text, Ctc)
    head = saying(network, text, "ab")
    first, *_ = heard(network, sounds(), "said", "voice", (text, sound))
    assert first.aligned and [one.word for one in first.words] == ["a", "b"]
    tokens, present = network.encode(sounds())
    prediction = network.predict(tokens, present)["said"]
    shares = head.heard(prediction, head.answer(prediction)).detach()[0]
    np.testing.assert_allclose(first.words[1].shares, shares[1, 3:7], rtol=1e-4)
    assert first.words[1].inside == pytest.approx(float(shares[1, 3:7].sum() / shares[1].sum()))


@pytest.mark.parametrize(("head", "fusion"), [(TransformerDecoder, Concat), (Ctc, Concat)])
def test_nothing_where_no_moments_are_read(text: Text, sound: Audio, head: type, fusion: type):
    network = listener(text, head, fusion)
    assert heard(network, sounds(), "said", "voice", (text, sound)) == [None] * 3


def test_an_empty_text_was_heard_nowhere(text: Text, sound: Audio):
    network = listener(text, TransformerDecoder)
    network.head("said").answer = lambda prediction: torch.full((3, 6), -1)
    assert heard(network, sounds(), "said", "voice", (text, sound)) == [None] * 3


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("a red ball", ["a", "red", "ball"]),
        ("café, naïve", ["café,", "naïve"]),
        ("красный мяч", ["красный", "мяч"]),
        ("كرة حمراء", ["كرة", "حمراء"]),
        ("两只狗", ["两", "只", "狗"]),
        ("2只 dogs🐶", ["2", "只", "dogs🐶"]),
    ],
)
def test_words_of_every_script(written: str, words: list[str]):
    """By tokens of single bytes, of which several make a character."""
    modality = Text(lowercase=False, vocabulary=260)
    modality.fit(["xyz"] * 3)
    ids = torch.tensor(modality.decode(written)).long()
    pairs = _joined(_pieces(ids, modality))
    assert [word for word, _ in pairs] == words
    assert sorted(place for _, places in pairs for place in places) == list(range(len(ids)))
