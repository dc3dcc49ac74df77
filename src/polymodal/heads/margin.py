"""Losses that draw vectors of one identity together, with a margin to all others.

Letters: N rows · D width · C identities.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import one_hot, relu


def angular_margin(cosines: Tensor, classes: Tensor, *, margin: float, scale: float) -> Tensor:
    """Logits whose right answer must win by an angle.

    ArcFace (Deng et al. 2019, https://arxiv.org/abs/1801.07698), in speech AAM-softmax: the angle
    between a vector and the centre of its own class is made larger by the margin. Where angle
    and margin together pass half a turn, the cosine goes on falling along a line.

    Args:
        cosines: ``(N, C)`` of vectors and centres.
        classes: ``(N,)`` the right ones.
        margin: in radians.
        scale: what cosines are multiplied by.

    Returns:
        ``(N, C)`` logits for a cross-entropy.

    Example:
        >>> logits = angular_margin(
        ...     torch.tensor([[0.5, 0.0]]), torch.tensor([0]), margin=math.pi / 6, scale=2.0
        ... )
        >>> [round(logit, 4) for logit in logits[0].tolist()]  # 60° + 30° = 90°
        [0.0, 0.0]
    """
    cosines = cosines.clamp(-1 + 1e-6, 1 - 1e-6)
    sines = (1 - cosines.square()).sqrt()
    turned = cosines * math.cos(margin) - sines * math.sin(margin)
    falling = cosines - math.sin(margin) * margin
    turned = torch.where(cosines > -math.cos(margin), turned, falling)
    right = one_hot(classes, cosines.shape[1]).bool()
    return scale * torch.where(right, turned, cosines)


def batch_hard_triplets(vectors: Tensor, classes: Tensor, *, margin: float) -> Tensor:
    """How much nearer the nearest stranger is than the farthest of one's own, plus a margin.

    Batch-hard triplet loss (Hermans et al. 2017, https://arxiv.org/abs/1703.07737), with one
    minus the cosine as distance.

    Args:
        vectors: ``(N, D)`` of length 1.
        classes: ``(N,)`` whose they are.
        margin: by how much a stranger must be farther.

    Returns:
        ``(N,)`` losses, nought for a row that is alone or has no stranger in the batch.

    Example:
        >>> vectors = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]])
        >>> losses = batch_hard_triplets(vectors, torch.tensor([0, 0, 1]), margin=0.3)
        >>> [round(loss, 2) for loss in losses.tolist()]  # 0.2 - 0.4, 0.2 - 0.04, nobody
        [0.1, 0.46, 0.0]
    """
    distances = 1 - vectors @ vectors.T
    same = classes[:, None] == classes
    mates = same & ~torch.eye(len(classes), dtype=torch.bool, device=same.device)
    farthest = distances.masked_fill(~mates, -torch.inf).amax(1)
    nearest = distances.masked_fill(same, torch.inf).amin(1)
    known = mates.any(1) & ~same.all(1)
    gap = torch.where(known, farthest, 0.0) - torch.where(known, nearest, 0.0)
    return torch.where(known, relu(gap + margin), 0.0)
