"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from polymodal.assessment import Assessment
    from polymodal.cost import PartCost
    from polymodal.data.findings import Finding
    from polymodal.data.schema import Schema
    from polymodal.evaluation import Language

COLOURS = {"input": "green", "target": "bold magenta", "ignored": "dim", "split": "cyan",
           "group": "cyan"}  # fmt: skip
SEVERITY = {"error": "red", "warning": "yellow", "note": "dim"}
MOST_FINDINGS = 20


def show_schema(console: Console, schema: Schema, rows: Mapping[str, int]) -> None:
    """The columns as they are understood."""
    parts = ", ".join(f"{part} {count:,}" for part, count in rows.items())
    table = Table(title=f"Schema · rows: {parts}", title_justify="left")
    longest = min(24, max(len(column.name) for column in schema.columns))
    widths = {"column": longest, "modality": 8, "role": 7, "missing": 7, "distinct": 8}
    for name, width in widths.items():
        justify: Literal["left", "right"] = "right" if name in ("missing", "distinct") else "left"
        table.add_column(name, justify=justify, no_wrap=True, min_width=width)
    table.add_column("example / reason", overflow="ellipsis", no_wrap=True)
    for column in schema.columns:
        table.add_row(
            escape(column.name),
            column.modality,
            column.role,
            f"{column.missing:,}" if column.missing else "",
            f"{column.distinct:,}",
            escape(column.reason or column.example.replace("\n", " ")),
            style=COLOURS[column.role] if column.role != "input" else None,
        )
    console.print(table)


def show_findings(console: Console, findings: Sequence[Finding]) -> None:
    """What a person should know about the data."""
    if not findings:
        console.print("Findings: none.")
        return
    table = Table(title=f"Findings ({len(findings)})", title_justify="left")
    for name in ("severity", "column", "rows", "what was found", "what is done"):
        table.add_column(name, justify="right" if name == "rows" else "left")
    for finding in findings[:MOST_FINDINGS]:
        first = ", ".join(map(str, finding.rows[:3])) + ("…" if finding.count > 3 else "")
        table.add_row(
            f"[{SEVERITY[finding.severity]}]{finding.severity}",
            escape(finding.column) or "–",
            f"{finding.count:,}" + (f"\n({first})" if first else ""),
            escape(finding.what),
            escape(finding.remedy),
        )
    console.print(table)
    if len(findings) > MOST_FINDINGS:
        console.print(f"… and {len(findings) - MOST_FINDINGS} more.")


def show_model(console: Console, parts: Sequence[PartCost]) -> None:
    """The network's parts with what they cost."""
    table = Table(title="Model", title_justify="left")
    table.add_column("part")
    table.add_column("parameters", justify="right")
    table.add_column("FLOPs per row", justify="right")
    for name, parameters, flops in parts:
        table.add_row(escape(name), f"{parameters:,}", f"{flops:,}")
    table.add_section()
    parameters, flops = (sum(p.parameters for p in parts), sum(p.flops for p in parts))
    table.add_row("all", f"{parameters:,}", f"{flops:,}", style="bold")
    console.print(table)


def show_assessment(console: Console, found: Assessment, language: Language) -> None:
    """Scores, baselines and the verdict."""
    from polymodal.evaluation.language import rival
    from polymodal.evaluation.metrics import LABELS

    if found.matched is not None:
        _show_matched(console, *found.matched.words, rows=found.evaluation.rows)
        return
    console.print(found.evaluation.table(language))
    for target, named in found.baselines.items():
        metric = found.evaluation[target].metric
        table = Table(title=f"{escape(target)}: beside others", title_justify="left")
        table.add_column("way of answering")
        table.add_column(LABELS[metric][language], justify="right")
        table.add_column("95 %", justify="right")
        rows = {"fused": found.evaluation[target], **named}
        for name, scores in sorted(rows.items(), key=lambda row: -row[1].headline.value):
            style = "bold" if name == "fused" else None
            shown = rival(name, language)
            table.add_row(escape(shown), scores.headline.words, scores.headline.span, style=style)
        console.print(table)
        if target in found.verdicts:
            colour = {"better": "green", "same": "yellow", "worse": "red"}
            kind = found.verdicts[target].kind
            sentence = found.verdicts[target].sentence(language)
            console.print(sentence, style=colour.get(kind, ""), highlight=False, markup=False)


def _show_matched(
    console: Console, headings: Sequence[str], lines: Sequence[Sequence[str]], *, rows: int
) -> None:
    """How well columns, or identities, are told apart."""
    table = Table(title=f"Scores on {rows:,} rows", title_justify="left")
    for place, heading in enumerate(headings):
        justify: Literal["left", "right"] = "right" if place else "left"
        table.add_column(escape(heading), justify=justify, no_wrap=not place)
    for cells in lines:
        table.add_row(*map(escape, cells))
    console.print(table)
