"""pytorch-widedeep: a small vision model, a GRU and an MLP."""

from pathlib import Path

import pandas
from pytorch_widedeep import Trainer
from pytorch_widedeep.models import BasicRNN, TabMlp, Vision, WideDeep
from pytorch_widedeep.preprocessing import ImagePreprocessor, TabPreprocessor, TextPreprocessor

NUMBERS = ["first", "second"]


class WideDeepPeer:
    """Its preprocessors, parts and trainer."""

    def __init__(self, table, seed, epochs):
        self.folder, self.seed, self.epochs = str(Path(table).parent), seed, epochs
        frame = pandas.read_csv(table)
        self.train = frame[frame["split"] == "train"].reset_index(drop=True)
        self.labels = sorted(set(self.train["label"]))

    def fit(self):
        self.tab = TabPreprocessor(continuous_cols=NUMBERS)
        self.text = TextPreprocessor("sentence", max_vocab=200, min_freq=1, maxlen=12)
        self.image = ImagePreprocessor("image", self.folder, width=32, height=32)
        inputs = {
            "X_tab": self.tab.fit_transform(self.train),
            "X_text": self.text.fit_transform(self.train),
            "X_img": self.image.fit_transform(self.train),
        }
        model = WideDeep(
            deeptabular=TabMlp(self.tab.column_idx, continuous_cols=NUMBERS, mlp_hidden_dims=[32]),
            deeptext=BasicRNN(len(self.text.vocab.itos), embed_dim=32, hidden_dim=64,
                              rnn_type="gru"),
            deepimage=Vision(channel_sizes=[16, 32, 64]),
            pred_dim=len(self.labels),
        )  # fmt: skip
        self.trainer = Trainer(model, objective="multiclass", verbose=0, seed=self.seed)
        target = self.train["label"].map(self.labels.index).to_numpy()
        self.trainer.fit(**inputs, target=target, n_epochs=self.epochs, batch_size=64)

    def predict(self, rows):
        frame = pandas.DataFrame(rows)
        frame[NUMBERS] = frame[NUMBERS].astype(float)
        said = self.trainer.predict(
            X_tab=self.tab.transform(frame), X_text=self.text.transform(frame),
            X_img=self.image.transform(frame), batch_size=256,
        )  # fmt: skip
        return [self.labels[i] for i in said]


CONTENDER = WideDeepPeer
