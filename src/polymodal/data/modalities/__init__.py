"""The kinds of content a column can hold: one file each."""

from polymodal.data.modalities.audio import Audio
from polymodal.data.modalities.category import Category
from polymodal.data.modalities.image import Image
from polymodal.data.modalities.modality import Modality
from polymodal.data.modalities.number import Number
from polymodal.data.modalities.tags import Tags
from polymodal.data.modalities.text import Text

MODALITIES: dict[str, type[Modality]] = {
    "image": Image,
    "audio": Audio,
    "text": Text,
    "tags": Tags,
    "category": Category,
    "number": Number,
}

__all__ = ["MODALITIES", "Audio", "Category", "Image", "Modality", "Number", "Tags", "Text"]
