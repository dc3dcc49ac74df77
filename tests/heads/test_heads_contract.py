"""What every head promises."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import Tensor

from polymodal.batch import Field, Fused
from polymodal.errors import RecipeError
from polymodal.heads import HEADS, Head, TextHead

NAN = float("nan")
VALUES = {
    "classification": torch.tensor([2, 0, 1, 2, 0, 1]),
    "tagging": torch.tensor([[1.0, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0], [1, 0, 0], [0, 0, 1]]),
    "regression": torch.tensor([1.5, 20.0, 3.0, 7.0, 0.1, 2.0]),
}
TEXTS = torch.tensor([[3, 4, 0], [0, 1, 1], [4, 4, 4], [2, 1, 0], [3, 0, 3], [1, 2, 3]])
# These read cells instead of what is fused: tests/heads/test_image_text_to_text.py and others.
WHOLE = ("image_text_to_text", "speech_to_text")
WRITERS = [n for n, head in HEADS.items() if issubclass(head, TextHead) and n not in WHOLE]
VALUES |= dict.fromkeys(WRITERS, TEXTS)
PLAIN = [name for name in HEADS if name not in (*WRITERS, *WHOLE)]
SIZES = {"classification": {"classes": 3}, "tagging": {"labels": 3}, "regression": {"log": True}}
SIZES |= {name: {"vocabulary": 5, "length": 3} for name in WRITERS}
SIZES["causal_lm"] |= {
    "branches": {},
    "texts": (),
    "model": "tiny",
    "train": "full",
    "config": {
        "network": dict(
            model_type="llama",
            vocab_size=6,
            hidden_size=24,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=24,
        ),
        "digest": None,
        "prompt": [["row", True]],
        "words": {},
        "start": [1],
        "end": 5,
    },
}
VARIANTS = [
    *[(name, {}) for name in [*PLAIN, *WRITERS]],
    *[(name, {"hidden": 5, "dropout": 0.5}) for name in PLAIN],
    ("transformer", {"label_smoothing": 0.1, "layers": 1, "heads": 2}),
    ("lstm", {"attention": False, "layers": 2, "dropout": 0.0}),
    ("classification", {"loss": "focal", "class_weights": [1.0, 2.0, 3.0], "focal_gamma": 0.5}),
    ("classification", {"label_smoothing": 0.1}),
    ("tagging", {"positive_weights": [1.0, 2.0, 3.0]}),
    ("regression", {"loss": "mse", "log": False}),
]

every = pytest.mark.parametrize(("name", "options"), VARIANTS)


def build(name: str, options: dict, seed: int = 0) -> Head:
    torch.manual_seed(seed)
    return HEADS[name](8, **{**SIZES[name], **options}).eval()


def fused(rows: int = 6) -> Fused:
    chance = torch.Generator().manual_seed(1)
    vector, others = (torch.randn(rows, t, 8, generator=chance) for t in (1, 7))
    mask = torch.ones(rows, 8, dtype=torch.bool)
    mask[:, 7] = torch.tensor([True, False] * rows)[:rows]
    return Fused(vector[:, 0], torch.cat([vector, others], 1), mask)


def total(head: Head, prediction: Tensor, target: Field) -> Tensor:
    terms = head.loss(prediction, target)
    assert terms and all(t.shape == () for t in terms.values())
    return torch.stack(list(terms.values())).sum()


@every
def test_shapes(name, options):
    head = build(name, options)
    prediction = head(fused())
    answer, probabilities = head.answer(prediction), head.probabilities(prediction)
    assert answer.shape == VALUES[name].shape
    if probabilities is not None:
        assert probabilities.shape == (6, 3) and ((probabilities >= 0) & (probabilities <= 1)).all()
    else:
        assert name == "regression" or name in WRITERS


@every
def test_gradient_reaches_every_parameter(name, options):
    head = build(name, options)
    total(head, head(fused()), Field(VALUES[name], torch.ones(6) > 0)).backward()
    assert all(p.grad is not None and p.grad.any() for p in head.parameters())


@every
@settings(max_examples=8, deadline=None)
@given(
    present=st.lists(st.booleans(), min_size=6, max_size=6),
    content=st.sampled_from([NAN, -1.0, 99.0, float("inf")]),
)
def test_absent_targets_never_matter(name, options, present, content):
    here = torch.tensor(present)
    values = VALUES[name].float()
    changed = torch.where(here.reshape(-1, *[1] * (values.ndim - 1)), values, content)
    rows = here.nonzero().flatten()
    results = []
    for target in (
        Field(values, here),
        Field(changed, here),
        Field(values[rows], here, index=(here.cumsum(0) - 1).clamp_min(0) * here),
    ):
        head = build(name, options)
        loss = total(head, head(fused()), target)
        loss.backward()
        results.append([loss, *[p.grad for p in head.parameters()]])
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))
    assert all(t.isfinite().all() for t in results[0])
    if not any(present):
        assert not any(t.any() for t in results[0])


@every
def test_loss_is_the_mean_over_rows_with_a_target(name, options):
    options = {k: v for k, v in options.items() if k != "class_weights"}
    head, here = build(name, options), torch.tensor([True, False, True, False, False, True])
    prediction = head(fused())
    alone = [
        total(head, prediction[i : i + 1], Field(VALUES[name][i : i + 1], torch.tensor([True])))
        for i in (0, 2, 5)
    ]
    loss = total(head, prediction, Field(VALUES[name], here))
    torch.testing.assert_close(loss, torch.stack(alone).mean())


@every
@settings(max_examples=8, deadline=None)
@given(
    weights=st.lists(st.sampled_from([0.0, 0.2, 1.0]), min_size=3, max_size=3).filter(any),
    content=st.sampled_from([1e4, -1e4, 77.0]),
)
def test_branches_are_blended_by_their_weights_and_in_any_order(name, options, weights, content):
    head = build(name, options)
    several = head(Fused(torch.randn(6, 3, 8), torch.empty(0), torch.empty(0))).detach()
    shares, here = torch.tensor([weights]).expand(6, -1), torch.tensor(weights) > 0
    blended = head.blend(several, shares)
    assert blended.shape == several[:, 0].shape and blended.isfinite().all()
    silent = here.reshape(1, 3, *[1] * (several.ndim - 2))
    changed = torch.where(silent, several, content)
    assert torch.equal(head.blend(changed, shares), blended)
    torch.testing.assert_close(head.blend(several.flip(1), shares.flip(1)), blended)
    same = several[:, :1].expand_as(several)
    if (chances := head.probabilities(blended)) is not None:
        expected = torch.einsum("bml,bm->bl", head.probabilities(several), shares)
        torch.testing.assert_close(chances, expected / sum(weights))
        torch.testing.assert_close(
            head.probabilities(head.blend(same, shares)), head.probabilities(several[:, 0])
        )
    else:
        torch.testing.assert_close(head.blend(same, shares), several[:, 0])


@every
def test_shared_cells_are_looked_up(name, options):
    head, index = build(name, options), torch.tensor([1, 1, 0, 5, 2, 2])
    prediction, here = head(fused()), torch.ones(6) > 0
    shared = total(head, prediction, Field(VALUES[name], here, index=index))
    assert torch.equal(shared, total(head, prediction, Field(VALUES[name][index], here)))


@every
def test_bf16_predictions(name, options):
    head = build(name, options)
    with torch.autocast("cpu", torch.bfloat16):
        prediction = head(fused())
        loss = total(head, prediction, Field(VALUES[name], torch.ones(6) > 0))
    assert prediction.dtype == torch.bfloat16 and loss.dtype == torch.float32
    assert head.answer(prediction).dtype != torch.bfloat16


@every
def test_it_can_learn_its_targets(name, options):
    head = build(
        name, {**options, "label_smoothing": 0.0} if "label_smoothing" in options else options
    )
    optimizer = torch.optim.Adam(head.parameters(), lr=0.02 if name in WRITERS else 0.1)
    target = Field(VALUES[name], torch.ones(6) > 0)
    for _ in range(150):
        optimizer.zero_grad()
        total(head, head(fused()), target).backward()
        optimizer.step()
    answer = head.answer(head(fused()))
    torch.testing.assert_close(answer.float(), VALUES[name].float(), atol=0.2, rtol=0.1)


@every
def test_saved_and_loaded_gives_the_same_bits(name, options):
    head, loaded = build(name, options), build(name, options, seed=3)
    loaded.load_state_dict(load(save(head.state_dict())))
    assert torch.equal(loaded(fused()), head(fused()))


@pytest.mark.parametrize("name", PLAIN)
def test_sizes_out_of_range_are_errors(name):
    with pytest.raises(RecipeError, match="with -1 hidden units"):
        build(name, {"hidden": -1})
