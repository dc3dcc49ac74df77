"""Heads: from a fused row to a prediction of one target column, with its loss."""

from polymodal.heads.classification import Classification
from polymodal.heads.head import Head
from polymodal.heads.regression import Regression
from polymodal.heads.tagging import Tagging

HEADS: dict[str, type[Head]] = {
    "classification": Classification,
    "tagging": Tagging,
    "regression": Regression,
}
"""Name in a recipe -> class."""

__all__ = ["HEADS", "Classification", "Head", "Regression", "Tagging"]
