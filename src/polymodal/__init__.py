"""polymodal: from a table of many kinds of data to a measured, saved model.

The public names are loaded when they are first used, so that importing the package costs nothing.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polymodal.batch import Batch, Field
    from polymodal.comparison.comparison import Comparison, compare
    from polymodal.data.loader import Columns, Loader
    from polymodal.data.table import Table
    from polymodal.doctor.diagnosis import diagnose
    from polymodal.errors import PolymodalError
    from polymodal.experiment import fit
    from polymodal.inspection import inspect
    from polymodal.model import MultimodalModel
    from polymodal.portable_pack import pack_table
    from polymodal.predictor import Predictor
    from polymodal.recipe import Recipe
    from polymodal.repairs.cleaning import clean

    load = Predictor.load

# Threads that wait by spinning slow a busy machine down many times; read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_HOMES = {
    "Batch": "batch",
    "Columns": "data.loader",
    "Comparison": "comparison.comparison",
    "Field": "batch",
    "Loader": "data.loader",
    "MultimodalModel": "model",
    "PolymodalError": "errors",
    "Predictor": "predictor",
    "Recipe": "recipe",
    "Table": "data.table",
    "clean": "repairs.cleaning",
    "compare": "comparison.comparison",
    "diagnose": "doctor.diagnosis",
    "fit": "experiment",
    "inspect": "inspection",
    "pack_table": "portable_pack",
}

__all__ = [
    "Batch",
    "Columns",
    "Comparison",
    "Field",
    "Loader",
    "MultimodalModel",
    "PolymodalError",
    "Predictor",
    "Recipe",
    "Table",
    "clean",
    "compare",
    "diagnose",
    "fit",
    "inspect",
    "load",
    "pack_table",
]


def __getattr__(name: str) -> Any:
    if name == "load":
        value = __getattr__("Predictor").load
    elif name in _HOMES:
        value = getattr(import_module(f"polymodal.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module 'polymodal' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
