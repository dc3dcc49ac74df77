import io
import json
from itertools import count

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from polymodal.data.media import Shown, is_missing
from polymodal.data.modalities import MODALITIES
from polymodal.data.summary import summarise
from polymodal.errors import CellError
from tiny_videos import tiny_video

# Pillow's remarks on damaged files; packing silences them.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")

RNG = np.random.default_rng(0)


def png(seed):
    file = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 255, (12, 9, 3), dtype=np.uint8)
    Pillow.fromarray(noise).save(file, "PNG")
    return file.getvalue()


def wav(seed):
    file = io.BytesIO()
    noise = np.random.default_rng(seed).normal(0, 0.1, 1600 + 400 * seed)
    soundfile.write(file, noise, 8000, format="WAV")
    return file.getvalue()


def trace(steps, seed):
    """Two channels with a gap, as lists."""
    values = np.random.default_rng(seed).normal(size=(steps, 2)).round(3).tolist()
    values[4][seed % 2] = None
    return values


def ply(seed):
    """A cloud with a feature, in binary."""
    points = np.random.default_rng(seed).normal(3, 2, (20 + seed, 4)).astype("<f4")
    columns = "".join(f"property float {name}\n" for name in ("x", "y", "z", "intensity"))
    head = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(points)}\n{columns}"
    return f"{head}end_header\n".encode() + points.tobytes()


CELLS = {
    "image": [png(seed) for seed in range(6)],
    "audio": [wav(seed) for seed in range(6)],
    "video": [tiny_video(4 + 3 * seed, size=(32, 24)) for seed in range(4)],
    "gallery": [[png(seed), png(seed + 1)][: 1 + seed % 2] for seed in range(5)],
    "passages": [
        ["what colour is the bus?", "a red bus with many wheels"],
        ["红色的公共汽车在哪里"],
        ["two red buses stand there", "émile took none of them"],
    ],
    "text": [
        "what colour is the bus?",
        "红色的公共汽车在哪里",
        "a red bus",
        "two red buses",
        "émile",
    ],
    "tags": [["a", "b"], ["b"], ["c", "a"], ["a"], ["b", "c"]] * 3,
    "category": ["a", "b", "c", "a", "b"] * 5,
    "number": [1.5, 2, -3.25, "1,000", 7.0, 0.1],
    "series": [trace(30 + 5 * seed, seed) for seed in range(6)],
    "vector": [RNG.normal(size=5).tolist() for _ in range(6)],
    "points": [ply(seed) for seed in range(6)],
    "timestamp": ["2024-02-29", "2023/12/31 23:59", "1969年7月20日", "2024-01-01T08:00:00+02:00"],
    "geo": ["48.137, 11.575", "-33.9,151.2", "(0.5; -179.9)", "89.99,0.01"],
}
OPTIONS = {
    "image": [
        {},
        {"size": 8, "resize": "crop", "channels": 1},
        {"resize": "pad", "augment": "shift_flip"},
        {"augment": ("crop", "flip", "colour")},
        {"augment": "rand_augment", "channels": 1},
    ],
    "audio": [
        {},
        {"form": "waveform"},
        {"mels": 32, "max_seconds": 0.1, "augment": "mask"},
        {"augment": ("mask", "shift", "noise", "speed")},
        {"form": "waveform", "augment": ("shift", "noise", "speed")},
    ],
    "video": [
        {},
        {"sampling": "dense", "rate": 5, "size": 8, "channels": 1, "augment": "shift_flip"},
        {"sampling": "scene_change", "frames": 3, "resize": "pad", "augment": "crop_flip"},
    ],
    "gallery": [{}, {"size": 8, "pictures": 1, "ordered": True, "augment": "shift_flip"}],
    "passages": [{}, {"texts": 1, "max_tokens": 3, "vocabulary": 300}],
    "text": [
        {},
        {"vocabulary": 300, "lowercase": False},
        {"augment": ("token_dropout", "span_mask"), "share": 0.5},
    ],
    "tags": [{}, {"max_labels": 2}],
    "category": [{}, {"min_count": 2}],
    "number": [{}, {"scale": "log"}, {"noise": 0.1}],
    "series": [
        {"augment": ("jitter", "scale", "time_warp", "cut_out")},
        {"channels": [1], "length": 20, "augment": ("time_warp",)},
        {"max_length": 9, "keep": "end", "layout": "time_first"},
    ],
    "vector": [{}, {"size": 5}],
    "points": [
        {},
        {"points": 8, "rotate": 30, "jitter": 0.1, "drop": 0.5},
        {"points": 8, "sampling": "voxel", "normalise": "unit", "rescale": 0.1},
        {"sampling": "random", "normalise": "centre", "features": []},
    ],
    "timestamp": [{}],
    "geo": [{}, {"order": "lon_lat"}],
}  # fmt: skip
CASES = [(name, options) for name in MODALITIES for options in OPTIONS[name]]
every = pytest.mark.parametrize(
    ("name", "options"), CASES, ids=[f"{n}-{'-'.join(map(str, o.values()))}" for n, o in CASES]
)


