"""The run directory: everything a trained model is, in files that run no code when loaded."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_model, save_model

from polymodal.build import backbone_configs, build_model, load_modalities
from polymodal.data.modalities import Modality
from polymodal.data.schema import Schema
from polymodal.errors import RunError
from polymodal.files import write_file
from polymodal.layer_sizes import fit_sizes
from polymodal.model import MultimodalModel
from polymodal.recipe import Recipe

FORMAT = 1
RECIPE, SCHEMA, WEIGHTS = "recipe.yaml", "schema.json", "weights.safetensors"
MANIFEST, METRICS, MODALITIES = "manifest.json", "metrics.json", "modalities"
BACKBONES = "backbones.json"
FILES = (RECIPE, SCHEMA, WEIGHTS, BACKBONES, MODALITIES, METRICS, MANIFEST)
"""What makes a run, the manifest last."""
STAGING = ".saving"
REPORT, ENVIRONMENT, PACK = "report.html", "environment.json", "pack"
EXPORTS = ("onnx", "executorch", "torch", "transformers", "compression.json", "compression.html")
"""Folders that hold the model as files of other kinds, and what was measured of them."""
OURS = {*FILES, REPORT, ENVIRONMENT, PACK, "checkpoints", "log", *EXPORTS}
"""What a run directory may hold."""
LIBRARIES = ("polymodal", "torch", "accelerate", "numpy", "pyarrow", "scikit-learn", "tokenizers")


@dataclass
class Run:
    """What a run directory holds.

    Args:
        recipe: the effective recipe.
        schema: the schema.
        modalities: column -> fitted modality.
        model: the trained network.
        metrics: what was measured.
    """

    recipe: Recipe
    schema: Schema
    modalities: dict[str, Modality]
    model: MultimodalModel
    metrics: dict[str, Any]


def check_directory(out: Path, *, resume: bool, overwrite: bool) -> None:
    """Refuse a directory in which something would be lost, or nothing can be resumed.

    Raises:
        RunError: it must not be written to; the message says why.
    """
    shown = repr(str(out))
    if resume and overwrite:
        raise RunError("Resume a run or overwrite it: both at once contradict each other.")
    if out.exists() and not out.is_dir():
        raise RunError(f"{shown} is a file; a run needs a directory.")
    names = {path.name for path in out.iterdir()} if out.exists() else set()
    if not names:
        return
    if not resume and not overwrite:
        raise RunError(
            f"{shown} is not empty. Choose another directory, continue with --resume, "
            "or replace it with --overwrite."
        )
    if resume and MANIFEST in names:
        raise RunError(
            f"The training in {shown} is finished: there is nothing to resume. Its report is "
            f"{REPORT}. To train longer, start anew in another directory with a higher "
            "train.epochs."
        )
    if resume and RECIPE not in names:
        raise RunError(f"{shown} holds no training that could be resumed.")
    foreign = sorted(name for name in names - OURS if not name.startswith("."))
    if overwrite and foreign:
        raise RunError(
            f"{shown} holds {foreign[0]!r}, which is no part of a run: it is not overwritten. "
            "Move it away, or choose another directory."
        )


def environment() -> dict[str, str]:
    """Versions and machine, so that a result can be made again."""
    versions = {name: metadata.version(name) for name in LIBRARIES}
    return {
        **versions,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "device": "cpu"
        if not torch.accelerator.is_available()
        else str(torch.accelerator.current_accelerator()),
    }


def save_run(directory: Path, run: Run) -> None:
    """Write a run.

    All of it is written beside the run that may be there, and only then takes its place. The
    manifest, which makes a run valid, comes last.

    Raises:
        RunError: the disk is full or the folder cannot be written; a run that was there is as it
            was.
    """
    staging = directory / STAGING
    try:
        shutil.rmtree(staging, ignore_errors=True)
        (staging / MODALITIES).mkdir(parents=True)
        _write(staging, run)
        (directory / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(directory / MODALITIES, ignore_errors=True)
        for name in FILES:
            (staging / name).replace(directory / name)
    except (OSError, SafetensorError) as error:
        raise RunError(
            f"The model could not be saved in {str(directory)!r}: {error}. What was there before "
            "is untouched. Make room on the disk (or allow writing there), and save again."
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write(directory: Path, run: Run) -> None:
    write_file(directory / RECIPE, run.recipe.to_yaml(comments=True))
    write_json(directory / SCHEMA, run.schema.to_dict())
    write_file(directory / WEIGHTS, lambda path: save_model(run.model, str(path)))
    write_json(directory / BACKBONES, backbone_configs(run.model))
    names = [RECIPE, SCHEMA, WEIGHTS, BACKBONES]
    for number, (column, modality) in enumerate(run.modalities.items()):
        name = f"{MODALITIES}/{number:03}.json"
        content = {"column": column, "modality": modality.name, "state": modality.state()}
        write_json(directory / name, content)
        names.append(name)
    write_json(directory / METRICS, run.metrics)
    manifest = {"format": FORMAT, "files": {name: _digest(directory / name) for name in names}}
    write_json(directory / MANIFEST, manifest)


def load_run(directory: Path) -> Run:
    """Read a run.

    Raises:
        RunError: it is not a run, is unfinished, from a newer version, truncated or altered.
    """
    if not directory.is_dir():
        raise RunError(f"There is no run directory {str(directory)!r}.")
    if not (directory / MANIFEST).exists():
        unfinished = (directory / "checkpoints").is_dir()
        raise RunError(
            f"{str(directory)!r} "
            + (
                "holds a training that was not finished: continue it with --resume."
                if unfinished
                else f"is not a run directory: it has no {MANIFEST}."
            )
        )
    manifest = _read_json(directory / MANIFEST)
    written = manifest.get("format") if isinstance(manifest, dict) else None
    if isinstance(written, int) and written > FORMAT:
        raise RunError(
            f"{str(directory)!r} was written by a newer version of polymodal (format "
            f"{written}, this version reads {FORMAT}): pip install -U polymodal."
        )
    if written != FORMAT or not isinstance(manifest.get("files"), dict):
        raise RunError(f"{MANIFEST} in {str(directory)!r} is not a manifest: it was edited.")
    unlisted = [n for n in (RECIPE, SCHEMA, WEIGHTS, BACKBONES) if n not in manifest["files"]]
    if unlisted:
        raise RunError(f"{MANIFEST} in {str(directory)!r} was edited: it lacks {unlisted[0]}.")
    for name, digest in manifest["files"].items():
        path = directory / name
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise RunError(f"{MANIFEST} names {name!r}, which is outside the run directory.")
        if not path.is_file():
            raise RunError(f"{str(directory)!r} is incomplete: {name} is missing.")
        if _digest(path) != digest:
            raise RunError(
                f"{name} in {str(directory)!r} is not what was saved: it was truncated or edited. "
                "Copy the run again, or train anew."
            )
    recipe = Recipe.load(directory / RECIPE)
    schema = Schema.from_dict(_read_json(directory / SCHEMA))
    saved = [_read_json(directory / n) for n in manifest["files"] if n.startswith(MODALITIES)]
    states = {content["column"]: content["state"] for content in saved}
    lacking = {*schema.inputs, *schema.targets} - set(states)
    if lacking:
        raise RunError(f"{str(directory)!r} is incomplete: column {min(lacking)!r} is missing.")
    modalities = load_modalities(recipe, schema, states)
    configs = _read_json(directory / BACKBONES)
    model = build_model(recipe, schema, modalities, configs=configs)
    try:
        with safe_open(directory / WEIGHTS, "pt") as weights:
            fit_sizes(model, {n: weights.get_slice(n).get_shape() for n in weights.keys()})  # noqa: SIM118
        load_model(model, str(directory / WEIGHTS))
    except (SafetensorError, RuntimeError) as error:
        raise RunError(f"{WEIGHTS} does not fit the recipe of the run: {error}") from error
    metrics_file = directory / METRICS
    metrics = _read_json(metrics_file) if metrics_file.exists() else {}
    return Run(recipe, schema, modalities, model.eval(), metrics)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON, whole or not at all."""
    write_file(path, json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False))


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RunError(f"{str(path)!r} is not valid JSON: it was truncated or edited.") from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
