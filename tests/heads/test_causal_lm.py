"""A pretrained language model as a head: what it reads, writes, trains and keeps."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load, save

from polymodal.batch import Field, Fused, Tokens
from polymodal.errors import RecipeError
from polymodal.heads import CausalLm
from polymodal.heads.generation import Decoding
from tiny_language_model import FAMILIES, make_language_model

QUESTION = "which shape is in the picture?"
WIDTH = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_language_model(tmp_path_factory.mktemp("llama"))


def made(model: str, **options: Any) -> CausalLm:
    """A head that reads a picture's tokens and a question."""
    torch.manual_seed(0)
    size = len(transformers.AutoTokenizer.from_pretrained(model))
    head = CausalLm(WIDTH, size, 6, {"photo": 5, "question": 1}, ("question",), model, **options)
    return head.eval()


def rows(model: str, count: int = 3) -> Fused:
    """Rows with questions of different lengths; the last has no photo, the second no question."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    ids = torch.tensor(tokenizer.encode(QUESTION, add_special_tokens=False)).float()
    words = ids.repeat(count, 1)[..., None]
    there = torch.ones(count, len(ids), dtype=torch.bool)
    there[0, 4:], there[1] = False, False
    chance = torch.Generator().manual_seed(1)
    photo = torch.randn(count, 4, 5, generator=chance)
    seen = torch.ones(count, 4, dtype=torch.bool)
    seen[-1] = False
    vector = torch.randn(count, WIDTH, generator=chance)
    branches = {
        "photo": Tokens(photo, seen, photo[:, 0]),
        "question": Tokens(words, there, words[:, 0]),
    }
    return Fused(vector, vector[:, None], torch.ones(count, 1).bool(), branches=branches)


SYMBOLS = torch.tensor([[0, 3, 40, 9, 2], [0, 11, 4, 4, 4], [0, 1, 7, 3, 60]])


@pytest.mark.parametrize("family", FAMILIES)
def test_step_by_step_as_it_was_taught(family: str, tmp_path: Path):
    head = made(make_language_model(tmp_path, family), prompt="{photo} {question} ")
    x, mask = head._opened(head(rows(head_folder := str(tmp_path))))
    whole = head.taught(x, mask, SYMBOLS, torch.ones_like(SYMBOLS) > 0).unflatten(0, (3, 5))
    state = head.begin(x, mask)
    for place in range(SYMBOLS.shape[1]):
        logits, state = head.step(SYMBOLS[:, place], state)
        torch.testing.assert_close(logits, whole[:, place], atol=1e-4, rtol=1e-4)
    alone = rows(head_folder)
    first = {n: Tokens(*(p[:1] for p in t)) for n, t in (alone.branches or {}).items()}
    short = head(Fused(alone.vector[:1], alone.tokens[:1], alone.mask[:1], branches=first))
    assert torch.equal(head.answer(short), head.answer(head(alone))[:1])


@pytest.mark.parametrize("chat", [False, True])
def test_it_says_what_the_model_itself_would_say(chat: bool, tmp_path: Path):
    """A prompt of words and a text alone: the same as transformers' own generation."""
    folder = make_language_model(tmp_path, chat=chat)
    head = made(folder, prompt="question: {question} answer:", train="frozen")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network = transformers.AutoModelForCausalLM.from_pretrained(folder)
    given = rows(folder)
    kept = {n: Tokens(*(p[2:] for p in t)) for n, t in (given.branches or {}).items()}
    said = head.answer(head(given._replace(vector=given.vector[2:], branches=kept)))[0]

    def ids(words: str) -> list[int]:
        return tokenizer.encode(words, add_special_tokens=False)

    start, end = (ids("<user>"), ids("</user><model>")) if chat else ([tokenizer.bos_token_id], [])
    prompt = torch.tensor([[*start, *ids("question: "), *ids(QUESTION), *ids(" answer:"), *end]])
    options = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 1}
    expected = network.generate(prompt, attention_mask=torch.ones_like(prompt), **options)
    written = expected[0, prompt.shape[1] :]
    assert said[said >= 0].tolist() == written[written != tokenizer.eos_token_id].tolist()


def test_absent_cells_and_padding_have_no_influence(folder: str):
    head, given = made(folder), rows(folder)
    changed = {
        name: tokens._replace(x=torch.where(tokens.mask[..., None], tokens.x, torch.nan))
        for name, tokens in (given.branches or {}).items()
        if tokens.mask is not None
    }
    assert torch.equal(head(given), head(given._replace(branches=changed)))


