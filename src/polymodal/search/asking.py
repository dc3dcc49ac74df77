"""A question put to a search index: which vectors to look for, where, and how answers join."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from polymodal.errors import PolymodalError, nearest
from polymodal.search.about import About
from polymodal.search.found import Hit
from polymodal.search.rank_fusion import fuse_ranks
from polymodal.search.stored_rows import ROW, THUMBNAIL
from polymodal.search.vector_table import KEY, Probing, VectorTable

CANDIDATES, CANDIDATES_FOR_EACH = 50, 5
STAND_OUT = 10.0
"""Of the fusion of ranks: lists are some 50 long, and the first of one is to beat the 30th of both;
with the usual 60 it would not."""
EXACT: dict[str, Any] = {"kind": "exact"}
Embed = Callable[[Mapping[str, Any], str], np.ndarray]
"""Makes the vector ``(D,)`` of cells, as one column or as a whole row."""


@dataclass(frozen=True)
class Ask:
    """One vector to look for.

    Args:
        space: the embedded column whose vectors are compared; :data:`ROW` for whole rows.
        vector: ``(D,)``.
        weight: how much it counts.
    """

    space: str
    vector: np.ndarray
    weight: float = 1.0


class Asker:
    """Looks for vectors and words in the rows of one index.

    Args:
        about: what the index says of itself.
        rows: its rows.
        embed: makes vectors of cells.
    """

    def __init__(self, about: About, rows: VectorTable, embed: Embed) -> None:
        self.about, self.rows, self.embed = about, rows, embed
        self.own = list(about.layout.fields.values())

    def asks(
        self, cells: Mapping[str, Any], weights: Mapping[str, float], within: str | None
    ) -> list[Ask]:
        """What to look for, and in which vectors.

        Where all columns are in one space, the question is one vector: the weighted sum of its
        cells'. Elsewhere each column asks among its own vectors.

        Raises:
            PolymodalError: it cannot be asked.
        """
        about, spaces = self.about, self.about.layout.vectors
        if within is not None and within not in spaces:
            raise PolymodalError(f"No vectors are kept of {within!r}. {nearest(within, spaces)}")
        if ROW in cells:
            if within not in (None, ROW) and not about.aligned:
                raise PolymodalError(_not_aligned(ROW, str(within)))
            return [Ask(within or ROW, self.embed(cells[ROW], ROW))]
        _check_names(cells, about.modalities, "column")
        _check_names(weights, cells, "weight")
        weight = {name: float(weights.get(name, 1.0)) for name in cells}
        if about.aligned:
            whole = sum(weight[name] * self.embed({name: cells[name]}, name) for name in cells)
            return [Ask(ROW if within is None else within, np.asarray(whole, np.float32))]
        if within == ROW:
            return [Ask(ROW, self.embed(cells, ROW))]
        foreign = [name for name in cells if within not in (None, name)]
        if foreign:
            raise PolymodalError(_not_aligned(foreign[0], str(within)))
        return [Ask(name, self.embed({name: c}, name), weight[name]) for name, c in cells.items()]

    def directly(self, ask: Ask, k: int, where: str | None) -> list[Hit]:
        """The rows nearest to one vector."""
        return self._hits(self._nearest(ask, k, where, columns=[*self.own, THUMBNAIL]))

    def joined(
        self,
        asks: Sequence[Ask],
        words: str,
        k: int,
        *,
        where: str | None = None,
        judge: Ask | None = None,
    ) -> list[Hit]:
        """Candidates of several ways of asking, in one order.

        Args:
            asks: vectors to look for; candidates of all are scored by the weighted mean of cosines.
            words: to be found in the texts; joined with the vectors by ranks.
            k: how many rows.
            where: a filter.
            judge: whose cosine puts the candidates in their last order; None leaves it.

        Raises:
            PolymodalError: words are asked of an index without texts.
        """
        most = max(CANDIDATES, CANDIDATES_FOR_EACH * k)
        rankings: dict[str, list[str]] = {}
        scores: dict[str, float] = {}
        if asks:
            scores = self._weighed(asks, self._candidates(asks, most, where))
            rankings["vectors"] = list(scores)
        if words:
            found = self._by_words(words, most, where)
            rankings["words"] = list(found)
            scores = fuse_ranks(rankings, constant=STAND_OUT) if asks else found
        if judge is not None:
            scores = self._weighed([judge], list(scores)[:most])
        chosen = dict(list(scores.items())[:k])
        rows = self.rows.take(list(chosen), [*self.own, THUMBNAIL])
        hits = {hit.key: hit for hit in self._hits(rows)}
        if len(rankings) == 1:
            rankings = {}  # its places are those of the answer
        places = {name: {key: i for i, key in enumerate(r, 1)} for name, r in rankings.items()}
        return [
            Hit(
                key,
                float(score),
                hits[key].row,
                hits[key].thumbnail,
                {name: place[key] for name, place in places.items() if key in place},
            )
            for key, score in chosen.items()
            if key in hits  # else it was deleted meanwhile
        ]

    def _nearest(
        self, ask: Ask, k: int, where: str | None, *, columns: Sequence[str] = ()
    ) -> pa.Table:
        measured = self.about.measured.get(ask.space)
        chosen = EXACT if measured is None else measured["chosen"]
        return self.rows.nearest(
            self.about.layout.vectors[ask.space],
            ask.vector,
            k,
            where=where,
            columns=columns,
            probing=None
            if chosen["kind"] == "exact"
            else Probing(chosen["probes"], chosen["refine"]),
        )

    def _candidates(self, asks: Sequence[Ask], most: int, where: str | None) -> list[str]:
        """Keys of the rows nearest to any of the vectors; one to move away from brings none."""
        keys: dict[str, None] = {}
        for ask in asks:
            if ask.weight > 0:
                keys.update(dict.fromkeys(self._nearest(ask, most, where)[KEY].to_pylist()))
        return list(keys)

    def _by_words(self, words: str, most: int, where: str | None) -> dict[str, float]:
        if not self.about.texts:
            raise PolymodalError("This index has no column of texts, so no words to be found.")
        found = self.rows.matching(words, self.about.texts, most, where=where)
        return dict(zip(found[KEY].to_pylist(), found["_score"].to_pylist(), strict=True))

    def _weighed(self, asks: Sequence[Ask], keys: Sequence[str]) -> dict[str, float]:
        """Keys with the weighted mean of their cosines, the best first; 0 for an absent cell."""
        fields = {ask.space: self.about.layout.vectors[ask.space] for ask in asks}
        if not keys:
            return {}
        rows = self.rows.take(keys, list(fields.values()))
        cosines = [ask.weight * _cosines(rows[fields[ask.space]], ask.vector) for ask in asks]
        total = np.sum(cosines, axis=0) / max(sum(abs(ask.weight) for ask in asks), 1e-12)
        names = rows[KEY].to_pylist()
        return {names[i]: float(total[i]) for i in np.argsort(-total, kind="stable")}

    def _hits(self, rows: pa.Table) -> list[Hit]:
        names = {field: name for name, field in self.about.layout.fields.items()}
        return [
            Hit(
                row[KEY],
                1.0 - row["_distance"] if "_distance" in row else 0.0,
                {names[field]: row[field] for field in self.own},
                row[THUMBNAIL],
            )
            for row in rows.to_pylist()
        ]


def listed(about: About) -> str:
    """The columns that may ask, for messages."""
    return ", ".join(f"{name} ({kind})" for name, kind in about.modalities.items())


def _check_names(cells: Mapping[str, Any], known: Mapping[str, Any], what: str) -> None:
    for name in cells:
        if name not in known:
            raise PolymodalError(f"There is no {what} {name!r} to ask with. {nearest(name, known)}")


def _not_aligned(asks: str, answers: str) -> str:
    asker = repr(asks) if asks else "a whole row"
    among = repr(answers) if answers else "whole rows"
    return (
        f"{asker} cannot ask among the vectors of {among}: the model did not learn to compare "
        "columns with each other. Ask with the column itself or among whole rows, or train a "
        "model that does (polymodal train … --objective align)."
    )


def _cosines(column: pa.ChunkedArray, vector: np.ndarray) -> np.ndarray:
    """Cosine of each row's vector with one vector; 0 where the row has none."""
    found = np.zeros(len(column))
    there = column.is_valid().to_numpy()
    if there.any():
        flat = pa.concat_arrays([chunk.flatten() for chunk in column.chunks])  # leaves nulls out
        vectors = flat.to_numpy(zero_copy_only=False).reshape(int(there.sum()), -1)
        lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(vector)
        found[there] = vectors @ vector / np.maximum(lengths, 1e-12)
    return found
