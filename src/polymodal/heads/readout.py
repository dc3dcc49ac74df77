"""The layers of a head."""

from torch import nn

from polymodal.errors import RecipeError


def readout(width: int, out: int, *, hidden: int, dropout: float) -> nn.Sequential:
    """From the fused vector to the numbers a head needs.

    Args:
        width: size of the fused vector.
        out: numbers that come out.
        hidden: size of one hidden layer; 0 for none (a linear head).
        dropout: chance that a value is dropped in training, before the last layer.

    Raises:
        RecipeError: a size is out of range.
    """
    if width < 1 or out < 1 or hidden < 0:
        raise RecipeError(
            f"A head from width {width} to {out} numbers with {hidden} hidden units is not "
            "possible: width and numbers are at least 1, hidden units at least 0."
        )
    first = [nn.Linear(width, hidden), nn.GELU()] if hidden else []
    return nn.Sequential(*first, nn.Dropout(dropout), nn.Linear(hidden or width, out))
