"""PyTorch, loaded when something of it is first used.

Decoding a cell needs no PyTorch, so that a model can be run where none is installed; varying cells
in training does.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


class _OnFirstUse:
    """Gives what a package gives, and imports it for the first thing asked of it."""

    def __init__(self, package: str) -> None:
        self._package = package

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self._package), name)


torch: Any = _OnFirstUse("torch")
