"""Encoders: from one column's cells (or a table's columns) to tokens.

Each class is named in ``ENCODERS`` under the modality it reads and the name it has in a recipe.
Data-dependent arguments come first; what a user may choose is keyword-only.
"""

from polymodal.encoders.bag_of_tokens import BagOfTokens
from polymodal.encoders.category import CategoryEncoder
from polymodal.encoders.cnn import Cnn
from polymodal.encoders.encoder import Encoder, TableEncoder
from polymodal.encoders.mlp import TabularMlp
from polymodal.encoders.number import NumberEncoder
from polymodal.encoders.pretrained_audio import PretrainedAudio
from polymodal.encoders.pretrained_image import PretrainedImage
from polymodal.encoders.pretrained_text import PretrainedText
from polymodal.encoders.resnet import ResNet
from polymodal.encoders.spectrogram_cnn import SpectrogramCnn
from polymodal.encoders.spectrogram_rnn import SpectrogramRnn
from polymodal.encoders.spectrogram_transformer import SpectrogramTransformer
from polymodal.encoders.tabular_transformer import TabularTransformer
from polymodal.encoders.tags import TagsEncoder
from polymodal.encoders.text_rnn import TextRnn
from polymodal.encoders.text_transformer import TextTransformer
from polymodal.encoders.vision_transformer import VisionTransformer

ENCODERS: dict[str, dict[str, type[Encoder]]] = {
    "image": {
        "cnn": Cnn,
        "resnet": ResNet,
        "vision_transformer": VisionTransformer,
        "pretrained": PretrainedImage,
    },
    "text": {
        "text_rnn": TextRnn,
        "text_transformer": TextTransformer,
        "bag_of_tokens": BagOfTokens,
        "pretrained": PretrainedText,
    },
    "audio": {
        "cnn": SpectrogramCnn,
        "rnn": SpectrogramRnn,
        "transformer": SpectrogramTransformer,
        "pretrained": PretrainedAudio,
    },
    "number": {"number": NumberEncoder},
    "category": {"category": CategoryEncoder},
    "tags": {"tags": TagsEncoder},
}
"""Modality -> name in a recipe -> class."""

TABLE_ENCODERS: dict[str, type[TableEncoder]] = {
    "tabular_transformer": TabularTransformer,
    "mlp": TabularMlp,
}
"""Name in a recipe -> class."""

__all__ = [
    "ENCODERS",
    "TABLE_ENCODERS",
    "BagOfTokens",
    "CategoryEncoder",
    "Cnn",
    "Encoder",
    "NumberEncoder",
    "PretrainedAudio",
    "PretrainedImage",
    "PretrainedText",
    "ResNet",
    "SpectrogramCnn",
    "SpectrogramRnn",
    "SpectrogramTransformer",
    "TableEncoder",
    "TabularMlp",
    "TabularTransformer",
    "TagsEncoder",
    "TextRnn",
    "TextTransformer",
    "VisionTransformer",
]
