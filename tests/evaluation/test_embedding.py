"""Vectors of rows and of single columns."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from polymodal.errors import PolymodalError, TableError
from polymodal.evaluation.embedding import kept_as, normalised
from polymodal.predictor import Predictor

Rows = list[dict[str, Any]]
FINITE = st.floats(-1e3, 1e3, width=32)


@settings(max_examples=30, deadline=None)
@given(vectors=arrays(np.float32, (3, 5), elements=FINITE))
def test_normalised_vectors_have_length_one_or_none(vectors: np.ndarray) -> None:
    lengths = np.linalg.norm(normalised(vectors), axis=1)
    zero = (np.abs(vectors) < 1e-20).all(1)
    assert np.allclose(lengths[~zero], 1, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(vectors=arrays(np.float32, (3, 9), elements=FINITE))
def test_eight_bits_keep_directions(vectors: np.ndarray) -> None:
    vectors[np.abs(vectors).max(1) < 1e-3] = 0
    small = kept_as(vectors, "int8")
    assert small.dtype == np.int8
    cosines = (normalised(small.astype(np.float32)) * normalised(vectors)).sum(1)
    there = (vectors != 0).any(1)
    assert np.all(cosines[there] > 0.999)
    assert not small[~there].any()
    assert kept_as(vectors, "binary").shape == (3, 2)
    assert kept_as(vectors, "float16").dtype == np.float16


def test_every_column_has_its_vectors(whole: Predictor, small_rows: Rows) -> None:
    assert set(whole.embeds) == {"photo", "sound", "says", "ink", "hand", "traits"}
    assert not whole.aligned
    for column in whole.embeds:
        # The column alone is enough, and others are not looked at.
        alone = [{column: row[column]} for row in small_rows[:6]]
        vectors = whole.embed(alone, column)
        assert np.array_equal(vectors, whole.embed(small_rows[:6], column))
        lengths = np.linalg.norm(vectors, axis=1)
        assert np.all(np.isclose(lengths, 1, atol=1e-5) | (lengths == 0))
        assert len({vector.tobytes() for vector in vectors}) > 1


def test_an_absent_or_broken_cell_has_a_vector_of_zeros(whole: Predictor, small_rows: Rows) -> None:
    photos = whole.embed(small_rows[:10], "photo")  # rows 3, 5, 7 and 9 lack or break theirs
    assert [row for row in range(10) if not photos[row].any()] == [3, 5, 7, 9]
    nothing = [dict.fromkeys(small_rows[0])]
    assert not whole.embed(nothing).any()
    assert whole.embed(nothing, normalise=False).shape == (1, 16)


def test_vectors_can_be_cut_and_kept_small(whole: Predictor, small_rows: Rows) -> None:
    vectors = whole.embed(small_rows[:4], "says")
    cut = whole.embed(small_rows[:4], "says", dims=4)
    np.testing.assert_allclose(cut, normalised(vectors[:, :4]), atol=1e-6)
    assert whole.embed(small_rows[:4], "says", dims=8, kind="binary").shape == (4, 1)
    with pytest.raises(PolymodalError, match="dims is 99; a vector has 16"):
        whole.embed(small_rows[:4], "says", dims=99)
    with pytest.raises(PolymodalError, match="known are float32"):
        whole.embed(small_rows[:4], kind="int4")  # type: ignore[arg-type]


def test_an_unknown_column_is_named(whole: Predictor, small_rows: Rows) -> None:
    with pytest.raises(TableError, match="Did you mean 'photo'"):
        whole.embed(small_rows[:2], "foto")
    with pytest.raises(TableError, match="no column 'photo'"):
        whole.embed([{"other": 1}], "photo")