def same(a, b):
    """Whether arrays or tensors are equal, with their gaps in the same places."""
    a, b = np.asarray(a), np.asarray(b)
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def fitted(name, options):
    modality = MODALITIES[name](**options)
    modality.fit(CELLS[name])
    return modality


def good(name, options):
    cells = CELLS[name]
    if options.get("order") == "lon_lat":
        return [cells[0], cells[3]]  # the others would be beyond the poles
    return [c for c in cells if c != -3.25] if options.get("scale") == "log" else cells


@every
def test_the_state_is_json_and_gives_the_same_decoding(name, options):
    first = fitted(name, options)
    state = json.loads(json.dumps(first.state()))
    second = MODALITIES[name](**options)
    second.load_state(state)
    assert json.dumps(second.state()) == json.dumps(first.state())
    assert second.max_length == first.max_length
    for cell in good(name, options):
        a, b = first.decode(cell), second.decode(cell)
        assert a.dtype == b.dtype and same(a, b)


@every
def test_cells_have_the_shape_of_the_blank(name, options):
    modality = fitted(name, options)
    blank = modality.blank()
    assert not blank.any() and (not modality.ragged or len(blank) == 1)
    for cell in good(name, options):
        array = modality.decode(cell)
        assert isinstance(array, np.ndarray) and array.dtype == blank.dtype
        if modality.ragged:
            assert array.shape[1:] == blank.shape[1:] and len(array) >= 1
        else:
            assert array.shape == blank.shape


def tokens_of(array):
    """Token ids of a text, or of the first one of several, which are kept one higher."""
    return array if array.ndim == 1 else array[0][array[0] != 0] - 1


@every
def test_restoring_undoes_decoding(name, options):
    modality = fitted(name, options)
    arrays = [modality.decode(cell) for cell in good(name, options)]
    if name in ("text", "passages"):  # written as one text, which ends at the first -1
        ids = [tokens_of(array) for array in arrays]
        longest = max(map(len, ids))
        padded = [np.pad(a, (0, longest - len(a)), constant_values=-1) for a in ids]
        for some, text in zip(ids, modality.restore(np.stack(padded)), strict=True):
            assert np.array_equal(tokens_of(modality.decode(text)), some)
        return
    try:
        restored = modality.restore(np.stack(arrays) if not modality.ragged else arrays[0])
    except NotImplementedError:
        assert modality.ragged
        return
    for array, cell in zip(arrays, restored, strict=True):
        assert np.array_equal(modality.decode(cell), array)


@every
def test_summaries_are_finite_and_of_one_width(name, options):
    modality = fitted(name, options)
    arrays = [modality.decode(cell) for cell in good(name, options)]
    frozen = arrays[0].copy()
    frozen.flags.writeable = False  # as it comes from a pack on disk
    rows = np.stack([modality.summarise(array) for array in [*arrays, modality.blank(), frozen]])
    assert rows.ndim == 2 and rows.dtype == np.float32 and np.isfinite(rows).all()


@every
def test_a_modality_that_saw_no_cell_still_works(name, options):
    modality = MODALITIES[name](**options)
    modality.fit([])
    assert np.isfinite(modality.summarise(modality.blank())).all()
    json.dumps(modality.state())


@every
def test_fitting_passes_over_broken_cells(name, options):
    modality = MODALITIES[name](**options)
    modality.fit([b"broken", *good(name, options), {"a": 1}, object()])
    assert modality.decode(good(name, options)[0]).dtype == modality.blank().dtype


@every
def test_showing(name, options):
    modality = fitted(name, options)
    shown = modality.show(good(name, options)[0])
    assert isinstance(shown, Shown)
    assert isinstance(shown.content, str) == (shown.kind == "text")


