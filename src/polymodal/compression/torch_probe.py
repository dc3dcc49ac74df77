"""How fast the PyTorch network of a run answers, in a process of its own; see onnx_runner.probe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from polymodal.exporting.deployable import deployable
from polymodal.onnx_runner.probe import main
from polymodal.run_directory import load_run


def _load(directory: Path) -> Callable[[Mapping[str, np.ndarray]], object]:
    torch.set_num_threads(1)
    network = deployable(load_run(directory))

    def answer(tensors: Mapping[str, np.ndarray]) -> object:
        with torch.inference_mode():
            return network(*(torch.from_numpy(tensors[name]) for name in network.input_names))

    return answer


if __name__ == "__main__":
    main(_load)
