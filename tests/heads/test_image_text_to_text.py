"""A whole vision-language model as a head: what it reads, writes, trains and keeps."""

import json
from typing import Any

import pytest
import torch
import transformers
from PIL import Image as Pillow
from safetensors.torch import load, save
from torch import Tensor

from polymodal.batch import Field, Fused, Tokens
from polymodal.errors import RecipeError
from polymodal.heads import ImageTextToText
from polymodal.heads.cells_in_a_row import packed, unpacked
from polymodal.heads.generation import Decoding
from polymodal.heads.image_text_to_text import usual_prompt
from polymodal.heads.processor_files import from_texts
from tiny_language_model import make_language_model
from tiny_vision_language import make_llava, make_qwen, make_smolvlm

SIDE = {"llava": 28, "qwen": 56, "smolvlm": 48}
MAKERS = {"llava": make_llava, "qwen": make_qwen, "smolvlm": make_smolvlm}
QUESTIONS = ["what colour is the shape?", "how many?", "which shape"]
PROMPT = "{photo} question: {question} answer:"
TARGET = Field(torch.tensor([[3, 8, 5], [9, 20, 0], [7, 7, 7]]), torch.ones(3) > 0,
               torch.tensor([[1, 1, 1], [1, 1, 0], [1, 1, 1]]) > 0)  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {name: make(tmp_path_factory.mktemp(name)) for name, make in MAKERS.items()}


every = pytest.mark.parametrize("family", MAKERS)


def made(model: str, family: str, **options: Any) -> ImageTextToText:
    torch.manual_seed(0)
    size = len(transformers.AutoTokenizer.from_pretrained(model))
    inputs = {"photo": "image", "question": "text", "more": "gallery"}
    branches = {"photo": SIDE[family], "question": 1, "more": SIDE[family]}
    head = ImageTextToText(1, size, 6, branches, inputs, model, **{"prompt": PROMPT} | options)
    return head.eval()


def pictures(family: str, *shape: int) -> Tensor:
    chance = torch.Generator().manual_seed(1)
    side = SIDE[family]
    return torch.randint(0, 256, (*shape, 3, side, side), dtype=torch.uint8, generator=chance)


def rows(model: str, family: str, order: tuple[int, ...] = (0, 1, 2)) -> Fused:
    """Rows with questions of different lengths; the last has no photo, the second no question.

    Of the gallery the first row has two, the second one, the last none.
    """
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    ids = [tokenizer.encode(text, add_special_tokens=False) for text in QUESTIONS]
    words = torch.full((3, max(map(len, ids))), torch.nan)
    for row, cell in enumerate(ids):
        words[row, : len(cell)] = torch.tensor(cell)
    there = words.isfinite()
    there[1] = False
    side = SIDE[family]
    photo, more = pictures(family, 3).float().flatten(1, 2), pictures(family, 3, 2).float()
    seen = torch.tensor([True, True, False])[:, None].expand(-1, 3 * side)
    several = torch.tensor([[True, True], [True, False], [False, False]])
    photo = torch.where(seen[..., None], photo, torch.nan)
    branches = {
        "photo": Tokens(photo, seen, photo[:, 0]),
        "question": Tokens(words[..., None], there, words[:, :1]),
        "more": Tokens(more.flatten(1, 3), several.repeat_interleave(3 * side, 1), photo[:, 0]),
    }
    chosen = list(order)
    kept = {name: Tokens(*(part[chosen] for part in tokens)) for name, tokens in branches.items()}
    vector = torch.zeros(len(order), 1)
    return Fused(vector, vector[:, None], torch.ones(len(order), 1).bool(), branches=kept)


def total(head: ImageTextToText, given: Fused) -> Tensor:
    return head.loss(head(given), TARGET)["cross_entropy"]


@every
def test_it_says_what_the_model_itself_would_say(family, folders):
    """The same tokens as transformers' own processor and generation on the same picture."""
    model = folders[family]
    head = made(model, family, train="frozen")
    with torch.no_grad():
        said = head.generate(head(rows(model, family))).tokens[:, 0].tolist()
    processor = transformers.AutoProcessor.from_pretrained(model)
    network = transformers.AutoModelForImageTextToText.from_pretrained(model).eval()
    for row, text in enumerate([QUESTIONS[0], "", QUESTIONS[2]]):
        seen = pictures(family, 3)[row].permute(1, 2, 0).numpy()
        photo = [Pillow.fromarray(seen)] if row < 2 else []
        words = f" question: {text} answer:"
        if family != "llava":
            parts = [{"type": "image", "image": one} for one in photo]
            inputs = processor.apply_chat_template(
                [{"role": "user", "content": [*parts, {"type": "text", "text": words}]}],
                tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True,
            )  # fmt: skip
        else:
            text = "<image>" * len(photo) + words
            inputs = processor(images=photo or None, text=text, return_tensors="pt")
        out = network.generate(**inputs, max_new_tokens=6, do_sample=False, pad_token_id=0)
        theirs = out[0, inputs["input_ids"].shape[1] :].tolist()
        end = processor.tokenizer.eos_token_id
        assert [token for token in theirs if token != end] == [t for t in said[row] if t >= 0]


