"""Numbers far from all others, numbers in another unit, and cells unlike all others."""

from __future__ import annotations

import numpy as np

from polymodal.checks.out_of_fold import drawn, folds
from polymodal.checks.subject import Subject
from polymodal.data.findings import Finding

FAR = 8.0  # robust deviations
MOST_SHARE = 0.01
FEWEST_VALUES = 20
FEWEST_ROWS = 50
# Powers of ten, minutes and hours, inches, feet (square, too), dozens, pounds, ounces, miles.
FACTORS = (
    10.0, 100.0, 1000.0, 1e4, 1e6, 60.0, 3600.0, 2.54, 25.4, 12.0, 3.2808, 10.7639, 2.2046, 28.35,
    1.6093,
)  # fmt: skip
SMALL_FACTOR = 5.0  # below it chance is soon enough, but for many rows
FEWEST_MISTAKEN, FEWEST_OF_SMALL = 2, 8
APART = 4.5  # robust deviations that another unit must be away
UNUSUAL = 7.0
MOST_UNUSUAL = 40


def find_odd_numbers(subject: Subject) -> list[Finding]:
    """Numbers off by the factor of another unit, and numbers far from all others."""
    found: list[Finding] = []
    for name in subject.columns("number"):
        numbers = subject.numbers(name)
        known = np.isfinite(numbers)
        if known.sum() < FEWEST_ROWS or len(np.unique(numbers[known])) < FEWEST_VALUES:
            continue
        mistaken = _other_units(subject, name, numbers)
        found += mistaken
        told = np.concatenate([np.zeros(0, np.int64), *(f.rows for f in mistaken)])
        distance = np.abs(robust(numbers))
        distance[told] = 0
        far = np.flatnonzero(np.nan_to_num(distance) > FAR)
        if len(far) and len(far) <= max(MOST_SHARE * known.sum(), 3):
            far = far[np.argsort(-distance[far], kind="stable")]
            low, high = np.nanquantile(numbers, [0.01, 0.99])
            found.append(
                Finding(
                    "outlier",
                    "warning",
                    column=name,
                    what=f"a number far from all others, 98 % of which lie between {low:,.5g} and "
                    f"{high:,.5g}",
                    rows=far,
                    why="a slip of the pen, or another unit; one such number can outweigh all",
                    remedy="used as it is; correct it, or treat it as missing",
                    remarks={int(row): f"{numbers[row]:,.6g}" for row in far},
                )
            )
    return found


def find_unusual_cells(subject: Subject) -> list[Finding]:
    """Pictures, sounds, … unlike all others of their column.

    An isolation forest (Liu, Ting & Zhou, 2008) on hand-made features.
    """
    found: list[Finding] = []
    for name in subject.inputs("image", "audio", "video", "series", "vector"):
        if subject.store(name).distinct < FEWEST_ROWS:
            continue
        distance = strangeness(subject.features(name))
        odd = np.flatnonzero(distance > UNUSUAL)
        if not len(odd) or len(odd) > max(MOST_SHARE * len(distance), 5):
            continue
        odd = odd[np.argsort(-distance[odd], kind="stable")][:MOST_UNUSUAL]
        rows_of = subject.rows_of_units(name)
        found.append(
            Finding(
                "unusual_row",
                "note",
                column=name,
                what="unlike all others of its column",
                rows=np.concatenate([rows_of[unit] for unit in odd]),
                why="it may not belong here",
                remedy="used as it is; look at these",
            )
        )
    return found


def robust(numbers: np.ndarray) -> np.ndarray:
    """Distance from the middle in robust deviations, of logarithms where these are more even.

    >>> robust(np.array([-2.0, -1, 0, 1, 2, 50])).round(1).tolist()[-1]
    22.3
    """
    known = numbers[np.isfinite(numbers)]
    if (known > 0).all() and _skew(np.log(known)) < 0.8 * _skew(known):
        with np.errstate(divide="ignore", invalid="ignore"):
            numbers = np.log(numbers)
        known = np.log(known)
    middle, scale = middle_and_scale(known)
    return (numbers - middle) / scale if scale > 0 else np.zeros(len(numbers))


def middle_and_scale(values: np.ndarray) -> tuple[float, float]:
    """Median, and 1.48 times the median distance from it; by quartiles where that is 0."""
    middle = float(np.median(values))
    scale = 1.4826 * float(np.median(np.abs(values - middle)))
    if scale == 0:
        low, high = np.quantile(values, [0.05, 0.95])
        scale = float(high - low) / 3.29
    return middle, scale


