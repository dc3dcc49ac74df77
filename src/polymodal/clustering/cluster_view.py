"""Which rows and cells the page of a clustering shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from polymodal.clustering.agreement import Agreement
from polymodal.clustering.clustering import Clustering, Grouped
from polymodal.clustering.map_layout import lay_out
from polymodal.countdown import TellStage
from polymodal.data.media import Shown, without_remarks
from polymodal.evaluation.cluster_page import (
    ClusterPage,
    MapOfRows,
    ShownGroup,
    render_clusters,
)
from polymodal.evaluation.thumbnails import PICTURED, shown, thumbnails

MOST_POINTS, POINT_PIXELS = 4000, 112
TYPICAL, ODD, COLUMNS_SHOWN = 6, 6, 4
HEAVY = ("audio", "video")
HEAVY_TYPICAL = 3
LONGEST = 160  # characters of a row in the map
MODALITIES_SHOWN = (*PICTURED, "audio", "text", "passages", "tags", "category", "number")


def cluster_page(
    found: Clustering, *, title: str, command: str = "", tell: TellStage, seed: int = 0
) -> str:
    """A clustering as one HTML text: its map, its groups, how sure it is.

    Args:
        found: the clustering.
        title: of the page.
        command: how to make it again.
        tell: is told what is being done.
        seed: of the map.
    """
    tell("drawing the map", 0, 1)
    drawn = _map(found, seed)
    sizes = [found.size(number) for number in range(len(found))]
    whole = Grouped("whole rows", found.silhouette, found.agreements)
    labels = [one.label for one in found.agreements]
    with without_remarks():
        groups = [_group(found, number, size) for number, size in enumerate(sizes)]
    page = ClusterPage(
        title=title,
        created=datetime.now().strftime("%Y-%m-%d %H:%M"),
        rows=len(found.groups),
        compared_by=found.vectors.made_by,
        method=found.method,
        facts=facts(found),
        map=drawn,
        groups=groups,
        outside=int((found.groups < 0).sum()),
        comparison=[_line(one, labels) for one in (whole, *found.alone)],
        labels=labels,
        tried=found.tried,
    )
    return render_clusters(page, command=command)


def facts(found: Clustering) -> dict[str, tuple[str, str]]:
    """The figures of a clustering: name -> value, and what it means."""
    told = {
        "silhouette": (
            f"{found.silhouette:.2f}",
            "how much nearer rows are to their own group than to the next: 1 apart, 0 touching",
        )
    }
    if found.stability is not None:
        mean, low, high = found.stability
        told["stability"] = (
            f"{mean:.2f}",
            f"ARI with the groups of bootstrap samples ({low:.2f} to {high:.2f}); 1: they come "
            "again whatever rows are there"
            + ("" if mean >= 0.6 else ". Below 0.6: do not rely on these groups"),
        )
    for one in found.agreements:
        told[f"ARI with {one.label}"] = (
            f"{one.ari:.2f}",
            f"95 % {one.ari_interval[0]:.2f} to {one.ari_interval[1]:.2f}; NMI {one.nmi:.2f}; "
            f"{one.classes} labels on {one.rows:,} rows; 1 the same, 0 by chance",
        )
    return told


def _map(found: Clustering, seed: int) -> MapOfRows:
    count = len(found.groups)
    rng = np.random.default_rng(seed)
    few = count <= MOST_POINTS
    rows = np.arange(count) if few else np.sort(rng.choice(count, MOST_POINTS, replace=False))
    places, made_by = lay_out(found.vectors.whole[rows], seed=seed)
    table, modalities = found.vectors.table.take(rows), found.vectors.modalities
    pictured = [n for n in table.names if n in modalities and modalities[n].name in PICTURED]
    with without_remarks():
        pictures = thumbnails(table, pictured, modalities, pixels=POINT_PIXELS)
    return MapOfRows(places, found.groups[rows], _words(found, rows), pictures, made_by, of=count)


def _words(found: Clustering, rows: np.ndarray) -> list[str]:
    """What a person reads of each row: its texts and values, or its key."""
    table, modalities = found.vectors.table, found.vectors.modalities
    named = [n for n in table.names if n in modalities and not modalities[n].media]
    cells = {name: table.cells(name, rows) for name in named[:COLUMNS_SHOWN]}
    said = []
    for place, row in enumerate(rows):
        parts = [str(column[place]) for column in cells.values() if column[place] is not None]
        said.append(" · ".join([f"{found.keys[row]}", *parts])[:LONGEST])
    return said


def _group(found: Clustering, number: int, size: int) -> ShownGroup:
    rows = found.members(number)
    heavy = any(m.name in HEAVY for n, m in found.vectors.modalities.items() if n in _names(found))
    most = HEAVY_TYPICAL if heavy else TYPICAL
    odd = rows[most:][::-1][: 0 if heavy else ODD]
    return ShownGroup(
        found.names[number],
        size,
        [_cells(found, int(row)) for row in rows[:most]],
        [_cells(found, int(row)) for row in odd],
    )


def _cells(found: Clustering, row: int) -> Mapping[str, Shown | None]:
    table, modalities = found.vectors.table, found.vectors.modalities
    cells: dict[str, Shown | None] = {}
    for name in _names(found):
        cell = table.cells(name, [row])[0]
        cells[name] = None if cell is None else shown(table, cell, modalities[name])
    return cells


def _names(found: Clustering) -> list[str]:
    """The columns that show what a row is, pictures first."""
    modalities = found.vectors.modalities
    named = [n for n in found.vectors.columns if modalities[n].name in MODALITIES_SHOWN]
    order = {name: place for place, name in enumerate(MODALITIES_SHOWN)}
    return sorted(named, key=lambda n: order[modalities[n].name])[:COLUMNS_SHOWN]


def _line(one: Grouped, labels: Sequence[str]) -> dict[str, Any]:
    by_label: dict[str, Agreement] = {a.label: a for a in one.agreements}
    scores = {}
    for label in labels:
        known = by_label.get(label)
        scores[label] = ("–", "", "–") if known is None else (
            f"{known.ari:.3f}",
            f"{known.ari_interval[0]:.2f} – {known.ari_interval[1]:.2f}",
            f"{known.nmi:.3f}",
        )  # fmt: skip
    apart = "–" if np.isnan(one.silhouette) else f"{one.silhouette:.3f}"
    return {"compared_by": one.compared_by, "silhouette": apart, "scores": scores}
