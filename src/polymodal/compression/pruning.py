"""Pruning: weights set to zero one by one, or whole channels and units taken out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from polymodal.errors import MissingExtra, PolymodalError
from polymodal.model import MultimodalModel

LEAST_CHANNELS = 4
_SIZED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


class PruningError(PolymodalError):
    """Nothing in a network can be pruned as asked."""


def smallest_weights(model: nn.Module, share: float) -> dict[str, Tensor]:
    """Which weights to keep: all but that share whose loss changes the layers' outputs least.

    Weights are ranked over all layers by LAMP (Lee et al. 2021, https://arxiv.org/abs/2010.07611):
    a weight's square over the sum of the squares of the weights of its layer that are as large.
    Biases, norms and embeddings are left alone.

    Args:
        model: the network.
        share: of the weights that are to go, between 0 and 1.

    Returns:
        Parameter -> bool, True at weights to keep.
    """
    weights = {
        f"{name}.{part}": parameter.detach()
        for name, module in model.named_modules()
        if isinstance(module, (*_SIZED, nn.GRU, nn.LSTM))
        for part, parameter in module.named_parameters(recurse=False)
        if parameter.ndim > 1
    }
    scores = {name: _lamp(weight) for name, weight in weights.items()}
    everything = torch.cat([score.flatten() for score in scores.values()])
    gone = int(share * len(everything))
    if not gone:
        raise PruningError(f"{share:g} of {len(everything):,} weights is none: prune more.")
    limit = everything.kthvalue(gone).values
    return {name: score > limit for name, score in scores.items()}


def _lamp(weight: Tensor) -> Tensor:
    squares, order = weight.flatten().square().sort()
    as_large = squares.flip(0).cumsum(0).flip(0)
    scores = torch.empty_like(squares)
    scores[order] = squares / as_large.clamp_min(1e-30)
    return scores.reshape(weight.shape)


class Sparse:
    """Holds weights at zero while the others are trained further.

    Args:
        model: the network; the weights are set to zero now.
        kept: parameter -> bool, True at weights to keep.
    """

    def __init__(self, model: nn.Module, kept: dict[str, Tensor]) -> None:
        self._weights = {name: model.get_parameter(name) for name in kept}
        self._kept = kept
        self.apply()
        self._handles = [
            weight.register_hook(lambda gradient, mask=kept[name]: gradient * mask)
            for name, weight in self._weights.items()
        ]

    def apply(self) -> None:
        """Set them to zero again, whatever an optimizer did to them."""
        with torch.no_grad():
            for name, weight in self._weights.items():
                weight.mul_(self._kept[name])

    def release(self) -> None:
        """Set them to zero, and hold them no longer."""
        self.apply()
        for handle in self._handles:
            handle.remove()


def remove_channels(
    model: MultimodalModel, share: float, run: Callable[[], object]
) -> tuple[list[str], list[str]]:
    """Take that share of the channels and hidden units out of each chain of layers.

    What goes in and what comes out of a chain (:class:`torch.nn.Sequential`) keeps its size, so
    that the rest of the network fits as before. Those of the smallest norm go.

    Args:
        model: the network, changed in place.
        share: of the channels that go, between 0 and 1.
        run: runs the network on some rows, so that what the chains are given is seen.

    Returns:
        The chains that were pruned, and those that torch-pruning cannot follow, which stay whole.

    Raises:
        MissingExtra: torch-pruning is not installed.
        PruningError: the network has no chain that can be pruned.
    """
    try:
        import torch_pruning
    except ImportError as error:
        raise MissingExtra("torch_pruning", "compress") from error
    pruned: list[str] = []
    whole: list[str] = []
    for name, (chain, inputs) in _chains(model, run).items():
        smaller = _prune_chain(torch_pruning, chain, inputs, share)
        (pruned if smaller else whole).append(name)
    if not pruned:
        raise PruningError(
            "This network has no chain of layers whose channels can be taken out. Prune single "
            "weights: leave --structured out."
        )
    return pruned, whole


def _chains(
    model: nn.Module, run: Callable[[], object]
) -> dict[str, tuple[nn.Sequential, tuple[Tensor, ...]]]:
    """The outermost chains of two or more layers, and what each is given."""
    found: dict[str, nn.Sequential] = {}
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in found)
        if isinstance(module, nn.Sequential) and not inside and len(_layers(module)) > 1:
            found[name] = module
    inputs: dict[str, tuple[Tensor, ...]] = {}
    handles = [
        module.register_forward_pre_hook(
            lambda _, given, name=name: inputs.update({name: tuple(x.detach() for x in given)})
        )
        for name, module in found.items()
    ]
    try:
        with torch.no_grad():
            run()
    finally:
        for handle in handles:
            handle.remove()
    return {name: (module, inputs[name]) for name, module in found.items() if name in inputs}


def _layers(module: nn.Module) -> list[nn.Module]:
    return [layer for layer in module.modules() if isinstance(layer, _SIZED)]


def _prune_chain(
    torch_pruning: Any, chain: nn.Sequential, inputs: tuple[Tensor, ...], share: float
) -> bool:
    """Prune one chain; whether anything was taken out."""
    with torch.no_grad():
        shape = chain(*inputs).shape
    inputs = tuple(x[:2] for x in inputs)
    layers = _layers(chain)
    try:
        graph = torch_pruning.DependencyGraph().build_dependency(chain, example_inputs=inputs)
    except Exception:  # whatever the library raises: it cannot follow this chain
        return False
    # What comes out of the last layer, and of layers that are added to it, keeps its channels.
    outs = torch_pruning.prune_linear_out_channels, torch_pruning.prune_conv_out_channels
    last = layers[-1]
    group = graph.get_pruning_group(last, outs[not isinstance(last, nn.Linear)], idxs=[0])
    ends = [item.dep.target.module for item in group if item.dep.target.module in layers]
    before = sum(p.numel() for p in chain.parameters())
    pruner = torch_pruning.pruner.BasePruner(
        chain,
        inputs,
        importance=torch_pruning.importance.MagnitudeImportance(p=2),
        pruning_ratio=share,
        ignored_layers=ends,
        round_to=LEAST_CHANNELS,
    )
    pruner.step()
    with torch.no_grad():
        assert chain(*inputs).shape[1:] == shape[1:], "a chain's ends keep their sizes"
    return sum(p.numel() for p in chain.parameters()) < before
