"""One version of one model that is being served: decode → batch → network → answer."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Literal, NamedTuple

import numpy as np

from polymodal.serving.batcher import Batcher
from polymodal.serving.decoded_rows import Remark, Row, given, joined
from polymodal.serving.decoding_pool import DecodingPool
from polymodal.serving.engine import Engine
from polymodal.serving.limits import Limits
from polymodal.serving.problem import Mistake, Problem, too_busy, unreadable
from polymodal.serving.request_model import RequestModel

Broken = Literal["error", "treat_as_missing"]
MOST_PROBABILITIES = 100
NEAREST = (
    "The answer is the nearest identity of the training part, whoever it is. Two rows are of the "
    "same identity where the cosine of their vectors (/v1/embed) is at least {threshold:.4g}."
)
UNUSABLE = "something that cannot be used"


class Said(NamedTuple):
    """What the network says of one row about one target.

    Args:
        answer: ``()`` class number or value, ``(L,)`` bool, or ``(L,)`` tokens of a text.
        probabilities: ``(C,)`` or ``(L,)``; None where the target has none.
        score: of a text, the geometric mean of its tokens' probabilities; None elsewhere.
    """

    answer: np.ndarray
    probabilities: np.ndarray | None
    score: float | None = None


class ServedModel:
    """A model with its workers and its batches.

    Args:
        name: what the server calls it.
        version: of what it was loaded from.
        engine: computes the answers.
        limits: of sizes, numbers and times.
        workers: processes that decode.
    """

    def __init__(
        self, name: str, version: str, engine: Engine, *, limits: Limits, workers: int
    ) -> None:
        self.name, self.version, self.engine, self.limits = name, version, engine, limits
        self.request = RequestModel(engine.schema, engine.modalities, limits)
        self.pool = DecodingPool(engine.inputs, limits, workers)
        self.coming = 0  # rows that are being decoded
        self.inside = 0  # rows that are on their way
        self.batcher: Batcher[Row, dict[str, Said]] = Batcher(
            self._compute,
            most=limits.batch,
            wait=limits.batch_wait,
            coming=lambda: self.coming,
        )
        self._embedder: Batcher[Row, np.ndarray] = Batcher(
            lambda rows: list(engine.embed(joined(rows))), most=limits.batch, wait=0.0
        )
        self._empty = asyncio.Event()
        self._empty.set()

    async def start(self) -> None:
        """Start the workers and answer one row, so that the first client need not wait."""
        await self.pool.start()
        self.batcher.start()
        self._embedder.start()
        example, _ = self.request.parse(_json(self.request.example))
        try:
            ask = self.predict if self.engine.answers else self.embed
            await ask(example, broken="treat_as_missing")
        except Problem as problem:
            raise Problem(500, "cannot-start", f"The example row: {problem.detail}") from problem

    async def close(self) -> None:
        """Wait until every row that is inside has been answered, then end the workers."""
        await self._empty.wait()
        await self.pool.close()
        await self.batcher.close()
        await self._embedder.close()

    async def predict(
        self, cells: Mapping[str, Any], *, broken: Broken = "error"
    ) -> dict[str, Any]:
        """The answers for one row.

        Args:
            cells: field -> cell.
            broken: what to do with a cell that cannot be used.

        Raises:
            Problem: a cell cannot be used, the server has too much to do, or it took too long.
        """
        async with self._admitted():
            row, remarks = await self._decoded(cells, broken)
            said = await self._ask(row)
            return self._answered(row, remarks, said)

    async def explain(
        self, cells: Mapping[str, Any], *, broken: Broken = "error"
    ) -> dict[str, Any]:
        """The answers for one row, and how they change when each given input is left out.

        Args:
            cells: field -> cell.
            broken: what to do with a cell that cannot be used.

        Raises:
            Problem: as :meth:`predict`.
        """
        async with self._admitted():
            row, remarks = await self._decoded(cells, broken)
            columns = given(row)
            rows = [row, *(row._replace(hidden=frozenset([name])) for name in columns)]
            said, *without = await asyncio.gather(*map(self._ask, rows))
            answer = self._answered(row, remarks, said)
            answer["influence"] = {
                target: {
                    column: self._change(target, said[target], other[target])
                    for column, other in zip(columns, without, strict=True)
                }
                for target in said
            }
            return answer

    async def embed(self, cells: Mapping[str, Any], *, broken: Broken = "error") -> dict[str, Any]:
        """One row as a vector.

        Args:
            cells: field -> cell.
            broken: what to do with a cell that cannot be used.

        Raises:
            Problem: as :meth:`predict`.
        """
        async with self._admitted():
            row, remarks = await self._decoded(cells, broken)
            vector = await self._embedder.ask(row)
            content = self._head(row, remarks)
            content["embedding"] = [round(float(value), 6) for value in vector]
            return content

    async def check(self, cells: Mapping[str, Any]) -> None:
        """See whether every cell of a row can be used.

        Args:
            cells: field -> cell.

        Raises:
            Problem: as :meth:`predict`.
        """
        async with self._admitted():
            await self._decoded(cells, "error")

    @asynccontextmanager
    async def _admitted(self) -> AsyncIterator[None]:
        """A place among the rows that are on their way, for a limited time."""
        if self.inside >= self.limits.waiting:
            raise too_busy(self.inside * self.batcher.seconds_per_row)
        self.inside += 1
        self._empty.clear()
        try:
            async with asyncio.timeout(self.limits.answer_seconds):
                yield
        except TimeoutError:
            raise Problem(
                504,
                "took-too-long",
                f"No answer within {self.limits.answer_seconds:g} s. Ask again later, or start "
                "the server with a longer --timeout.",
            ) from None
        finally:
            self.inside -= 1
            if not self.inside:
                self._empty.set()

    async def _decoded(
        self, cells: Mapping[str, Any], broken: Broken
    ) -> tuple[Row, tuple[Remark, ...]]:
        self.coming += 1
        try:
            row, remarks = await self.pool.decode(self.request.columns(cells))
        finally:
            self.coming -= 1
        unusable = [remark for remark in remarks if not remark.usable]
        if unusable and broken == "error":
            raise unreadable([self._unusable(remark) for remark in unusable])
        return row, remarks

    async def _ask(self, row: Row) -> dict[str, Said]:
        if not self.engine.answers:
            raise Problem(
                404,
                "no-answers",
                "This model was trained to compare, not to answer: ask /v1/embed for vectors, or "
                "/v1/search where an index is served.",
            )
        return await self.batcher.ask(row)

    def _unusable(self, remark: Remark) -> Mistake:
        field = self.request.field_of(remark.column)
        return Mistake(
            f"inputs.{field.name}",
            f"{UNUSABLE} ({remark.what})",
            field.expected,
            "Send that, leave the field out, or add ?broken=treat_as_missing.",
        )

    def _compute(self, rows: Sequence[Row]) -> list[dict[str, Said]]:
        found = self.engine.answer(joined(rows))
        return [
            {
                target: Said(
                    all_.answer[number],
                    None if all_.probabilities is None else all_.probabilities[number],
                    None if all_.scores is None else float(all_.scores[number]),
                )
                for target, all_ in found.items()
            }
            for number in range(len(rows))
        ]

    def _head(self, row: Row, remarks: Sequence[Remark]) -> dict[str, Any]:
        here = set(given(row))
        return {
            "model": self.name,
            "version": self.version,
            "missing": [name for name in self.engine.schema.inputs if name not in here],
            "notes": [f"{remark.column}: {remark.what}" for remark in remarks],
        }

    def _answered(
        self, row: Row, remarks: Sequence[Remark], said: Mapping[str, Said]
    ) -> dict[str, Any]:
        answers = {target: self._plain(target, one) for target, one in said.items()}
        content = {"answers": answers, **self._head(row, remarks)}
        if self.engine.same_from is not None:
            content["notes"].append(NEAREST.format(threshold=self.engine.same_from))
        return content

    def _plain(self, target: str, said: Said) -> dict[str, Any]:
        modality = self.engine.targets[target]
        found: dict[str, Any] = {"value": plain(modality.restore(said.answer[None])[0])}
        if said.score is not None:
            found["score"] = plain(said.score)
        if said.probabilities is not None:
            labels = modality.labels  # type: ignore[attr-defined]  # what has shares has labels
            best = np.argsort(-said.probabilities, kind="stable")[:MOST_PROBABILITIES]
            found["probabilities"] = {
                str(labels[i]): round(float(said.probabilities[i]), 6) for i in best
            }
        return found

    def _change(self, target: str, said: Said, other: Said) -> dict[str, Any]:
        """How an answer changes without one input: of the probability of what was answered."""
        without = self._plain(target, other)["value"]
        if said.probabilities is None and said.answer.ndim:  # a text: there is no one number
            return {"change": None, "without": without}
        if said.probabilities is None or other.probabilities is None:
            change = float(said.answer) - float(other.answer)
            return {"change": plain(change), "without": without}
        if said.answer.ndim:  # several labels: the mean change of those answered, or of all
            chosen = said.answer if said.answer.any() else np.ones_like(said.answer)
        else:
            chosen = np.arange(len(said.probabilities)) == int(said.answer)
        change = float((said.probabilities - other.probabilities)[chosen].mean())
        return {"change": round(change, 6), "without": without}


def plain(value: Any) -> Any:
    """As JSON has it.

    >>> plain(float("nan")), plain(datetime(2024, 5, 31))
    (None, '2024-05-31 00:00:00')
    """
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value.isoformat(" ") if isinstance(value, datetime) else value


def _json(content: Mapping[str, Any]) -> bytes:
    import json

    return json.dumps(content).encode()
