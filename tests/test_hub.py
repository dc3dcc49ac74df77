import json
import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from huggingface_hub import constants

from polymodal import hub
from polymodal.backbone import found
from polymodal.errors import RecipeError


@pytest.fixture
def open_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the hub might be asked; nothing was asked yet."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "_answers", {})


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A hub that knows nothing, and what it was asked."""
    asked: list[str] = []

    class Nothing(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Nothing)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield asked
    server.shutdown()
    server.server_close()


def test_a_mirror_that_answers_is_open_and_asked_once(open_mode: None, mirror: list[str]) -> None:
    assert hub.closed() == "" and hub.closed() == ""
    assert len(mirror) == 1


@pytest.mark.parametrize("patience", ["", "1"])
def test_a_hub_that_does_not_answer(
    open_mode: None, monkeypatch: pytest.MonkeyPatch, patience: str
) -> None:
    monkeypatch.setattr(hub, "SECONDS", 0.3)
    monkeypatch.setenv("HF_HUB_ETAG_TIMEOUT", patience)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        before = time.monotonic()
        assert "cannot be reached" in hub.closed()
        assert float(patience or 0.3) * 0.8 < time.monotonic() - before < 2.5
        before = time.monotonic()
        assert hub.closed() and time.monotonic() - before < 0.1  # not asked again at once


def test_a_closed_hub_is_told_in_a_moment_with_what_to_do(
    open_mode: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    message = (
        r"'some/model' cannot be loaded \(http://127.0.0.1:9 cannot be reached: .*HF_ENDPOINT.*"
        r"folder's path.* needs config.json and model.safetensors \(or its parts"
    )
    with pytest.raises(RecipeError, match=message), found("some/model", "weights"):
        assert constants.HF_HUB_OFFLINE  # libraries look into the cache only
        raise OSError("not in the cache")
    assert not constants.HF_HUB_OFFLINE


def test_offline_by_the_environment_nothing_is_asked(
    mirror: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert hub.closed() == "HF_HUB_OFFLINE is set" and not mirror
    with pytest.raises(RecipeError, match="Unset it; without internet"), found("a/b", "weights"):
        raise OSError("not in the cache")


@pytest.mark.parametrize(
    ("name", "is_folder"),
    [("gpt2", False), ("a/b", False), ("/a/b", True), ("../b", True), ("a/b/c", True)],
)
def test_names_and_folders(name: str, is_folder: bool) -> None:
    assert (hub.local_folder(name) is not None) == is_folder


def test_a_folder_that_is_not_there() -> None:
    with (
        pytest.raises(RecipeError, match=r"there is no folder '/not/here'"),
        found("/not/here", "weights"),
    ):
        raise AssertionError("nothing is tried")


@pytest.mark.parametrize(
    ("what", "files", "lost"),
    [
        ("configuration", [], ["config.json"]),
        ("weights", ["config.json"], ["model.safetensors"]),
        ("weights", ["config.json", "pytorch_model.bin"], []),
        ("tokenizer", [], ["tokenizer.json", "tokenizer_config.json"]),
        ("tokenizer", ["vocab.txt", "tokenizer_config.json"], []),
        ("feature extractor", ["config.json"], ["preprocessor_config.json"]),
        ("processor", ["processor_config.json", "tokenizer.json"], ["tokenizer_config.json"]),
    ],
)
def test_missing_files_are_named(
    tmp_path: Path, what: str, files: list[str], lost: list[str]
) -> None:
    for name in files:
        (tmp_path / name).touch()
    assert hub.lacking(tmp_path, what) == lost


def test_a_missing_part_of_the_weights_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    parts = {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))
    (tmp_path / parts["a"]).touch()
    with (
        pytest.raises(RecipeError, match=r"lacks model-2-of-2\.safetensors\. Copy all"),
        found(str(tmp_path), "weights"),
    ):
        raise OSError("no such file")


def test_a_tokenizer_without_words_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").touch()
    with (
        pytest.raises(RecipeError, match=r"the folder lacks tokenizer\.json"),
        found(str(tmp_path), "tokenizer"),
    ):
        raise AssertionError("nothing is tried")


def test_damaged_weights_are_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    (tmp_path / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1")
    from safetensors import safe_open

    with (
        pytest.raises(RecipeError, match=r"All its files are there .* pointer of Git LFS"),
        found(str(tmp_path), "weights"),
        safe_open(tmp_path / "model.safetensors", "pt"),
    ):
        pass
