"""Small tables as checks look at them."""

from pathlib import Path
from typing import Any

import numpy as np

from polymodal.build import build_modalities
from polymodal.checks import Subject
from polymodal.data.dataset import fit_modalities, prepare
from polymodal.data.findings import Finding
from polymodal.data.pack import pack
from polymodal.data.table import Table
from polymodal.recipe import Recipe


def subject(
    columns: dict[str, list[Any]], target: str = "y", folder: Path | None = None, **options: Any
) -> Subject:
    """A table made ready, which may hold a column "split"; ``options``: column -> modality."""
    named = {name: {"modality": modality} for name, modality in options.items()}
    loaded = Recipe.load({"targets": [target], "columns": named})
    table = Table.read(columns, folder=folder)
    dataset = prepare(table, [target], modalities=options, drop_leaks=False)
    modalities = build_modalities(loaded, dataset.schema)
    fit_modalities(dataset, modalities)
    return Subject.of(dataset, modalities, pack(dataset.table, modalities))


def by_column(findings: list[Finding], kind: str) -> dict[str, list[int]]:
    """Column -> rows found under a kind."""
    return {f.column: sorted(f.rows.tolist()) for f in findings if f.kind == kind}


def classes(rng: np.random.Generator, count: int) -> list[str]:
    """A target that says nothing."""
    return rng.choice(["no", "yes"], count).tolist()
