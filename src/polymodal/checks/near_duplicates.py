"""Cells that are nearly the same: pictures and sounds by fingerprint, texts by shared n-grams.

What is alike is judged against the column itself. Fingerprints are scaled by how much each of
their numbers varies from cell to cell, and a pair is told only where it is far closer than cells
of this column usually are to their nearest neighbour, or than both are to any other: a thousand
digits, questions or chest X-rays look alike by nature, and that is no finding.

Letters: U distinct cells of a column · F numbers of a fingerprint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from polymodal.checks.duplicates import across_parts, joined
from polymodal.checks.subject import Subject
from polymodal.data.findings import Finding

MOST_COMPARED = 12_000
FEWEST_COMPARED = 10
LEAST_ALIKE, SURELY_ALIKE = 0.92, 0.94  # cosine of two fingerprints
# Shares of the usual distance to the nearest neighbour, and of that to the next but one.
SURELY_CLOSER, CLOSER_THAN_USUAL, CLOSER_THAN_NEXT = 0.12, 0.3, 0.33
PLACES, MOST_DIFFERENT = 16, 1.0  # places each way, and by how many deviations of the picture
LUMINANCE, COLOUR = 16, 4  # lowest frequencies kept, each way
FRAMES, STRETCHES = 4, 24
QUIETER = 10.0  # than the loudest band, in natural logarithms of power
SHORTEST_TEXT = 60  # characters; Chinese ones count for three
MOST_ALIKE_TEXT = 0.8  # shared n-grams of all n-grams
HASHES, BAND = 64, 4
MOST_REPEATED = 0.1  # of rows whose text another row has: then texts are made from a pattern
BLOCK = 1024
FAINTEST = 0.03  # of what varies most


def find_near_duplicates(subject: Subject) -> list[Finding]:
    """Pictures, sounds, videos and texts that are nearly those of another row."""
    found: list[Finding] = []
    prints = {"image": picture_prints, "audio": sound_prints, "video": film_prints}
    for name in subject.inputs("image", "audio", "video"):
        units = np.setdiff1d(np.arange(subject.store(name).distinct), subject.blank_units(name))
        if len(units) < FEWEST_COMPARED:
            continue
        if len(units) > MOST_COMPARED:
            units = _drawn(subject, units)
            found.append(_sampled(name, len(units), subject.store(name).distinct))
        made = prints[subject.schema[name].modality](subject, name, units)
        pairs = [(int(units[a]), int(units[b])) for a, b in alike(made)]
        if subject.schema[name].modality == "image":
            store = subject.store(name)
            pairs = [(a, b) for a, b in pairs if same_picture(store.cell(a), store.cell(b))]
        digests = _digests(subject, name)
        rows_of = subject.rows_of_units(name)
        groups = []
        for group in joined(pairs, subject.store(name).distinct):
            contents = {digests[u] or bytes([1]) + u.to_bytes(8) for u in group.tolist()}
            if len(contents) > 1:  # else the same, which is told of as such
                groups.append(np.sort(np.concatenate([rows_of[u] for u in group])))
        found += across_parts(
            subject, name, groups, exact=False, words="nearly the same as in another row"
        )
    for name in subject.inputs("text"):
        found += _near_texts(subject, name)
    return found


def picture_prints(subject: Subject, name: str, units: np.ndarray) -> np.ndarray:
    """Low frequencies of each picture ``(U, F)``, blind to brightness, contrast and size."""
    store = subject.store(name)
    parts = [
        _frequencies(np.stack([store.cell(u) for u in units[start : start + BLOCK]]))
        for start in range(0, len(units), BLOCK)
    ]
    return np.concatenate(parts)


def film_prints(subject: Subject, name: str, units: np.ndarray) -> np.ndarray:
    """Those of four frames of each video."""
    store, made = subject.store(name), []
    for unit in units:
        cell = store.cell(unit)
        kept = np.linspace(0, len(cell) - 1, FRAMES).astype(int)
        made.append(_frequencies(np.asarray(cell[kept])).ravel())
    return np.stack(made)


def sound_prints(subject: Subject, name: str, units: np.ndarray) -> np.ndarray:
    """The course of each band over time ``(U, F)``, blind to loudness and duration."""
    store, made = subject.store(name), []
    for unit in units:
        cell = store.cell(unit).astype(np.float32)
        frames = cell if cell.ndim == 2 else _envelope(cell)
        # What lies far below the loudest is noise, which a copy need not share.
        frames = np.maximum(frames, frames.max(initial=0) - QUIETER)
        places = np.linspace(0, len(frames) - 1, STRETCHES)
        low = np.floor(places).astype(int)
        share = (places - low)[:, None]
        high = np.minimum(low + 1, len(frames) - 1)
        smooth = frames[low] * (1 - share) + frames[high] * share
        made.append((smooth - smooth.mean()).ravel())
    return np.stack(made)


def alike(prints: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of fingerprints ``(U, F)`` far closer to each other than is usual among them."""
    # What hardly varies is noise of codecs: it must not count like the rest.
    spread = prints.std(0)
    spread = np.maximum(spread, FAINTEST * spread.max(initial=1e-9))
    scaled = (prints - prints.mean(0)) / spread
    scaled = np.clip(scaled, -6, 6).astype(np.float32)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    scaled /= np.maximum(length, 1e-6)
    nearest = np.zeros((len(scaled), 2), np.float32)  # the next but one, the next
    candidates = []
    for start in range(0, len(scaled), BLOCK):
        cosine = scaled[start : start + BLOCK] @ scaled.T
        own = np.arange(len(cosine))
        cosine[own, own + start] = -1
        nearest[start : start + BLOCK] = np.partition(cosine, -2, axis=1)[:, -2:]
        for a, b in zip(*np.nonzero(cosine >= LEAST_ALIKE), strict=True):
            if a + start < b:
                candidates.append((int(a) + start, int(b), float(cosine[a, b])))
    usual = 1 - float(np.median(nearest[:, 1]))
    farther = 1 - nearest[:, 0]
    return [
        (a, b)
        for a, b, c in candidates
        if (c >= SURELY_ALIKE and 1 - c < SURELY_CLOSER * usual)
        or 1 - c < min(CLOSER_THAN_USUAL * usual, CLOSER_THAN_NEXT * min(farther[a], farther[b]))
    ]


