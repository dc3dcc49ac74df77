from typing import Literal

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from polymodal.encoders.recurrent import Recurrent


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_it_equals_packed_sequences(cell: Literal["gru", "lstm"]) -> None:
    torch.manual_seed(0)
    ours = Recurrent(3, 8, cell=cell, depth=2)
    kind = torch.nn.GRU if cell == "gru" else torch.nn.LSTM
    theirs = kind(3, 4, num_layers=2, bidirectional=True, batch_first=True)
    for layer in range(2):
        for modules, end in ((ours.forwards, ""), (ours.backwards, "_reverse")):
            for name, p in modules[layer].named_parameters():
                getattr(theirs, name.replace("l0", f"l{layer}{end}")).data.copy_(p.data)
    x, lengths = torch.randn(3, 5, 3), torch.tensor([5, 1, 3])
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    expected, _ = pad_packed_sequence(theirs(packed)[0], batch_first=True)
    mask = torch.arange(5) < lengths[:, None]
    torch.testing.assert_close(ours(x, mask)[mask], expected[mask])


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="'gru' or 'lstm', not 'rnn'"):
        Recurrent(2, 4, cell="rnn")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="5 must be even"):
        Recurrent(2, 5)
