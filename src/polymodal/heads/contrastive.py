"""Losses that pull vectors of the same thing together and all others apart.

Letters: N rows · D width.
"""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, normalize


def info_nce(
    left: Tensor, right: Tensor, *, scale: Tensor | float, same: Tensor, hardness: float = 0.0
) -> Tensor:
    """Which of all rows is mine? A softmax over the batch, asked in both directions.

    InfoNCE (van den Oord et al. 2018, https://arxiv.org/abs/1807.03748), symmetric as in CLIP.
    Several rows of the same thing are each a right answer (Khosla et al. 2020, L_out,
    https://arxiv.org/abs/2004.11362). With a ``hardness`` above 0, wrong answers count the more
    the more alike they are (Robinson et al. 2021, https://arxiv.org/abs/2010.04592).

    Args:
        left: ``(N, D)`` of length 1.
        right: ``(N, D)`` of length 1.
        scale: what cosines are multiplied by: one over the temperature.
        same: ``(N, N)`` bool, symmetric, True on the diagonal: where two rows are the same thing.
        hardness: weight of a wrong answer is ``exp(hardness x cosine)``, one on average.

    Returns:
        The mean loss, a scalar.

    Example:
        >>> vectors = torch.eye(2)
        >>> loss = info_nce(vectors, vectors, scale=1.0, same=torch.eye(2).bool())
        >>> round(float(loss), 4)  # ln(1 + 1/e)
        0.3133
    """
    cosines = left @ right.T
    logits = scale * cosines
    if hardness and not bool(same.all()):
        logits = logits + _hard(cosines.detach(), same, hardness)
    share = same.to(logits.dtype)
    share = share / share.sum(1, keepdim=True)
    there = -(share * logits.log_softmax(1)).sum(1).mean()
    back = -(share * logits.T.log_softmax(1)).sum(1).mean()
    return (there + back) / 2


def _hard(cosines: Tensor, same: Tensor, hardness: float) -> Tensor:
    """Logarithms ``(N, N)`` of the weights of wrong answers, whose mean is one; 0 at right ones."""
    wrong = ~same
    raw = (hardness * cosines).masked_fill(same, -torch.inf)
    mean = raw.logsumexp((0, 1)) - wrong.sum().log()
    return torch.where(wrong, hardness * cosines - mean, 0.0)


def sigmoid_pairs(
    left: Tensor, right: Tensor, *, scale: Tensor | float, bias: Tensor | float, same: Tensor
) -> Tensor:
    """Is this pair the same thing? Each pair of the batch by itself.

    SigLIP (Zhai et al. 2023, https://arxiv.org/abs/2303.15343): the sum over all pairs, divided
    by the number of rows.

    Args:
        left: ``(N, D)`` of length 1.
        right: ``(N, D)`` of length 1.
        scale: what cosines are multiplied by.
        bias: added to them then; below 0, since most pairs differ.
        same: ``(N, N)`` bool, where two rows are the same thing.

    Returns:
        The loss, a scalar.

    Example:
        >>> vectors = torch.eye(2)
        >>> same = torch.eye(2).bool()
        >>> loss = sigmoid_pairs(vectors, vectors, scale=2.0, bias=-1.0, same=same)
        >>> round(float(loss), 4)  # ln(1 + 1/e) for each of the 4 pairs
        0.6265
    """
    logits = scale * (left @ right.T) + bias
    signs = torch.where(same, 1.0, -1.0)
    return -logsigmoid(signs * logits).sum() / len(left)


def first_dimensions(vectors: Tensor, dims: int) -> Tensor:
    """The first numbers of each vector, made a vector of length 1 again."""
    return vectors if dims == vectors.shape[-1] else normalize(vectors[..., :dims], dim=-1)
