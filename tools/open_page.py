"""Open a page in the browser where there is a display, else print its address; never fails."""

import contextlib
import os
import sys
import webbrowser
from pathlib import Path


def has_display() -> bool:
    """Whether a browser window could be seen by whoever runs this."""
    if os.environ.get("CI") or os.environ.get("SSH_CONNECTION"):
        return False
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def main(page: str) -> None:
    """Show a page, or say where it is."""
    address = Path(page).absolute().as_uri()
    opened = False
    if has_display():
        # Whatever keeps a browser from starting, the address helps more than its error.
        with contextlib.suppress(webbrowser.Error, OSError):
            opened = webbrowser.open(address)
    print(f"{'Opened' if opened else 'Open'} {address}")


if __name__ == "__main__":
    main(sys.argv[1])
