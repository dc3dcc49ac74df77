"""The layers, the owners of heavy packages, the names of files, and the way of one sample."""

import ast
import subprocess
import sys
import threading
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "polymodal"
FILES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))

# From left to right: a room imports only from rooms further right. Rooms of one line are
# siblings and do not import each other; the files of one room may, but never in a circle.
LAYERS: list[dict[str, list[str]]] = [
    {"cli": ["cli/*"]},
    {"repairs": ["repairs/*"]},
    {"comparison": ["comparison/*"]},
    {"compression": ["compression/*"]},
    {
        "inspection": ["inspection.py", "inspection_view.py"],
        "augmentation": ["augmentation.py"],
        "portable_pack": ["portable_pack.py"],
        "experiment": ["experiment.py"],
    },
    {"assessment": ["assessment.py"], "doctor": ["doctor/*"]},
    {"serving": ["serving/*"], "client": ["client.py"]},
    {"exporting": ["exporting/*"]},
    {"search": ["search/*"], "clustering": ["clustering/*"]},
    {"predictor": ["predictor.py"]},
    {"run_directory": ["run_directory.py"], "trainer": ["trainer.py", "balance_pilot.py"]},
    {"matching": ["matching.py"]},
    {"checks": ["checks/*"]},
    {"evaluation": ["evaluation/*"]},
    {"training": ["training/*"]},
    {"preparation": ["preparation.py"]},
    {"build": ["build.py", "prompted_columns.py"]},
    {
        "recipe": [
            "recipe.py",
            "recipe_options.py",
            "clean_options.py",
            "recipe_yaml.py",
            "train_options.py",
            "named_part.py",
            "signature.py",
            "mistake.py",
        ],
        "cost": ["cost.py"],
    },
    {"frozen_features": ["frozen_features.py"]},
    {"model": ["model.py", "modality_dropout.py", "gradient_caching.py", "layer_sizes.py"]},
    {"heads": ["heads/*"], "fusion": ["fusion/*"], "encoders": ["encoders/*"]},
    {"stream": ["data/stream.py", "data/shards.py"]},
    {
        "dataset": ["data/dataset.py"],
        "loader": ["data/loader.py", "data/item_loader.py"],
        "export": ["data/export.py"],
    },
    {"pack": ["data/pack.py", "data/growing_array.py", "data/kept_*.py"]},
    {
        "findings": ["data/findings.py", "data/leaks.py"],
        "split": ["data/split.py", "data/items.py"],
    },
    {"schema": ["data/schema.py"]},
    {"onnx_runner": ["onnx_runner/*"]},
    {"modalities": ["data/modalities/*"]},
    {"table": ["data/table.py"]},
    {"readers": ["data/readers.py", "data/adapters.py", "data/webdataset.py"]},
    {
        "summary": ["data/summary.py"],
        "arrays": ["data/arrays.py"],
        "plot": ["data/plot.py", "data/heatmap.py"],
        "variations": ["data/*_variation.py"],
        "views": ["data/views.py"],
    },
    {"media": ["data/media.py"], "pytorch": ["data/pytorch.py"]},
    {
        "batch": ["batch.py"],
        "transformer": ["transformer.py"],
        "backbone": ["backbone.py", "log_mels.py"],
    },
    {
        "files": ["files.py"],
        "errors": ["errors.py"],
        "countdown": ["countdown.py"],
        "hub": ["hub.py"],
    },
]
# The front door names what is public and loads it when asked; the data room's is empty.
FRONT_DOORS = ("__init__.py", "data/__init__.py")

