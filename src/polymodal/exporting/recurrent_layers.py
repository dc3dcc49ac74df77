"""GRU and LSTM layers in a form in which they can be exported for texts of any length.

``torch.export`` would write a recurrent layer out step by step, for one length only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class OnnxRecurrent(nn.Module):
    """A one-directional GRU or LSTM layer as the one ONNX operator that it is.

    Args:
        layer: one layer, batch first, with biases.
    """

    def __init__(self, layer: nn.GRU | nn.LSTM) -> None:
        super().__init__()
        assert layer.batch_first and layer.num_layers == 1 and not layer.bidirectional
        self.kind, self.hidden = layer.mode, layer.hidden_size

        def ordered(name: str) -> Tensor:
            # PyTorch: reset, update, new / input, forget, cell, output.
            # ONNX: update, reset, new / input, output, forget, cell.
            parameter = layer.get_parameter(name).detach()
            parts = parameter.chunk(3 if self.kind == "GRU" else 4)
            order = (1, 0, 2) if self.kind == "GRU" else (0, 3, 1, 2)
            return torch.cat([parts[i] for i in order])[None]

        biases = [ordered("bias_ih_l0"), ordered("bias_hh_l0")]
        self.weight = nn.Parameter(ordered("weight_ih_l0"))
        self.recurrence = nn.Parameter(ordered("weight_hh_l0"))
        self.bias = nn.Parameter(torch.cat(biases, -1))

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        """Steps ``(B, T, inputs)`` → ``(B, T, D)``; only an exporter can call it."""
        rows, steps, hidden = x.shape[0], x.shape[1], self.hidden
        states = 1 if self.kind == "GRU" else 2
        attributes: dict[str, Any] = {"hidden_size": hidden}
        if self.kind == "GRU":
            attributes["linear_before_reset"] = 1
        found = torch.onnx.ops.symbolic_multi_out(
            self.kind,
            (x.transpose(0, 1), self.weight, self.recurrence, self.bias),
            attributes,
            dtypes=[x.dtype] * (1 + states),
            shapes=[(steps, 1, rows, hidden), *[(1, rows, hidden)] * states],
        )
        return found[0][:, 0].transpose(0, 1), None


@contextmanager
def as_onnx_operators(model: nn.Module) -> Iterator[None]:
    """Within it, the recurrent layers of a model are ONNX operators."""
    swapped: list[tuple[nn.Module, str, nn.Module]] = []
    try:
        for parent in [*model.modules()]:
            for name, child in [*parent.named_children()]:
                if isinstance(child, nn.GRU | nn.LSTM):
                    swapped.append((parent, name, child))
                    setattr(parent, name, OnnxRecurrent(child))
        yield
    finally:
        for parent, name, child in swapped:
            setattr(parent, name, child)


@contextmanager
def as_loops() -> Iterator[None]:
    """Within it, ``torch.export`` writes recurrent layers as loops over any number of steps."""
    from torch.export import _patches

    with ExitStack() as stack:
        stack.enter_context(_patches.register_gru_while_loop_decomposition())
        stack.enter_context(_patches.register_lstm_while_loop_decomposition())
        yield
