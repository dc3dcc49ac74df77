"""What a network that aligns columns makes of rows, as cells that find one another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from polymodal.data.item_loader import cell_numbers
from polymodal.data.pack import Pack
from polymodal.evaluation.prediction import Predicted
from polymodal.evaluation.retrieval import Cells, distinct_cells
from polymodal.model import MultimodalModel


def compared_vectors(model: MultimodalModel, said: Predicted) -> Tensor:
    """What the head whose vectors are compared has said: ``(N, D)``, or ``(N, M, D)``."""
    vectors = said.predictions[model.targets[0]]
    assert isinstance(vectors, Tensor)
    return vectors


def aligned_columns(
    model: MultimodalModel, said: Predicted, pack: Pack, items: np.ndarray
) -> dict[str, Cells]:
    """Branch -> its distinct cells.

    Args:
        model: the network.
        said: what it says of some rows.
        pack: the decoded columns of all rows.
        items: a number for each row of the table, equal where the thing is.

    Returns:
        cells whose ``rows`` are rows of the table.
    """
    vectors, rows = compared_vectors(model, said).numpy(), said.rows
    found = {}
    for place, branch in enumerate(model.branches):
        of_branch = vectors[:, place]
        cells = cell_numbers(pack, model.columns[branch])[rows]
        distinct = distinct_cells(of_branch, items[rows], cells)
        found[branch] = replace(distinct, rows=rows[distinct.rows])
    return found