def same_picture(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two pictures ``(H, W, C)`` with like fingerprints are alike in every place, too.

    Two circles a little apart have like frequencies; where they differ, they differ by much.
    """
    small = _shrunk(np.stack([one, other]), PLACES)
    return bool(np.abs(small[0] - small[1]).max() <= MOST_DIFFERENT)


def _shrunk(pictures: np.ndarray, size: int) -> np.ndarray:
    """Pictures ``(U, H, W, C)`` as ``(U, C, size, size)``, brightness and contrast made alike."""
    import torch

    tensor = torch.from_numpy(np.ascontiguousarray(pictures, dtype=np.float32)).permute(0, 3, 1, 2)
    small = torch.nn.functional.interpolate(tensor, (size, size), mode="area").numpy()
    level = small.mean((1, 2, 3), keepdims=True)
    contrast = small.std((1, 2, 3), keepdims=True)
    shrunk: np.ndarray = (small - level) / np.maximum(contrast, 4)
    return shrunk


def _frequencies(pictures: np.ndarray) -> np.ndarray:
    """The lowest frequencies ``(U, F)`` of pictures ``(U, H, W, C)`` of one size."""
    from scipy.fft import dctn

    small = _shrunk(pictures, 2 * LUMINANCE)
    grey = dctn(small.mean(1), axes=(1, 2), norm="ortho")[:, :LUMINANCE, :LUMINANCE]
    parts = [grey.reshape(len(grey), -1)[:, 1:]]
    for channel in range(1, small.shape[1]):
        hue = dctn(small[:, channel] - small[:, 0], axes=(1, 2), norm="ortho")
        parts.append(hue[:, :COLOUR, :COLOUR].reshape(len(hue), -1))
    return np.concatenate(parts, axis=1)


def _envelope(samples: np.ndarray) -> np.ndarray:
    """How loud a waveform is, in 96 stretches ``(96, 1)``."""
    parts = np.array_split(np.abs(samples), 96)
    return np.log1p(np.array([[part.mean() if len(part) else 0.0] for part in parts]))


def _near_texts(subject: Subject, name: str) -> list[Finding]:
    texts = subject.texts(name)
    codes = subject.codes(name)
    rows_of = subject.rows_of(name)
    repeated = sum(len(rows) for rows in rows_of.values() if len(rows) > 1)
    if not rows_of or repeated > MOST_REPEATED * len(subject):
        return []  # questions and sentences made from patterns: alike by nature
    firsts = np.array([rows[0] for rows in rows_of.values()])
    firsts = np.array([row for row in firsts if _weight(texts[row] or "") >= SHORTEST_TEXT], int)
    found = []
    if len(firsts) > MOST_COMPARED:
        found.append(_sampled(name, MOST_COMPARED, len(firsts)))
        firsts = _drawn(subject, firsts)
    if len(firsts) < 2:
        return found
    pairs = _alike_texts([texts[row] or "" for row in firsts])
    groups = [
        np.sort(np.concatenate([rows_of[int(codes[firsts[i]])] for i in group]))
        for group in joined(pairs, len(firsts))
    ]
    if sum(map(len, groups)) > MOST_REPEATED * len(subject):
        return found  # likewise: most were written after a pattern
    words = "a text nearly the same as in another row"
    return [*found, *across_parts(subject, name, groups, exact=False, words=words)]


def _alike_texts(texts: list[str]) -> Iterator[tuple[int, int]]:
    """Pairs of texts that share most n-grams of characters, and all numbers.

    Broder, *On the resemblance and containment of documents*, 1997: texts whose smallest hashes
    agree in a band of four become candidates, of which the n-grams are then compared.
    """
    from sklearn.feature_extraction.text import HashingVectorizer

    plain = [re.sub(r"\s+", " ", text.casefold()).strip() for text in texts]
    counter = HashingVectorizer(
        analyzer="char", ngram_range=(3, 3), n_features=1 << 20, norm=None,
        alternate_sign=False, binary=True, lowercase=False,
    )  # fmt: skip
    grams = counter.transform(plain).tocsr()
    rng, prime = np.random.default_rng(0), (1 << 31) - 1
    factors = rng.integers(1, prime, HASHES)
    shifts = rng.integers(0, prime, HASHES)
    starts = grams.indptr[:-1]
    smallest = np.empty((len(texts), HASHES), np.int64)
    for k in range(HASHES):
        hashed = (grams.indices.astype(np.int64) * factors[k] + shifts[k]) % prime
        smallest[:, k] = np.minimum.reduceat(hashed, starts)
    seen: set[tuple[int, int]] = set()
    numbers = [re.findall(r"\d+", text) for text in plain]
    sizes = np.diff(grams.indptr)
    for band in range(0, HASHES, BAND):
        _, inverse = np.unique(smallest[:, band : band + BAND], axis=0, return_inverse=True)
        order = np.argsort(inverse.ravel(), kind="stable")
        runs = np.split(order, np.flatnonzero(np.diff(inverse.ravel()[order])) + 1)
        for run in runs:
            # Of many that agree, neighbours are compared: a chain connects them all.
            for a, b in zip(run[:-1].tolist(), run[1:].tolist(), strict=True):
                pair = (a, b)
                if pair in seen:
                    continue
                seen.add(pair)
                shared = grams[a].multiply(grams[b]).nnz
                whole = sizes[a] + sizes[b] - shared
                if shared >= MOST_ALIKE_TEXT * whole and numbers[a] == numbers[b]:
                    yield pair


def _weight(text: str) -> int:
    """The length of a text, in which an ideograph says as much as three letters."""
    return sum(3 if "\u2e80" <= letter <= "\u9fff" else 1 for letter in text)


def _digests(subject: Subject, name: str) -> list[bytes]:
    """The digest of each decoded cell's file; b"" where it has none."""
    codes = subject.codes(name)
    files = {int(codes[row]): file.digest for row, file in subject.files(name).items()}
    return [files.get(int(codes[row]), b"") for row in subject.first_rows(name)]


def _drawn(subject: Subject, units: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(subject.seed)
    return np.sort(rng.choice(units, MOST_COMPARED, replace=False))


def _sampled(name: str, looked_at: int, count: int) -> Finding:
    return Finding(
        "not_checked",
        "note",
        column=name,
        what=f"near duplicates were looked for among {looked_at:,} of {count:,} cells",
        why="comparing each with each would take long",
        remedy="exact duplicates were looked for among all",
    )
