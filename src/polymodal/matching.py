"""What a network is worth whose vectors are compared: columns aligned, identities verified."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from polymodal.batch import ITEM, Batch
from polymodal.data.dataset import Dataset
from polymodal.data.item_loader import alike_rows, with_items
from polymodal.data.loader import Loader
from polymodal.data.media import Shown
from polymodal.data.modalities import Modality
from polymodal.data.pack import Pack
from polymodal.data.table import Table
from polymodal.errors import CellError, TableError, nearest
from polymodal.evaluation.aligned_columns import aligned_columns, compared_vectors
from polymodal.evaluation.identity_pairs import (
    Pairs,
    VerificationScores,
    all_pairs,
    area,
    decidability,
    error_rates,
    scored,
    verification_scores,
)
from polymodal.evaluation.language import Language
from polymodal.evaluation.prediction import Predicted, predict_batches
from polymodal.evaluation.report import Section
from polymodal.evaluation.retrieval import Retrieval, all_directions, mean_reciprocal_rank
from polymodal.evaluation.retrieval_page import Asked, retrieval_section, retrieval_words
from polymodal.evaluation.verification_page import verification_section, verification_words
from polymodal.heads.margin import batch_hard_triplets
from polymodal.model import MultimodalModel
from polymodal.recipe import Recipe
from polymodal.training import Validation

USUAL_MARGIN = 0.3  # of the triplets that a validation counts
SHOWN_QUERIES, SHOWN_ANSWERS = 3, 5  # of each direction
MOST_DIRECTIONS_SHOWN = 12


@dataclass(frozen=True)
class Matched:
    """What was measured, and how people are told.

    Args:
        scores: as ``metrics.json`` holds them.
        words: headings, and rows of a table for the terminal.
        shown: of alignment, its directions and queries with what they found.
        verified: of verification, its scores.
    """

    scores: Mapping[str, Any]
    words: tuple[list[str], list[list[str]]]
    shown: tuple[list[Retrieval], list[Asked]] | None = None
    verified: VerificationScores | None = None

    def to_dict(self) -> dict[str, Any]:
        """As ``metrics.json`` holds it."""
        return dict(self.scores)

    def sections(self, language: Language) -> list[Section]:
        """The parts of the report."""
        if self.shown is not None:
            told, (_, asked) = self.scores["retrieval"], self.shown
            return [retrieval_section(told, asked, language=language)]
        assert self.verified is not None
        return [verification_section(self.verified, language=language)]


class Matcher:
    """Measures on the test part of one data set.

    Args:
        dataset: knows which rows are the same thing.
        pack: its decoded columns.
        modalities: column -> fitted modality.
        recipe: says what to measure.
    """

    def __init__(
        self, dataset: Dataset, pack: Pack, modalities: Mapping[str, Modality], *, recipe: Recipe
    ) -> None:
        self.dataset, self.pack, self.modalities = dataset, pack, modalities
        self.options, self.seed = recipe.evaluation, recipe.seed

    def match(self, model: MultimodalModel, *, held_out: Loader, test: Loader) -> Matched:
        """Everything that is told of the test part.

        Args:
            model: the trained network.
            held_out: the validation part, on which a threshold is chosen.
            test: the test part.
        """
        if ITEM in model.targets:
            return self._aligned(model, test)
        found = self._verified(model, held_out, test)
        return Matched({"verification": found.to_dict()}, verification_words(found), verified=found)

    def _aligned(self, model: MultimodalModel, test: Loader) -> Matched:
        assert self.dataset.items is not None
        said = predicted(model, test, self.dataset, self.pack)
        cells = aligned_columns(model, said, self.pack, self.dataset.items)
        directions = all_directions(cells)
        how = {"resamples": self.options.resamples, "seed": self.seed}
        told = [one.to_dict(**how) for one in directions]
        asked = []
        for one in directions[:MOST_DIRECTIONS_SHOWN] if self.options.examples else ():
            queries, answers = cells[one.query], cells[one.answer]
            places = np.random.default_rng(self.seed).permutation(len(one.ranks))[:SHOWN_QUERIES]
            for place in np.sort(places):
                found = [
                    (self._shown(model, one.answer, answers.rows[top]), bool(hit))
                    for top, hit in zip(
                        one.tops[place][:SHOWN_ANSWERS], one.hits[place], strict=False
                    )
                ]
                query = self._shown(model, one.query, queries.rows[one.asked[place]])
                asked.append(Asked(one.query, one.answer, query, found, one.ranks[place]))
        words = retrieval_words(told)
        return Matched({"retrieval": told}, words, shown=(directions, asked))

    def _shown(self, model: MultimodalModel, branch: str, row: int) -> Shown | None:
        """A cell as a person wants to see it; of several columns of a table, their values."""
        parts = []
        for column in model.columns[branch]:
            modality, cell = self.modalities[column], self.dataset.table.cells(column, [row])[0]
            if cell is None:
                continue
            try:
                parts.append(
                    modality.show(self.dataset.table.media(cell) if modality.media else cell)
                )
            except CellError:
                continue  # broken, and reported as a finding
        if len(parts) < 2:
            return parts[0] if parts else None
        return Shown("text", ", ".join(str(part.content) for part in parts))

    def _verified(
        self, model: MultimodalModel, held_out: Loader, test: Loader
    ) -> VerificationScores:
        rates = self._pairs(model, held_out)
        threshold = error_rates(rates.scores, rates.same).equal()[1]
        given = None
        if self.options.pairs is not None:
            given = given_pairs(Table.read(self.options.pairs), self.dataset)
        pairs = self._pairs(model, test, given=given)
        return verification_scores(pairs, threshold=threshold, seed=self.seed)

    def _pairs(
        self,
        model: MultimodalModel,
        batches: Loader,
        given: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
    ) -> Pairs:
        """The pairs of a part: those given, or all."""
        assert self.dataset.items is not None
        said = predicted(model, batches, self.dataset, self.pack)
        vectors = compared_vectors(model, said).numpy()
        whole = np.zeros((len(self.dataset.table), vectors.shape[1]), vectors.dtype)
        whole[said.rows] = vectors
        if given is not None:
            first, second, same = given
            items = self.dataset.items
            return scored(whole, first, second, same=same, identities=items)
        identities = np.full(len(whole), -1)
        identities[said.rows] = self.dataset.items[said.rows]
        return all_pairs(whole, identities, seed=self.seed)


def compared(model: MultimodalModel, batches: Loader, dataset: Dataset, pack: Pack) -> Validation:
    """A validation: by how well columns find one another, or how far same and other pairs part.

    Args:
        model: with a head whose vectors are compared.
        batches: the validation part.
        dataset: knows which rows are the same thing.
        pack: the decoded columns.
    """
    said = predicted(model, batches, dataset, pack)
    assert dataset.items is not None
    if ITEM in model.targets:
        found = all_directions(aligned_columns(model, said, pack, dataset.items))
        score = mean_reciprocal_rank(found)
        extra = {f"{one.query} → {one.answer}": one.metrics()["mrr"] for one in found}
        return Validation(sum(said.losses.values()), score, True, "mean reciprocal rank", extra)
    vectors = compared_vectors(model, said)
    identities = dataset.items[said.rows]
    known = torch.from_numpy(identities >= 0)
    whose = torch.from_numpy(identities)
    loss = batch_hard_triplets(vectors[known], whose[known], margin=USUAL_MARGIN).mean()
    pairs = all_pairs(vectors.numpy(), identities)
    rates = error_rates(pairs.scores, pairs.same)
    extra = {"eer": rates.equal()[0], "auroc": area(rates)}
    return Validation(float(loss), decidability(pairs), True, "decidability", extra)


def predicted(model: MultimodalModel, batches: Loader, dataset: Dataset, pack: Pack) -> Predicted:
    """What a network says of a part."""
    device = next(model.parameters()).device
    return predict_batches(model, _told(model, batches, dataset, pack), device=device)


def _told(model: MultimodalModel, batches: Loader, dataset: Dataset, pack: Pack) -> Iterator[Batch]:
    if ITEM not in model.targets:
        yield from batches
        return
    assert dataset.items is not None
    alike = alike_rows(pack, model.columns, dataset.items)
    for batch in batches:
        yield with_items(batch, alike)


def given_pairs(pairs: Table, dataset: Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of the table, and whether they are the same, of pairs whose rows are both for the test.

    Args:
        pairs: columns ``NAME_a``, ``NAME_b`` and ``same``.
        dataset: the table, with a column NAME whose values differ in all rows.

    Raises:
        TableError: a column is lacking, or no pair is within the test part.
    """
    names = [n[:-2] for n in pairs.names if n.endswith("_a") and f"{n[:-2]}_b" in pairs.names]
    name = next((n for n in names if n in dataset.table.names), None)
    if name is None or "same" not in pairs.names:
        known = [f"{n}_a" for n in dataset.table.names]
        raise TableError(
            f"{pairs.source} must hold NAME_a, NAME_b and same (1 or 0), NAME being a column of "
            f"the table; it holds {', '.join(pairs.names)}. {nearest(pairs.names[0], known)}"
        )
    place = {str(cell): row for row, cell in enumerate(dataset.table.cells(name))}
    rows = [
        [place.get(str(cell), -1) for cell in pairs.cells(f"{name}_{side}")] for side in ("a", "b")
    ]
    first, second = np.array(rows[0]), np.array(rows[1])
    test = np.append(dataset.parts == "test", False)  # -1, not in the table, is no test row
    kept = test[first] & test[second]
    same = np.array(
        [str(cell).strip().lower() in ("1", "1.0", "true") for cell in pairs.cells("same")]
    )
    first, second, same = first[kept], second[kept], same[kept]
    if not same.any() or same.all():
        raise TableError(
            f"{pairs.source}: {len(same):,} of {len(kept):,} pairs have both rows in the test "
            f"part, {int(same.sum()):,} of them the same. Both kinds are needed: give a test table "
            "or a split column that holds the people the pairs are of."
        )
    return first, second, same
