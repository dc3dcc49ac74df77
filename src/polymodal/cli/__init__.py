"""The command line: thin commands over the Python interface."""

from __future__ import annotations

import os
import sys

import typer

from polymodal.cli.augment import augment
from polymodal.cli.clean import clean
from polymodal.cli.client import client
from polymodal.cli.cluster import cluster
from polymodal.cli.compare import compare
from polymodal.cli.compress import compress
from polymodal.cli.doctor import doctor
from polymodal.cli.embed import embed
from polymodal.cli.evaluate import evaluate
from polymodal.cli.export import export
from polymodal.cli.index import index
from polymodal.cli.inspect import inspect
from polymodal.cli.pack import pack
from polymodal.cli.predict import predict
from polymodal.cli.recipe import recipe
from polymodal.cli.search import search
from polymodal.cli.serve import serve
from polymodal.cli.train import train
from polymodal.cli.verify import verify
from polymodal.errors import PolymodalError

app = typer.Typer(
    name="polymodal",
    help="From a table of images, text, audio, numbers and categories to a measured, saved model.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
for command in (inspect, clean, augment, pack, train, compare, evaluate, predict, recipe):
    app.command(no_args_is_help=True)(command)
app.command(no_args_is_help=True)(export)
app.command(no_args_is_help=True)(compress)
app.command(no_args_is_help=True)(embed)
app.command(no_args_is_help=True)(verify)
app.command(no_args_is_help=True)(serve)
app.command(no_args_is_help=True)(client)
app.command(no_args_is_help=True)(index)
app.command(no_args_is_help=True)(search)
app.command(no_args_is_help=True)(cluster)
app.command()(doctor)


@app.callback(invoke_without_command=True)
def options(
    version: bool = typer.Option(False, "--version", help="Print the version and stop."),
) -> None:
    """From a table of images, text, audio, numbers and categories to a measured, saved model."""
    if version:
        from importlib.metadata import version as installed

        print(installed("polymodal"))
        raise typer.Exit


def main() -> None:
    """Run the command line; exit with 0 when it worked, 1 on an error, 2 on wrong usage."""
    try:
        app()
    except BrokenPipeError:
        # Whoever read our output (head, a pager) has seen enough; nothing can be flushed to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (PolymodalError, OSError) as error:
        from rich.console import Console
        from rich.text import Text

        message = Text.assemble(("error: ", "bold red"), str(error))
        Console(stderr=True, highlight=False).print(message, soft_wrap=True)
        sys.exit(1)
