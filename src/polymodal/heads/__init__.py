"""Heads: from a fused row to a prediction of one target column, with its loss."""

from polymodal.heads.alignment import Alignment
from polymodal.heads.classification import Classification
from polymodal.heads.ctc import Ctc
from polymodal.heads.generation import TextHead
from polymodal.heads.head import Head
from polymodal.heads.lstm_decoder import LstmDecoder
from polymodal.heads.regression import Regression
from polymodal.heads.tagging import Tagging
from polymodal.heads.transformer_decoder import TransformerDecoder
from polymodal.heads.verification import Verification

HEADS: dict[str, type[Head]] = {
    "classification": Classification,
    "tagging": Tagging,
    "regression": Regression,
    "transformer": TransformerDecoder,
    "lstm": LstmDecoder,
    "ctc": Ctc,
}
"""Name in a recipe -> class."""

HEADS_OF: dict[str, tuple[str, ...]] = {
    "category": ("classification",),
    "tags": ("tagging",),
    "number": ("regression",),
    "text": ("transformer", "lstm", "ctc"),
    "passages": ("transformer", "lstm", "ctc"),
}
"""Modality of a target -> the names of its heads, the usual one first."""

__all__ = [
    "HEADS",
    "HEADS_OF",
    "Alignment",
    "Classification",
    "Ctc",
    "Head",
    "LstmDecoder",
    "Regression",
    "Tagging",
    "TextHead",
    "TransformerDecoder",
    "Verification",
]