@every
def test_step_by_step_as_it_was_taught(family, folders):
    head = made(folders[family], family)
    x, mask = head._opened(head(rows(folders[family], family)))
    symbols = torch.tensor([[0, 3, 40, 9], [0, 11, 4, 4], [0, 1, 7, 3]])
    with torch.no_grad():
        whole = head.taught(x, mask, symbols, symbols >= 0).unflatten(0, (3, 4))
        state = head.begin(x, mask)
        for place in range(4):
            logits, state = head.step(symbols[:, place], state)
            torch.testing.assert_close(logits, whole[:, place], atol=1e-4, rtol=1e-4)
        beams = head.generate(head(rows(folders[family], family)), best=3)
        assert (beams.score[:, 0] >= beams.score[:, 1]).all()
        drawn = head.generate(head(rows(folders[family], family)), best=2,
                              decoding=Decoding(temperature=1.0, seed=1))  # fmt: skip
    assert drawn.tokens.shape == (3, 2, 6)
    streamed = torch.stack(
        [one.symbols for one in head.stream(head(rows(folders[family], family)))]
    )
    first = head.answer(head(rows(folders[family], family)))[:, 0]
    assert torch.equal(streamed[0] - 1, first)


@every
def test_rows_do_not_depend_on_others_nor_on_what_is_absent(family, folders):
    head = made(folders[family], family, prompt=None)
    with torch.no_grad():
        together = head.generate(head(rows(folders[family], family)))
        for row in range(3):
            alone = head.generate(head(rows(folders[family], family, (row,))))
            assert torch.equal(alone.tokens[0], together.tokens[row])
        given = rows(folders[family], family)
        hidden = {
            name: Tokens(x[:, :1], torch.zeros_like(mask[:, :1]), x[:, 0])
            for name, (x, mask, _) in given.branches.items()
        }
        nothing = head.generate(head(given._replace(branches=hidden))).tokens
    assert torch.equal(nothing, nothing[:1].expand_as(nothing))


def test_several_pictures_stand_where_the_prompt_says(folders):
    head = made(folders["llava"], "llava", prompt="{more} and {photo}")
    contents = [head.prompts._content(cells) for cells in
                unpacked(head(rows(folders["llava"], "llava"))[:, 0], head._sides)]  # fmt: skip
    kinds = [[part if isinstance(part, str) else "picture" for part in row] for row in contents]
    assert kinds == [["picture", "picture", " and ", "picture"],
                     ["picture", " and ", "picture"], [" and "]]  # fmt: skip
    seen = pictures("llava", 3, 2)
    assert torch.equal(contents[0][1], seen[0, 1])
    counts = [rows for rows, _ in head.prompts.batches([{"more": [], "photo": []}] * 2)]
    assert counts == [[0, 1]]


@every
def test_only_adapters_learn_and_are_kept(family, folders):
    head = made(folders[family], family, rank=4).train()
    given, losses = rows(folders[family], family), []
    trained = [weight for weight in head.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=0.02)
    for _ in range(8):
        optimizer.zero_grad()
        loss = total(head, given)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 0.05
    names = [name for name, weight in head.named_parameters() if weight.grad is not None]
    assert names and all("lora_" in name for name in names)
    state = head.state_dict()
    assert state and all("lora_" in name for name in state)
    again = made(folders[family], family, rank=4, config=json.loads(json.dumps(head.config)))
    again.load_state_dict(load(save(state)))
    with torch.no_grad():
        assert torch.equal(head.eval().answer(head(given)), again.answer(again(given)))


@every
def test_layers_computed_again_give_the_same_gradients(family, folders):
    found = []
    for checkpointing in (False, True):
        head = made(folders[family], family, train="full", checkpointing=checkpointing).train()
        total(head, rows(folders[family], family)).backward()
        found.append({n: w.grad for n, w in head.named_parameters() if w.grad is not None})
    assert len(found[0]) == len(found[1]) > 20
    plain, again = (list(grads.values()) for grads in found)
    torch.testing.assert_close(again, plain)


