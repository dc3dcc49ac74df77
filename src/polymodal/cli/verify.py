"""``polymodal verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polymodal.cli.arguments import AsJson

if TYPE_CHECKING:
    from polymodal.predictor import Predictor


def verify(
    run: Annotated[Path, typer.Argument(help="A run of --objective verify.")],
    first: Annotated[str, typer.Argument(help="A file, or a row as JSON.")],
    second: Annotated[str, typer.Argument(help="A file, or a row as JSON.")],
    json_: AsJson = False,
) -> None:
    """Whether two files, or two rows, are of the same identity.

    Examples:
        polymodal verify runs/faces a.png b.png

        polymodal verify runs/people '{"face": "a.png", "voice": "a.wav"}' '{"face": "b.png"}'
    """
    import json

    from rich.console import Console

    from polymodal.predictor import Predictor

    predictor = Predictor.load(run)
    found = predictor.verify(_row(predictor, first), _row(predictor, second))
    if json_:
        print(json.dumps(found._asdict()))
        return
    word, colour = ("same", "green") if found.same else ("different", "yellow")
    console = Console(highlight=False)
    console.print(
        f"[{colour}]{word}[/]  score {found.score:.3f}, “same” from {found.threshold:.3f} on"
    )


def _row(predictor: Predictor, given: str) -> dict[str, Any]:
    """The row that an argument stands for: JSON, or the file of one column."""
    import json

    from polymodal.errors import PolymodalError

    if given.lstrip().startswith("{"):
        try:
            row: dict[str, Any] = json.loads(given)
        except json.JSONDecodeError as error:
            raise PolymodalError(f"{given!r} is not valid JSON: {error}") from error
        return row
    if not Path(given).is_file():
        raise PolymodalError(
            f"There is no file {given!r}. Give a file, or a row as JSON: "
            f'{{"{predictor.inputs[0]}": …}}'
        )
    fitting = [name for name in predictor.inputs if predictor.run.modalities[name].media]
    if len(fitting) > 1:
        fitting = [name for name in fitting if _fits(predictor.run.modalities[name].name, given)]
    if len(fitting) != 1:
        raise PolymodalError(
            f"Which input is {given!r}? The model reads {', '.join(predictor.inputs)}: give a row "
            f'as JSON, {{"{predictor.inputs[0]}": "{given}"}}.'
        )
    return {fitting[0]: str(Path(given).absolute())}


def _fits(modality: str, path: str) -> bool:
    """Whether a file's ending is one of a modality."""
    from polymodal.data.media import AUDIO_ENDINGS, IMAGE_ENDINGS, VIDEO_ENDINGS

    endings = {"image": IMAGE_ENDINGS, "audio": AUDIO_ENDINGS, "video": VIDEO_ENDINGS}
    return Path(path).suffix.lower() in endings.get(modality, ())
