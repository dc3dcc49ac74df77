import json
from math import nan
from pathlib import Path

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from polymodal.training.journal import Journal


def test_history_is_appended_and_cut_back_on_resume(tmp_path: Path) -> None:
    rows = [{"epoch": 1, "step": 4, "metric": 0.5}, {"epoch": 2, "step": 8, "metric": nan}]
    with Journal(tmp_path, tensorboard=False) as journal:
        for row in rows:
            journal.epoch(row)
    lines = (tmp_path / "log" / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["metric"] for line in lines] == [0.5, None]
    with Journal(tmp_path, rows[:1], tensorboard=False):
        pass
    assert len((tmp_path / "log" / "history.jsonl").read_text().splitlines()) == 1
    assert [path.name for path in (tmp_path / "log").iterdir()] == ["history.jsonl"]


def test_tensorboard_reads_the_events(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.values({"loss": 0.5}, step=3)
        journal.epoch({"epoch": 1, "step": 4, "loss": 0.25})
    (path,) = (tmp_path / "log").glob("events.out.tfevents.*")
    events = list(EventFileLoader(str(path)).Load())
    assert events[0].file_version == "brain.Event:2"
    found = [(e.step, v.tag, v.tensor.float_val[0]) for e in events for v in e.summary.value]
    assert found[0] == (3, "loss", 0.5)
    assert (4, "loss", 0.25) in found
