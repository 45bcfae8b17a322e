"""Put the shipped checkpoints and recipes into the wheel, as imageqx_export/models/; all else is in pyproject.toml."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
ENDINGS = (".safetensors", ".json", ".md")


class BuildWithModels(build_py):
    """Copies models/ beside the package's modules, but for an editable install, which finds them in the clone."""

    def run(self) -> None:
        """Build as usual, then copy."""
        super().run()
        if self.editable_mode:
            return
        folder = Path(self.build_lib) / "imageqx_export" / "models"
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted((HERE / "models").iterdir()):
            if path.suffix in ENDINGS:
                shutil.copyfile(path, folder / path.name)


setup(cmdclass={"build_py": BuildWithModels})
