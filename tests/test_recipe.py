from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymodal.errors import RecipeError
from polymodal.recipe import NamedPart, Recipe

GIVEN = """
table: data.csv
targets: [answer, price]
columns:
  photo:
    role: input
    modality:
      name: image
      size: 64
    encoder:
      name: resnet
      depth: 1
  price:
    modality: number
    head:
      name: regression
      loss: mse
fusion:
  name: product
  width: 64
split:
  test: 0.3
train:
  epochs: 5
  loss_weights:
    price: 0.5
evaluation:
  single_modalities: off
"""


def wrong(options) -> list[str]:
    with pytest.raises(RecipeError) as raised:
        Recipe.load(options)
    return [line.strip() for line in str(raised.value).splitlines()]


def test_every_option_has_a_default_that_is_right():
    assert Recipe.load() == Recipe.load({}) == Recipe()
    assert Recipe.load().to_yaml() == ""
    assert Recipe.load(Recipe().to_dict(defaults=True)) == Recipe()
    assert Recipe.from_yaml(Recipe().to_yaml(comments=True)) == Recipe().complete()


def test_yaml_becomes_a_typed_object():
    recipe = Recipe.from_yaml(GIVEN)
    assert recipe.columns["photo"].encoder == NamedPart(name="resnet", depth=1)
    assert recipe.column("price").modality == NamedPart(name="number")
    assert recipe.column("elsewhere").encoder is None
    assert recipe.split.test == 0.3
    assert recipe.evaluation.single_modalities == "off"
    assert Recipe.load(recipe) is recipe
    assert recipe.to_yaml() == GIVEN.lstrip().replace(" off", " 'off'")


def test_short_form_equals_long_form():
    short = {"fusion": "gated", "columns": {"a": {"encoder": "resnet", "modality": "image"}}}
    inner = {"encoder": {"name": "resnet"}, "modality": {"name": "image"}}
    assert Recipe.load(short) == Recipe.load({"fusion": {"name": "gated"}, "columns": {"a": inner}})


def test_all_mistakes_are_listed_at_once():
    lines = wrong(
        {
            "tabel": "data.csv",
            "targets": [2020],
            "fusion": {"name": "gated", "widht": 3},
            "tabular": 3,
            "columns": {
                "a.b": {"role": "imput", "encoder": {"name": "resnt"}},
                "photo": {"modality": "image", "encoder": "text_rnn"},
                "plot": {"modality": {"name": "image", "size": "abc"}},
                "price": {"head": {"name": "regression", "center": 0.0}},
            },
            "train": {"epochs": "atuo", "optimiser": "sgd", "compile": "yes"},
            "seed": -1,
        }
    )
    starts = [
        "The recipe has 13 mistakes:",
        "columns.\"a.b\".encoder = 'resnt': Did you mean 'resnet'? Known: ",
        'columns."a.b".role = "imput": Did you mean \'input\'? Known: group, ',
        "columns.photo.encoder = 'text_rnn': Known: as_is, cnn, ",
        "columns.plot.modality.size = \"abc\": it should be a whole number or 'auto'.",
        "columns.price.head.center: unknown option.",
        "fusion.widht: unknown option. Did you mean 'width'?",
        "seed = -1: it should be greater than or equal to 0.",
        "tabel: unknown option. Did you mean 'table'?",
        "tabular = 3: it should be a name, or a mapping of name and options.",
        "targets.0 = 2020: it should be text (put it in quotes).",
        'train.compile = "yes": it should be true or false.',
        "train.epochs = \"atuo\": it should be a whole number or 'auto'.",
        "train.optimiser: unknown option. Did you mean 'optimizer'?",
    ]
    assert [line[: len(start)] for line, start in zip(lines, starts, strict=True)] == starts


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": {"validation": 0.5, "test": 0.5}}, "split: validation and test together leave"),
        ({"targets": ["a"], "inputs": ["a"]}, "inputs: 'a' is a target too"),
        (
            {"targets": ["a"], "columns": {"a": {"role": "group"}}},
            "columns.a.role = 'group': the column is among the targets too.",
        ),
        (
            {"targets": ["a"], "columns": {"a": {"encoder": "cnn"}}},
            "columns.a.encoder: a target has a head",
        ),
        (
            {"targets": ["a"], "columns": {"b": {"head": "tagging"}}},
            "columns.b.head: the column is no target",
        ),
        (
            {"targets": ["answer"], "train": {"loss_weights": {"anwser": 1.0}}},
            "train.loss_weights.anwser: it is no target. Did you mean 'answer'?",
        ),
        ({"columns": {"a": {"encoder": {"depth": 3}}}}, "columns.a.encoder.name: it has no"),
        ({"columns": None}, "columns = null: it should be a mapping."),
        ({"train": {"learning_rate": float("inf")}}, "train.learning_rate = Infinity: it should"),
    ],
)
def test_contradictions_and_edges(options, message):
    heading, line = wrong(options)
    assert heading == "The recipe has a mistake:"
    assert line.startswith(message)


def test_pretrained_needs_its_model():
    column = {"modality": "image", "encoder": "pretrained"}
    _, line = wrong({"columns": {"photo": column}})
    assert line.startswith("columns.photo.encoder.model: it has no default")
    column["encoder"] = {"name": "pretrained", "model": "somewhere/some-model"}
    assert Recipe.load({"columns": {"photo": column}}).complete().to_yaml()


