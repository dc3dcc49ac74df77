"""A search index that is served: the limits, the checks and the turns of its questions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from polymodal.errors import PolymodalError, RunError
from polymodal.predictor import Predictor
from polymodal.search.found import Found
from polymodal.search.search_index import SearchIndex
from polymodal.serving.model_registry import ModelRegistry
from polymodal.serving.problem import Problem, too_busy
from polymodal.serving.request_model import InputField
from polymodal.serving.row_filter import check_filter
from polymodal.serving.served_model import ServedModel

T = TypeVar("T")
AT_ONCE = 4
MOST_HITS = 100
MOST_WORDS = 1000  # characters
USUAL_SECONDS = 0.05


@dataclass(frozen=True)
class Question:
    """What is asked of an index.

    Args:
        cells: field -> cell, as the model's request gives them.
        words: to be found in the texts.
        where: a filter.
        k: rows.
        within: the column whose cells answer.
    """

    cells: Mapping[str, Any]
    words: str = ""
    where: str | None = None
    k: int = 10
    within: str | None = None


class ServedIndex:
    """An index beside the model that made it.

    Args:
        index: with its predictor.
        registry: of the models.
        name: of the model that made the index; its workers decode what is asked.
    """

    def __init__(self, index: SearchIndex, registry: ModelRegistry, name: str) -> None:
        self.index, self.name = index, name
        self._registry, self._limits = registry, registry.limits
        self._inside = 0
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="search")

    @classmethod
    def open(cls, place: Path, registry: ModelRegistry) -> ServedIndex:
        """An index that one of the models has made.

        Args:
            place: its folder, as ``polymodal index`` wrote it.
            registry: of the models.

        Raises:
            PolymodalError: there is no index.
            RunError: none of the models made it.
        """
        made_by = SearchIndex.open(place).about.run
        for name, run in registry.runs.items():
            try:
                return cls(SearchIndex.open(place, predictor=Predictor.load(run)), registry, name)
            except RunError:
                continue
        raise RunError(
            f"The index {str(place)!r} was made by the model in {made_by!r}, or by an older "
            f"version of it, but served are {', '.join(map(str, registry.runs.values()))}. Serve "
            "that run, or make the index anew: polymodal index RUN TABLE --out DIR --replace."
        )

    @property
    def model(self) -> ServedModel:
        """The model whose workers decode what is asked.

        Raises:
            Problem: it is not ready yet.
        """
        return self._registry.get(self.name)

    @property
    def fields(self) -> dict[str, InputField]:
        """The model's fields that may ask."""
        may = self.index.columns
        fields = self.model.request.fields
        return {n: f for n, f in fields.items() if any(column in may for column in f.columns)}

    @property
    def example(self) -> dict[str, Any]:
        """A question that is answered: by a text if one may ask."""
        short = sorted(self.fields.values(), key=lambda field: field.is_file)
        made = {f.name: f.example for f in short if f.example is not None}
        if not made:
            return {"words": "red", "k": 5}
        name = next(iter(made))
        return {"inputs": {name: made[name]}, "k": 5}

    async def search(self, question: Question) -> Found:
        """The rows most like what is asked.

        Raises:
            Problem: it cannot be asked, there is too much to do, or it took too long.
        """
        if question.where:
            check_filter(question.where, self.index.fields)
        cells = self._columns(question.cells)
        if cells:
            # Decoded by a worker first: what would break a process breaks that one.
            await self.model.check(question.cells)
        return await self.in_turn(
            partial(
                self.index.search, cells, words=question.words, where=question.where or None,
                k=question.k, within=question.within,
            )
        )  # fmt: skip

    def _columns(self, cells: Mapping[str, Any]) -> dict[str, Any]:
        foreign = [name for name in cells if name not in self.fields]
        if foreign:
            raise Problem(
                422, "cannot-search", f"The index has no vectors of {foreign[0]!r} to ask with. "
                f"Known: {', '.join(self.fields)}.",
            )  # fmt: skip
        columns = self.model.request.columns(cells)
        return {name: cell for name, cell in columns.items() if name in self.index.columns}

    async def in_turn(self, work: Callable[[], T]) -> T:
        """What ``work`` gives, by one of the threads that search.

        Raises:
            Problem: as :meth:`search`.
        """
        if self._inside >= self._limits.waiting:
            raise too_busy(self._inside * USUAL_SECONDS / AT_ONCE)
        self._inside += 1
        seconds = self._limits.answer_seconds
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except TimeoutError:
            raise Problem(
                504, "took-too-long", f"No answer within {seconds:g} s. Ask again later, or start "
                "the server with a longer --timeout.",
            ) from None  # fmt: skip
        except PolymodalError as error:
            raise Problem(422, "cannot-search", str(error)) from error
        finally:
            self._inside -= 1
