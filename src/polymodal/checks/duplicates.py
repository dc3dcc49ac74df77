"""Cells and rows that are the same, within and across the parts, and what they are labelled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from polymodal.checks.subject import Subject
from polymodal.data.findings import Finding


def find_copied_files(subject: Subject) -> list[Finding]:
    """Files under different names that hold the same, byte by byte.

    The same *name* in several rows is no finding of its own: a picture may have many questions.
    """
    found: list[Finding] = []
    for name in subject.media():
        rows_of = subject.rows_of(name)
        files, codes = subject.files(name), subject.codes(name)
        blank: set[int] = set()  # nothing is alike about two recordings of nothing
        if subject.schema[name].modality in ("image", "audio", "video"):
            blank = set(subject.blank_units(name).tolist())
        units = subject.store(name).index
        alike: dict[bytes, list[int]] = {}
        for row, file in files.items():
            if file.digest and units[row] >= 0 and int(units[row]) not in blank:
                alike.setdefault(file.digest, []).append(row)
        copies = [rows for rows in alike.values() if len(rows) > 1]
        groups = [np.concatenate([rows_of[int(codes[r])] for r in rows]) for rows in copies]
        found += across_parts(subject, name, groups, exact=True)
    return found


def find_contradictions(subject: Subject) -> list[Finding]:
    """Rows whose inputs are all the same, with different targets."""
    schema, found = subject.schema, []
    if not schema.inputs:
        return []
    inputs = _content_codes(subject)
    media = subject.media()
    whole = np.all([subject.codes(n) >= 0 for n in media], axis=0) if media else True
    for target in schema.targets:
        truth = subject.codes(target)
        known = (truth >= 0) & whole
        rows = np.flatnonzero(known)
        pairs = np.unique(np.stack([inputs[rows], truth[rows]], 1), axis=0)
        several, counts = np.unique(pairs[:, 0], return_counts=True)
        torn = rows[np.isin(inputs[rows], several[counts > 1])]
        # Few distinct inputs (a coin, a die) are bound to come with several targets.
        if not len(torn) or len(torn) > 0.2 * len(rows):
            continue
        order = torn[np.argsort(inputs[torn], kind="stable")]
        groups = _groups(order, inputs[order])
        found.append(
            Finding(
                "contradicting_labels",
                "warning",
                column=target,
                what="the same inputs with different targets",
                rows=torn,
                why="at most one of them can be learned, and one of them may be wrong",
                remedy="left as they are; correct or remove the wrong ones",
                groups=groups,
            )
        )
    return found


def across_parts(
    subject: Subject,
    name: str,
    groups: Sequence[np.ndarray],
    *,
    exact: bool,
    words: str = "files under different names with the same content",
) -> list[Finding]:
    """Findings on rows that hold the same: those across training and test, and all others.

    Args:
        subject: what is looked at.
        name: the column.
        groups: rows that belong together, of each group.
        exact: whether they hold the same, or nearly the same.
        words: what they are.
    """
    test = subject.parts == "test"
    torn = [g for g in groups if test[g].any() and not test[g].all()]
    inside = [g for g in groups if test[g].all() or not test[g].any()]
    found = []
    if torn:
        kept = [np.concatenate([g[test[g]], g[~test[g]]]) for g in torn]
        found.append(
            Finding(
                "shared_with_test" if exact else "near_shared_with_test",
                "warning",
                column=name,
                what=f"{words}, in the test part and in another",
                rows=_rows(kept),
                why="the model has seen these, so the test score may be too high",
                remedy="left as they are; keep them in one part, or remove one of each",
                groups=_as_tuples(kept),
            )
        )
    if inside:
        found.append(
            Finding(
                "duplicate_cell" if exact else "near_duplicate",
                "note",
                column=name,
                what=words,
                rows=_rows(inside),
                why="what they show counts more than other things",
                remedy="left as they are; remove all but the first of each",
                groups=_as_tuples(inside),
            )
        )
    return found


def joined(pairs: Iterable[tuple[int, int]], count: int) -> list[np.ndarray]:
    """Numbers below ``count`` that are connected by pairs, in groups of two or more."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = np.array(list(pairs), np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(edges), bool), edges.T), shape=(count, count))
    of = connected_components(graph, directed=False)[1]
    members = np.unique(edges)
    order = members[np.argsort(of[members], kind="stable")]
    starts = np.flatnonzero(np.diff(of[order], prepend=-1))
    return np.split(order, starts[1:]) if len(order) else []


def _content_codes(subject: Subject) -> np.ndarray:
    """A number for each row, equal where all inputs hold the same, files by their content."""
    rows = np.zeros(len(subject), np.int64)
    media = subject.media()
    for name in subject.schema.inputs:
        codes = subject.codes(name)
        if name in media:
            digest_of = {int(codes[row]): f.digest for row, f in subject.files(name).items()}
            seen: dict[bytes, int] = {}
            first = {
                code: seen.setdefault(digest, code) if digest else code
                for code, digest in digest_of.items()
            }
            codes = np.array([first.get(code, code) for code in codes.tolist()])
        rows = np.unique(rows * (codes.max() + 2) + codes + 1, return_inverse=True)[1]
    return rows


def _groups(rows: np.ndarray, of: np.ndarray) -> tuple[tuple[int, ...], ...]:
    starts = np.flatnonzero(np.diff(of)) + 1
    return _as_tuples(np.split(rows, starts))


def _rows(groups: Sequence[np.ndarray]) -> np.ndarray:
    return np.unique(np.concatenate(groups))


def _as_tuples(groups: Sequence[np.ndarray]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(group.tolist()) for group in groups)