@pytest.mark.slow
@every
def test_the_whole_model_learns_and_needs_no_folder_any_more(family, tmp_path):
    model = MAKERS[family](tmp_path)
    head = made(model, family, train="full", keep="all").train()
    given = rows(model, family)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.01)
    for _ in range(40):
        optimizer.zero_grad()
        loss = total(head, given)
        loss.backward()
        optimizer.step()
    head.eval()
    said = head.answer(head(given))[:, :3].tolist()
    assert said == [[3, 8, 5], [9, 20, -1], [7, 7, 7]]
    config = json.loads(json.dumps(head.config))
    for file in tmp_path.iterdir():
        file.unlink()
    sides = {"photo": SIDE[family], "question": 1}
    inputs = {"photo": "image", "question": "text"}
    again = ImageTextToText(1, head.next_symbol.vocabulary, 6, sides, inputs, "gone",
                            train="full", keep="all", config=config).eval()  # fmt: skip
    again.load_state_dict(load(save({n: t.clone() for n, t in head.state_dict().items()})))
    assert again.answer(again(given))[:, :3].tolist() == said


def test_other_weights_than_those_it_was_trained_with_are_refused(folders, tmp_path):
    config = made(folders["llava"], "llava").config
    with pytest.raises(RecipeError, match="not those that this run was trained with"):
        made(make_llava(tmp_path, seed=1), "llava", config=config)


def test_a_tokenizer_without_any_special_token_will_do(tmp_path):
    head = made(make_llava(tmp_path, end=False), "llava").train()
    assert head.next_symbol.learned and head.config["ends"] == []
    loss = total(head, rows(str(tmp_path), "llava"))
    loss.backward()
    assert head.next_symbol.end.grad is not None and head.next_symbol.end.grad.any()
    with torch.no_grad():
        assert head.eval().answer(head(rows(str(tmp_path), "llava"))).shape == (3, 6)


def test_a_text_cannot_ask_for_a_picture(folders):
    head = made(folders["llava"], "llava")
    tokenizer = head.prompts.processor.tokenizer
    ids = torch.tensor(tokenizer.encode("one <image> two", add_special_tokens=False))
    assert head.prompts._words(ids) == "one  two"
    picture = tokenizer.convert_tokens_to_ids("<image>")
    target = Field(torch.full((3, 2), picture), torch.ones(3) > 0)
    given = rows(folders["llava"], "llava")
    assert head.loss(head(given), target)["cross_entropy"].isfinite()


def test_a_message_as_chat_models_know_it(tmp_path):
    head = made(make_llava(tmp_path, chat=True), "llava", prompt="{photo}hello")
    content = ["hello", pictures("llava")]
    assert head.prompts._text(content) == "user: hello<image>assistant: "
    plain = made(str(tmp_path), "llava", prompt="{photo}hello", chat=False)
    assert plain.prompts._text(content) == "hello<image>"


def test_packing_is_exact():
    ids = torch.tensor([[70000.0, 0.0], [16777215.0, 4.0]])
    there = torch.tensor([[True, True], [True, False]])
    photo = torch.arange(12 * 2).float().reshape(2, 6, 2)
    tokens = {
        "words": Tokens(ids[..., None], there, ids),
        "photo": Tokens(photo, torch.tensor([[True], [False]]).expand(-1, 6), ids),
    }
    cells = unpacked(packed(tokens, {"words": 0, "photo": 2}), {"words": 0, "photo": 2})
    assert [row["words"].tolist() for row in cells] == [[70000, 0], [16777215]]
    assert torch.equal(cells[0]["photo"][0].flatten(), torch.arange(12)) and not cells[1]["photo"]
    assert usual_prompt({"a": "text", "b": "gallery", "c": "text"}) == "{b}a: {a}\nc: {c}"


def test_what_does_not_fit_is_refused(folders, tmp_path):
    words = make_language_model(tmp_path / "words")
    with pytest.raises(RecipeError, match="reads no pictures"):
        made(words, "llava")
    with pytest.raises(RecipeError, match="reads no pictures"):
        ImageTextToText.preprocessing(words, "text")
    with pytest.raises(RecipeError, match="no template for messages"):
        made(folders["llava"], "llava", chat=True)
    with pytest.raises(RecipeError, match="names none of the inputs"):
        made(folders["llava"], "llava", prompt="say something")
    with pytest.raises(RecipeError, match="no file of a processor"):
        from_texts({"../elsewhere.json": "{}"})
    with pytest.raises(RecipeError, match="no folder"):
        ImageTextToText.preprocessing(str(tmp_path / "nowhere"), "image")


def test_pictures_are_made_as_the_processor_wants_them(folders):
    assert ImageTextToText.preprocessing(folders["llava"], "image") == {
        "channels": 3, "mean": [0.0] * 3, "std": [1.0] * 3, "size": 28, "resize": "crop",
    }  # fmt: skip
    assert ImageTextToText.preprocessing(folders["qwen"], "gallery")["resize"] == "pad"
    assert "model" in json.loads(
        ImageTextToText.preprocessing(folders["qwen"], "text")["tokenizer"]
    )
