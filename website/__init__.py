"""The documentation's site: what is staged, generated, built, served, checked and run."""

from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parent.parent
