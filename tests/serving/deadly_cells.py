"""A modality whose cells end the process that decodes them, or keep it busy."""

import os
import signal
import time
from typing import Any

import numpy as np

from polymodal.data.modalities import Category


class DeadlyCells(Category):
    """``kill`` ends the process, ``hang`` keeps it, ``swell`` fills its memory."""

    name = "deadly"

    def decode(self, cell: Any) -> np.ndarray:
        if cell == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if cell == "hang":
            time.sleep(60)
        if cell == "swell":
            np.ones(500_000_000)
        return np.array(len(cell), np.int64)
