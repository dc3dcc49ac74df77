"""Heads: from a fused row to a prediction of one target column, with its loss."""

from polymodal.heads.alignment import Alignment
from polymodal.heads.causal_lm import CausalLm
from polymodal.heads.classification import Classification
from polymodal.heads.ctc import Ctc
from polymodal.heads.generation import TextHead
from polymodal.heads.head import Head
from polymodal.heads.image_text_to_text import ImageTextToText
from polymodal.heads.lstm_decoder import LstmDecoder
from polymodal.heads.regression import Regression
from polymodal.heads.speech_to_text import SpeechToText
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
    "causal_lm": CausalLm,
    "image_text_to_text": ImageTextToText,
    "speech_to_text": SpeechToText,
}
"""Name in a recipe -> class."""

WRITERS = (
    "transformer",
    "lstm",
    "ctc",
    "causal_lm",
    "image_text_to_text",
    "speech_to_text",
)
"""Names of heads that write, the usual one first."""

HEADS_OF: dict[str, tuple[str, ...]] = {
    "category": ("classification",),
    "tags": ("tagging",),
    "number": ("regression",),
    "text": WRITERS,
    "passages": WRITERS,
}
"""Modality of a target -> the names of its heads, the usual one first."""

__all__ = [
    "HEADS",
    "HEADS_OF",
    "Alignment",
    "CausalLm",
    "Classification",
    "Ctc",
    "Head",
    "ImageTextToText",
    "LstmDecoder",
    "Regression",
    "SpeechToText",
    "Tagging",
    "TextHead",
    "TransformerDecoder",
    "Verification",
]
