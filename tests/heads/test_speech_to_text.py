"""A whole Whisper as a head: what it hears, writes, trains and keeps."""

import json
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load, save
from torch import Tensor

from polymodal.batch import Field, Fused, Tokens
from polymodal.data.modalities import Text
from polymodal.errors import RecipeError
from polymodal.heads import SpeechToText
from tiny_language_model import make_language_model
from tiny_vision_language import make_whisper

LENGTHS = [16000, 9000, 0]
TARGET = Field(torch.tensor([[3, 8, 5], [9, 20, 0], [7, 7, 7]]), torch.ones(3) > 0,
               torch.tensor([[1, 1, 1], [1, 1, 0], [1, 1, 1]]) > 0)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_whisper(tmp_path_factory.mktemp("whisper"))


def made(model: str, **options: Any) -> SpeechToText:
    torch.manual_seed(0)
    size = len(transformers.AutoTokenizer.from_pretrained(model))
    return SpeechToText(1, size, 6, {"sound": "audio"}, model, **options).eval()


def waves() -> Tensor:
    chance = torch.Generator().manual_seed(1)
    return torch.rand(3, 16000, generator=chance) - 0.5


def heard(order: tuple[int, ...] = (0, 1, 2)) -> Fused:
    """Sounds of different lengths; the last row has none."""
    there = torch.arange(16000) < torch.tensor(LENGTHS)[:, None]
    sound = torch.where(there, waves(), torch.nan)[list(order)]
    tokens = Tokens(sound[..., None], there[list(order)], sound[:, :1])
    vector = torch.zeros(len(order), 1)
    return Fused(vector, vector[:, None], torch.ones(len(order), 1).bool(),
                 branches={"sound": tokens})  # fmt: skip


@pytest.mark.parametrize(("languages", "options"), [
    (False, {}),
    (True, {"language": "chinese"}),
    (True, {"language": "zh", "task": "translate"}),
    (True, {"task": "transcribe"}),
])  # fmt: skip
def test_it_says_what_the_model_itself_would_say(languages, options, tmp_path):
    """The same tokens as transformers' own feature extractor and generation."""
    model = make_whisper(tmp_path, languages=languages)
    head = made(model, train="frozen", **options)
    with torch.no_grad():
        said = head.answer(head(heard())).tolist()
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(model)
    network = transformers.WhisperForConditionalGeneration.from_pretrained(model).eval()
    sounds = [waves()[row, :length].numpy() for row, length in enumerate(LENGTHS[:2])]
    mels = extractor(sounds, sampling_rate=16000, return_tensors="pt").input_features
    theirs = network.generate(mels, max_new_tokens=6, do_sample=False, **options)
    size = head.next_symbol.vocabulary
    never = {head.recogniser.end, *head.recogniser.silenced, *range(size, size + 9)}
    for mine, other in zip(said, theirs.tolist(), strict=False):
        kept = [token for token in other if token not in never]
        assert kept and kept == [token for token in mine if token >= 0]


def test_step_by_step_as_it_was_taught(folder):
    head = made(folder)
    x, mask = head._opened(head(heard()))
    symbols = torch.tensor([[0, 3, 40, 9], [0, 11, 4, 4], [0, 1, 7, 3]])
    never = {*head.recogniser.silenced, *head.recogniser.silenced_first}
    free = [n for n in range(1, 1 + head.next_symbol.vocabulary) if n - 1 not in never]
    with torch.no_grad():
        whole = head.taught(x, mask, symbols, symbols >= 0).unflatten(0, (3, 4))
        state = head.begin(x, mask)
        for place in range(4):
            logits, state = head.step(symbols[:, place], state)
            torch.testing.assert_close(logits[:, free], whole[:, place, free], atol=1e-4, rtol=1e-4)
        beams = head.generate(head(heard()), best=3)
    assert (beams.score[:, 0] >= beams.score[:, 1]).all() and beams.score.isfinite().all()
    assert not {6, 7} & set((beams.tokens + 1).flatten().tolist())  # silenced: 5 and 6


def test_rows_do_not_depend_on_others(folder):
    head = made(folder)
    with torch.no_grad():
        together = head.answer(head(heard()))
        for row in range(3):
            assert torch.equal(head.answer(head(heard((row,))))[0], together[row])


def test_only_adapters_learn_and_are_kept(folder):
    head = made(folder, rank=4).train()
    trained = [weight for weight in head.parameters() if weight.requires_grad]
    optimizer, losses = torch.optim.Adam(trained, lr=0.02), []
    for _ in range(8):
        optimizer.zero_grad()
        loss = head.loss(head(heard()), TARGET)["cross_entropy"]
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 0.03
    names = [name for name, weight in head.named_parameters() if weight.grad is not None]
    assert names and all("lora_" in name for name in names)
    assert any("encoder" in name for name in names)
    state = head.state_dict()
    assert state and all("lora_" in name for name in state)
    again = made(folder, rank=4, config=json.loads(json.dumps(head.config)))
    again.load_state_dict(load(save(state)))
    with torch.no_grad():
        assert torch.equal(head.eval().answer(head(heard())), again.answer(again(heard())))


def test_the_whole_model_needs_no_folder_any_more(folder, tmp_path):
    head = made(make_whisper(tmp_path), train="full", keep="all")
    config = json.loads(json.dumps(head.config))
    for file in tmp_path.iterdir():
        file.unlink()
    again = SpeechToText(1, head.next_symbol.vocabulary, 6, {"sound": "audio"}, "gone",
                         train="full", keep="all", config=config).eval()  # fmt: skip
    again.load_state_dict(load(save({n: t.clone() for n, t in head.state_dict().items()})))
    with torch.no_grad():
        assert torch.equal(head.answer(head(heard())), again.answer(again(heard())))


def test_texts_are_read_as_the_model_writes_them(folder):
    text = Text(**SpeechToText.preprocessing(folder, "text"))
    text.fit(["a red circle"])
    assert text.tokenizer is not None
    assert text.tokenizer.encode("a").tokens == ["Ġa"]
    ids = text.decode("a red circle")
    assert text.restore(ids[None]) == ["a red circle"]
    assert SpeechToText.preprocessing(folder, "audio") == {
        "form": "waveform", "rate": 16000, "max_seconds": 2,
    }  # fmt: skip


def test_what_does_not_fit_is_refused(folder, tmp_path):
    with pytest.raises(RecipeError, match="one language only"):
        made(folder, language="zh")
    with pytest.raises(RecipeError, match="'klingon' is not known"):
        made(make_whisper(tmp_path / "two", languages=True), language="klingon")
    with pytest.raises(RecipeError, match="hears one audio column, not 2"):
        SpeechToText(1, 9, 6, {"a": "audio", "b": "audio"}, folder)
    with pytest.raises(RecipeError, match="encoder: pretrained"):
        made(make_language_model(tmp_path / "words"))
