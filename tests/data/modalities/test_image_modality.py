import io
import struct

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms
from sklearn.datasets import load_digits

from polymodal.data.modalities import Image
from polymodal.errors import CellError


def saved(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def colour():
    image = Image(size=4, channels=3)
    image.fit([Pillow.new("RGB", (4, 4), "red")])
    return image


def one(image, cell):
    """The colour of a picture of one colour."""
    array = image.decode(cell)
    assert np.ptp(array.reshape(-1, array.shape[-1]).astype(int), axis=0).max() <= 4
    return array[0, 0].tolist()


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Pillow.new("L", (8, 8), 100), [100] * 3),
        (Pillow.new("1", (8, 8), 1), [255] * 3),
        (Pillow.new("LA", (8, 8), (100, 0)), [255] * 3),
        (Pillow.new("LA", (8, 8), (100, 255)), [100] * 3),
        (Pillow.new("RGBA", (8, 8), (0, 0, 255, 0)), [255] * 3),
        (Pillow.new("RGBA", (8, 8), (0, 0, 255, 255)), [0, 0, 255]),
        (Pillow.fromarray(np.full((8, 8), 25700, np.uint16)), [100] * 3),
        (Pillow.fromarray(np.full((8, 8), 200, np.uint16)), [0] * 3),
    ],
)
def test_pictures_of_every_mode(colour, picture, expected):
    assert one(colour, saved(picture)) == expected
    assert one(colour, picture) == expected


def test_a_palette_with_a_transparent_colour(colour):
    picture = Pillow.new("P", (8, 8), 0)
    picture.putpalette([0, 0, 200, 9, 9, 9])
    assert one(colour, saved(picture, transparency=0)) == [255] * 3
    assert one(colour, saved(picture, transparency=1)) == [0, 0, 200]
    assert one(colour, saved(picture, "GIF", transparency=0)) == [255] * 3


def test_cmyk(colour):
    cyan = Pillow.new("CMYK", (8, 8), (255, 0, 0, 0))
    red, green, blue = one(colour, saved(cyan, "TIFF"))
    assert red < 20 and green > 200 and blue > 200
    red, green, blue = one(colour, saved(cyan, "JPEG"))
    assert red < 20 and green > 200 and blue > 200


@pytest.mark.parametrize(
    ("kind", "options"),
    [("WEBP", {"lossless": True}), ("BMP", {}), ("TIFF", {}), ("PPM", {}), ("JPEG2000", {})],
)
def test_formats(colour, kind, options):
    picture = Pillow.new("RGB", (8, 8), (10, 120, 230))
    assert one(colour, saved(picture, kind, **options)) == [10, 120, 230]


def test_an_animation_shows_its_first_picture(colour):
    frames = [Pillow.new("RGB", (8, 8), name) for name in ("red", "lime", "blue")]
    content = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert one(colour, content) == [255, 0, 0]


def test_exif_rotation_is_honoured():
    upright = np.zeros((8, 8, 3), np.uint8)
    upright[:4] = 255  # the upper half is white
    image = Image(size=8, channels=3)
    image.fit([upright])
    exif = Pillow.Exif()
    exif[0x0112] = 6  # turn by 90° clockwise to see it upright
    turned = Pillow.fromarray(np.rot90(upright).copy())
    content = saved(turned, "JPEG", exif=exif, quality=95)
    assert (abs(image.decode(content).astype(int) - upright) < 30).all()


def test_a_colour_profile_does_no_harm(colour):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert one(colour, saved(Pillow.new("RGB", (8, 8), (9, 8, 7)), icc_profile=profile)) == [
        9,
        8,
        7,
    ]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.full((8, 8), 100, np.uint8), [100] * 3),
        (np.full((8, 8, 1), 100, np.uint8), [100] * 3),
        (np.full((3, 8, 8), 100, np.uint8), [100] * 3),
        (np.full((8, 8, 3), 0.4, np.float32), [102] * 3),
        (np.full((8, 8), 100.0), [100] * 3),
        (np.full((8, 8), 25700, np.uint16), [100] * 3),
        (np.ones((8, 8), bool), [255] * 3),
    ],
)
def test_arrays(colour, array, expected):
    assert one(colour, array) == expected


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
def test_ways_of_resizing(resize):
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255  # the middle third is white
    image = Image(size=12, channels=3, resize=resize)
    image.fit([wide])
    share = (image.decode(wide) > 127).mean()
    expected = {"stretch": 1 / 3, "crop": 1.0, "pad": 1 / 9}[resize]
    assert abs(share - expected) < 0.1


def test_size_channels_and_statistics_are_learned():
    digits = [Pillow.fromarray((d * 15).astype(np.uint8)) for d in load_digits().images[:50]]
    image = Image()
    image.fit(digits)
    pixels = np.stack([np.asarray(d) for d in digits]) / 255
    assert (image.size, image.channels) == (8, 1)
    assert abs(image.mean[0] - pixels.mean()) < 0.01 and abs(image.std[0] - pixels.std()) < 0.01
    photo = Image()
    photo.fit([saved(Pillow.new("RGB", (400, 300), "red"), "JPEG")])
    assert (photo.size, photo.channels) == (96, 3)
    grey = Image()
    grey.fit([saved(Pillow.new("RGB", (30, 30), "grey"))])
    assert (grey.size, grey.channels) == (32, 1)


def test_a_large_photo_is_shown_small_with_its_true_size(colour):
    shown = colour.show(saved(Pillow.new("RGB", (900, 600), "red"), "JPEG"))
    assert shown.note == "900 × 600"
    assert Pillow.open(io.BytesIO(shown.content)).size == (320, 213)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"this is no picture", "not an image"),
        (b"%PDF-1.7", "not an image"),
        (saved(Pillow.effect_noise((30, 30), 50))[:300], "damaged image"),
        (saved(Pillow.effect_noise((60, 60), 50), "JPEG")[:900], "damaged image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "not an image"),
        (np.full((4, 4), np.nan), "not an image"),
        (np.zeros((5, 5, 7)), "not an image"),
    ],
)
def test_broken_pictures(colour, content, kind):
    with pytest.raises(CellError) as error:
        colour.decode(content)
    assert error.value.kind == kind


def test_too_many_pixels():
    image = Image(size=4, channels=3, max_pixels=99)
    for cell in (saved(Pillow.new("L", (10, 10))), Pillow.new("L", (10, 10))):
        with pytest.raises(CellError, match="image too large: 10 × 10 pixels"):
            image.decode(cell)
    header = struct.pack("<2sIHHIIiiHH", b"BM", 99, 0, 0, 54, 40, 30_000, 30_000, 1, 24)
    with pytest.raises(CellError, match="image too large"):
        Image(size=4, channels=3).decode(header + bytes(60))
