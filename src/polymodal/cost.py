"""What a network costs: parameters and floating-point operations, part by part.

Letters: B rows · S tokens that are read · V token ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from polymodal.batch import Batch
from polymodal.heads import TextHead
from polymodal.heads.autoregressive import Autoregressive
from polymodal.heads.decoding import State, beam_search, written
from polymodal.heads.generation import END, opened, references
from polymodal.model import MultimodalModel


class PartCost(NamedTuple):
    """What one part of a network costs.

    Args:
        part: its name and class; of a text that is written token by token also how many.
        parameters: how many numbers it has learned or was given, frozen ones included.
        flops: floating-point operations of its share in the prediction of one row.
    """

    part: str
    parameters: int
    flops: int


def costs(model: MultimodalModel, rows: Iterable[Batch]) -> list[PartCost]:
    """Parameters and operations of each encoder, the fusion and each head.

    Counted are matrix products, convolutions, recurrence and attention, two operations for each
    multiplication with its addition; not what is done number by number, nor what is looked up.
    A row alone in its batch is counted: pictures that rows share cost less. A text is written as
    long as the references are in the mean, see :func:`answer`.

    Args:
        model: the network; left in the mode in which it was.
        rows: batches of one row each; longer texts and sounds cost more, so the mean is taken.
            With texts that are targets it is known how long these usually are.

    Raises:
        ValueError: there are no rows.

    Example:
        >>> from polymodal.batch import Field
        >>> from polymodal.encoders import NumberEncoder
        >>> from polymodal.fusion import Mean
        >>> from polymodal.heads import Regression
        >>> model = MultimodalModel(
        ...     {"a": NumberEncoder(width=8)}, Mean({"a": 8}, width=16), {"price": Regression(16)}
        ... )
        >>> row = Batch({"a": Field(torch.tensor([0.5]), torch.tensor([True]))})
        >>> costs(model, [row])[1]
        PartCost(part='fusion (Mean)', parameters=192, flops=256)
    """
    batches, device = list(rows), next(model.parameters()).device
    if not batches:
        raise ValueError("There is no row whose cost could be counted.")
    lengths = usual_lengths(model, batches)
    parts = _parts(model)
    spent = dict.fromkeys(parts, 0)
    counter = FlopCounterMode(display=False, custom_mapping=_MISSING)
    with ExitStack() as stack:
        stack.enter_context(_evaluating(model))
        for name, part in parts.items():
            stack.enter_context(_counted(part, name, counter, spent))
        stack.enter_context(counter)
        for row in batches:
            assert len(row) == 1, "a row alone is counted"
            said = model(row.to(device))
            for target, length in lengths.items():
                before = counter.get_total_flops()
                _write(model.head(target), said[target], length)
                spent[_name(target, model.head(target))] += counter.get_total_flops() - before
    told = {
        _name(target, model.head(target)): f"; a text of {length} token{'s' * (length != 1)}"
        for target, length in lengths.items()
        if isinstance(model.head(target), Autoregressive)
    }
    return [
        PartCost(
            f"{name[:-1]}{told.get(name, '')})",
            sum(p.numel() for p in part.parameters()),
            round(spent[name] / len(batches)),
        )
        for name, part in parts.items()
    ]


def usual_lengths(model: MultimodalModel, batches: Iterable[Batch]) -> dict[str, int]:
    """Of each text that a model writes, how many tokens the references have in the mean.

    Args:
        model: the network.
        batches: with their targets; where there is no reference, a text is as long as it may be.
    """
    heads = {name: model.head(name) for name in model.targets}
    texts = {name: head for name, head in heads.items() if isinstance(head, TextHead)}
    counts: dict[str, list[int]] = {name: [] for name in texts}
    for batch in batches if texts else ():
        for name in texts.keys() & batch.targets.keys():
            symbols, there = references(batch.targets[name])
            counts[name] += (symbols != END).sum(-1)[there].tolist()
    return {
        name: min(head.length, round(sum(counts[name]) / len(counts[name])))
        if counts[name]
        else head.length
        for name, head in texts.items()
    }


def answer(model: MultimodalModel, batch: Batch, lengths: Mapping[str, int]) -> None:
    """Everything that a prediction computes, whatever the network has learned so far.

    A decoder that is not trained ends its texts anywhere; so it is made to write as many tokens
    as the references usually have, and their end.

    Args:
        model: the network, in evaluation mode.
        batch: the rows.
        lengths: of texts, see :func:`usual_lengths`.
    """
    said = model(batch)
    for target, prediction in said.items():
        head = model.head(target)
        if target in lengths:
            _write(head, prediction, lengths[target])
        else:
            head.answer(prediction).cpu()


def _write(head: nn.Module, prediction: Tensor, length: int) -> None:
    """Write texts of so many tokens, in the head's own way."""
    assert isinstance(head, TextHead)
    if not isinstance(head, Autoregressive):
        head.answer(prediction).cpu()
        return

    def step(symbols: Tensor, state: State) -> tuple[Tensor, State]:
        logits, state = head.step(symbols, state)
        ends = torch.full_like(logits[:, :1], -torch.inf)
        return torch.cat([logits[:, :END], ends, logits[:, END + 1 :]], 1), state

    x, mask = opened(prediction)
    start, decoding = head.begin(x.to(head.number_format), mask), head.decoding
    run = beam_search if decoding.beams > 1 else written
    run(step, start, len(x), length + 1, decoding).tokens.cpu()


def _parts(model: MultimodalModel) -> dict[str, nn.Module]:
    named: list[tuple[str, nn.Module]] = [
        *((branch, model.encoder(branch)) for branch in model.branches),
        ("fusion", model.fusion),
        *((target, model.head(target)) for target in model.targets),
    ]
    return {_name(name, part): part for name, part in named}


def _name(name: str, part: nn.Module) -> str:
    return f"{name} ({type(part).__name__})"


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, and nothing to learn; afterwards all is as it was.

    Not ``no_grad``: PyTorch's counter then stumbles over a parameter that one module hands to
    another. With gradients it holds everything that was computed.
    """
    training = {module: module.training for module in model.modules()}
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    model.eval().requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)
        for module, mode in training.items():
            module.training = mode


@contextmanager
def _counted(
    part: nn.Module, name: str, counter: FlopCounterMode, spent: dict[str, int]
) -> Iterator[None]:
    """Add what is counted while a part runs."""

    def before(*_: object) -> None:
        spent[name] -= counter.get_total_flops()

    def after(*_: object) -> None:
        spent[name] += counter.get_total_flops()

    handles = [part.register_forward_pre_hook(before), part.register_forward_hook(after)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _attention(
    query: torch.Size, key: torch.Size, value: torch.Size, *_: object, **__: object
) -> int:
    return int(sdpa_flop_count(query, key, value))


def _recurrence(
    inputs: torch.Size, from_inputs: torch.Size, from_state: torch.Size, *_: object, **__: object
) -> int:
    """One layer of an LSTM over steps ``(T, B, …)``: two matrices at each step."""
    return 2 * inputs[:2].numel() * (from_inputs.numel() + from_state.numel())


# What runs on a CPU and PyTorch's counter does not know (2.14).
_MISSING: dict[Any, Any] = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten.mkldnn_rnn_layer: _recurrence,
}
