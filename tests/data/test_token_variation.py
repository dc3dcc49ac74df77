"""Tokens that are hidden: how many, which, and that one always stays."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from polymodal.data.modalities import Text
from polymodal.data.token_variation import hide_tokens


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_each_token_is_hidden_by_its_chance():
    ids = torch.ones(200, 50, dtype=torch.int32)
    free = torch.ones(200, 50, dtype=torch.bool)
    hidden = hide_tokens(ids, free, ("token_dropout",), generator(), share=0.3, instead=0) == 0
    assert hidden.float().mean().item() == pytest.approx(0.3 * 49 / 50, abs=0.02)
    assert ids.dtype == torch.int32 and (ids == 1).all()


def test_a_span_is_one_stretch_of_at_most_its_share():
    ids = torch.ones(100, 40, dtype=torch.int32)
    free = torch.ones(100, 40, dtype=torch.bool)
    hidden = hide_tokens(ids, free, ("span_mask",), generator(), share=0.25, instead=0) == 0
    counts = hidden.sum(1)
    assert counts.max() <= 11 and counts.min() >= 0 and len(set(counts.tolist())) > 5
    starts = (hidden[:, 1:] & ~hidden[:, :-1]).sum(1) + hidden[:, 0]
    assert starts.max() <= 2  # the token that stays may part it


@given(
    st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=5),
    st.floats(0, 1),
    st.integers(0, 99),
)
def test_only_free_tokens_are_hidden_and_one_stays(free, share, seed):
    open_ = torch.tensor(free)
    ids = torch.arange(1, 1 + open_.numel()).reshape(open_.shape)
    ways = ("token_dropout", "span_mask")
    found = hide_tokens(ids, open_, ways, generator(seed), share=share, instead=0)
    assert ((found == ids) | ((found == 0) & open_)).all()
    assert ((found > 0) & open_).any(1).equal(open_.any(1))


def test_texts_keep_special_tokens():
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[MASK]": 3, "a": 4, "b": 5}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[MASK]"])
    text = Text(tokenizer=tokenizer.to_str(), augment=("token_dropout",), share=1.0)
    ids = torch.tensor([[2, 4, 5, 4, 0]], dtype=torch.int32)
    mask = torch.tensor([[True, True, True, True, False]])
    found = text.augment(ids, generator(), mask)[0].tolist()
    assert found[0] == 2 and found[4] == 0
    assert sorted(found[1:4])[:2] == [3, 3] and max(found[1:4]) > 3
    assert not Text().augments
    with pytest.raises(ValueError, match="share must lie between 0 and 1"):
        Text(share=1.5)


def test_training_batches_vary_texts_and_numbers_too():
    """What is no media is varied by the loader, too, and stays as it is without training."""
    from polymodal import Columns, Loader, Table
    from polymodal.data.modalities import Number
    from polymodal.data.pack import pack

    words = [f"the bird number {n} sings a song" for n in range(8)]
    table = Table.read({"said": words, "size": [n + 0.5 for n in range(8)]})
    inputs = {"said": Text(augment=("token_dropout",), share=0.5), "size": Number(noise=0.5)}
    for name, modality in inputs.items():
        modality.fit(table.cells(name))
    packed, rows = pack(table, inputs), torch.arange(8).numpy()
    options = {"rows": rows, "batch_size": 8}
    plain = next(iter(Loader(packed, Columns(inputs, {}), **options)))
    varied = next(iter(Loader(packed, Columns(inputs, {}), training=True, **options)))
    order = torch.argsort(varied.rows)
    back = torch.argsort(plain.rows)
    for name in inputs:
        one, other = plain.inputs[name].values[back], varied.inputs[name].values[order]
        assert one.shape == other.shape and not torch.equal(one, other)
