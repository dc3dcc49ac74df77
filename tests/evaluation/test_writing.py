import numpy as np
import pytest
import torch

from polymodal.batch import Batch, Field
from polymodal.data.modalities import Text
from polymodal.encoders import NumberEncoder
from polymodal.errors import RecipeError
from polymodal.evaluation.writing import decoding_with, several, stream
from polymodal.fusion import Concat
from polymodal.heads import TransformerDecoder
from polymodal.heads.decoding import Written
from polymodal.heads.generation import Decoding
from polymodal.model import MultimodalModel


@pytest.fixture
def text() -> Text:
    modality = Text(lowercase=False, units="characters", vocabulary=257)
    modality.fit(["a red ball", "两只狗"])
    return modality


@pytest.fixture
def model(text: Text) -> MultimodalModel:
    torch.manual_seed(0)
    heads = {"said": TransformerDecoder(8, text.vocabulary, 30)}
    return MultimodalModel({"n": NumberEncoder(width=8)}, Concat({"n": 8}, 8), heads)


BATCH = Batch({"n": Field(torch.ones(1), torch.tensor([True]))}, rows=torch.arange(1))


def says(model: MultimodalModel, ids: np.ndarray) -> None:
    """Let the head write these tokens."""
    symbols = [torch.tensor([symbol]) for symbol in [*(ids + 1).tolist(), 0]]
    steps = [Written(s, torch.zeros(1), torch.ones(1) > 0) for s in symbols]
    model.head("said").stream = lambda prediction, decoding: iter(steps)


def test_a_character_is_told_when_all_its_bytes_are_written(text: Text, model: MultimodalModel):
    ids = text.decode("a 两只狗!")
    assert len(ids) == 12  # three bytes for each Chinese character
    says(model, ids)
    pieces = list(stream(model, BATCH, "said", text, decoding=Decoding()))
    assert pieces == ["a", " 两", "只", "狗", "!"]


def test_it_stops_before_a_word(text: Text, model: MultimodalModel):
    says(model, text.decode("a red ball"))
    pieces = list(stream(model, BATCH, "said", text, decoding=Decoding(), stop=["xyz", " b"]))
    assert "".join(pieces) == "a red"


def test_gradients_are_as_they_were_between_pieces(text: Text, model: MultimodalModel):
    says(model, text.decode("a red ball"))
    for _ in stream(model, BATCH, "said", text, decoding=Decoding()):
        assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


def test_several_texts_with_their_scores(text: Text, model: MultimodalModel):
    found = several(model, BATCH, "said", text, best=3, decoding=Decoding())
    assert len(found) == 1 and len(found[0]) == 3
    assert all(0 < score <= 1 for _, score in found[0])


def test_options_that_do_not_exist(model: MultimodalModel):
    head = model.head("said")
    assert decoding_with(head, {"beams": 3}) == Decoding(beams=3)
    with pytest.raises(RecipeError, match=r"no option 'beam'\. Did you mean 'beams'"):
        decoding_with(head, {"beam": 3})