# Packages that are slow to load, or that are the business of one room only.
OWNERS: dict[str, list[str]] = {
    "transformers": ["backbone.py", "encoders/pretrained_*.py", "heads/adapted_network.py"],
    "timm": ["backbone.py", "encoders/pretrained_*.py"],
    "peft": ["backbone.py", "encoders/pretrained_*.py"],
    "huggingface_hub": ["hub.py"],
    "torchvision": ["encoders/pretrained_image.py", "data/modalities/image.py"],
    "accelerate": ["training/*"],
    "tensorboard": ["training/*"],
    "psutil": ["doctor/*", "training/*"],
    "packaging": ["doctor/packages.py"],
    "sklearn": ["repairs/filling.py", "checks/*", "clustering/*", "evaluation/*"],
    "matplotlib": ["evaluation/charts.py"],
    "jinja2": ["evaluation/page.py"],
    "markupsafe": ["evaluation/*"],
    "cleanlab": ["checks/label_errors.py"],
    "scipy": ["repairs/denoising.py", "checks/*", "evaluation/*", "data/split.py"],
    "typer": ["cli/*"],
    "rich": ["cli/*", "training/progress.py", "evaluation/scores.py", "evaluation/standings.py"],
    "pandas": ["predictor.py", "data/table.py"],
    "av": ["data/modalities/audio.py", "data/modalities/footage.py", "data/modalities/video.py"],
    "soundfile": [
        "repairs/denoising.py",
        "checks/media_files.py",
        "data/modalities/audio.py",
    ],
    "soxr": ["data/modalities/audio.py"],
    "PIL": [
        "doctor/speed.py",
        "repairs/denoising.py",
        "checks/media_files.py",
        "data/modalities/image.py",
        "data/modalities/point_picture.py",
        "data/plot.py",
        "data/heatmap.py",
        "augmentation.py",
        "evaluation/augmentation_page.py",
        "evaluation/hearing.py",
        "evaluation/shown_cells.py",
        "evaluation/thumbnails.py",
    ],
    "tokenizers": ["data/modalities/text.py", "encoders/pretrained_text.py"],
    "yaml": ["recipe_yaml.py"],
    "fastapi": ["serving/*"],
    "starlette": ["serving/*"],
    "uvicorn": ["serving/server.py"],
    "gradio": ["serving/web_page.py"],
    "prometheus_client": ["serving/monitoring.py"],
    "httpx": ["client.py"],
    "onnx": ["exporting/*", "compression/*"],
    "onnxruntime": ["exporting/*", "compression/*", "onnx_runner/*"],
    "onnxscript": ["exporting/*"],
    "executorch": ["exporting/executorch_file.py"],
    "torch_pruning": ["compression/*"],
    "datasets": ["data/adapters.py", "data/export.py"],
    "fsspec": ["data/shards.py"],
    "lancedb": ["search/vector_table.py"],
    "umap": ["clustering/map_layout.py"],
    "sacrebleu": ["evaluation/n_grams.py"],
    "rouge_score": ["evaluation/n_grams.py"],
    "pycocoevalcap": ["evaluation/cider.py"],
    "jiwer": ["evaluation/word_errors.py"],
    "nltk": ["evaluation/meteor.py"],
    "safetensors": ["exporting/*", "run_directory.py", "training/checkpoint.py"],
}
NEVER_AT_IMPORT_TIME = (
    "sacrebleu",
    "rouge_score",
    "pycocoevalcap",
    "jiwer",
    "nltk",
    "torchvision",
    "transformers",
    "timm",
    "peft",
    "matplotlib",
    "pandas",
    "av",
    "datasets",
    "fsspec",
    "gradio",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "executorch",
    "torch_pruning",
)

# What a newcomer reads to follow one sample; a text has a recurrent network more than a picture.
MOST_FILES_FROM_DISK_TO_LOSS = {"photo": 13, "question": 14}


class Import(NamedTuple):
    module: str
    line: int
    lazy: bool  # inside a function
    typing: bool  # under `if TYPE_CHECKING`


