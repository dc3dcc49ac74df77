"""The models of a server, and how a new version takes the place of an old one."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from polymodal.errors import PolymodalError, RunError, nearest
from polymodal.onnx_runner.description import DESCRIPTION
from polymodal.onnx_runner.onnx_predictor import FOLDER
from polymodal.run_directory import MANIFEST
from polymodal.serving.engine import Engine
from polymodal.serving.limits import Limits
from polymodal.serving.monitoring import Monitoring
from polymodal.serving.problem import Problem
from polymodal.serving.served_model import ServedModel

log = logging.getLogger("polymodal.serving")


class ModelRegistry:
    """Models by name; the first one answers where none is named.

    Args:
        runs: name -> run directory.
        load: gives the engine of a run directory.
        limits: of sizes, numbers and times.
        workers: processes of each model that decode.
    """

    def __init__(
        self,
        runs: Mapping[str, Path],
        load: Callable[[Path], Engine],
        *,
        limits: Limits,
        workers: int,
    ) -> None:
        self.runs, self.limits, self.workers = dict(runs), limits, workers
        self._load = load
        self._loaded: dict[str, Engine] = {}
        self._models: dict[str, ServedModel] = {}
        self._stamps: dict[str, tuple[int, ...]] = {}
        self._reloading = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self.monitoring = Monitoring(self._now)

    @property
    def names(self) -> list[str]:
        """The models' names, the default first."""
        return list(self.runs)

    @property
    def ready(self) -> bool:
        """Whether every model answers."""
        return len(self._models) == len(self.runs)

    def get(self, name: str | None = None) -> ServedModel:
        """A model.

        Raises:
            Problem: there is none of that name (404), or none is ready yet (503).
        """
        name = self.names[0] if name is None else name
        if name not in self.runs:
            hint = nearest(name, self.names)
            raise Problem(404, "no-such-model", f"There is no model of that name. {hint}")
        if name not in self._models:
            raise Problem(
                503, "not-ready", "The model is being loaded.", headers={"Retry-After": "2"}
            )
        return self._models[name]

    def load(self) -> None:
        """Load every engine ahead, so that a mistake shows before a server starts.

        Raises:
            PolymodalError: a run cannot be loaded.
        """
        for name, run in self.runs.items():
            self._loaded[name] = self._load(run)

    async def start(self) -> None:
        """Load every model that is not yet loaded, and start its workers.

        Raises:
            RunError: a run cannot be loaded.
        """
        for name in self.runs:
            self._models[name] = await self._started(name)

    async def close(self) -> None:
        """Answer what is inside, and end."""
        models, self._models = list(self._models.values()), {}
        await asyncio.gather(*(model.close() for model in models), *self._closing)

    async def reload(self) -> dict[str, str]:
        """Load what has changed; name -> "unchanged", "reloaded" or why the old one stays.

        Requests that are inside are answered by the version that they came to.
        """
        async with self._reloading:
            return {name: await self._reload(name) for name in self.runs}

    async def watch(self, seconds: float) -> None:
        """Look every so often whether a run has changed, and load it if so."""
        while True:
            await asyncio.sleep(seconds)
            if any(self._changed(name) for name in self._models):
                await self.reload()

    async def _reload(self, name: str) -> str:
        if not self._changed(name):
            return "unchanged"
        old = self._models[name]
        try:
            new = await self._started(name)
        except (PolymodalError, OSError, Problem) as error:
            # Not tried again until the files change once more.
            log.error("model %r: the new version cannot be used, the old one stays: %s",
                      name, error)  # fmt: skip
            self.monitoring.reload(name, "failed")
            return f"the old version stays: {error}"
        self._models[name] = new
        self.monitoring.reload(name, "reloaded")
        log.info("model %r: version %s takes the place of %s", name, new.version, old.version)
        task = asyncio.create_task(old.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        return "reloaded"

    async def _started(self, name: str) -> ServedModel:
        run = self.runs[name]
        self._stamps[name] = _stamp(run)
        engine = self._loaded.pop(name, None)
        if engine is None:
            engine = await asyncio.to_thread(self._load, run)
        old = self._models.get(name)
        model = ServedModel(name, _version(run), engine, limits=self.limits, workers=self.workers)
        if old is not None and _asked(old) != _asked(model):
            raise RunError(
                "it has other inputs or targets than the old one, which clients do not expect. "
                "Serve it under a name of its own, or start the server anew."
            )
        model.batcher.seen = lambda rows, seconds: self.monitoring.batch(name, rows, seconds)
        try:
            await model.start()
        except BaseException:
            await model.close()
            raise
        return model

    def _changed(self, name: str) -> bool:
        now = _stamp(self.runs[name])
        return bool(now) and now != self._stamps[name]  # no manifest: it is being written

    def _now(self) -> Iterable[tuple[str, str, str, float]]:
        for name, model in self._models.items():
            yield "polymodal_rows_inside", "Rows on their way.", name, model.inside
            yield "polymodal_rows_decoding", "Rows being decoded.", name, model.coming
            counts = model.pool.counts
            yield "polymodal_workers", "Workers alive.", name, len(model.pool.processes)
            yield "polymodal_workers_started", "Workers started.", name, counts.started
            yield "polymodal_workers_died", "Workers that crashed.", name, counts.died
            yield "polymodal_workers_ended", "Workers ended for time.", name, counts.timed_out


def _stamp(run: Path) -> tuple[int, ...]:
    """What changes when a run, or what was exported from it, does; empty while it is written."""
    try:
        found = [path.stat() for path in _said_of(run)]
    except OSError:  # taken away between two looks
        return ()
    return tuple(n for one in found for n in (one.st_mtime_ns, one.st_size, one.st_ino))


def _version(run: Path) -> str:
    """A short name for what a run holds."""
    content = b"".join(path.read_bytes() for path in _said_of(run))
    return hashlib.sha256(content).hexdigest()[:12]


def _said_of(run: Path) -> list[Path]:
    """The files that name all others; none while the run is being written."""
    manifest, described = run / MANIFEST, run / FOLDER / DESCRIPTION
    if not manifest.is_file():
        return []
    return [manifest, described] if described.is_file() else [manifest]


def _asked(model: ServedModel) -> tuple[object, ...]:
    fields = {name: field.kind for name, field in model.request.fields.items()}
    return fields, model.engine.schema.targets
