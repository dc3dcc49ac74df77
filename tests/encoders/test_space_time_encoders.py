import pytest
import torch

from polymodal.batch import Field
from polymodal.encoders import Cnn3d, FrameSequence, SpaceTimeTransformer
from polymodal.encoders.space_time_transformer import _Attention, _DividedLayer
from polymodal.errors import RecipeError


def going(batch, generator):
    """Clips of 6 frames that grow darker (class 0) or brighter: no frame alone tells."""
    kinds = torch.randint(0, 2, (batch,), generator=generator)
    middles = torch.randint(90, 160, (batch, 1), generator=generator)
    steps = 12 * torch.arange(-2.5, 3) * (2 * kinds[:, None] - 1)
    greys = (middles + steps).to(torch.uint8)
    clips = greys[..., None, None, None].expand(-1, -1, 1, 8, 8).contiguous()
    return Field(clips, torch.ones(batch, dtype=torch.bool)), kinds


@pytest.mark.slow
@pytest.mark.parametrize(
    "build",
    [
        lambda: Cnn3d(1, 8, width=16, base=8, dropout=0.0),
        lambda: FrameSequence(1, 8, width=16, base=4, motion="none", dropout=0.0),
        lambda: FrameSequence(1, 8, width=16, base=4, motion="only", temporal="mean"),
        lambda: SpaceTimeTransformer(1, 8, width=16, depth=1, patch=4, dropout=0.0),
    ],
    ids=["cnn3d", "frames", "differences", "space_time_transformer"],
)
def test_what_only_the_order_of_frames_tells_is_learned(build):
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    encoder = build()
    head = torch.nn.Linear(encoder.width, 2)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], 5e-3)
    for _ in range(120):
        field, kinds = going(16, generator)
        loss = torch.nn.functional.cross_entropy(head(encoder(field).pooled), kinds)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    field, kinds = going(200, generator)
    with torch.no_grad():
        answers = head(encoder.eval()(field).pooled).argmax(1)
    assert (answers == kinds).float().mean() > 0.9


def test_time_is_halved_from_the_second_stage_on():
    clips = Field(torch.zeros(1, 9, 3, 112, 112, dtype=torch.uint8), torch.tensor([True]))
    encoder = Cnn3d(3, 112, width=8, base=2)
    assert len(encoder.blocks) == 4 and encoder(clips).x.shape == (1, 2, 8)


def test_divided_attention_reaches_the_same_place_and_the_same_frame():
    torch.manual_seed(0)
    layer, mask = _DividedLayer(8, 2, 0.0), torch.ones(1, 3, dtype=torch.bool)
    x = torch.randn(1, 3, 4, 8, requires_grad=True)  # 3 frames of 4 patches
    over_time = layer.time(x.transpose(1, 2), None).transpose(1, 2)
    (gradient,) = torch.autograd.grad(over_time[0, 1, 2].sum(), x)
    touched = gradient.abs().sum((0, 3)) > 0
    assert touched[:, 2].all() and not touched[:, [0, 1, 3]].any()
    (gradient,) = torch.autograd.grad(layer.space(x, None)[0, 1, 2].sum(), x)
    touched = gradient.abs().sum((0, 3)) > 0
    assert touched[1].all() and not touched[[0, 2]].any()
    (gradient,) = torch.autograd.grad(layer(x, mask)[0, 1, 2].sum(), x)
    assert (gradient.abs().sum((0, 3)) > 0).all(), "both together reach everything"


def test_attention_equals_a_weighted_mean_worked_out_by_hand():
    torch.manual_seed(0)
    attention = _Attention(4, 1)
    x = torch.randn(1, 1, 3, 4)
    seen = attention.norm(x)
    key, value = attention.key_value(seen).chunk(2, -1)
    weights = (attention.query(seen) @ key.transpose(2, 3) / 2).softmax(-1)
    torch.testing.assert_close(attention(x, None), attention.out(weights @ value))


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(RecipeError, match="3 attention heads do not divide the width 16"):
        SpaceTimeTransformer(3, 16, width=16, heads=3)
