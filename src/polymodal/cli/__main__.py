"""``python -m polymodal.cli``."""

from polymodal.cli import main

if __name__ == "__main__":
    main()