def test_lora_trains_small_matrices_and_saves_nothing_else(folder: str):
    head = made(folder, rank=2)
    trained = {name for name, p in head.named_parameters() if p.requires_grad}
    assert all("lora_" in name or "projections" in name for name in trained)
    assert not any("lm_head" in name for name in trained)
    assert set(head.state_dict()) == trained
    before = head(rows(folder))
    for parameter in head.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.1)
    saved = save(head.state_dict())
    config = json.loads(json.dumps(head.config))
    other = made(folder, rank=2, config=config)
    other.load_state_dict(load(saved))
    assert torch.equal(other(rows(folder)), head(rows(folder)))
    assert not torch.equal(before, head(rows(folder)))
    assert torch.equal(other.answer(other(rows(folder))), head.answer(head(rows(folder))))


@pytest.mark.parametrize("train", ["lora", "full"])
def test_a_run_that_keeps_all_needs_no_folder(folder: str, train: str):
    head = made(folder, keep="all", train=train)
    size = len(transformers.AutoTokenizer.from_pretrained(folder))
    config = json.loads(json.dumps(head.config))
    branches = {"photo": 5, "question": 1}
    other = CausalLm(
        WIDTH, size, 6, branches, ("question",), "gone", keep="all", train=train, config=config
    ).eval()
    other.load_state_dict(load(save({n: t.clone() for n, t in head.state_dict().items()})))
    assert torch.equal(other.answer(other(rows(folder))), head.answer(head(rows(folder))))


def test_other_weights_under_the_same_name_are_refused(folder: str, tmp_path: Path):
    config = made(folder).config
    changed = transformers.AutoModelForCausalLM.from_pretrained(folder)
    torch.nn.init.normal_(changed.model.layers[0].mlp.up_proj.weight)
    changed.save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path)
    with pytest.raises(RecipeError, match="not those that this run was trained with"):
        made(str(tmp_path), config=config)


def test_it_learns_with_small_matrices_alone(folder: str):
    head = made(folder, rank=4).train()
    target = Field(torch.tensor([[5, 9], [7, 7], [9, 30]]), torch.ones(3).bool())
    chosen = [p for p in head.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(chosen, lr=0.02)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = head.loss(head(rows(folder)), target)["cross_entropy"]
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 0.3  # the layer that tells tokens is random, and stays so


def test_half_the_memory_but_what_is_trained_is_exact(folder: str):
    head = made(folder, dtype="bfloat16")
    formats = {p.dtype for p in head.parameters() if p.requires_grad}
    assert formats == {torch.float32} and head.number_format == torch.bfloat16
    target = Field(torch.tensor([[5, 9], [7, 7], [9, 30]]), torch.ones(3).bool())
    head.loss(head(rows(folder)), target)["cross_entropy"].backward()
    assert head.answer(head(rows(folder))).shape == (3, 6)


def test_layers_computed_again_give_the_same_gradients(folder: str):
    target, found = Field(torch.tensor([[5, 9], [7, 7], [9, 30]]), torch.ones(3).bool()), []
    for checkpointing in (False, True):
        head = made(folder, checkpointing=checkpointing).train()
        head.loss(head(rows(folder)), target)["cross_entropy"].backward()
        found.append([p.grad for p in head.parameters() if p.requires_grad])
    for ours, again in zip(*found, strict=True):
        torch.testing.assert_close(ours, again)


@pytest.mark.parametrize("special", [{}, {"eos_token": "</s>"}])
def test_a_tokenizer_without_padding_start_or_end(special: dict[str, str], tmp_path: Path):
    folder = make_language_model(tmp_path, special=special)
    head = made(folder, prompt="{question}")  # in the second row there is no word at all
    target = Field(torch.tensor([[5, 9], [7, 7], [9, 30]]), torch.ones(3).bool())
    optimizer = torch.optim.AdamW([p for p in head.parameters() if p.requires_grad], lr=0.05)
    for _ in range(40):
        optimizer.zero_grad()
        loss = head.loss(head(rows(folder)), target)["cross_entropy"]
        loss.backward()
        optimizer.step()
    said = head.generate(head(rows(folder)), best=2, decoding=Decoding(beams=3))
    assert said.tokens.shape == (3, 2, 6) and said.score.isfinite().all()
    if not special:
        assert (said.tokens[:, 0] < 0).any()  # the end was learned


def test_branches_that_decide_by_themselves(folder: str):
    head, given = made(folder, prompt="{row} {question}"), rows(folder)
    each = torch.randn(3, 2, WIDTH)
    several = head(given._replace(vector=each, experts=each))
    single = head(given._replace(vector=each[:, 1], experts=each))
    torch.testing.assert_close(several[:, 1], single)


def test_what_is_no_language_model(tmp_path: Path, folder: str):
    transformers.ViTConfig().save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path)
    with pytest.raises(RecipeError, match="type 'vit', which is not a causal language model"):
        made(str(tmp_path))
    with pytest.raises(RecipeError, match="keep must be 'adapter' or 'all'"):
        made(folder, keep="some")
    with pytest.raises(RecipeError, match="dtype must be one of float32"):
        made(folder, dtype="int3")
    with pytest.raises(RecipeError, match="no template for messages"):
        made(folder, chat=True)
