"""The page of a compression: what became smaller, what it costs in score, a chart of both."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from polymodal.compression.balance_sheet import Compression
from polymodal.compression.price import Price
from polymodal.evaluation.comparison_charts import Point, cost_chart
from polymodal.evaluation.language import Language, number
from polymodal.evaluation.metrics import LABELS
from polymodal.evaluation.page import render_page
from polymodal.evaluation.scores import Score
from polymodal.files import write_file

WORDS = {
    "en": {
        "title": "What the smaller model costs",
        "by": "Made by polymodal compress",
        "variant": "variant",
        "engine": "run by",
        "file": "file, MB",
        "zipped": "zipped, MB",
        "memory": "memory, MB",
        "one": "one row, ms",
        "batch": "32 rows, ms",
        "median": "median, 95th percentile",
        "rows": "test rows",
        "lost": "points lost",
        "summary": "In short",
        "table": "Before and after",
        "chart": "Score and size",
        "speed": "Score and time for one row",
        "how": "What was done",
        "machine": "Measured here with one thread, each variant in processes of its own.",
    },
    "zh": {
        "title": "模型变小的代价",
        "by": "由 polymodal compress 生成",
        "variant": "版本",
        "engine": "运行引擎",
        "file": "文件，MB",
        "zipped": "压缩后，MB",
        "memory": "内存，MB",
        "one": "单行，毫秒",
        "batch": "32 行，毫秒",
        "median": "中位数，第 95 百分位",
        "rows": "测试行",
        "lost": "损失的百分点",
        "summary": "概要",
        "table": "前后对比",
        "chart": "得分与大小",
        "speed": "得分与单行用时",
        "how": "做了什么",
        "machine": "在本机上以单线程测量，每个版本各用自己的进程。",
    },
}


def write_page(path: Path, found: Compression, *, language: Language = "en") -> None:
    """Write the page as one HTML file that needs no other file and no network.

    Args:
        path: the file to write.
        found: what was measured.
        language: ``en`` or ``zh``.
    """
    words = WORDS[language]
    target, metric = next(iter(found.prices[0].metrics.items()))
    label = f"{target}: {LABELS[metric][language]}"
    charts = [
        (words[title], _chart(found, target, words[axis], label, cost))
        for title, axis, cost in (("chart", "file", "file_mb"), ("speed", "one", "one_ms"))
    ]
    page = render_page(
        "compression_template.html",
        language=language,
        title=words["title"],
        created=datetime.now().strftime("%Y-%m-%d %H:%M"),
        by=words["by"],
        words=words,
        found=found,
        labels={n: f"{n}: {LABELS[m][language]}" for n, m in found.prices[0].metrics.items()},
        lost={name: _points(score) for name, score in found.lost.items()},
        charts=charts,
        pair=lambda two: f"{number(two[0])}, {number(two[1])}",
    )
    write_file(path, page)


def _chart(found: Compression, target: str, x_label: str, y_label: str, cost: str) -> str:
    points = []
    for price in found.prices:
        value = getattr(price, cost)
        points.append(
            Point(
                f"{price.name}, {price.engine}",
                value[0] if isinstance(value, tuple) else value,
                price.scores[target],
                kind=_kind(price),
                strong=price is found.prices[-1],
            )
        )
    chart, _ = cost_chart(points, title=y_label, x_label=x_label, y_label=y_label)
    return chart


def _kind(price: Price) -> int:
    return 0 if price.engine == "PyTorch" else 1


def _points(score: Score) -> str:
    return f"{score.value:.2f} ({score.low:.2f} … {score.high:.2f})"
