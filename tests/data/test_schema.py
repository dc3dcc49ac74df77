import numpy as np
import pytest
from PIL import Image as Pillow

from polymodal.data.schema import Schema, infer_schema
from polymodal.data.table import Table
from polymodal.errors import SchemaError, TableError

WORDS = [
    "red", "green", "small", "large", "wooden", "plastic", "chair", "table",
    "lamp", "with", "four", "legs", "and", "a", "soft", "seat",
]  # fmt: skip


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(0)


def sentences(rng, count, length=8):
    return [" ".join(rng.choice(WORDS, length)) for _ in range(count)]


def kinds(schema):
    return {c.name: c.modality if c.role == "input" else c.role for c in schema.columns}


def test_passengers_of_a_ship(rng):
    n = 200
    table = Table.read(
        {
            "PassengerId": list(range(1, n + 1)),
            "Survived": rng.integers(0, 2, n).tolist(),
            "Pclass": rng.integers(1, 4, n).tolist(),
            "Name": [f"Family{i}, Mr. {a.title()} {b.title()}"
                     for i, (a, b) in enumerate(rng.choice(WORDS, (n, 2)))],
            "Sex": rng.choice(["male", "female"], n).tolist(),
            "Age": [None if rng.random() < 0.2 else float(a) for a in rng.integers(1, 80, n)],
            "SibSp": rng.integers(0, 5, n).tolist(),
            "Fare": rng.gamma(2, 20, n).tolist(),
            "Embarked": rng.choice(["S", "C", "Q"], n).tolist(),
        }
    )  # fmt: skip
    schema = infer_schema(table, ["Survived"])
    assert kinds(schema) == {
        "PassengerId": "ignored", "Survived": "target", "Pclass": "number", "Name": "text",
        "Sex": "category", "Age": "number", "SibSp": "number", "Fare": "number",
        "Embarked": "category",
    }  # fmt: skip
    assert schema["Survived"].modality == "category"
    assert infer_schema(table, ["Fare"])["Fare"].modality == "number"
    assert infer_schema(table, ["Pclass"])["Pclass"].modality == "category"


def test_a_census(rng):
    n = 300
    jobs = [f"{a}-{b}" for a in ("Exec", "Prof", "Craft") for b in ("managerial", "repair")]
    table = Table.read(
        {
            "age": rng.integers(17, 90, n).tolist(),
            "workclass": rng.choice([" Private", " State-gov", " ?"], n).tolist(),
            "fnlwgt": rng.integers(10_000, 900_000, n).tolist(),
            "education-num": rng.integers(1, 17, n).tolist(),
            "occupation": rng.choice(jobs, n).tolist(),
            "capital-gain": rng.choice([0, 0, 0, 5013, 14084], n).tolist(),
            "income": rng.choice([" <=50K", " >50K"], n).tolist(),
        }
    )
    assert kinds(infer_schema(table, ["income"])) == {
        "age": "number", "workclass": "category", "fnlwgt": "number", "education-num": "number",
        "occupation": "category", "capital-gain": "number", "income": "target",
    }  # fmt: skip


def test_photos_with_captions(rng):
    table = Table.read(
        {
            "image": [f"photos/{i}.JPG" for i in range(50)],
            "caption": sentences(rng, 50),
            "captions": [sentences(rng, 3) for _ in range(50)],
            "url": [f"https://example.org/{i}" for i in range(50)],
        }
    )
    assert kinds(infer_schema(table)) == {
        "image": "image", "caption": "text", "captions": "passages", "url": "ignored",
    }  # fmt: skip


def test_products(rng):
    n = 120
    table = Table.read(
        {
            "sku": [f"A{i:05d}-7" for i in range(n)],
            "price": np.round(rng.gamma(2, 30, n), 2).tolist(),
            "listed": [f"{v:,.2f}" for v in rng.gamma(2, 3000, n)],
            "description": sentences(rng, n, 12),
            "tags": [";".join(rng.choice(WORDS[:8], 2, replace=False)) for _ in range(n)],
            "labels": [rng.choice(WORDS[:8], 2).tolist() for _ in range(n)],
            "photo": [Pillow.new("RGB", (8, 8)) for _ in range(n)],
            "sold": [bool(v) for v in rng.integers(0, 2, n)],
            "shop": ["main"] * n,
            "note": [None] * n,
        }
    )
    schema = infer_schema(table, ["sold"])
    assert kinds(schema) == {
        "sku": "ignored", "price": "number", "listed": "number", "description": "text",
        "tags": "tags", "labels": "tags", "photo": "image", "sold": "target", "shop": "ignored",
        "note": "ignored",
    }  # fmt: skip
    assert schema["shop"].reason == "the same value in every row"
    assert schema["note"].reason == "empty in every row"


