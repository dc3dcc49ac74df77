import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymodal.errors import RecipeError
from polymodal.recipe_yaml import Comment, read, write

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from(["no", "null", "1e-3", "007", "2020-01-31", "1:30", "<<", "=", "~", "a: b"])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(), values), st.text())
def test_whatever_is_written_is_read_back(data, comment):
    assert read(write(data), "text") == data
    if comment.isprintable():
        comments = dict.fromkeys(data, Comment(comment))
        assert read(write(data, comments), "text") == data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("off", "off"),
        ("y", "y"),
        ("true", True),
        ("~", None),
        ("", None),
        ("2020-01-31", "2020-01-31"),
        ("12:30:45", "12:30:45"),
        ("1e-3", 0.001),
        ("-.5", -0.5),
        ("3", 3),
        ("007", "007"),
        ("1_000", "1_000"),
        ("9" * 30, "9" * 30),
    ],
)
def test_plain_scalars(text, value):
    found = read(f"a: {text}", "text")["a"]
    assert found == value
    assert type(found) is type(value)


def test_names_are_text_as_written():
    assert read("no: 1\n007: 2\n2020: 3\nnull: 4", "text") == {
        "no": 1,
        "007": 2,
        "2020": 3,
        "null": 4,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [1\nc: 2", "r.yaml, line 3, column 2: expected ',' or ']'"),
        ("seed: 1\ntrain: {}\nseed: 2", "r.yaml, line 3, column 1: 'seed' comes twice"),
        ("a: &x 1\nb: *x", r"r.yaml, line 2, column 4: write aliases \(\*name\) out"),
        ("[a]: 1", "r.yaml, line 1, column 1: a name must be text"),
        ("a: !!python/object/apply:os.getcwd []", "line 1, column 4: could not determine"),
        ("- a", r"r.yaml: expected `option: value` lines, got \"\['a'\]\""),
        ("a: \x01", "r.yaml is not YAML"),
        ("[" * 800, "r.yaml is nested too deeply"),
    ],
)
def test_what_is_not_a_recipe_is_refused_with_its_place(text, message):
    with pytest.raises(RecipeError, match=message):
        read(text, "r.yaml")


def test_blocks_and_comments():
    comments = {"a": Comment("over\n two lines", {"b": Comment("inner")})}
    assert write({"a": {"b": [1, "x"], "c": {}}}, comments) == (
        "a:  # over two lines\n  b: [1, x]  # inner\n  c: {}\n"
    )
