"""Whatever comes is a row, or a problem that names the field."""

import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polymodal import Predictor
from polymodal.data.modalities import MODALITIES, Audio, Category, Modality, Number, Video
from polymodal.data.schema import ColumnSchema, Schema
from polymodal.serving.limits import Limits, bounded
from polymodal.serving.problem import Problem
from polymodal.serving.request_model import RequestModel

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def column(name: str, modality: str, *, source: str = "", role: Any = "input") -> ColumnSchema:
    return ColumnSchema(name, modality, role, "", 9, 0, 9, "an example", source)


@pytest.fixture
def request_model(whole: Predictor) -> RequestModel:
    return RequestModel(whole.run.schema, whole.run.modalities, Limits())


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    cells=st.dictionaries(
        st.sampled_from(["photo", "sound", "says", "ink", "hand", "traits", "x"]), ANYTHING
    )
)
def test_any_json_is_a_row_or_a_problem(request_model: RequestModel, cells: Any) -> None:
    try:
        found, _ = request_model.parse(json.dumps({"inputs": cells}).encode())
    except Problem as problem:
        assert problem.status in (400, 422)
        assert json.loads(problem.body())["detail"]
        for mistake in problem.mistakes:
            assert all((mistake.field, mistake.came, mistake.expected, mistake.remedy))
    else:
        assert found
        assert isinstance(found.get("photo", b""), bytes)  # never a path
        assert isinstance(found.get("sound", b""), bytes)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=st.binary(max_size=60))
def test_any_bytes_are_a_row_or_a_problem(request_model: RequestModel, body: bytes) -> None:
    with pytest.raises(Problem):
        request_model.parse(body)


@pytest.mark.parametrize("kind", MODALITIES)
def test_no_media_field_takes_a_string_that_is_no_base64(kind: str) -> None:
    modality: Modality = MODALITIES[kind](**({"size": 8, "channels": 3} if kind == "image" else {}))
    if isinstance(modality, Category):
        modality.load_state({"labels": ["a", "b"]})
    model = RequestModel(Schema((column("c", kind),)), {"c": modality}, Limits())
    for trick in ("/etc/passwd", "a.png", "file:///x", "http://localhost/a.wav", ["a.npz#1"]):
        try:
            found = model.parse(json.dumps({"inputs": {"c": trick}}).encode())[0]["c"]
        except Problem:
            continue
        assert not modality.media or isinstance(found, bytes) or isinstance(found[0], bytes), kind


def test_a_video_that_is_seen_and_heard_is_sent_once() -> None:
    schema = Schema((column("clip", "video"), column("clip.sound", "audio", source="clip")))
    model = RequestModel(schema, {"clip": Video(), "clip.sound": Audio()}, Limits())
    assert list(model.fields) == ["clip"]
    assert model.columns({"clip": b"x"}) == {"clip": b"x", "clip.sound": b"x"}
    assert model.field_of("clip.sound").kind == "video"


def test_what_is_made_of_a_path_is_sent_itself() -> None:
    schema = Schema((column("window", "series", source="windows/{person}.npz#{row}"),))
    model = RequestModel(schema, {"window": MODALITIES["series"]()}, Limits())
    assert list(model.fields) == ["window"]


def test_base64_with_and_without_its_kind(request_model: RequestModel) -> None:
    encoded = base64.b64encode(b"hello").decode()
    for written in (encoded, f"data:image/png;base64,{encoded}"):
        body = json.dumps({"inputs": {"photo": written}}).encode()
        assert request_model.parse(body)[0] == {"photo": b"hello"}


def test_names_that_python_has_uses_for() -> None:
    names = ["class", "model_config", "a b", "_x", "é.ü", "self", "copy"]
    schema = Schema(tuple(column(name, "number") for name in names))
    model = RequestModel(schema, {name: Number() for name in names}, Limits())
    cells = {name: 1.5 for name in names}
    assert model.parse(json.dumps({"inputs": cells}).encode())[0] == cells


def test_the_smaller_bound_holds() -> None:
    large, small = Video(max_pixels=10**9), Video(max_pixels=100, max_seconds=3)
    gallery = MODALITIES["gallery"](max_pixels=10**9)
    found = bounded({"a": large, "b": small, "c": gallery}, Limits(megapixels=2, seconds=60))
    assert (found["a"].max_pixels, found["a"].max_seconds) == (2_000_000, 60)
    assert (found["b"].max_pixels, found["b"].max_seconds) == (100, 3)
    assert found["c"].image.max_pixels == 2_000_000
    assert large.max_pixels == gallery.image.max_pixels == 10**9
