import numpy as np
import pytest
import torch

from polymodal.batch import Batch, Field
from polymodal.data.modalities import Text
from polymodal.encoders import NumberEncoder, Patches
from polymodal.evaluation.attended import attended
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
