"""Looking at a table before anything is trained on it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from polymodal.build import effective
from polymodal.checks import Subject, check
from polymodal.countdown import TellStage
from polymodal.data.dataset import Dataset
from polymodal.data.findings import Finding
from polymodal.data.kept_packs import kept_packs
from polymodal.data.modalities import Modality
from polymodal.data.pack import pack
from polymodal.data.schema import Schema
from polymodal.data.table import Table
from polymodal.evaluation.inspection_page import write_inspection
from polymodal.evaluation.prediction import explained
from polymodal.inspection_view import shown_page
from polymodal.preparation import chosen_targets, dataset_of, learned
from polymodal.recipe import Recipe


@dataclass
class Inspection:
    """What a table holds, what is wrong with it, and what would be trained on it.

    Args:
        dataset: the table with its parts.
        findings: what a person should know, the worst first.
        rows: part -> rows; only "all" without a target.
        recipe: the effective recipe of a training; None without a target.
        modalities: input and target columns -> fitted modality.
        source: what was inspected, in a word.
    """

    dataset: Dataset = field(repr=False)
    findings: list[Finding]
    rows: dict[str, int]
    recipe: Recipe | None
    modalities: Mapping[str, Modality] = field(repr=False)
    source: str = "table"

    @property
    def schema(self) -> Schema:
        """Modality and role of every column."""
        return self.dataset.schema

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "schema": self.schema.to_dict(),
            "findings": [finding.to_dict() for finding in self.findings],
            "rows": self.rows,
            "recipe": None if self.recipe is None else self.recipe.to_dict(),
        }

    def write_page(self, path: str | Path, *, command: str = "") -> None:
        """Write it as one HTML file: findings with their media, histograms, missing cells.

        Args:
            path: the file to write.
            command: how to see it again.
        """
        page = shown_page(
            self.dataset.table,
            self.schema,
            self.findings,
            self.modalities,
            rows=self.rows,
            title=f"{self.source}: what is in it, and what is wrong",
            created=datetime.now().strftime("%Y-%m-%d %H:%M"),
        )
        write_inspection(path, page, command=command)


def inspect(
    data: Any,
    target: str | Sequence[str] | None = None,
    *,
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
    labels: bool = True,
    tell: TellStage = lambda stage, done, total: None,
) -> Inspection:
    """Infer the schema, open every file, look for what is wrong, and say what would be trained.

    Args:
        data: a table as :meth:`Table.read` takes it.
        target: the column or columns to predict; None only looks.
        recipe: what differs from the defaults.
        labels: whether to look for wrong labels, too, which takes the longest.
        tell: is told a stage, how much of it is done, and how much there is.

    Raises:
        PolymodalError: the table cannot be read, or the recipe does not fit it.
    """
    tell("reading", 0, 1)
    loaded, table = Recipe.load(recipe), Table.read(data)
    targets = chosen_targets(loaded, target)
    dataset = dataset_of(loaded, table, targets)
    modalities = learned(loaded, dataset)
    rows, whole = {"all": len(table)}, None
    if targets:
        rows = {part: len(dataset.rows(part)) for part in ("train", "validation", "test")}
        options = loaded.train.resolved(rows["train"])
        whole = effective(loaded, dataset.schema, modalities).model_copy(update={"train": options})
    findings = _checked(dataset, modalities, loaded, labels=labels, tell=tell)
    source = "table"
    if isinstance(data, str | Path):
        source = "/".join(Path(data).absolute().parts[-2:])
    return Inspection(dataset, findings, rows, whole, modalities, source)


def _checked(
    dataset: Dataset,
    modalities: Mapping[str, Modality],
    recipe: Recipe,
    *,
    labels: bool,
    tell: TellStage,
) -> list[Finding]:
    """What was found in splitting, what decoding every cell brings to light, and all checks."""
    options = recipe.data
    with tempfile.TemporaryDirectory(prefix="polymodal-") as directory:
        packs = kept_packs(
            dataset.table.folder,
            private=Path(directory),
            most_bytes=options.keep_packs_gb * 1e9,
            keep=options.keep_packs,
        )
        workers = (os.cpu_count() or 1) if options.workers == "auto" else options.workers
        done, cells = 0, len(dataset.table) * len(modalities)

        def advance(more: int) -> None:
            nonlocal done
            done += more
            tell("decoding", done, cells)

        packed = pack(dataset.table, modalities, directory=packs, workers=workers, advance=advance)
        known = [*dataset.findings, *explained(packed.findings, dataset.schema.targets)]
        subject = Subject.of(dataset, modalities, packed, seed=recipe.seed)
        return check(subject, known, labels=labels, tell=tell)