@cache
def imports(file: str) -> list[Import]:
    """Every import of a file, lazy ones and those for type checkers too."""
    found: list[Import] = []

    def visit(node: ast.AST, lazy: bool, typing: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(a.name, node.lineno, lazy, typing) for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: write polymodal.… in full"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                name = inner if file_of(inner) else str(node.module)
                found.append(Import(name, node.lineno, lazy, typing))
        lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            visit(child, lazy, typing or (for_types and child in node.body))

    visit(ast.parse((SOURCE / file).read_text("utf-8")), False, False)
    return found


def file_of(module: str) -> str | None:
    """The file of one of our modules."""
    if module != "polymodal" and not module.startswith("polymodal."):
        return None
    place = "/".join(module.split(".")[1:])
    names = [f"{place}.py", f"{place}/__init__.py"] if place else ["__init__.py"]
    return next((name for name in names if (SOURCE / name).is_file()), None)


def room_of(file: str) -> tuple[int, str]:
    """The layer and the room a file belongs to."""
    found = [
        (layer, room)
        for layer, rooms in enumerate(LAYERS)
        for room, patterns in rooms.items()
        if any(fnmatch(file, pattern) for pattern in patterns)
    ]
    assert len(found) == 1, f"{file} belongs to {[room for _, room in found] or 'no room'}"
    return found[0]


def inner_imports(file: str) -> Iterator[tuple[Import, str]]:
    for one in imports(file):
        target = file_of(one.module)
        if target is not None:
            yield one, target


@pytest.mark.parametrize("file", [f for f in FILES if f not in FRONT_DOORS])
def test_a_room_imports_only_from_rooms_to_its_right(file: str) -> None:
    layer, room = room_of(file)
    for one, target in inner_imports(file):
        assert target != "__init__.py", f"{file}:{one.line} imports the front door"
        if target in FRONT_DOORS:
            continue
        other_layer, other_room = room_of(target)
        assert other_room == room or other_layer > layer, (
            f"src/polymodal/{file}:{one.line}: room {room!r} imports {target!r} of room "
            f"{other_room!r}, which is not to its right"
        )


def test_no_file_imports_itself_in_a_circle() -> None:
    edges = {file: {t for _, t in inner_imports(file)} for file in FILES if file != "__init__.py"}
    done: set[str] = set()

    def walk(file: str, trail: tuple[str, ...]) -> None:
        assert file not in trail, " → ".join((*trail[trail.index(file) :], file))
        if file not in done:
            for target in sorted(edges.get(file, ())):
                walk(target, (*trail, file))
            done.add(file)

    for file in sorted(edges):
        walk(file, ())


def test_the_front_door_only_lists_names() -> None:
    """Every public name is listed for people, for type checkers and for loading alike."""
    import polymodal

    assert set(polymodal.__all__) == {*polymodal._HOMES, "load"}
    assert sorted(polymodal.__all__) == polymodal.__all__
    for one in imports("__init__.py"):
        assert one.typing or one.module.split(".")[0] in sys.stdlib_module_names, one
    for name in polymodal.__all__:
        assert getattr(polymodal, name).__doc__, name


@pytest.mark.parametrize("file", FILES)
def test_heavy_packages_are_imported_by_their_owners_only(file: str) -> None:
    for one in imports(file):
        package = one.module.split(".")[0]
        owners = OWNERS.get(package)
        if owners is None or one.typing:
            continue
        where = f"src/polymodal/{file}:{one.line}: {package}"
        assert any(fnmatch(file, owner) for owner in owners), f"{where} belongs to {owners}"
        if package in NEVER_AT_IMPORT_TIME:
            assert one.lazy, f"{where} must be imported inside the function that needs it"


def test_file_names_are_the_fields_words() -> None:
    empty_words = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core"}
    assert not [file for file in FILES if empty_words & set(Path(file).stem.split("_"))]


def test_no_two_files_share_a_base_name() -> None:
    """But for a modality and its encoder, and a command and what it calls."""
    seen: dict[str, list[str]] = {}
    modalities = {Path(file).stem for file in FILES if file.startswith("data/modalities/")}
    for file in FILES:
        path = Path(file)
        if path.stem.startswith("__") or path.parts[0] == "cli":
            continue
        if path.parts[0] == "encoders" and path.stem in modalities:
            continue
        seen.setdefault(path.stem, []).append(file)
    assert not {stem: files for stem, files in seen.items() if len(files) > 1}


@pytest.mark.parametrize(
    ("command", "unwanted"),
    [
        (["-c", "import polymodal"], ["torch", "numpy", "pandas", "pyarrow", "pydantic", "typer"]),
        (["-m", "polymodal.cli", "--help"], ["torch", "numpy", "pandas", "pyarrow", "pydantic"]),
        (["-m", "polymodal.cli", "train", "--help"], ["torch", "numpy", "pandas", "pyarrow"]),
        (["-c", "import polymodal.data.table"], ["torch", "pandas", "sklearn", "PIL"]),
        (["-c", "import polymodal.onnx_runner"], ["torch", "pandas", "pyarrow", "pydantic"]),
        (
            ["-c", "import polymodal.model, polymodal.encoders, polymodal.fusion, polymodal.heads"],
            ["transformers", "timm", "peft", "torchvision", "pandas", "sklearn", "accelerate"],
        ),
        (
            ["-c", "import polymodal.experiment, polymodal.predictor, polymodal.inspection"],
            ["transformers", "timm", "peft", "torchvision", "matplotlib", "typer"],
        ),
    ],
    ids=lambda value: " ".join(value[1:])[:50] if value[0].startswith("-") else "",
)
def test_heavy_packages_are_not_loaded_before_they_are_needed(
    command: list[str], unwanted: list[str]
) -> None:
    run = subprocess.run(
        [sys.executable, "-X", "importtime", *command], capture_output=True, text=True, check=True
    )
    lines = [line for line in run.stderr.splitlines() if line.startswith("import time:")]
    loaded = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in lines}
    assert "polymodal" in loaded
    assert not loaded & set(unwanted)


