"""What our training loop costs, beside two loops written by hand around the same network.

* "same tricks": batches gathered from memory, each picture once, channels_last, fused AdamW, the
  same precision, clipping and schedule: what is left is the loop itself.
* "textbook": DataLoader, one file decoded for each row, every row's picture encoded, fp32.

One thread; an epoch of each in turn, in one process (so the textbook loop profits from the
memory that ours has asked glibc to keep). CPU time; an epoch of ours includes its checkpoint.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import arguments, figure, title
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from polymodal.batch import Batch, Field
from polymodal.build import build_model
from polymodal.data.loader import Columns, Loader
from polymodal.experiment import Experiment, chosen_recipe
from polymodal.training import SilentProgress, Validation, train

ROWS, BATCH, EPOCHS, TEXTBOOK_STEPS = 8192, 256, 5, 6


class ByHand:
    """The loop a careful person writes for this one network and table."""

    def __init__(self, model: Any, run: Experiment, rows: np.ndarray, precision: str) -> None:
        self.model = model.to(memory_format=torch.channels_last).train()
        self.bf16 = precision == "bf16"
        image, text = run.pack.stores["image"], run.pack.stores["question"]
        self.pictures = torch.from_numpy(np.array(image.values)).permute(0, 3, 1, 2)
        tokens = [torch.from_numpy(text.cell(unit).copy()) for unit in range(text.distinct)]
        self.texts = torch.nn.utils.rnn.pad_sequence(tokens, batch_first=True)
        self.index = {n: torch.from_numpy(run.pack.stores[n].index) for n in ("image", "question")}
        answers = run.pack.stores["answer"]
        self.answers = torch.from_numpy(answers.values[answers.index]).long()
        # The order of our loader, so that both see the same batches.
        columns = Columns({n: run.modalities[n] for n in ("image", "question")}, {})
        loader = Loader(run.pack, columns, rows=rows, batch_size=BATCH, training=True)
        self.orders = [[b.rows for b in loader.epoch(number)] for number in range(EPOCHS + 1)]
        weights = list(self.model.parameters())
        self.optimizer = torch.optim.AdamW(weights, lr=3e-3, weight_decay=0.05, fused=True)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, 3e-3, 100_000)

    def epoch(self, number: int) -> None:
        for rows in self.orders[number]:
            inputs = {}
            for name, values in (("image", self.pictures), ("question", self.texts)):
                units, index = self.index[name][rows].unique(return_inverse=True)
                cells = values[units]
                mask = None
                if name == "question":
                    cells = cells[:, : int((cells != 0).sum(1).max())]
                    mask = cells != 0
                inputs[name] = Field(cells, torch.ones(len(rows)).bool(), mask, index)
            self.optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
                loss = F.cross_entropy(self.model(Batch(inputs))["answer"], self.answers[rows])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.schedule.step()


class Rows(Dataset[Any]):
    """The textbook's data set: one row at a time, its picture decoded each time."""

    def __init__(self, run: Experiment, rows: np.ndarray) -> None:
        self.run, self.rows = run, rows
        self.pictures = run.dataset.table.cells("image", rows)
        self.texts = run.dataset.table.cells("question", rows)
        answers = run.pack.stores["answer"]
        self.answers = answers.values[answers.index[rows]]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, torch.Tensor, int]:
        picture = torch.from_numpy(self.run.modalities["image"].decode(self.pictures[i]).copy())
        text = torch.from_numpy(self.run.modalities["question"].decode(self.texts[i]))
        return picture.permute(2, 0, 1).contiguous(), text, int(self.answers[i])


def together(rows: list[Any]) -> tuple[Batch, torch.Tensor]:
    here = torch.ones(len(rows)).bool()
    texts = torch.nn.utils.rnn.pad_sequence([row[1] for row in rows], batch_first=True)
    pictures = torch.stack([row[0] for row in rows])
    inputs = {"image": Field(pictures, here), "question": Field(texts, here, texts != 0)}
    return Batch(inputs), torch.tensor([row[2] for row in rows])


