import numpy as np
import pytest
from PIL import Image
from subjects import by_column, subject

from polymodal.checks.duplicates import find_contradictions, find_copied_files, joined
from polymodal.checks.near_duplicates import alike, find_near_duplicates, same_picture

PARTS = ["train"] * 30 + ["test"] * 10


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(1)
    for i in range(40):
        coarse = rng.integers(0, 255, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    (folder / "35.png").write_bytes((folder / "3.png").read_bytes())  # across
    (folder / "5.png").write_bytes((folder / "4.png").read_bytes())  # within
    for copy, source in ((36, 6), (8, 7)):
        small = Image.open(folder / f"{source}.png").resize((50, 50)).convert("RGB")
        small.save(folder / f"{copy}.png", "JPEG", quality=70)
    columns = {
        "photo": [f"{i}.png" for i in range(40)],
        "split": PARTS,
        "y": rng.choice(["a", "b"], 40).tolist(),
    }
    return subject(columns, folder=folder)


def test_copies_under_other_names(pictures):
    found = find_copied_files(pictures)
    assert by_column(found, "shared_with_test") == {"photo": [3, 35]}
    assert by_column(found, "duplicate_cell") == {"photo": [4, 5]}
    shared = next(f for f in found if f.kind == "shared_with_test")
    assert shared.groups == ((35, 3),)  # the test row is kept


def test_altered_copies(pictures):
    found = find_near_duplicates(pictures)
    assert by_column(found, "near_shared_with_test") == {"photo": [6, 36]}
    assert by_column(found, "near_duplicate") == {"photo": [7, 8]}


def test_what_is_alike_by_nature_is_no_finding():
    base = np.random.default_rng(0).normal(size=(1, 40))
    rows = base + np.random.default_rng(1).normal(0, 0.05, (60, 40))
    assert not alike(rows)
    assert alike(np.concatenate([rows, rows[:1] + 1e-4])) == [(0, 60)]


LONG = (
    "The patient of {} years came with a cough and a fever that had lasted for {} days; the lungs"
)
CHINESE = "宾馆在小街道上，不大好找，但还好同胞很多，宾馆设施跟介绍的差不多，房间很小，确实挺小{}"


def texts(cells, count=60):
    rng = np.random.default_rng(0)
    words = ["red", "bus", "house", "tree", "stone", "river", "night", "song", "glass", "horse"]
    others = [" ".join(rng.choice(words, 20)) + f" {i}" for i in range(count - len(cells))]
    y = rng.choice(["a", "b"], count).tolist()
    return subject(
        {"says": [*cells, *others], "y": y, "split": (["train", "test"] * count)[:count]}
    )


def test_texts_nearly_the_same():
    found = find_near_duplicates(texts([CHINESE.format("。"), CHINESE.format("！"), "x y z"]))
    assert by_column(found, "near_shared_with_test") == {"says": [0, 1]}


def test_texts_with_other_numbers_differ():
    assert not find_near_duplicates(texts([LONG.format(65, 4), LONG.format(58, 9)]))


def test_questions_that_recur_are_no_finding():
    questions = [f"is there a {c} shape in the image that we are looking at now?" for c in "abc"]
    rng = np.random.default_rng(0)
    cells = rng.choice(questions, 80).tolist()
    columns = {"says": cells, "y": rng.choice(["a", "b"], 80).tolist()}
    columns["split"] = (["train", "test"] * 40)[:80]
    found = find_near_duplicates(subject(columns, says="text"))
    assert not found


def test_the_same_inputs_with_other_targets():
    rng = np.random.default_rng(0)
    columns = {"x": rng.normal(size=60).tolist(), "y": ["a", "b"] * 30}
    columns["x"][7] = columns["x"][4]
    found = find_contradictions(subject(columns))
    assert by_column(found, "contradicting_labels") == {"y": [4, 7]}
    assert found[0].groups == ((4, 7),)


def test_pairs_are_joined_to_groups():
    assert [g.tolist() for g in joined([(0, 3), (3, 5), (1, 2)], 7)] in (
        [[0, 3, 5], [1, 2]],
        [[1, 2], [0, 3, 5]],
    )
    assert joined([], 4) == []


def test_a_circle_a_little_apart_is_another_picture() -> None:
    y, x = np.mgrid[:64, :64]

    def circle(left: float) -> np.ndarray:
        grey = np.where((x - left) ** 2 + (y - 30) ** 2 < 100, 200, 40)
        return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)

    brighter = (circle(30) * 1.1 + 10).astype(np.uint8)
    assert same_picture(circle(30), brighter)
    assert not same_picture(circle(30), circle(34))
