"""What a network can be trained for."""

from polymodal.heads.alignment import Alignment
from polymodal.heads.verification import Verification


class Prediction:
    """Predict the target columns, each by a head of its own."""

    def __init__(self) -> None:
        """It has no options: heads have them."""


OBJECTIVES: dict[str, type] = {
    "predict": Prediction,
    "align": Alignment,
    "verify": Verification,
}
"""Name in a recipe -> class; those that are heads take the place of the targets' own."""
