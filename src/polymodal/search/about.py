"""What a search index says of itself, and of the model that made it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from polymodal.data.modalities import Modality
from polymodal.data.modalities.text import IDEOGRAPHS
from polymodal.data.schema import recognise
from polymodal.data.table import Table
from polymodal.errors import PolymodalError, RunError, SchemaError, nearest
from polymodal.predictor import Predictor
from polymodal.run_directory import MANIFEST, METRICS
from polymodal.search.stored_rows import ROW, Layout, field_names, own_cells
from polymodal.search.vector_table import ROWS

FORMAT = 1
TEXTS_SEEN = 500


@dataclass
class About:
    """What an index says of itself.

    Args:
        rows: the table that holds its rows.
        run: the run directory of the model.
        model: digest of the model's files.
        folder: where relative paths of the rows' media start.
        aligned: whether all columns are in one space, so that any asks for any.
        layout: where it keeps what.
        modalities: embedded column -> modality.
        texts: fields whose words can be searched.
        chinese: text column -> the share of its letters that are ideographs.
        dims: numbers kept of each vector; None for all.
        kind: of the index of vectors that was wished for.
        measured: embedded column -> the way of searching that was chosen, and all measured.
        whole: whether all rows were added when it was built.
    """

    rows: str
    run: str
    model: str
    folder: str
    aligned: bool
    layout: Layout
    modalities: dict[str, str]
    texts: list[str]
    chinese: dict[str, float]
    dims: int | None = None
    kind: str = "auto"
    measured: dict[str, dict[str, Any]] = field(default_factory=dict)
    whole: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], place: str) -> About:
        """What :meth:`to_dict` gave.

        Raises:
            PolymodalError: it is of a newer version.
        """
        known = dict(content)
        if known.pop("format", None) != FORMAT:
            raise PolymodalError(
                f"The search index in {place!r} was written by another version of polymodal "
                f"(format {content.get('format')}, this version reads {FORMAT})."
            )
        return cls(**{**known, "layout": Layout(**known["layout"])})


def model_digest(predictor: Predictor) -> str:
    """What names a model: a digest of the files that make it, but not of what was measured.

    Raises:
        RunError: the model was not saved.
    """
    if predictor.directory is None:
        raise RunError("The model was not saved yet. Save it first: predictor.save(DIRECTORY).")
    files = json.loads((predictor.directory / MANIFEST).read_text("utf-8"))["files"]
    made = {name: digest for name, digest in files.items() if name != METRICS}
    return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()


def chinese_share(texts: Sequence[str]) -> float:
    """The share of letters that are ideographs or kana.

    >>> chinese_share(["猫 cat"])
    0.25
    """
    letters = [letter for text in texts for letter in text if letter.isalpha()]
    return len(re.findall(f"[{IDEOGRAPHS}]", "".join(letters))) / max(len(letters), 1)


def describe(
    predictor: Predictor,
    table: Table,
    columns: Sequence[str] | None,
    *,
    key: str | None = None,
    dims: int | None = None,
) -> About:
    """What an index of this table by this model will say of itself.

    Args:
        predictor: the model.
        table: the rows.
        columns: the input columns to make vectors of; None for all.
        key: the column that names a row.
        dims: numbers kept of each vector.

    Raises:
        PolymodalError: the model was not saved, or does not fit the table.
    """
    digest = model_digest(predictor)
    unknown = [column for column in columns or () if column not in predictor.embeds]
    if unknown:
        raise SchemaError(
            f"The model makes no vectors of {unknown[0]!r}. {nearest(unknown[0], predictor.embeds)}"
        )
    embedded = list(predictor.embeds if columns is None else columns)
    modalities = predictor.run.modalities
    first = table.slice(0, 1)
    width = {c or ROW: predictor.embed(first, c, dims=dims).shape[1] for c in (None, *embedded)}
    texts = [n for n in table.names if _is_text(table, n, modalities)]
    if key is not None:
        table.column(key)
    layout = Layout(
        key=key,
        fields=field_names(table.names),
        vectors={ROW: "_row", **{c: f"_vector_{i}" for i, c in enumerate(embedded)}},
        width=width,
    )
    sample = {
        n: [str(c) for c in table.slice(0, TEXTS_SEEN).cells(n) if c is not None] for n in texts
    }
    return About(
        rows=ROWS,
        run=str(Path(predictor.directory or ".").absolute()),
        model=digest,
        folder=str(table.folder),
        aligned=predictor.aligned,
        layout=layout,
        modalities={column: modalities[column].name for column in embedded},
        texts=[layout.fields[n] for n in texts],
        chinese={n: round(chinese_share(sample[n]), 3) for n in texts},
        dims=dims,
    )


def check_model(about: About, predictor: Predictor) -> None:
    """Refuse a model that did not make the index.

    Raises:
        RunError: it is another one.
    """
    if model_digest(predictor) != about.model:
        raise RunError(
            f"The index was made by another model than that of {str(predictor.directory)!r}: "
            "vectors of two models cannot be compared. Use the run that made it "
            f"({about.run!r}), or make the index anew with this one (--replace)."
        )


def _is_text(table: Table, name: str, modalities: Mapping[str, Modality]) -> bool:
    """Whether a column's words can be searched: a text of the model, or what reads like one."""
    if not pa.types.is_string(own_cells(table.slice(0, 1), name).type):
        return False
    if name in modalities:
        return modalities[name].name in ("text", "passages", "tags")
    return recognise(table.summary(name)) == "text"
