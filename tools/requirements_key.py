"""The requirements of this checkout: their list, or a key that changes when one of them does."""

import hashlib
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def requirements() -> list[str]:
    """Everything needed to run, test and document the project, one requirement an item."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    listed, groups = list(project["dependencies"]), ["dev"]
    for group in groups:
        for line in project["optional-dependencies"][group]:
            if line.startswith("polymodal["):
                groups.extend(line.removeprefix("polymodal[").rstrip("]").split(","))
            else:
                listed.append(line)
    return sorted(set(listed))


if __name__ == "__main__":
    if "--list" in sys.argv:
        print("\n".join(requirements()))
    else:
        pinned = (ROOT / "constraints.txt").read_text("utf-8")
        content = "\n".join([sys.version.split()[0], *requirements(), pinned])
        print(hashlib.sha256(content.encode()).hexdigest()[:12])
