"""Charts of a table as it is: how values spread, and where cells are missing."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from polymodal.evaluation.axes import cut, short, svg, text_width, tooltip
from polymodal.evaluation.language import number

WIDTH, HEIGHT = 300, 120
_BASE = 22  # user units under the bars, for numbers
BINS = 24
STRIPES = 60
_ROW, _GAP = 20, 2


def histogram(values: np.ndarray, *, title: str, marked: Sequence[float] = ()) -> Markup:
    """How often values fall where, the logarithm's way where they span far.

    Args:
        values: ``(N,)`` finite numbers.
        title: what the chart shows.
        marked: values told of in a finding; their places are marked under the bars.

    Example:
        >>> "<rect" in histogram(np.arange(100.0), title="age")
        True
    """
    values = np.asarray(values, np.float64)
    if not len(values):
        return Markup("")
    log = bool((values > 0).all() and values.max() > 200 * values.min())
    scaled = np.log10(values) if log else values
    low, high = float(scaled.min()), float(scaled.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    distinct = len(np.unique(scaled[:5000]))
    counts, edges = np.histogram(scaled, min(BINS, max(distinct, 2)), (low, high))
    marks, width = Markup(""), WIDTH / len(counts)
    for i, count in enumerate(counts):
        if not count:
            continue
        size = max((HEIGHT - _BASE - 4) * count / counts.max(), 1.5)
        ends = [10**edge if log else edge for edge in edges[i : i + 2]]
        words = tooltip(f"{number(ends[0])} to {number(ends[1])}: {count:,} rows")
        marks += Markup(
            '<g>{}<rect class="bar strong" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" '
            'rx="1.5"/></g>'
        ).format(words, i * width + 0.75, HEIGHT - _BASE - size, max(width - 1.5, 1), size)
    for value in marked:
        place = ((np.log10(value) if log and value > 0 else value) - low) / (high - low)
        marks += Markup('<circle class="marked" cx="{:.1f}" cy="{}" r="3">{}</circle>').format(
            min(max(place, 0), 1) * (WIDTH - 6) + 3, HEIGHT - _BASE + 1, tooltip(number(value))
        )
    ends = [10**edge if log else edge for edge in (low, (low + high) / 2, high)]
    places = zip((0, WIDTH / 2, WIDTH), ("start", "middle", "end"), ends, strict=True)
    for x, anchor, value in places:
        marks += Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(
            x, HEIGHT - 4, anchor, short(float(f"{value:.3g}"))
        )
    return svg(title, marks, WIDTH, HEIGHT)


def counted(values: Sequence[tuple[str, int]], *, title: str, others: int = 0) -> Markup:
    """Bars of the most frequent values, one under the other.

    Args:
        values: the values with how often they occur, the most frequent first.
        title: what the chart shows.
        others: how many further values there are.
    """
    if not values:
        return Markup("")
    most, marks = max(count for _, count in values), Markup("")
    for i, (value, count) in enumerate(values):
        y = i * 22
        label = cut(value, 26)
        room = text_width(label) + 12
        inside = "in" if room < WIDTH - 60 else ""
        marks += Markup(
            '<g>{}<rect class="bar" x="0" y="{}" width="{:.1f}" height="18" rx="3"/>'
            '<text class="axis {}" x="6" y="{}">{}</text>'
            '<text x="{}" y="{}" text-anchor="end">{}</text></g>'
        ).format(
            tooltip(f"{value}: {count:,} rows"), y, max(WIDTH * count / most, 2), inside,
            y + 13, label, WIDTH, y + 13, f"{count:,}",
        )  # fmt: skip
    height = 22 * len(values)
    if others:
        marks += Markup('<text x="6" y="{}">and {} more</text>').format(height + 14, f"{others:,}")
        height += 20
    return svg(title, marks, WIDTH, height)


def missing_map(missing: np.ndarray, names: Sequence[str], *, title: str) -> Markup:
    """Where cells are missing: a line for each column, the table's rows from left to right.

    Args:
        missing: ``(rows, columns)`` bool.
        names: of the columns.
        title: what the chart shows.
    """
    rows = len(missing)
    stripes = min(STRIPES, rows)
    edges = np.linspace(0, rows, stripes + 1).astype(int)
    labels = [cut(name, 22) for name in names]
    left = max(text_width(label) for label in labels) + 10
    width, share = 460.0, missing.mean(0)
    marks = Markup("")
    for column, label in enumerate(labels):
        y = column * (_ROW + _GAP)
        marks += Markup('<text x="{}" y="{}" text-anchor="end">{}{}</text>').format(
            left - 8, y + 14, label, tooltip(names[column])
        )
        marks += Markup('<rect class="there" x="{}" y="{}" width="{}" height="{}"/>').format(
            left, y, width, _ROW
        )
        for i in range(stripes):
            gone = float(missing[edges[i] : edges[i + 1], column].mean())
            if gone:
                words = f"{names[column]}, rows {edges[i]:,} to {edges[i + 1] - 1:,}: {gone:.0%}"
                marks += Markup(
                    '<g>{}<rect class="gone" x="{:.1f}" y="{}" width="{:.2f}" height="{}" '
                    'fill-opacity="{:.2f}"/></g>'
                ).format(
                    tooltip(f"{words} missing"), left + width * i / stripes, y,
                    width / stripes + 0.3, _ROW, 0.2 + 0.8 * gone,
                )  # fmt: skip
        marks += Markup('<text x="{}" y="{}">{}</text>').format(
            left + width + 8, y + 14, f"{share[column]:.0%}" if share[column] else ""
        )
    return svg(title, marks, left + width + 46, len(names) * (_ROW + _GAP))
