"""What each repair does, by findings made by hand."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from polymodal import Table
from polymodal.clean_options import CleanOptions
from polymodal.data.findings import Finding
from polymodal.data.schema import infer_schema
from polymodal.errors import RecipeError
from polymodal.repairs.denoising import bilateral, denoise, gated
from polymodal.repairs.draft import Draft
from polymodal.repairs.filling import fill_missing
from polymodal.repairs.media_rules import repair_media
from polymodal.repairs.normalisation import normalise, unmangled
from polymodal.repairs.personal_data import mask_personal_data
from polymodal.repairs.row_rules import repair_rows
from polymodal.repairs.string_rules import repair_strings
from polymodal.repairs.value_rules import repair_values

TEXT = [f"words that say thing number {n} here" for n in range(6)]


def draft_of(columns, target=(), *, folder=None, parts=None, split=True, **options) -> Draft:
    table = Table.read(columns) if isinstance(columns, dict) else columns
    given = np.array(parts if parts is not None else ["train"] * len(table))
    schema = infer_schema(table, target)
    named = frozenset(("train", "validation", "test") if split else ())
    return Draft(table, schema, given, named, CleanOptions(**options), folder)


def finding(kind, column="", rows=(), *, severity="error", **more) -> Finding:
    return Finding(kind, severity, column=column, what="x", rows=np.array(rows), **more)


def told(draft: Draft) -> list[tuple]:
    return [(r.row, r.column, r.before, r.after) for r in draft.repairs]


def test_normalisation():
    assert normalise("a\u00a0\u200b b\t\tc \r\n d", ("whitespace",)) == "a b c\nd"
    assert normalise("e\u0301 ①，", ("nfc",)) == "é ①，"
    assert normalise("ＡＢ①", ("nfkc",)) == "AB1"
    assert normalise(" x ", ()) == " x "
    family = "👨\u200d👩\u200d👧"
    assert normalise(family, ("nfc", "whitespace")) == family


@pytest.mark.parametrize("text", ["Grüße aus Köln", "naïve café — “so”", "你好，世界", "日本語"])
def test_every_mangled_text_is_mended_and_no_sound_one_touched(text):
    assert unmangled(text) == text
    # Of two bytes each, letters of the West read as Chinese may be Chinese after all.
    for codec in ("latin-1", "cp1252") if text[0].isascii() else ("latin-1", "gb18030"):
        try:
            mangled = text.encode().decode(codec)
        except UnicodeDecodeError:
            continue
        assert unmangled(mangled) == text
    assert unmangled(text.encode().decode("latin-1").encode().decode("latin-1")) == text


def test_personal_data():
    kinds = ("email", "phone", "card", "id")
    said = "Li <li.wei+x@mail.example.cn>, 13800138000, +86 138-0013-8000, +49 30 1234567;"
    assert mask_personal_data(said, kinds) == "Li <[email]>, [phone], [phone], [phone];"
    said = "id 11010519491231002X, card 4111-1111-1111-1111, (555) 123-4567."
    assert mask_personal_data(said, kinds) == "id [id], card [card], [phone]."
    for harmless in ("order 20240229123456", "3.14159265358979", "11010519491231002Y", "1999-2004"):
        assert mask_personal_data(harmless, kinds) == harmless
    assert mask_personal_data("a@b.org 13800138000", ("phone",)) == "a@b.org [phone]"


def test_strings_of_inputs_are_made_alike_and_targets_stay():
    columns = {
        "text": [" two  blanks here now ", *TEXT[1:]],
        "colour": ["red", "Red ", "red", "blue", "blue", "blue"],
        "label": ["a ", "b", "a", "b", "a", "b"],
    }
    spellings = finding("spelling_variants", "colour", [1], values={"Red ": "red"})
    of_target = finding("spelling_variants", "label", [0], values={"a ": "a"})
    draft = draft_of(columns, ["label"])
    repair_strings(draft, [spellings, of_target])
    assert draft.cells("text")[0] == "two blanks here now"
    assert draft.cells("colour")[1] == "red" and draft.cells("label")[0] == "a "
    assert draft.left[0].reason.startswith("it is a target")
    # Blanks first, then letters: the record tells both.
    assert told(draft)[-2:] == [(1, "colour", "Red ", "Red"), (1, "colour", "Red", "red")]
    draft = draft_of(columns, ["label"], targets=True)
    repair_strings(draft, [spellings, of_target])
    assert draft.cells("label")[0] == "a" and not draft.left


def test_personal_data_is_masked_in_columns_that_are_not_used_too():
    columns = {"mail": [f"p{n}@example.org" for n in range(6)], "text": TEXT, "n": [1.5] * 6}
    draft = draft_of(columns, personal_data=("email",), text=(), encoding="keep")
    repair_strings(draft, [])
    assert draft.cells("mail") == ["[email]"] * 6 and draft.cells("text") == TEXT


def test_units_swaps_dates_and_outliers():
    columns = {"a": [1.5, 1600.0, 1.2, 9.5, 1.1, 1.0], "b": [9.0, 8.5, 8.0, 1.4, 9.1, 900.5]}
    found = [
        finding("unit_error", "a", [1], values={"factor": "1000"}),
        finding("swapped_cells", "a", [3], values={"a": "b", "b": "a"}),
        finding("outlier", "b", [5]),
    ]
    draft = draft_of(columns, units="fix", swapped="fix", outliers="treat_as_missing")
    repair_values(draft, found)
    assert draft.cells("a") == [1.5, 1.6, 1.2, 1.4, 1.1, 1.0]
    assert draft.cells("b") == [9.0, 8.5, 8.0, 9.5, 9.1, None]
    nothing = draft_of(columns)
    repair_values(nothing, found)
    assert not nothing.repairs


def test_duplicates_keep_the_first_of_each_part():
    found = [finding("duplicate_row", "", [1, 2, 4], groups=((0, 1, 2), (3, 4)))]
    parts = ["train", "train", "test", "train", "train", "train"]
    draft = draft_of({"text": TEXT, "n": [1.5] * 6}, parts=parts)
    repair_rows(draft, found)
    assert sorted(draft.dropped) == [1, 4]
    assert draft.left[0].rows == 1 and "clean.shared_with_test" in draft.left[0].reason
    drawn = draft_of({"text": TEXT, "n": [1.5] * 6}, parts=parts, split=False)
    repair_rows(drawn, found)
    assert sorted(drawn.dropped) == [1, 2, 4]
    plain = draft_of({"n": [1.5] * 6, "m": [2.5] * 6})
    repair_rows(plain, found)
    assert not plain.dropped and "by chance" in plain.left[0].reason


def test_what_stands_in_the_test_leaves_the_training_part():
    found = [finding("shared_with_test", "text", [0, 3], groups=((0, 3),))]
    parts = ["train", "train", "train", "test", "train", "validation"]
    draft = draft_of({"text": TEXT}, parts=parts, shared_with_test="drop_from_training")
    repair_rows(draft, found)
    assert list(draft.dropped) == [0]
    drawn = draft_of({"text": TEXT}, split=False, shared_with_test="drop_from_training")
    repair_rows(drawn, found)
    assert not drawn.dropped and "drawn anew" in drawn.left[0].reason


def test_labels_of_the_test_are_never_mended():
    columns = {"text": TEXT, "label": list("ababab")}
    found = [finding("label_error", "label", [0, 3], values={"0": "b", "3": "a"})]
    parts = ["train", "train", "train", "test", "train", "train"]
    for policy, wanted in (("relabel", "b"), ("treat_as_missing", None)):
        draft = draft_of(columns, ["label"], parts=parts, label_errors=policy)
        repair_rows(draft, found)
        assert draft.cells("label")[0] == wanted and draft.cells("label")[3] == "b"
        assert draft.left[0].rows == 1
    draft = draft_of(columns, ["label"], parts=parts, label_errors="drop_rows")
    repair_rows(draft, found)
    assert list(draft.dropped) == [0]
    contradiction = [finding("contradicting_labels", "label", [1, 2])]
    draft = draft_of(columns, ["label"], contradictions="drop_all")
    repair_rows(draft, contradiction)
    assert sorted(draft.dropped) == [1, 2]


GAPS = {
    "size": [1, 2, 3, None, 100, 200],
    "kind": ["a", "a", "b", None, "c", "c"],
    "label": ["x", "y", "x", "y", "x", "y"],
}
PARTS = ["train", "train", "train", "train", "test", "test"]


def gaps() -> Table:
    return Table.read({n: list(c) * 3 for n, c in GAPS.items()})


def test_gaps_are_filled_by_what_the_training_part_says():
    draft = draft_of(gaps(), ["label"], parts=PARTS * 3, fill="median")
    fill_missing(draft)
    assert draft.cells("size")[3] == 2 and draft.cells("kind")[3] == "a"
    assert draft.added["size_missing"] == [0, 0, 0, 1, 0, 0] * 3
    assert "split" not in draft.added
    drawn = draft_of(
        gaps(), ["label"], parts=PARTS * 3, split=False, fill={"kind": "most_frequent"}
    )
    fill_missing(drawn)
    assert drawn.cells("size")[3] is None and drawn.added["split"] == PARTS * 3
    fixed = draft_of(gaps(), ["label"], fill="constant", indicator=False)
    fill_missing(fixed)
    assert fixed.cells("size")[3] == 0 and not fixed.added


def test_a_model_fills_from_the_other_columns_but_never_from_the_target():
    rng = np.random.default_rng(0)
    first = rng.normal(size=200).round(3).tolist()
    second = [3 * x for x in first]
    second[10], second[20] = None, None
    columns = {"a": first, "b": second, "label": [x > 0 for x in first]}
    draft = draft_of(columns, ["label"], fill="model")
    fill_missing(draft)
    assert draft.cells("b")[10] == pytest.approx(3 * first[10], abs=1.0)
    alone = draft_of({"b": second, "label": columns["label"]}, ["label"], fill="model")
    fill_missing(alone)
    assert alone.repairs[0].rule == "median of the training part"


def test_filling_refuses_what_it_cannot_fill():
    with pytest.raises(RecipeError, match=r"clean.fill.label: 'label' is no input"):
        fill_missing(draft_of(gaps(), ["label"], fill={"label": "median"}))
    with pytest.raises(RecipeError, match=r"clean.constant = 'none' is no number"):
        fill_missing(draft_of(gaps(), ["label"], fill="constant", constant="none"))


@pytest.fixture
def pictures(tmp_path: Path) -> Table:
    rng = np.random.default_rng(0)
    for n in range(4):
        pixels = np.clip(rng.normal(120, 20, (16, 16)), 0, 255).astype(np.uint8)
        Pillow.fromarray(pixels).save(tmp_path / f"{n}.png")
    Pillow.fromarray(pixels).save(tmp_path / "4.png", format="JPEG")
    (tmp_path / "5.png").write_bytes(b"nothing")
    (tmp_path / "data.csv").write_text("photo\n" + "\n".join(f"{n}.png" for n in range(6)))
    return Table.read(tmp_path / "data.csv")


def test_media_cells_that_cannot_be_read_become_missing(pictures, tmp_path):
    found = [
        finding("undecodable", "photo", [5]),
        finding("truncated", "photo", [1], severity="warning"),
        finding("single_colour", "photo", [0], severity="warning"),
    ]
    draft = draft_of(pictures)
    repair_media(draft, found)
    assert told(draft) == [(5, "photo", "5.png", None)]
    assert draft.left[0].reason == "what is there can be read, and is used"
    draft = draft_of(pictures, unreadable="drop_rows", empty_media="treat_as_missing")
    repair_media(draft, found)
    assert list(draft.dropped) == [5] and draft.cells("photo")[0] is None


def test_files_get_the_ending_of_what_they_hold(pictures, tmp_path):
    out = tmp_path / "out"
    draft = draft_of(pictures, extensions="fix", folder=out)
    repair_media(draft, [finding("wrong_extension", "photo", [4])])
    path = draft.cells("photo")[4]
    assert path.startswith("media/photo/4-") and path.endswith(".jpg")
    assert (out / path).read_bytes() == (tmp_path / "4.png").read_bytes()
    nowhere = draft_of(pictures, extensions="fix")
    repair_media(nowhere, [finding("wrong_extension", "photo", [4])])
    assert not nowhere.repairs and "-o" in nowhere.left[0].reason


@pytest.mark.parametrize("way", ["median", "bilateral"])
def test_pictures_lose_their_grain(pictures, tmp_path, way):
    draft = draft_of(pictures, pictures=way, folder=tmp_path / "out")
    denoise(draft, lambda stage, done, total: None)
    new = np.asarray(Pillow.open(tmp_path / "out" / draft.cells("photo")[0])).astype(float)
    old = np.asarray(Pillow.open(tmp_path / "0.png")).astype(float)
    assert new.std() < 0.7 * old.std() and abs(new.mean() - old.mean()) < 3
    assert draft.left[0].rows == 1 and draft.left[0].reason == "cannot be read"


def test_bilateral_keeps_edges_and_flat_places():
    edge = np.zeros((8, 8, 3), np.uint8)
    edge[:, 4:] = 250
    assert np.array_equal(bilateral(edge), edge)
    assert np.array_equal(bilateral(np.full((5, 5), 7, np.uint8)), np.full((5, 5), 7))


def test_gating_turns_down_noise_more_than_speech():
    rng, rate = np.random.default_rng(0), 8000
    time = np.arange(2 * rate) / rate
    voice = np.where((time % 0.5) < 0.25, 0.3 * np.sin(2 * np.pi * 440 * time), 0)
    noisy = (voice + 0.02 * rng.normal(size=len(time))).astype(np.float32)
    clean = gated(noisy)
    assert clean.dtype == np.float32 and clean.shape == noisy.shape
    before, after, pause = noisy - voice, clean - voice, time % 0.5 >= 0.25
    assert np.square(after[pause]).mean() < 0.25 * np.square(before[pause]).mean()
    assert np.square(after[~pause]).mean() < np.square(before[~pause]).mean()
    assert np.array_equal(gated(np.zeros(4000, np.float32)), np.zeros(4000))
    assert len(gated(np.ones(5, np.float32))) == 5
