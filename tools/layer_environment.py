"""Show the packages of one environment in another: layer_environment.py UPPER LOWER."""

import sys
from pathlib import Path

upper, lower = (Path(argument).absolute() for argument in sys.argv[1:3])
(packages,) = upper.glob("lib/python*/site-packages")
(shared,) = lower.glob("lib/python*/site-packages")
(packages / "dependencies.pth").write_text(f"import site; site.addsitedir({str(shared)!r})\n")
