"""The documentation's site: what is staged, generated, built, served, checked and run."""

from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parent.parent
PAGES: Final = ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
FOLDERS: Final = ("docs", "models", "android_demo", "ios_demo", "web_demo")
"""Of these, the Markdown files and pictures at the top."""
