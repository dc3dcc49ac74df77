"""What README and docs show is run: Python as it stands, commands and recipes as far as cheap."""

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SLICE = ROOT / "examples" / "easy_vqa" / "easy_vqa.parquet"
PAGES = [
    *sorted(ROOT.glob("README*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").glob("**/README.md")),
]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language, in order."""
    text = (ROOT / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[list[str]]:
    """The `polymodal …` lines of a page, as words."""
    text = (ROOT / page).read_text("utf-8").replace("\\\n", " ")
    lines = [line.strip().removeprefix("$ ") for line in text.splitlines()]
    found = [line for line in lines if re.match(r"polymodal\s+[a-z-]", line)]
    return [shlex.split(line, comments=True) for line in found]


PYTHON = [n for n in NAMES if any(not b.startswith(">>>") for b in blocks(n, "python"))]


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small tables cut from the demo data, and a model trained on them."""
    import polymodal as pm

    folder = tmp_path_factory.mktemp("workshop")
    _write_tables(folder)
    with pytest.MonkeyPatch.context() as patch:
        _one_epoch(patch)
        patch.chdir(folder)
        pm.fit("data.csv", target="answer", out="runs/ready")
        aligned = {"objective": "align", "inputs": ["image", "name_en"]}
        pm.fit("emoji.csv", recipe=aligned, out="runs/emoji")
    return folder


@pytest.fixture
def place(workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the workshop to run a page in."""
    import shutil

    shutil.copytree(workshop, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    _one_epoch(monkeypatch)
    return tmp_path / "place"


def _write_tables(folder: Path) -> None:
    import csv

    from pyarrow import parquet

    rows = parquet.read_table(SLICE, columns=["image", "question", "answer"])
    rows = rows.slice(0, 8000).take(list(range(0, 8000, 20))).to_pylist()
    (folder / "photos").mkdir()
    for number, row in enumerate(rows):
        row["photo"] = f"photos/{number}.png"
        (folder / row["photo"]).write_bytes(row.pop("image"))
        row["words"] = len(row["question"].split())
        row |= {"caption": row["question"], "person": f"person {number % 24}"}
        row |= {"id": number, "image": row["photo"], "name_en": row["question"]}
        row |= {"subgroup": row["answer"], "split": "test" if number % 4 == 0 else "train"}
    (folder / "a.png").write_bytes((folder / "photos/0.png").read_bytes())
    (folder / "b.png").write_bytes((folder / "photos/9.png").read_bytes())
    columns = ["photo", "question", "words", "answer"]
    for name, part, kept in (
        ("data.csv", rows[:200], ["photo", "question", "answer"]),
        ("test.csv", rows[200:260], ["photo", "question", "answer"]),
        ("new.csv", rows[260:300], ["photo", "question"]),
        ("more.csv", rows[:200], columns),
        ("photos.csv", rows[:120], ["photo", "caption"]),
        ("faces.csv", rows[:120], ["photo", "person"]),
        ("emoji.csv", rows[:120], ["id", "image", "name_en", "subgroup", "split"]),
    ):
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, kept, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(part)


def _one_epoch(patch: pytest.MonkeyPatch) -> None:
    """One pass where a page leaves the number open: what is tested is that it runs."""
    patch.setattr("polymodal.train_options.auto_epochs", lambda rows, batch_size=None: 1)


@pytest.mark.slow
@pytest.mark.parametrize("page", PYTHON)
def test_the_python_of_a_page_runs(page: str, place: Path) -> None:
    """All blocks of a page, one after the other, in one namespace."""
    names: dict[str, object] = {"__name__": "page"}
    for number, block in enumerate(blocks(page, "python"), start=1):
        if not block.startswith(">>>"):
            exec(compile(block, f"{page}, block {number}", "exec"), names)


@pytest.mark.parametrize("page", [name for name in NAMES if commands(name)])
def test_the_commands_of_a_page_are_understood(page: str) -> None:
    """Every option exists and takes what is given; every --set names an option of a recipe."""
    import click
    import typer.main

    from polymodal import Recipe
    from polymodal.cli import app

    group = typer.main.get_command(app)
    assert isinstance(group, click.Group) or hasattr(group, "commands")
    for words in commands(page):
        command = group.commands[words[1]]  # type: ignore[attr-defined]
        context = command.make_context(words[1], [*words[2:]])
        Recipe().override(context.params.get("set_") or [])


@pytest.mark.slow
def test_the_commands_of_the_readme_run(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, as a reader would type them; a server is tested by itself."""
    from typer.testing import CliRunner

    from polymodal.cli import app

    monkeypatch.setattr("typer.launch", lambda address: 0)
    for words in commands("README.md"):
        if words[1] in ("serve", "client"):
            continue
        result = CliRunner().invoke(app, words[1:])
        assert result.exit_code == 0, (words, result.output, result.exception)
    assert (place / "runs/answers/report.html").stat().st_size > 10_000
    assert (place / "answers.parquet").exists()


@pytest.mark.parametrize("page", [name for name in NAMES if blocks(name, "yaml")])
def test_the_recipes_of_a_page_are_right(page: str) -> None:
    from polymodal import Recipe

    for block in blocks(page, "yaml"):
        Recipe.from_yaml(block)


@pytest.mark.parametrize(
    "recipe", sorted((ROOT / "examples").glob("*/*.yaml")), ids=lambda path: path.parent.name
)
def test_the_recipe_of_an_example_is_right(recipe: Path) -> None:
    from polymodal import Recipe

    loaded = Recipe.load(recipe)
    assert loaded.inputs and (loaded.targets or loaded.objective.name == "align")
    if loaded.table:
        assert Path(str(loaded.table)).exists()


@pytest.mark.parametrize("page", [*NAMES, "CHANGELOG.md", "CONTRIBUTING.md"])
def test_the_links_of_a_page_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:|#", link):
            assert ((ROOT / page).parent / link.split("#")[0]).exists(), link


def test_both_readmes_show_the_same() -> None:
    """The Chinese one is written anew, but its code and commands are the English one's."""
    english, chinese = "README.md", "README.zh-CN.md"

    def code(page: str) -> list[str]:
        return [re.sub(r"\s*#.*", "", block) for block in blocks(page, "python")]

    assert code(english) == code(chinese)
    assert [words[1] for words in commands(english)] == [words[1] for words in commands(chinese)]