def files_crossed(tmp_path: Path, columns: list[str]) -> set[str]:
    """Our files in which anything runs between a sample on disk and its loss."""
    import numpy as np
    from PIL import Image

    from polymodal import Columns, Loader, Recipe, Table
    from polymodal.build import build_modalities, build_model
    from polymodal.data.dataset import fit_modalities, prepare
    from polymodal.data.pack import pack

    kinds, rng = ["red square", "blue ring"], np.random.default_rng(0)
    lines = ["photo,question,label"]
    for row in range(24):
        pixels = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{row}.png")
        lines.append(f"{row}.png,is number {row} a nice {kinds[row % 2]}?,{'ab'[row % 2]}")
    (tmp_path / "data.csv").write_text("\n".join(lines))

    recipe = Recipe.load({"targets": ["label"], "inputs": columns})
    table = Table.read(tmp_path / "data.csv")
    dataset = prepare(table, ["label"], inputs=columns)
    modalities = build_modalities(recipe, dataset.schema)
    fit_modalities(dataset, modalities)
    model = build_model(recipe, dataset.schema, modalities)
    inputs = {name: modalities[name] for name in columns}
    crossed: set[str] = set()

    def note(frame, event, argument):
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(SOURCE):
            crossed.add(path.relative_to(SOURCE).as_posix())

    sys.setprofile(note)
    threading.setprofile(note)
    try:
        packed = pack(table, modalities, directory=tmp_path / "pack")
        loader = Loader(
            packed, Columns(inputs, {"label": modalities["label"]}),
            rows=np.arange(8), batch_size=8, training=True,
        )  # fmt: skip
        batch = next(loader.epoch(0))
        losses = model.losses(model(batch), batch)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    assert sum(losses.values()).isfinite()
    return crossed


@pytest.mark.parametrize("column", MOST_FILES_FROM_DISK_TO_LOSS)
def test_one_sample_crosses_few_files_from_disk_to_loss(tmp_path: Path, column: str) -> None:
    """A cell and its row's class: what a newcomer reads to follow one sample."""
    crossed = files_crossed(tmp_path, [column])
    assert len(crossed) <= MOST_FILES_FROM_DISK_TO_LOSS[column], sorted(crossed)
