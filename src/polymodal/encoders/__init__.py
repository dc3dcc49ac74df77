"""Encoders: from one column's cells (or a table's columns) to tokens.

Each class is named in ``ENCODERS`` under the modality it reads and the name it has in a recipe.
Data-dependent arguments come first; what a user may choose is keyword-only.
"""

from polymodal.encoders.as_is import AsIs
from polymodal.encoders.bag_of_tokens import BagOfTokens
from polymodal.encoders.birds_eye_view import BirdsEyeView
from polymodal.encoders.category import CategoryEncoder
from polymodal.encoders.cnn import Cnn
from polymodal.encoders.cnn3d import Cnn3d
from polymodal.encoders.column_tokens import ColumnTokens
from polymodal.encoders.encoder import Encoder, TableEncoder
from polymodal.encoders.frame_sequence import FrameSequence
from polymodal.encoders.frames import Frames
from polymodal.encoders.geo import GeoEncoder
from polymodal.encoders.mlp import TabularMlp
from polymodal.encoders.number import NumberEncoder
from polymodal.encoders.patch_transformer import PatchTransformer
from polymodal.encoders.patches import Patches
from polymodal.encoders.picture_set import PictureSet
from polymodal.encoders.pointnet import PointNet
from polymodal.encoders.pretrained_audio import PretrainedAudio
from polymodal.encoders.pretrained_image import PretrainedImage
from polymodal.encoders.pretrained_pictures import PretrainedPictures
from polymodal.encoders.pretrained_text import PretrainedText
from polymodal.encoders.pretrained_video import PretrainedVideo
from polymodal.encoders.resnet import ResNet
from polymodal.encoders.series_cnn import SeriesCnn
from polymodal.encoders.series_rnn import SeriesRnn
from polymodal.encoders.set_transformer import SetTransformer
from polymodal.encoders.space_time_transformer import SpaceTimeTransformer
from polymodal.encoders.spectrogram_cnn import SpectrogramCnn
from polymodal.encoders.spectrogram_rnn import SpectrogramRnn
from polymodal.encoders.spectrogram_transformer import SpectrogramTransformer
from polymodal.encoders.stretches import Stretches
from polymodal.encoders.tabular_transformer import TabularTransformer
from polymodal.encoders.tags import TagsEncoder
from polymodal.encoders.text_rnn import TextRnn
from polymodal.encoders.text_set import TextSet
from polymodal.encoders.text_transformer import TextTransformer
from polymodal.encoders.timestamp import TimestampEncoder
from polymodal.encoders.token_embedding import TokenEmbedding
from polymodal.encoders.vector import VectorMlp
from polymodal.encoders.vision_transformer import VisionTransformer

ENCODERS: dict[str, dict[str, type[Encoder]]] = {
    "image": {
        "cnn": Cnn,
        "resnet": ResNet,
        "vision_transformer": VisionTransformer,
        "patches": Patches,
        "as_is": AsIs,
        "pretrained": PretrainedImage,
    },
    "text": {
        "text_rnn": TextRnn,
        "text_transformer": TextTransformer,
        "bag_of_tokens": BagOfTokens,
        "token_embedding": TokenEmbedding,
        "as_is": AsIs,
        "pretrained": PretrainedText,
    },
    "audio": {
        "cnn": SpectrogramCnn,
        "rnn": SpectrogramRnn,
        "transformer": SpectrogramTransformer,
        "frames": Frames,
        "as_is": AsIs,
        "pretrained": PretrainedAudio,
    },
    "video": {
        "frames": FrameSequence,
        "cnn3d": Cnn3d,
        "space_time_transformer": SpaceTimeTransformer,
        "pretrained": PretrainedVideo,
        "pretrained_frames": PretrainedPictures,
    },
    "gallery": {"set": PictureSet, "pretrained": PretrainedPictures, "as_is": AsIs},
    "passages": {"set": TextSet},
    "series": {
        "cnn1d": SeriesCnn,
        "rnn": SeriesRnn,
        "patch_transformer": PatchTransformer,
        "stretches": Stretches,
    },
    "vector": {"mlp": VectorMlp},
    "points": {
        "pointnet": PointNet,
        "set_transformer": SetTransformer,
        "birds_eye_view": BirdsEyeView,
    },
    "number": {"number": NumberEncoder},
    "category": {"category": CategoryEncoder},
    "tags": {"tags": TagsEncoder},
    "timestamp": {"timestamp": TimestampEncoder},
    "geo": {"geo": GeoEncoder},
}
"""Modality -> name in a recipe -> class."""

TABLE_ENCODERS: dict[str, type[TableEncoder]] = {
    "tabular_transformer": TabularTransformer,
    "mlp": TabularMlp,
    "column_tokens": ColumnTokens,
}
"""Name in a recipe -> class."""

LIGHT_ENCODERS = {
    "image": "patches",
    "text": "token_embedding",
    "audio": "frames",
    "series": "stretches",
}
"""Modality -> the name of its encoder that is no network, only tokens: for early fusion."""

__all__ = [
    "ENCODERS",
    "LIGHT_ENCODERS",
    "TABLE_ENCODERS",
    "AsIs",
    "BagOfTokens",
    "BirdsEyeView",
    "CategoryEncoder",
    "Cnn",
    "Cnn3d",
    "ColumnTokens",
    "Encoder",
    "FrameSequence",
    "Frames",
    "GeoEncoder",
    "NumberEncoder",
    "PatchTransformer",
    "Patches",
    "PictureSet",
    "PointNet",
    "PretrainedAudio",
    "PretrainedImage",
    "PretrainedPictures",
    "PretrainedText",
    "PretrainedVideo",
    "ResNet",
    "SeriesCnn",
    "SeriesRnn",
    "SetTransformer",
    "SpaceTimeTransformer",
    "SpectrogramCnn",
    "SpectrogramRnn",
    "SpectrogramTransformer",
    "Stretches",
    "TableEncoder",
    "TabularMlp",
    "TabularTransformer",
    "TagsEncoder",
    "TextRnn",
    "TextSet",
    "TextTransformer",
    "TimestampEncoder",
    "TokenEmbedding",
    "VectorMlp",
    "VisionTransformer",
]
