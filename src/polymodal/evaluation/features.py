"""Hand-made features of whole rows, for classical baselines."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from polymodal.data.modalities import Modality
from polymodal.data.pack import Pack


def table_features(
    pack: Pack, modalities: Mapping[str, Modality], rows: np.ndarray
) -> dict[str, np.ndarray]:
    """Each column's features ``(len(rows), F)`` float32, NaN where the cell is absent.

    Args:
        pack: the decoded columns.
        modalities: the columns wanted, with their fitted modalities.
        rows: which rows.
    """
    found = {}
    for name, modality in modalities.items():
        store = pack.stores[name]
        units = store.index[rows]
        distinct, inverse = np.unique(units[units >= 0], return_inverse=True)
        width = len(modality.summarise(modality.blank()))
        features = np.full((len(rows), width), np.nan, np.float32)
        if len(distinct):
            summaries = np.stack([modality.summarise(store.cell(unit)) for unit in distinct])
            features[units >= 0] = summaries[inverse]
        found[name] = features
    return found
