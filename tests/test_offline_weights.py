"""The example that makes pretrained models from the weights inside packages."""

import importlib.util
import struct
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[1] / "examples" / "offline_weights" / "make_models.py"


@pytest.fixture(scope="module")
def make_models() -> ModuleType:
    found = importlib.util.spec_from_file_location("make_models", SCRIPT)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_four_bits_become_numbers(make_models: ModuleType) -> None:
    """A block: a scale, then byte j holds number j below and number j + 16 above."""
    block = struct.pack("<e16B", 0.5, *[0xF0 + j for j in range(16)])
    plain = struct.pack("<2f", 1.5, -2.0)
    head = struct.pack("<iH1sBIQQ", 2, 1, b"q", 1, 32, 0, 18)
    head += struct.pack("<H1sBIQQ", 1, b"b", 0, 2, 18, 8)
    arrays = dict(make_models._arrays(make_models.Bytes(head), block + plain))
    np.testing.assert_array_equal(arrays["q"][:16], (np.arange(16) - 8) * 0.5)
    np.testing.assert_array_equal(arrays["q"][16:], 3.5)
    np.testing.assert_array_equal(arrays["b"], [1.5, -2.0])


def test_whispers_arrays_are_read_and_named(make_models: ModuleType) -> None:
    values = np.arange(6, dtype="<f2")
    name = b"encoder/layer_0/self_attention/linear_0/weight\0"
    text = struct.pack("<IH", 6, 12) + b"WhisperSpec\0" + struct.pack("<II", 3, 1)
    text += struct.pack("<H", len(name)) + name + struct.pack("<BIIBI", 2, 3, 2, 4, 12)
    arrays = dict(make_models._ctranslate2(make_models.Bytes(text + values.tobytes())))
    named = dict(make_models._whisper(arrays))
    layer = "model.encoder.layers.0.self_attn"
    assert list(named) == [f"{layer}.{letter}_proj.weight" for letter in "qkv"]
    np.testing.assert_array_equal(named[f"{layer}.k_proj.weight"], [[2, 3]])


def test_a_new_form_of_the_files_is_refused(make_models: ModuleType) -> None:
    with pytest.raises(SystemExit, match="new form"):
        list(make_models._ctranslate2(make_models.Bytes(struct.pack("<I", 7))))
