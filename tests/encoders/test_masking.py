import torch
from hypothesis import given
from hypothesis import strategies as st

from polymodal.batch import Field
from polymodal.encoders.masking import masked_max, masked_mean, real_values, token_mask


@given(st.lists(st.integers(0, 6), min_size=1, max_size=5))
def test_every_row_keeps_a_token_and_its_length(lengths: list[int]) -> None:
    mask = torch.arange(6) < torch.tensor(lengths)[:, None]
    kept = token_mask(Field(torch.zeros(len(lengths), 6), mask.any(1), mask))
    assert kept.sum(1).tolist() == [max(1, length) for length in lengths]


def test_nothing_of_the_padding_comes_through() -> None:
    mask = torch.tensor([[True, False]])
    values = torch.tensor([[[4.0], [torch.nan]]])
    assert real_values(Field(values, mask[:, 0], mask)).tolist() == [[[4.0], [0.0]]]
    assert masked_mean(values, mask).item() == masked_max(values, mask).item() == 4.0


def test_integers_stay_integers() -> None:
    mask = torch.tensor([[True, False]])
    ids = real_values(Field(torch.tensor([[7, 8]], dtype=torch.int32), mask[:, 0], mask))
    assert ids.dtype == torch.int32 and ids.tolist() == [[7, 0]]
