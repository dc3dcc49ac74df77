import pytest
import torch

from polymodal.encoders.transformer import Transformer, sinusoidal_positions


def test_it_equals_the_blocks_of_pytorch() -> None:
    torch.manual_seed(0)
    ours, x = Transformer(8, 1, heads=2), torch.randn(2, 5, 8)
    mask = torch.tensor([[True] * 5, [True] * 2 + [False] * 3])
    theirs = torch.nn.TransformerEncoderLayer(
        8, 2, 32, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    block = ours.blocks[0]
    pairs = {
        "self_attn.in_proj_": block.qkv,
        "self_attn.out_proj.": block.out,
        "linear1.": block.expand,
        "linear2.": block.contract,
        "norm1.": block.norm_attention,
        "norm2.": block.norm_hidden,
    }
    state = {f"{k}{n}": p for k, layer in pairs.items() for n, p in layer.named_parameters()}
    theirs.load_state_dict(state)
    expected = ours.norm(theirs(x, src_key_padding_mask=~mask))
    torch.testing.assert_close(ours(x, mask)[mask], expected[mask])


def test_positions_by_hand() -> None:
    expected = torch.tensor([[0.0, 1.0, 0.0], [0.8415, 0.5403, 0.0022]])
    torch.testing.assert_close(sinusoidal_positions(2, 3), expected, atol=1e-4, rtol=0)


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="heads=3 does not divide width=8"):
        Transformer(8, 1, heads=3)
