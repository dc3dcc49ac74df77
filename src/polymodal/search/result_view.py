"""What a search found, as a page: which cells of the rows are shown, and how."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from polymodal.data.media import Shown, without_remarks
from polymodal.data.table import Table
from polymodal.evaluation.search_page import SearchPage, ShownHit, render_search
from polymodal.evaluation.thumbnails import shown
from polymodal.search.found import Found, Hit, plain
from polymodal.search.search_index import SearchIndex
from polymodal.search.stored_rows import ROW

SHOWN_APART = ("image", "gallery", "audio", "video", "points", "text", "passages")
ORDER = {"image": 0, "gallery": 0, "video": 1, "points": 1, "audio": 2}


def result_page(index: SearchIndex, found: Found, *, command: str = "") -> str:
    """One HTML text with pictures and players, which needs no other file and no network.

    Media are read from where the rows say they are; of a file that is gone, the thumbnail is
    shown.

    Args:
        index: that was asked.
        found: what it found.
        command: how to ask again.
    """
    asked = found.asked.get(ROW, found.asked)
    words = asked.get("words")
    facts = {} if words is None else {"words": str(words)}
    if found.where:
        facts["only where"] = found.where
    if found.within and not index.about.aligned:
        facts["compared by"] = ", ".join(name or "whole rows" for name in found.within)
    elif found.within:
        facts["compared with"] = found.within[0] or "whole rows"
    viewer = _Viewer(index)
    page = SearchPage(
        title=f"What was found in {Path(index.store.place).name}",
        created=datetime.now().strftime("%Y-%m-%d %H:%M"),
        rows=len(index),
        asked={n: viewer.asked(n, c) for n, c in asked.items() if n != "words" and c is not None},
        facts=facts,
        hits=shown_hits(index, found),
        seconds=(found.seconds, found.seconds_encoding),
        score=_score(found),
        best=max((hit.score for hit in found.hits), default=1.0) if "words" in asked else 1.0,
        how=measured_lines(index),
    )
    return render_search(page, command=command)


def shown_hits(index: SearchIndex, found: Found) -> list[ShownHit]:
    """The rows that were found, with what a page shows of each."""
    viewer = _Viewer(index)
    return [viewer.hit(hit) for hit in found.hits]


def measured_lines(index: SearchIndex) -> list[dict[str, Any]]:
    """What was measured of each index of vectors, a line for each way of searching."""
    return [
        {**one, "column": name or "whole rows", "chosen": one == held["chosen"]}
        for name, held in index.about.measured.items()
        for one in held["measured"]
    ]


class _Viewer:
    """Shows cells of one index."""

    def __init__(self, index: SearchIndex) -> None:
        run = index.predictor.run
        self.modalities, self.fields = run.modalities, index.fields
        self.table = Table({"": [None]}, folder=Path(index.about.folder))
        self.views = {n: s for n, s in run.schema.sources.items() if n in run.schema.inputs}

    def asked(self, name: str, cell: Any) -> Shown | None:
        """A cell of the question."""
        modality = self.modalities.get(name)
        if modality is None:
            return Shown("text", str(plain(cell)))
        with without_remarks():
            return shown(Table({"": [None]}), cell, modality) or Shown("text", str(plain(cell)))

    def hit(self, hit: Hit) -> ShownHit:
        """A row: media and texts apart, other values in a line."""
        cells: dict[str, Shown | None] = {}
        values: dict[str, str] = {}
        for name, cell in self._viewed(hit.row).items():
            modality = self.modalities.get(name)
            apart = modality is not None and modality.name in SHOWN_APART
            if cell is None:
                continue
            if modality is not None and apart:
                with without_remarks():
                    cells[name] = shown(self.table, cell, modality)
            else:
                values[name] = str(plain(cell))
        order = sorted(cells, key=lambda n: ORDER.get(self.modalities[n].name, 3))
        return ShownHit(
            hit.key,
            hit.score,
            {name: cells[name] for name in order},
            values,
            hit.places,
            hit.thumbnail_uri,
        )

    def _viewed(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row's own columns; those that the model reads under another name, under that."""
        table = Table({name: [cell] for name, cell in row.items()})
        views = {n: s for n, s in self.views.items() if n not in row and s in row}
        return {**row, **{name: table.cells(source)[0] for name, source in views.items()}}


def _score(found: Found) -> str:
    if "words" in found.asked and len(found.asked) == 1:
        return "how well the words match (BM25)"
    if "words" in found.asked:
        return "its fused rank, and its place by vectors and by words"
    return "its likeness, from -1 to 1 (cosine)"
