"""The network and data written by hand, trained by the Trainer of transformers."""

import tempfile

import pandas
import torch
from torch import nn
from torch.utils.data import default_collate
from transformers import Trainer, TrainingArguments

from peers.by_hand import ByHand, Rows


class Wrapped(nn.Module):
    """The network as the Trainer wants it: with its loss."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, image, text, numbers, labels=None):
        logits = self.net(image, text, numbers)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def named(rows):
    """A batch as the Trainer wants it: with names."""
    names = ("image", "text", "numbers", "labels")
    return dict(zip(names, default_collate(rows), strict=True))


def accuracy(found):
    return {"accuracy": float((found.predictions.argmax(1) == found.label_ids).mean())}


class HfTrainer(ByHand):
    """Training and batch prediction through the Trainer."""

    def fit(self):
        self.prepare()
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                folder, num_train_epochs=self.epochs, per_device_train_batch_size=64,
                per_device_eval_batch_size=256, learning_rate=2e-3, weight_decay=0.01,
                lr_scheduler_type="cosine", warmup_steps=100, eval_strategy="epoch",
                save_strategy="epoch", save_total_limit=1, load_best_model_at_end=True,
                metric_for_best_model="accuracy", report_to=[], disable_tqdm=True, use_cpu=True,
                logging_strategy="no", seed=self.seed,
                label_names=["labels"], remove_unused_columns=False, dataloader_pin_memory=False,
            )  # fmt: skip
            self.trainer = Trainer(
                Wrapped(self.net), arguments, data_collator=named, compute_metrics=accuracy,
                train_dataset=Rows(self.train, self), eval_dataset=Rows(self.validation, self),
            )  # fmt: skip
            self.trainer.train()

    def predict(self, rows):
        said = self.trainer.predict(Rows(pandas.DataFrame(rows), self)).predictions
        return [self.labels[i] for i in torch.from_numpy(said).argmax(1).tolist()]


CONTENDER = HfTrainer
