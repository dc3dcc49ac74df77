"""Ludwig: a stacked CNN, an RNN and dense layers, concatenated."""

from pathlib import Path

import pandas
from ludwig.api import LudwigModel


class Ludwig:
    """``LudwigModel`` on a data frame with absolute paths."""

    def __init__(self, table, seed, epochs):
        self.folder, self.seed, self.epochs = Path(table).parent, seed, epochs
        frame = self.frame(pandas.read_csv(table).to_dict("records"))
        self.parts = {part: rows.drop(columns="split") for part, rows in frame.groupby("split")}
        self.train = self.parts["train"]

    def frame(self, rows):
        frame = pandas.DataFrame(rows)
        frame["image"] = [str(self.folder / name) for name in frame["image"]]
        return frame

    def fit(self):
        image = {"type": "stacked_cnn"}
        inputs = [
            {"name": "image", "type": "image", "encoder": image},
            {"name": "sentence", "type": "text", "encoder": {"type": "rnn"}},
            {"name": "first", "type": "number"},
            {"name": "second", "type": "number"},
        ]
        config = {
            "input_features": inputs,
            "output_features": [{"name": "label", "type": "category"}],
            "trainer": {"epochs": self.epochs, "batch_size": 64, "early_stop": 0},
        }
        self.model = LudwigModel(config, backend="local", logging_level=40)
        self.model.train(
            training_set=self.train, validation_set=self.parts["validation"],
            test_set=self.parts["test"], random_seed=self.seed, skip_save_processed_input=True,
            skip_save_log=True, skip_save_progress=True, output_directory="/tmp/ludwig",
        )  # fmt: skip

    def predict(self, rows):
        found, _ = self.model.predict(self.frame(rows), skip_save_predictions=True)
        return list(found["label_predictions"])


CONTENDER = Ludwig
