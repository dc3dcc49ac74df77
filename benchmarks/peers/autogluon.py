"""AutoGluon MultiModal with small backbones, from scratch where it can."""

import tempfile
from pathlib import Path

import pandas
from autogluon.multimodal import MultiModalPredictor


class AutoGluon:
    """``MultiModalPredictor`` on a data frame with absolute paths."""

    def __init__(self, table, seed, epochs):
        self.folder, self.seed, self.epochs = Path(table).parent, seed, epochs
        frame = self.frame(pandas.read_csv(table).to_dict("records"))
        self.parts = {part: rows.drop(columns="split") for part, rows in frame.groupby("split")}
        self.train = self.parts["train"]

    def frame(self, rows):
        frame = pandas.DataFrame(rows)
        frame["image"] = [str(self.folder / name) for name in frame["image"]]
        for name in ("first", "second"):
            frame[name] = frame[name].astype(float)
        return frame

    def fit(self):
        folder = tempfile.mkdtemp()
        self.predictor = MultiModalPredictor("label", path=f"{folder}/model", verbosity=0)
        options = {
            "optim.max_epochs": self.epochs,
            "env.num_gpus": 0,
            "env.num_workers": 0,
            "model.names": ["timm_image", "hf_text", "numerical_mlp", "fusion_mlp"],
            "model.timm_image.checkpoint_name": "resnet10t",
            "model.timm_image.pretrained": False,
            "model.hf_text.checkpoint_name": "google/electra-small-discriminator",
        }
        self.predictor.fit(self.train, tuning_data=self.parts["validation"], seed=self.seed,
                           hyperparameters=options)  # fmt: skip

    def predict(self, rows):
        return list(self.predictor.predict(self.frame(rows).drop(columns=["split", "label"])))


CONTENDER = AutoGluon
