"""Memory of big activations, kept for the next step instead of given back to the system."""

from __future__ import annotations

import ctypes
import platform

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_ONE_GIB = 1 << 30


def reuse_memory() -> bool:
    """Ask glibc to keep freed blocks of up to 1 GiB; True where that was possible.

    By default every big tensor is fresh memory from the kernel, which clears it page by page:
    30 % of the time of a small convolutional network on a CPU. Elsewhere than on glibc nothing
    happens.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(what, _ONE_GIB) == 1 for what in (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD))