@every
def test_augmentation_keeps_shapes_and_follows_its_generator(name, options):
    modality = fitted(name, options)
    array = modality.decode(good(name, options)[0])
    values = torch.from_numpy(np.stack([array] * 8).copy())
    if modality.axes is not None:
        values = values.permute(modality.axes)
    before = values.clone()
    seeds = (1, 1, 2)
    first, again, other = (
        modality.augment(values, torch.Generator().manual_seed(seed)) for seed in seeds
    )
    assert same(values, before), "what is in the pack stays as it is"
    assert first.shape == values.shape and first.dtype == values.dtype
    assert same(first, again)
    asked = {name for name, value in options.items() if value not in ("none", ())}
    varied = {"augment", "rotate", "rescale", "noise"} & asked
    assert same(first, other) == (not varied)


@pytest.mark.parametrize("name", MODALITIES)
def test_a_column_is_recognised_as_what_it_is(name):
    column = summarise("x", list(CELLS[name]))
    scores = {other: kind.recognise(column) for other, kind in MODALITIES.items()}
    assert max(scores, key=lambda other: scores[other]) == name
    assert all(0 <= score <= 1 for score in scores.values())
    nothing = summarise("x", [None])
    assert all(kind.recognise(nothing) == 0 for kind in MODALITIES.values())


FITTED = {name: fitted(name, {}) for name in MODALITIES}
anything = st.one_of(
    st.binary(max_size=300),
    st.text(st.characters(exclude_categories=()), max_size=50),
    st.floats(),
    st.integers(),
    st.booleans(),
    st.lists(st.one_of(st.text(max_size=5), st.none(), st.integers()), max_size=4),
    st.dictionaries(st.sampled_from(["bytes", "path", "array", "sampling_rate"]),
                    st.one_of(st.binary(max_size=9), st.none(), st.integers()), max_size=3),
    st.tuples(st.floats(), st.integers()),
)  # fmt: skip


def decoded_or_refused(name, cell):
    """The one promise about broken cells: a proper array, or a CellError."""
    modality = FITTED[name]
    try:
        array = modality.decode(cell)
    except CellError as error:
        assert error.kind and len(error.kind) < 60
        return None
    assert array.dtype == modality.blank().dtype
    return array


@pytest.mark.parametrize("name", MODALITIES)
@settings(max_examples=150, deadline=2000, suppress_health_check=list(HealthCheck))
@given(cell=anything)
def test_any_cell_is_decoded_or_refused(name, cell):
    if not is_missing(cell):
        decoded_or_refused(name, cell)
    column = summarise("x", [cell])
    assert 0 <= MODALITIES[name].recognise(column) <= 1


@pytest.mark.parametrize("name", MODALITIES)
@pytest.mark.parametrize("kind", "?bhHiqfdcOUSM")
def test_any_array_is_decoded_or_refused(name, kind):
    for shape in [(), (0,), (5,), (4, 6), (0, 3), (3, 4, 5), (4, 5, 3), (2, 2, 2, 2)]:
        decoded_or_refused(name, np.zeros(shape, kind))
        decoded_or_refused(name, (np.zeros(shape, kind), 8000))


def encoded_pictures():
    noise = Pillow.fromarray(RNG.integers(0, 255, (16, 16, 3), dtype=np.uint8))
    for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "JPEG2000"):
        file = io.BytesIO()
        noise.save(file, kind)
        yield kind, file.getvalue()


def encoded_sounds():
    for kind in ("WAV", "FLAC", "OGG", "MP3", "AIFF", "CAF"):
        file = io.BytesIO()
        soundfile.write(file, RNG.normal(0, 0.1, 3000), 8000, format=kind)
        yield kind, file.getvalue()


def encoded_videos():
    for codec, form in (("libx264", "mp4"), ("mpeg4", "avi"), ("libvpx-vp9", "webm")):
        yield form, tiny_video(9, codec=codec, form=form, rate=25, size=(16, 16))


@pytest.mark.parametrize(
    ("name", "kind", "content"),
    [("image", *c) for c in encoded_pictures()]
    + [("audio", *c) for c in encoded_sounds()]
    + [("video", *c) for c in encoded_videos()],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_damaged_files_are_decoded_or_refused(name, kind, content):
    assert decoded_or_refused(name, content) is not None
    rng, tries = np.random.default_rng(0), count()
    while next(tries) < 40:
        damaged = bytearray(content)
        for place in rng.integers(0, len(damaged), rng.integers(1, 6)):
            damaged[place] = rng.integers(0, 256)
        decoded_or_refused(name, bytes(damaged))
        decoded_or_refused(name, content[: rng.integers(1, len(content))])
