"""Hand-written PyTorch: the plain script a competent person writes for this one table."""

from pathlib import Path

import pandas
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

LENGTH = 12


class Net(nn.Module):
    """A small CNN, a GRU and an MLP, concatenated."""

    def __init__(self, words, classes):
        super().__init__()
        layers, inputs = [], 3
        for outputs in (16, 32, 64):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(),
                       nn.MaxPool2d(2)]  # fmt: skip
            inputs = outputs
        self.image = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(),
                                   nn.Linear(64 * 16, 64), nn.ReLU())  # fmt: skip
        self.embedding = nn.Embedding(words, 32, padding_idx=0)
        self.text = nn.GRU(32, 64, batch_first=True)
        self.numbers = nn.Sequential(nn.Linear(2, 32), nn.ReLU())
        self.head = nn.Sequential(nn.Linear(160, 64), nn.ReLU(), nn.Dropout(0.2),
                                  nn.Linear(64, classes))  # fmt: skip

    def forward(self, image, text, numbers):
        read = self.text(self.embedding(text))[1][-1]
        return self.head(torch.cat([self.image(image), read, self.numbers(numbers)], 1))


class Rows(Dataset):
    """One row at a time: picture, word numbers, numbers, class."""

    def __init__(self, frame, script):
        self.rows, self.script = frame.to_dict("records"), script
        normalise = transforms.Normalize([0.5] * 3, [0.25] * 3)
        self.transform = transforms.Compose([transforms.ToTensor(), normalise])

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        row, script = self.rows[i], self.script
        picture = self.transform(Image.open(script.folder / row["image"]).convert("RGB"))
        ids = [script.words.get(word, 1) for word in row["sentence"].split()][:LENGTH]
        text = torch.tensor(ids + [0] * (LENGTH - len(ids)))
        numbers = torch.tensor([float(row["first"]), float(row["second"])])
        label = script.labels.index(row["label"])
        return picture, text, (numbers - script.mean) / script.std, label


class ByHand:
    """Reads the table, trains, answers."""

    def __init__(self, table, seed, epochs):
        self.folder, self.seed, self.epochs = Path(table).parent, seed, epochs
        frame = pandas.read_csv(table)
        self.train, self.validation = (frame[frame["split"] == p] for p in ("train", "validation"))

    def prepare(self):
        """Vocabulary, statistics, network."""
        torch.manual_seed(self.seed)
        words = sorted({word for text in self.train["sentence"] for word in text.split()})
        self.words = {word: i + 2 for i, word in enumerate(words)}
        numbers = torch.tensor(self.train[["first", "second"]].to_numpy(), dtype=torch.float32)
        self.mean, self.std = numbers.mean(0), numbers.std(0)
        self.labels = sorted(set(self.train["label"]))
        self.net = Net(len(words) + 2, len(self.labels))

    def fit(self):
        self.prepare()
        loader = DataLoader(Rows(self.train, self), batch_size=64, shuffle=True, drop_last=True)
        held_out = DataLoader(Rows(self.validation, self), batch_size=256)
        optimizer = torch.optim.AdamW(self.net.parameters(), lr=2e-3, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, self.epochs * len(loader))
        best = -1
        for _ in range(self.epochs):
            self.net.train()
            for *inputs, target in loader:
                optimizer.zero_grad()
                nn.functional.cross_entropy(self.net(*inputs), target).backward()
                optimizer.step()
                schedule.step()
            self.net.eval()
            with torch.inference_mode():
                right = sum((self.net(*x).argmax(1) == y).sum().item() for *x, y in held_out)
            if right >= best:
                best, kept = right, {k: v.clone() for k, v in self.net.state_dict().items()}
        self.net.load_state_dict(kept)

    def predict(self, rows):
        self.net.eval()
        found = []
        with torch.inference_mode():
            for *inputs, _ in DataLoader(Rows(pandas.DataFrame(rows), self), batch_size=256):
                found += [self.labels[i] for i in self.net(*inputs).argmax(1).tolist()]
        return found


CONTENDER = ByHand
