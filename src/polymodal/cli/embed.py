"""``polymodal embed``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def embed(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    table: Annotated[str, typer.Argument(help="A table with the input columns.")],
    output: Annotated[Path, typer.Option("--output", "-o", help=".parquet or .npy.")],
    column: Annotated[
        list[str] | None,
        typer.Option(help="Vectors of this input column; repeatable. Default: whole rows."),
    ] = None,
    dims: Annotated[int | None, typer.Option(help="Only the first so many numbers.")] = None,
    kind: Annotated[
        Literal["float32", "float16", "int8", "binary"], typer.Option(help="Form of numbers.")
    ] = "float32",
    normalise: Annotated[
        bool, typer.Option("--normalise/--raw", help="Vectors of length 1.")
    ] = True,
) -> None:
    """Turn every row of a table, or single columns of it, into vectors.

    A Parquet file has a column of lists for each: ``vector`` for whole rows, or the names of the
    columns; a row that lacks a cell has a null there. A NumPy file holds one matrix, with zeros.

    Examples:
        polymodal embed runs/mine data.csv -o vectors.parquet

        polymodal embed runs/mine data.csv -o vectors.parquet --column image --column caption

        polymodal embed runs/mine data.csv -o small.npy --column image --kind binary
    """
    from rich.console import Console

    from polymodal.errors import PolymodalError

    kinds = (".parquet", ".npy")
    if output.suffix.lower() not in kinds:
        raise typer.BadParameter(
            f"{output.name!r}: write to a file ending in {' or '.join(kinds)}.",
            param_hint="--output",
        )
    matrix = output.suffix.lower() == ".npy"
    if matrix and len(column or ()) > 1:
        raise PolymodalError("A .npy file holds one matrix: name one --column, or write .parquet.")
    import io

    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from polymodal.files import write_file
    from polymodal.predictor import Predictor

    predictor = Predictor.load(run)
    wanted = {name: name for name in column} if column else {"vector": None}
    found = {
        name: predictor.embed(table, place, normalise=normalise, dims=dims, kind=kind)
        for name, place in wanted.items()
    }
    file = io.BytesIO()
    if matrix:
        np.save(file, next(iter(found.values())))
    else:
        columns = {}
        for name, vectors in found.items():
            values = pa.array(vectors.reshape(-1))
            lists = pa.FixedSizeListArray.from_arrays(values, vectors.shape[1])
            absent = pa.array(~(vectors != 0).any(1))
            columns[name] = pa.compute.if_else(absent, pa.scalar(None, lists.type), lists)
        pq.write_table(pa.table(columns), file)
    write_file(output, file.getvalue())
    told = ", ".join(f"{name} {v.shape[1]} × {v.dtype}" for name, v in found.items())
    rows = len(next(iter(found.values())))
    Console(stderr=True, highlight=False, markup=False).print(f"{rows:,} rows: {told}")
