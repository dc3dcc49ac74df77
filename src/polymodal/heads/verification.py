"""Whether two rows are the same identity.

Letters: B rows · D width of a vector · C identities in the training part.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from polymodal.batch import Field, Fused
from polymodal.errors import RecipeError
from polymodal.heads.decision import weighted_mean
from polymodal.heads.embedding_head import EmbeddingHead
from polymodal.heads.margin import angular_margin, batch_hard_triplets
from polymodal.heads.readout import readout


class Verification(EmbeddingHead):
    """Vectors of identities that training never sees: the same person near, all others far.

    When to choose it: the question is whether two rows show the same person, speaker or product,
    and those asked about later are not those trained on. ArcFace for most; the triplet loss
    where there are thousands of identities with few rows each. To name one of the people that
    training has seen, predict a category.

    Args:
        width: size of the fused vector.
        classes: identities C in the training part.
        size: numbers of a vector.
        loss: arcface (AAM-softmax: the right identity must win by an angle), triplet, or both.
        margin: of arcface, in radians.
        radius: of arcface, what cosines are multiplied by: the radius of its sphere.
        triplet_margin: by how much a stranger must be farther than one's own, as cosine.
        rows: rows of one identity that training draws together.
        dropout: chance that a value is dropped in training, before the last layer.

    Raises:
        RecipeError: a size or margin is out of range.

    Example:
        >>> head = Verification(8, classes=3, size=4)
        >>> vector = torch.randn(2, 8)
        >>> vectors = head(Fused(vector, vector[:, None], torch.ones(2, 1, dtype=torch.bool)))
        >>> target = Field(torch.tensor([2, 0]), present=torch.tensor([True, True]))
        >>> vectors.shape, list(head.loss(vectors, target))
        (torch.Size([2, 4]), ['arcface'])
    """

    def __init__(
        self,
        width: int,
        classes: int,
        *,
        size: int = 128,
        loss: Literal["arcface", "triplet", "both"] = "arcface",
        margin: float = 0.3,
        radius: float = 30.0,
        triplet_margin: float = 0.3,
        rows: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= margin < 1.5 or triplet_margin < 0 or radius <= 0:
            raise RecipeError(
                f"margin {margin} must be 0 to 1.5, triplet_margin {triplet_margin} not negative, "
                f"radius {radius} above 0."
            )
        if rows < 2:
            raise RecipeError(f"rows is {rows}; at least 2 of one identity meet in a batch.")
        self.readout = readout(width, size, hidden=0, dropout=dropout)
        self.centres = nn.Parameter(0.1 * torch.randn(classes, size))
        self.kind, self.margin, self.radius = loss, margin, radius
        self.triplet_margin, self.rows = triplet_margin, rows

    @property
    def together(self) -> int:
        """Rows of one identity in a batch."""
        return self.rows

    def forward(self, fused: Fused) -> Tensor:
        """Vectors ``(B, D)`` of length 1."""
        return normalize(self.readout(fused.vector).float(), dim=-1)

    def vector(self, prediction: Tensor) -> Tensor:
        """The same."""
        return prediction

    def blend(self, predictions: Tensor, weights: Tensor) -> Tensor:
        """The weighted mean of the branches' vectors, of length 1."""
        return normalize(weighted_mean(predictions, weights), dim=-1)

    def loss(self, prediction: Tensor, target: Field) -> dict[str, Tensor]:
        """Target values ``(B,)`` are numbers of identities of the training part."""
        classes, terms = target.by_row().long(), {}
        if self.kind != "triplet":
            cosines = self.cosines(prediction)
            logits = angular_margin(cosines, classes, margin=self.margin, scale=self.radius)
            terms["arcface"] = target.mean(cross_entropy(logits, classes, reduction="none"))
        if self.kind != "arcface":
            # Rows of no known identity are nobody's own: each is one of its own.
            nobody = -1 - torch.arange(len(classes), device=classes.device)
            whose = torch.where(target.present, classes, nobody)
            losses = batch_hard_triplets(prediction, whose, margin=self.triplet_margin)
            terms["triplet"] = target.mean(losses)
        return terms

    def cosines(self, prediction: Tensor) -> Tensor:
        """How near each vector is to each identity of the training part ``(B, C)``."""
        return prediction @ normalize(self.centres, dim=-1).T

    def answer(self, prediction: Tensor) -> Tensor:
        """The number of the nearest identity of the training part ``(B,)``."""
        return self.cosines(prediction).argmax(-1)

    def probabilities(self, prediction: Tensor) -> Tensor:
        """Of each identity of the training part ``(B, C)``."""
        return (self.radius * self.cosines(prediction)).softmax(-1)