def test_means_of_sensors(rng):
    n = 150
    columns = {f"acc_{axis}_mean": rng.normal(size=n).tolist() for axis in "xyz"}
    table = Table.read(
        {
            "": list(range(n)),
            "subject_id": np.repeat(np.arange(10), 15).tolist(),
            "device": ["left", "right"] * 75,
            **columns,
            "activity": rng.choice(["walk", "sit"], n).tolist(),
        }
    )
    found = kinds(infer_schema(table, ["activity"]))
    assert found[""] == "ignored" and found["subject_id"] == "group"
    assert found["device"] == "category"
    assert all(found[name] == "number" for name in columns)


def test_split_and_group_are_found_beside_chosen_inputs():
    table = Table.read(
        {
            "split": ["train", "dev", "test"] * 10,
            "patient": [1, 2, 3] * 10,
            "a": list(range(100, 130)),
            "b": [0.5, 1.5, 2.5] * 10,
            "y": ["u", "v"] * 15,
        }
    )
    schema = infer_schema(table, ["y"], inputs=["b"])
    assert kinds(schema) == {
        "split": "split", "patient": "group", "a": "ignored", "b": "number", "y": "target",
    }  # fmt: skip
    assert kinds(infer_schema(table, ["y"], inputs=["patient"]))["patient"] == "number"


def test_the_split_that_is_asked_for_wins():
    table = Table.read(
        {"split": ["train", "test"] * 9, "fold": ["test", "train"] * 9, "a": "xy" * 9}
    )
    assert infer_schema(table).named("split") == ["split"]
    assert infer_schema(table, roles={"fold": "split"}).named("split") == ["fold"]


def test_a_code_in_every_row_is_no_input_but_a_chinese_word_is():
    table = Table.read(
        {
            "a": [f"{i:x}" * 3 + "-" for i in range(40)],
            "b": ["词语" + chr(0x4E00 + i) for i in range(40)],
        }
    )
    assert kinds(infer_schema(table)) == {"a": "ignored", "b": "text"}


def test_what_the_user_says_wins():
    table = Table.read({"id": [1, 2, 3], "n": [1, 2, 3]})
    schema = infer_schema(table, roles={"id": "input"}, modalities={"n": "category"})
    assert kinds(schema) == {"id": "number", "n": "category"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"roles": {"a": "inptu"}}, "Did you mean 'input'"),
        ({"modalities": {"a": "imag"}}, "Did you mean 'image'"),
        ({"targets": ["empty"]}, "empty in every row"),
        ({"targets": ["same"]}, "the same value"),
        ({"targets": ["photo"]}, "looks like image"),
        ({"inputs": ["odd"]}, "modality is not clear"),
    ],
)
def test_errors(options, message):
    table = Table.read(
        {
            "a": [1, 2, 3],
            "empty": [None, "", None],
            "same": ["x", "x", "x"],
            "prose": ["a b c d", "e f g h", "i j k l"],
            "photo": ["a.png", "b.png", "c.png"],
            "odd": [{"x": 1}, {"x": 2}, {"x": 3}],
        }
    )
    with pytest.raises(SchemaError, match=message):
        infer_schema(table, **options)


def test_an_unknown_column():
    with pytest.raises(TableError, match="no column 'c'"):
        infer_schema(Table.read({"a": [1]}), ["c"])


def test_a_schema_survives_json():
    schema = infer_schema(Table.read({"a": [1, 2, 3], "b": ["x", None, "x"]}))
    assert Schema.from_dict(schema.to_dict()) == schema
    with pytest.raises(SchemaError, match="Known: a, b"):
        schema["c"]


def test_columns_made_of_others():
    table = Table.read(
        {"number": [7, 8, 9, 7] * 9, "y": ["u", "v"] * 18, "z": [i / 7 for i in range(36)]}
    )
    sources = {"photo": "{number}.png"}
    schema = infer_schema(table, ["y"], sources=sources)
    assert kinds(schema) == {"number": "ignored", "y": "target", "z": "number", "photo": "image"}
    assert schema["number"].reason == "filled into the source of 'photo'"
    assert schema.sources == sources
    assert Schema.from_dict(schema.to_dict()) == schema
    asked = infer_schema(table, ["y"], sources=sources, roles={"number": "input"})
    assert kinds(asked)["number"] == "number"
    # A column that is shown twice is read twice, by two encoders perhaps.
    twice = infer_schema(table, ["y"], sources={"half": "z"})
    assert twice.inputs == ["number", "z", "half"]
    with pytest.raises(SchemaError, match="'y' is a target"):
        infer_schema(table, ["y"], sources={"photo": "{y}.png"})