def test_a_file_and_the_tables_beside_it(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("\ufefftable: data/数据.csv\n", encoding="utf-8")
    assert Recipe.load(path).table == str(tmp_path / "data" / "数据.csv")
    path.write_text("table: [a.csv, /b.csv, 's3://c/d.csv']\n")
    assert Recipe.load(str(path)).table == [str(tmp_path / "a.csv"), "/b.csv", "s3://c/d.csv"]
    path.write_text("seed: 1\nseed: 2\n")
    with pytest.raises(RecipeError, match="line 2, column 1: 'seed' comes twice"):
        Recipe.load(path)
    path.write_text("sed: 1\n")
    with pytest.raises(RecipeError, match=r"recipe.yaml has a mistake:\n  sed: unknown option"):
        Recipe.load(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="cannot be read"):
        Recipe.load(path)
    with pytest.raises(RecipeError, match="No such file"):
        Recipe.load(tmp_path / "absent.yaml")


def test_what_is_saved_is_the_effective_recipe(tmp_path):
    recipe = Recipe.from_yaml(GIVEN).override([f"table={tmp_path / 'data.csv'}"])
    recipe.save(tmp_path / "recipe.yaml")
    assert Recipe.load(tmp_path / "recipe.yaml") == recipe.complete()
    assert recipe.complete().columns["price"].head.options["loss"] == "mse"
    assert "delta" in recipe.complete().columns["price"].head.options


def test_every_line_of_the_effective_recipe_says_what_it_does():
    lines = Recipe.from_yaml(GIVEN).to_yaml(comments=True).splitlines()
    names = {"photo:", "price:", "price: 0.5"}
    assert {line.strip() for line in lines if "  # " not in line} == names
    assert "  width: 64  # size of the fused vector." in lines


def test_override():
    recipe = Recipe.from_yaml(GIVEN).override(
        [
            "train.epochs=7",
            "train.learning_rate = 1e-3",
            "fusion=gated",
            "tabular.width=32",
            "columns.photo.encoder.depth=3",
            "columns.a b.encoder=cnn",
            "columns.a.b.encoder=cnn",
            "columns.a.b.encoder.width=16",
            'columns."c.role".role=ignored',
            "columns.'d=e'.role=ignored",
            "targets=[answer, no, price]",
            "table=null",
        ]
    )
    assert (recipe.train.epochs, recipe.train.learning_rate) == (7, 0.001)
    assert recipe.fusion == NamedPart(name="gated")
    assert recipe.tabular == NamedPart(name="mlp", width=32)
    assert recipe.columns["photo"].encoder == NamedPart(name="resnet", depth=3)
    assert recipe.columns["a b"].encoder == NamedPart(name="cnn")
    assert recipe.columns["a.b"].encoder == NamedPart(name="cnn", width=16)
    assert recipe.columns["c.role"].role == recipe.columns["d=e"].role == "ignored"
    assert recipe.targets == ["answer", "no", "price"]
    assert recipe.table is None
    assert Recipe().override([]) == Recipe()


def test_pairs_in_a_file_start_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("evaluation: {pairs: pairs.csv}\ntable: data.csv\n")
    recipe = Recipe.load(tmp_path / "recipe.yaml")
    assert recipe.evaluation.pairs == str(tmp_path / "pairs.csv")
    assert recipe.table == str(tmp_path / "data.csv")
    given = Recipe.load({"evaluation": {"pairs": "pairs.csv"}})
    assert given.evaluation.pairs == "pairs.csv"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("train.epochs", "must be path=value"),
        ("=3", "must be path=value"),
        ("train..epochs=3", "must be path=value"),
        ("train.epochs=[1", "'train.epochs=.1', line 1, column 3: expected"),
        ("train.epochs=x", "train.epochs = \"x\": it should be a whole number or 'auto'"),
        ("train.epoch=3", "train.epoch: unknown option. Did you mean 'epochs'"),
        ("seed.x=3", "seed = .*: it should be a whole number"),
        ("columns.photo.encoder.depth=3", "columns.photo.encoder.name: it has no default"),
        ("columns=3", "columns = 3: it should be a mapping"),
    ],
)
def test_wrong_overrides(assignment, message):
    with pytest.raises(RecipeError, match=message):
        Recipe().override([assignment])


names = st.text(min_size=1)
parts = st.sampled_from(
    ["cnn", {"name": "cnn", "width": 16}, {"name": "resnet", "depth": 1}, {"name": "text_rnn"}]
)
columns = st.fixed_dictionaries(
    {}, optional={"role": st.sampled_from(["input", "ignored"]), "encoder": parts}
)
recipes = st.fixed_dictionaries(
    {},
    optional={
        "table": st.none() | st.text() | st.lists(st.text()),
        "inputs": st.none() | st.lists(names),
        "columns": st.dictionaries(names, columns),
        "fusion": st.sampled_from(["concat", {"name": "gated", "width": 32}]),
        "seed": st.integers(0, 2**40),
        "train": st.fixed_dictionaries(
            {},
            optional={
                "learning_rate": st.just("auto") | st.floats(1e-12, 1e3),
                "epochs": st.just("auto") | st.integers(1, 10**9),
                "loss_weights": st.dictionaries(st.text(), st.floats(0, 1e9)),
            },
        ),
    },
)


@settings(max_examples=30, deadline=None)
@given(recipes)
def test_round_trip(options):
    recipe = Recipe.load(options)
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe
    assert Recipe.load(recipe.to_dict()) == recipe
    assert Recipe.from_yaml(recipe.to_yaml(comments=True)) == recipe.complete()
    assert recipe.complete().complete() == recipe.complete()


def test_direct_construction_is_checked_too():
    with pytest.raises(ValueError, match="Did you mean 'concat'"):
        Recipe(fusion=NamedPart(name="concatt"))
    assert Recipe(table=str(Path("a.csv"))).table == "a.csv"
