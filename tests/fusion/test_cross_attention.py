import torch

from polymodal.batch import Tokens
from polymodal.fusion import CrossAttention


def run(fusion: CrossAttention, here: dict[str, bool], **tokens: torch.Tensor):
    return fusion(
        {name: Tokens(x, None, x.mean(1)) for name, x in tokens.items()},
        {name: torch.tensor([here[name]]) for name in tokens},
    )


def test_one_reader_for_each_ordered_pair():
    for count, pairs in ((1, 1), (2, 2), (3, 6)):
        fusion = CrossAttention({f"c{i}": 4 for i in range(count)}, 8)
        assert sum(len(reader.stacks) for reader in fusion.readers) == pairs


def test_a_branch_alone_in_its_row_keeps_its_own_tokens():
    torch.manual_seed(0)
    fusion = CrossAttention({"a": 4, "b": 4}, 8).eval()
    a, b = torch.randn(1, 2, 4), torch.randn(1, 3, 4)
    fused = run(fusion, {"a": True, "b": False}, a=a, b=b)
    own = fusion.norm(fusion.branches.projections[0](a) + fusion.branches.kinds[0])
    torch.testing.assert_close(fused.tokens[:, 1:3], own)
    both = run(fusion, {"a": True, "b": True}, a=a, b=b)
    assert not torch.allclose(both.tokens[:, 1:3], own)


def test_a_third_absent_branch_changes_nothing_of_the_tokens():
    torch.manual_seed(0)
    fusion = CrossAttention({"a": 4, "b": 4, "c": 4}, 8).eval()
    a, b, c = torch.randn(1, 2, 4), torch.randn(1, 3, 4), torch.randn(1, 1, 4)
    fused = run(fusion, {"a": True, "b": True, "c": False}, a=a, b=b, c=c)
    sequences, _ = fusion.branches(
        {n: Tokens(x, None, x[:, 0]) for n, x in (("a", a), ("b", b), ("c", c))},
        {n: torch.tensor([True]) for n in "abc"},
    )
    keys = torch.cat([fusion.nothing[None, None], sequences[1]], 1)
    read = fusion.readers[0].stacks[0](sequences[0], torch.ones(1, 4) > 0, keys)
    torch.testing.assert_close(fused.tokens[:, 1:3], fusion.norm(read))
