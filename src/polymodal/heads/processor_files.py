"""The processor of a pretrained model, and its files as texts that a run keeps."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polymodal.backbone import fast_tokenizer, found, needed
from polymodal.errors import RecipeError

_TEXTS = (".json", ".jinja", ".txt")
ANY_SIDE = 448
"""Pixels of a picture's side for models that read pictures of any size."""


def processor_of(model: str) -> Any:
    """The processor of a transformers model: tokenizer and image processor or feature extractor.

    Raises:
        RecipeError: it cannot be found.
        MissingExtra: transformers is not installed.
    """
    with found(model, "processor"):
        return needed("transformers").AutoProcessor.from_pretrained(model, trust_remote_code=False)


def picture_processor(model: str) -> Any:
    """The processor of a vision-language model.

    Raises:
        RecipeError: it cannot be found, or reads no pictures.
        MissingExtra: transformers is not installed.
    """
    processor = processor_of(model)
    if getattr(processor, "image_processor", None) is None:
        raise RecipeError(
            f"The processor of {model!r} reads no pictures: it is no vision-language model. For a "
            "language model choose the head causal_lm, for Whisper speech_to_text."
        )
    return processor


def texts_of(processor: Any) -> dict[str, str]:
    """The files of a processor, a tokenizer or a feature extractor, by their names."""
    with tempfile.TemporaryDirectory() as folder:
        processor.save_pretrained(folder)
        return {
            path.name: path.read_text("utf-8")
            for path in sorted(Path(folder).iterdir())
            if path.suffix in _TEXTS
        }


def speech_files(model: str) -> dict[str, str]:
    """The files of a speech recogniser's tokenizer and feature extractor, by their names."""
    extractor = needed("transformers").AutoFeatureExtractor
    with found(model, "feature extractor"):
        hears = extractor.from_pretrained(model, trust_remote_code=False)
    return texts_of(fast_tokenizer(model)) | texts_of(hears)


def from_texts(texts: Mapping[str, str]) -> Any:
    """A processor from its files.

    Raises:
        RecipeError: a name is none of a file.
    """
    for name in texts:
        if Path(name).name != name or Path(name).suffix not in _TEXTS:
            raise RecipeError(f"{name!r} is no file of a processor: the run was edited.")
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            (Path(folder) / name).write_text(text, "utf-8")
        return processor_of(folder)


def wanted_pictures(image_processor: Any) -> dict[str, Any]:
    """How pictures must be made for an image processor: options of their modality.

    Where it takes pictures of one size only, they are made so. For those that take any, the
    proportions are kept and the rest is border.
    """
    settings = json.loads(image_processor.to_json_string())
    size, crop = settings.get("size") or {}, settings.get("crop_size") or {}
    cropped = bool(settings.get("do_center_crop"))
    usual = {"channels": 3, "mean": [0.0] * 3, "std": [1.0] * 3}
    side = crop.get("height") if cropped else size.get("height")
    if side is None:
        return usual | {"size": ANY_SIDE, "resize": "pad"}
    return usual | {"size": side, "resize": "crop" if cropped else "stretch"}
