"""Paths in a configuration: relative ones start at the configuration file's own folder."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo


def _from_folder(path: Path, info: ValidationInfo) -> Path:
    folder = info.context.get("folder") if isinstance(info.context, dict) else None
    return folder / path if isinstance(folder, Path) else path


ConfigPath = Annotated[Path, AfterValidator(_from_folder)]
"""A path of a file or folder; absolute once the configuration is loaded."""
