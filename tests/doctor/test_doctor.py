import json
import os
from pathlib import Path
from typing import Any

import pytest

import polymodal as pm
from polymodal.doctor import machine, packages
from polymodal.doctor.diagnosis import diagnose
from polymodal.doctor.fitness import measure_fitness
from polymodal.doctor.speed import measure_speed
from polymodal.errors import RunError


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_a_machine_is_described_in_plain_json() -> None:
    found = diagnose(measure=False).to_dict()
    again = json.loads(json.dumps(found))
    assert again["machine"]["cores"] >= 1 and again["speed"] is None and again["run"] is None
    assert again["machine"]["memory_free_gb"] <= again["machine"]["memory_gb"]
    assert {s["name"] for s in again["settings"]} >= {"device", "train.threads", "train.precision"}


def test_a_container_has_less_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(machine, "LIMIT", limit)
    whole = machine.this_machine().memory_gb
    limit.write_text("500000000\n")
    assert machine.this_machine().memory_gb == 0.5
    limit.write_text("max\n")
    assert machine.this_machine().memory_gb == whole


def test_settings_of_threads_are_obeyed_and_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "999")
    found = diagnose(measure=False)
    threads = next(s for s in found.settings if s.name == "train.threads")
    assert threads.value == "999" and threads.reason == "OMP_NUM_THREADS is set"
    assert any("999" in warning for warning in found.warnings)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert not any("OMP_NUM_THREADS" in warning for warning in diagnose(measure=False).warnings)


def test_extras_say_what_they_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "numpy>=1.0",
        'numpy>=999 ; extra == "new"',
        'no-such-package>=2; extra == "new"',
        'torch>=1; extra == "new"',
        'ruff; extra == "dev"',
    ]
    monkeypatch.setattr(packages.metadata, "requires", lambda name: lines)
    given: Any = {"Provides-Extra": ["new", "dev"]}
    monkeypatch.setattr(
        packages.metadata, "metadata", lambda name: type("M", (), {"get_all": given.get})()
    )
    (extra,) = packages.extras()
    assert extra.name == "new" and set(extra.found) == {"torch"}
    assert extra.lacking[0].startswith("numpy>=999 (here: ")
    assert extra.lacking[1] == "no-such-package>=2"


def test_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "closed", lambda: "HF_HUB_OFFLINE is set")
    assert packages.hub() == "HF_HUB_OFFLINE is set: give local folders"
    monkeypatch.setattr(packages, "closed", lambda: "")
    assert packages.hub().endswith(" answers: models can be named")


def test_speeds_are_positive(tmp_path: Path) -> None:
    found = measure_speed(tmp_path)
    assert min(found.gflops.values()) > 0.1 and "fp32, 1 thread" in found.gflops
    assert found.memory_gb_per_second > 0.1
    assert found.pictures_per_second > 1 and found.recordings_per_second > 1
    assert found.disk_write_mb_per_second > 0 and not os.listdir(tmp_path)


def test_a_model_is_measured(whole_run: Path) -> None:
    found = measure_fitness(str(whole_run))
    model = pm.load(whole_run).run.model
    assert found.parameters == sum(p.numel() for p in model.parameters())
    assert found.flops > 0 and found.weights_mb < found.memory_mb
    assert 0 < found.row_ms < found.batch_ms * 2 and found.rows_per_second > 1


def test_what_is_no_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        diagnose(tmp_path, measure=False)