def strangeness(features: np.ndarray) -> np.ndarray:
    """How easily each row of features ``(U, F)`` is told from all others, in robust deviations."""
    from sklearn.ensemble import IsolationForest

    filled = np.nan_to_num(features.astype(np.float64))
    spread = filled.std(0)
    scaled = (filled[:, spread > 1e-9] - filled[:, spread > 1e-9].mean(0)) / spread[spread > 1e-9]
    if not scaled.size:
        return np.zeros(len(features))
    forest = IsolationForest(n_estimators=100, random_state=0).fit(scaled)
    score = -forest.score_samples(scaled)
    middle, scale = middle_and_scale(score)
    return (score - middle) / max(scale, 1e-9)


def _other_units(subject: Subject, name: str, numbers: np.ndarray) -> list[Finding]:
    """Numbers that lie where the others would be in another unit."""
    rows = np.flatnonzero(np.isfinite(numbers) & (numbers > 0))
    if len(rows) < 0.9 * np.isfinite(numbers).sum() or len(rows) < FEWEST_ROWS:
        return []
    logs = np.log(numbers[rows])
    surprise = _surprise(subject, name, rows, logs)
    middle, scale = middle_and_scale(surprise)
    scale = max(scale, 0.02)
    found = []
    for sign in (1, -1):
        away = sign * (surprise - middle)
        cluster = np.flatnonzero(away > APART * scale)
        if len(cluster) < FEWEST_MISTAKEN or len(cluster) > 0.2 * len(rows):
            continue
        centre, spread = middle_and_scale(away[cluster])
        error = 3 * max(scale, 0.05) / np.sqrt(len(cluster)) + 0.05
        gaps = [abs(centre - np.log(factor)) for factor in FACTORS]
        best = int(np.argmin(gaps))
        fewest = FEWEST_OF_SMALL if FACTORS[best] < SMALL_FACTOR else FEWEST_MISTAKEN
        if gaps[best] > error or spread > 2 * scale or len(cluster) < fewest:
            continue
        cluster = cluster[np.abs(away[cluster] - np.log(FACTORS[best])) < max(4 * scale, 0.2)]
        factor = FACTORS[best] if sign > 0 else 1 / FACTORS[best]
        direction = "large" if sign > 0 else "small"
        found.append(
            Finding(
                "unit_error",
                "warning",
                column=name,
                what=f"numbers about {FACTORS[best]:,g} times too {direction}, as if in another "
                "unit",
                rows=rows[cluster],
                why="they stretch the scale of all others, and say something else",
                remedy="used as they are; bring them to the unit of the others",
                values={"factor": f"{factor:.10g}"},
                remarks={int(r): f"{numbers[r]:,.6g}" for r in rows[cluster]},
            )
        )
    return found


def _surprise(subject: Subject, name: str, rows: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """The logarithms less what other columns foretell, where these foretell much; else alone."""
    from sklearn.ensemble import RandomForestRegressor

    others = [c for c in subject.columns("number", "category") if c != name]
    others = [c for c in others if subject.codes(c).max(initial=-1) > 0]
    alone = logs - np.median(logs)
    if not others or len(rows) > len(drawn(rows, 0)):
        return alone
    features = np.concatenate([subject.row_features(c, rows) for c in others], 1)
    features = np.nan_to_num(features, nan=-1.0)
    fold, said = folds(len(rows), 0), np.zeros(len(rows))
    # Forests of absolute errors would be slow: what lies far off is drawn in before.
    middle, scale = middle_and_scale(logs)
    tame = np.clip(logs, middle - 3 * scale, middle + 3 * scale)
    for held in range(fold.max() + 1):
        forest = RandomForestRegressor(40, min_samples_leaf=3, random_state=0)
        forest.fit(features[fold != held], tame[fold != held])
        said[fold == held] = forest.predict(features[fold == held])
    left = logs - said
    return left if middle_and_scale(left)[1] < 0.8 * middle_and_scale(alone)[1] else alone


def _skew(values: np.ndarray) -> float:
    centred = values - values.mean()
    spread = float(np.sqrt((centred**2).mean()))
    return abs(float((centred**3).mean())) / spread**3 if spread > 0 else 0.0