def textbook(model: Any, data: Rows) -> float:
    """CPU-seconds of a few of its steps."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    batches = iter(DataLoader(data, BATCH, shuffle=True, collate_fn=together))
    before = time.process_time()
    for _ in range(TEXTBOOK_STEPS):
        batch, answers = next(batches)
        optimizer.zero_grad()
        F.cross_entropy(model(batch)["answer"], answers).backward()
        optimizer.step()
    return time.process_time() - before


class Rivals(SilentProgress):
    """After each epoch of ours, the others have their turn."""

    def __init__(self, hand: ByHand, slow: Any) -> None:
        self.hand, self.slow, self.number = hand, slow, 0
        self.times: dict[str, list[float]] = {"ours": [], "hand": [], "textbook": []}

    def epoch(self, row: Any, *, metric: str, best: bool) -> None:
        ended = time.process_time()
        if self.number:  # the first epoch warms up, and measures the machine
            self.times["ours"].append(ended - self.started)
        self.hand.epoch(self.number)
        if self.number:
            self.times["hand"].append(time.process_time() - ended)
            self.times["textbook"].append(self.slow())
        self.number += 1
        self.started = time.process_time()


def main() -> None:
    options = arguments(__doc__, rows=ROWS)
    torch.set_num_threads(1)
    changes = {"threads": 1, "epochs": EPOCHS + 1, "batch_size": BATCH, "patience": 0}
    recipe = {"train": changes | {"schedule": "one_cycle", "learning_rate": 0.003}}
    with tempfile.TemporaryDirectory() as folder:
        chosen = chosen_recipe(recipe, ["answer"], ["image", "question"])
        run = Experiment(options.data, chosen, out=Path(folder) / "run")
        run.prepare()
        run.build()
        rows = run.dataset.rows("train")
        rows = rows[: options.rows - options.rows % BATCH]  # in the table's order: pictures whole
        columns = Columns(*({n: run.modalities[n] for n in names} for names in
                            (run.dataset.schema.inputs, run.dataset.schema.targets)))  # fmt: skip
        loader = Loader(run.pack, columns, rows=rows, batch_size=BATCH, training=True)
        title(f"overhead: {options.data.name}, {len(rows):,} rows, batches of {BATCH}, one thread")

        def model() -> Any:
            torch.manual_seed(0)
            return build_model(run.recipe, run.dataset.schema, run.modalities).train()

        train_options = run.recipe.train
        trial = train(model(), loader, train_options.model_copy(update={"epochs": 1}), seed=0,
                      directory=Path(folder) / "trial", validate=nothing)  # fmt: skip
        precision = trial.choices.precision.name
        plain, data = model(), Rows(run, rows)
        rivals = Rivals(ByHand(model(), run, rows, precision), lambda: textbook(plain, data))
        result = train(model(), loader, train_options.model_copy(update={"precision": precision}),
                       seed=0, directory=Path(folder) / "ours", validate=nothing,
                       progress=rivals)  # fmt: skip
    print(f"   precision of ours and of the same tricks: {precision}")
    done = {"ours": len(rows), "hand": len(rows), "textbook": TEXTBOOK_STEPS * BATCH}
    speed = {n: done[n] / statistics.median(times) for n, times in rivals.times.items()}
    for name, rate in speed.items():
        figure(f"{name}: rows per CPU-second", rate)
    figure("ours / by hand with the same tricks", speed["ours"] / speed["hand"], "x", least=0.95)
    figure("ours / textbook", speed["ours"] / speed["textbook"], "x", least=1.5)
    waiting = statistics.median(row["waiting"] for row in result.history[1:])
    figure("waiting for data after the first epoch", 100 * waiting, "%", most=2)


def nothing(model: Any) -> Validation:
    """Validation is no part of the loop's cost: both would pay it."""
    return Validation(0.0, 0.0, True, "none")


if __name__ == "__main__":
    main()
