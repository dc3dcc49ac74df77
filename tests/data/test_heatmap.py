import io

import numpy as np
from PIL import Image

from polymodal.data.heatmap import heatmap, spotlit


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_low_is_dark_and_high_is_bright() -> None:
    drawn = pixels(heatmap(np.array([[0.0, 1.0], [0.5, 2.0]]), low=0.0, high=1.0, scale=3))
    assert drawn.shape == (6, 6, 3)
    assert drawn[0, 0].sum() < drawn[5, 0].sum() < drawn[0, 5].sum() == drawn[5, 5].sum()


def test_a_picture_is_dark_where_nobody_looked() -> None:
    white = io.BytesIO()
    Image.new("RGB", (80, 40), "white").save(white, "PNG")
    lit = pixels(spotlit(white.getvalue(), np.array([[1.0, 0.0]]), size=40))
    assert lit.shape == (20, 40, 3)  # as wide as high as the picture
    assert lit[10, 2].min() > 240 and lit[10, 37].max() < 60
