"""Pretrained models by name or as a folder: which files they need, and whether the hub answers."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

SECONDS = 3.0
"""How long an answer of the hub is waited for, unless HF_HUB_ETAG_TIMEOUT says otherwise."""
_AGAIN = 60.0  # seconds after which a hub that did not answer is asked again

_WEIGHTS = "model.safetensors"
_OTHER_WEIGHTS = ("pytorch_model.bin", "open_clip_model.safetensors", "adapter_model.safetensors")
_VOCABULARY = "tokenizer.json"
_OTHER_VOCABULARIES = ("vocab.*", "*.model", "*.spm", "*.tiktoken", "tekken.json")
_PROCESSOR = ("preprocessor_config.json", "processor_config.json")
# What is loaded -> the files that it needs, each with those that can stand in for it.
_NEEDED: dict[str, tuple[tuple[str, ...], ...]] = {
    "configuration": (("config.json",),),
    "weights": (("config.json",), (_WEIGHTS, f"{_WEIGHTS}.index.json", *_OTHER_WEIGHTS)),
    "tokenizer": ((_VOCABULARY, *_OTHER_VOCABULARIES), ("tokenizer_config.json",)),
    "image processor": (_PROCESSOR,),
    "video processor": (("video_preprocessor_config.json", *_PROCESSOR),),
    "feature extractor": (_PROCESSOR,),
    "processor": (_PROCESSOR, (_VOCABULARY, *_OTHER_VOCABULARIES), ("tokenizer_config.json",)),
}
_answers: dict[str, tuple[float, str]] = {}  # address -> when it was asked, and why it is closed


def local_folder(model: str) -> Path | None:
    """The folder that a model's name means; None where it is a name for the hub.

    Something that no hub would take for a name is a folder, whether it is there or not.

    >>> local_folder("google/vit-base"), local_folder("./vit").name
    (None, 'vit')
    """
    folder = Path(model.removeprefix("local-dir:"))
    a_path = folder.is_absolute() or model.startswith((".", "~", "local-dir:"))
    return folder if a_path or model.count("/") > 1 or folder.is_dir() else None


def files_of(what: str) -> str:
    """The files that something needs, in words.

    >>> files_of("tokenizer")
    'tokenizer.json and tokenizer_config.json'
    """
    names = [group[0] for group in _NEEDED.get(what, _NEEDED["configuration"])]
    if _WEIGHTS in names:
        names[names.index(_WEIGHTS)] += f" (or its parts with {_WEIGHTS}.index.json)"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def lacking(folder: Path, what: str) -> list[str]:
    """The files that a folder would have to hold and does not."""
    groups = _NEEDED.get(what, _NEEDED["configuration"])
    lost = [group[0] for group in groups if not any(any(folder.glob(name)) for name in group)]
    index = folder / f"{_WEIGHTS}.index.json"
    if what == "weights" and index.exists():
        with suppress(ValueError, KeyError, AttributeError):  # damaged: the library will say how
            parts = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
            lost += sorted(part for part in parts if not (folder / part).exists())
    return lost


def lacks_vocabulary(folder: Path, what: str) -> bool:
    """Whether a tokenizer would have no words: transformers 5 then makes one that knows none."""
    return _VOCABULARY in lacking(folder, what)


def cached(model: str) -> Path | None:
    """The folder where a model lies that was downloaded before."""
    from huggingface_hub import snapshot_download

    with suppress(OSError, ValueError):
        return Path(snapshot_download(model.removeprefix("hf-hub:"), local_files_only=True))
    return None


def address() -> str:
    """Where models are fetched from: HF_ENDPOINT, or huggingface.co."""
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def switched_off() -> bool:
    """Whether HF_HUB_OFFLINE says not to ask the hub."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def closed() -> str:
    """Why nothing can be fetched from the hub, in words; empty where it answers.

    It is asked once: a library that looks for a file tries for half a minute, for each file.
    """
    if switched_off():
        return "HF_HUB_OFFLINE is set"
    place, now = address(), time.monotonic()
    asked, reason = _answers.get(place, (-_AGAIN, "not asked"))
    if reason and now - asked >= _AGAIN:
        reason = _ask(place)
        _answers[place] = time.monotonic(), reason
    return f"{place} cannot be reached: {reason}" if reason else ""


@contextmanager
def from_the_cache() -> Iterator[None]:
    """Files that were downloaded before are used, and no other is asked for."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    # As the variable of the environment would have it, which is read only once.
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _ask(place: str) -> str:
    """Why an address does not answer; empty if it does, whatever it says."""
    from huggingface_hub.utils import get_session

    seconds = float(os.environ.get("HF_HUB_ETAG_TIMEOUT") or SECONDS)
    reasons = [f"no answer in {seconds:g} s; HF_HUB_ETAG_TIMEOUT=30 would wait for longer"]

    def ask() -> None:
        try:  # with the library's own session: its proxies and certificates
            get_session().head(place, timeout=seconds, follow_redirects=False)
            reasons.append("")
        except Exception as error:  # which ones there are depends on the session
            reasons.append(str(error) or type(error).__name__)

    # In a thread of its own: the search for the name's number knows no time limit.
    thread = Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return reasons[-1]
