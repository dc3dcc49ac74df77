"""The page of a clustering: a map to hover over, and each group with its most typical rows."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from polymodal.evaluation.page import render_page
from polymodal.evaluation.shown_cells import cell_shower

if TYPE_CHECKING:  # at run time it would bring torch
    from polymodal.data.modalities.modality import Shown


@dataclass(frozen=True)
class MapOfRows:
    """Points of a map. Letters: M rows that are drawn.

    Args:
        places: ``(M, 2)`` from 0 to 1.
        groups: ``(M,)``, -1 for none.
        words: of each row, what a person reads.
        thumbnails: of each row, a WebP picture, where it has one.
        made_by: UMAP, or t-SNE.
        of: how many rows there are in all.
    """

    places: np.ndarray
    groups: np.ndarray
    words: Sequence[str]
    thumbnails: Sequence[bytes | None]
    made_by: str
    of: int


@dataclass(frozen=True)
class ShownGroup:
    """A group of rows.

    Args:
        name: what it is about.
        size: how many rows.
        typical: its most typical rows: column -> cell.
        odd: its least typical ones.
    """

    name: str
    size: int
    typical: Sequence[Mapping[str, Shown | None]]
    odd: Sequence[Mapping[str, Shown | None]]


@dataclass(frozen=True)
class ClusterPage:
    """All that the page of a clustering tells.

    Args:
        title: the page's heading.
        created: when, as it is to be printed.
        rows: how many rows there are.
        compared_by: what rows were compared by, in words.
        method: how groups were made.
        facts: figure -> (value, what it means).
        map: the map.
        groups: the groups.
        outside: rows in no group.
        comparison: lines of the table of what rows were compared by: name -> values.
        labels: the columns that groups were compared with.
        tried: number of groups -> silhouette.
    """

    title: str
    created: str
    rows: int
    compared_by: str
    method: str
    facts: Mapping[str, tuple[str, str]]
    map: MapOfRows
    groups: Sequence[ShownGroup]
    outside: int
    comparison: Sequence[Mapping[str, Any]]
    labels: Sequence[str]
    tried: Mapping[int, float]


def render_clusters(page: ClusterPage, *, command: str = "") -> str:
    """A clustering as one HTML text that needs no other file and no network.

    Args:
        page: what to tell.
        command: how to make it again.
    """
    return render_page(
        "cluster_template.html",
        language="en",
        title=page.title,
        created=page.created,
        by="Clustering by polymodal",
        page=page,
        command=command,
        show=cell_shower("en"),
        points=_points(page.map),
        hues=[colour(number) for number in range(len(page.groups))],
    )


def colour(number: int) -> str:
    """A colour for a group: hues far apart, by the golden angle, at two depths.

    >>> colour(0), colour(1)
    ('hsl(212 62% 50%)', 'hsl(350 70% 60%)')
    """
    hue = round(212 + 137.508 * number) % 360
    return f"hsl({hue} {62 if number % 2 == 0 else 70}% {50 if number % 2 == 0 else 60}%)"


def _points(drawn: MapOfRows) -> dict[str, Any]:
    """The map as its script reads it: each picture once, though rows share it."""
    pictures: dict[bytes, int] = {}
    index = [
        -1 if picture is None else pictures.setdefault(picture, len(pictures))
        for picture in drawn.thumbnails
    ]
    return {
        "x": np.round(drawn.places[:, 0], 4).tolist(),
        "y": np.round(1 - drawn.places[:, 1], 4).tolist(),
        "group": drawn.groups.tolist(),
        "words": list(drawn.words),
        "picture": index,
        "pictures": [base64.b64encode(picture).decode("ascii") for picture in pictures],
    }
