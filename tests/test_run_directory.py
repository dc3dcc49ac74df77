import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from polymodal import run_directory
from polymodal.errors import RunError
from polymodal.predictor import Predictor
from polymodal.run_directory import FILES, load_run, save_run


@pytest.fixture
def run(ink_run: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    shutil.copytree(ink_run, tmp_path / "run")
    return tmp_path / "run"


def spoil(path: Path, change: Callable[[bytes], bytes]) -> None:
    content = change(path.read_bytes())
    path.unlink()  # the checkpoints may share its content
    path.write_bytes(content)


def test_what_is_saved_is_what_is_loaded(run: Path, tmp_path: Path) -> None:
    first = load_run(run)
    save_run(tmp_path / "again", first)
    second = load_run(tmp_path / "again")
    assert first.recipe == second.recipe
    assert first.schema == second.schema
    assert first.metrics == second.metrics
    tensors = second.model.state_dict()
    assert all(torch.equal(t, tensors[name]) for name, t in first.model.state_dict().items())
    assert sorted(p.name for p in (tmp_path / "again").iterdir()) == sorted(FILES)


@pytest.mark.parametrize("name", [n for n in FILES if n not in ("modalities", "metrics.json")])
@pytest.mark.parametrize("how", ["truncated", "edited", "deleted"])
def test_a_damaged_file_is_noticed(run: Path, name: str, how: str) -> None:
    path = run / name
    if how == "deleted":
        path.unlink()
    elif how == "truncated":
        spoil(path, lambda content: content[: len(content) // 2])
    elif name == "manifest.json":
        spoil(path, lambda content: content.replace(b'"files"', b'"filed"'))
    else:
        spoil(path, lambda content: content[:-3] + b"   ")
    with pytest.raises(RunError, match=r"truncated|edited|missing|not finished"):
        load_run(run)


def test_a_damaged_modality_is_noticed(run: Path) -> None:
    path = run / "modalities" / "000.json"
    spoil(path, lambda content: content.replace(b"state", b"stato"))
    with pytest.raises(RunError, match=r"modalities/000.json in .* truncated or edited"):
        load_run(run)


@pytest.mark.parametrize("gone", ["weights.safetensors", "modalities/001.json"])
def test_a_manifest_that_leaves_a_file_out(run: Path, gone: str) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    del manifest["files"][gone]
    (run / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RunError, match=r"edited|incomplete"):
        load_run(run)


def test_a_manifest_that_points_outside(run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    for name in ("../secret", "/etc/hostname"):
        changed = manifest | {"files": manifest["files"] | {name: "0"}}
        (run / "manifest.json").write_text(json.dumps(changed))
        with pytest.raises(RunError, match="outside the run directory"):
            load_run(run)


@pytest.mark.parametrize(("written", "said"), [(2, "newer version"), ("2", "edited")])
def test_a_run_of_another_format(run: Path, written: object, said: str) -> None:
    """A newer one may look different in every other way."""
    (run / "manifest.json").write_text(json.dumps({"format": written, "parts": []}))
    with pytest.raises(RunError, match=said):
        load_run(run)


def test_weights_of_another_network(run: Path) -> None:
    loaded = load_run(run)
    wider = loaded.recipe.override(["fusion.width=24"])
    (run / "recipe.yaml").write_text(wider.to_yaml(comments=True))
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["files"]["recipe.yaml"] = run_directory._digest(run / "recipe.yaml")
    (run / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RunError, match=r"weights.safetensors does not fit the recipe"):
        load_run(run)


def test_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="There is no run directory"):
        load_run(tmp_path / "none")
    with pytest.raises(RunError, match="is not a run directory"):
        load_run(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(RunError, match=r"not finished: continue it with --resume"):
        load_run(tmp_path)


def test_metrics_are_valid_json(run: Path) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    json.loads((run / "metrics.json").read_text(), parse_constant=refuse)


@pytest.mark.parametrize("place", ["recipe.yaml", "weights.safetensors", "manifest.json"])
def test_a_full_disk_leaves_the_run_that_was_there(
    run: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    loaded = Predictor.load(run)
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    write = run_directory.write_file

    def full(path: Path, content: object) -> None:
        if path.name == place:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, content)

    monkeypatch.setattr(run_directory, "write_file", full)
    with pytest.raises(RunError, match=r"could not be saved .*No space left.* untouched"):
        loaded.save(run)
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before
    load_run(run)


def test_a_save_that_was_killed_does_not_hinder_the_next(run: Path) -> None:
    (run / ".saving").mkdir()
    (run / ".saving" / "recipe.yaml").write_text("half a rec")
    Predictor.load(run).save(run)
    load_run(run)
    assert not (run / ".saving").exists()


def test_a_directory_that_cannot_be_made(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="could not be saved"):
        Predictor.load(run).save(tmp_path / "file")
