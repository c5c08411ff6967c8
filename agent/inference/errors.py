"""Why a model was not loaded, or did not answer."""

from pathlib import Path


class ModelRefusedError(Exception):
    """A model file that is not to be run; the agent goes on without a forecast."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class ModelNotInManifestError(ModelRefusedError):
    """The manifest does not name the file."""


class ModelHashMismatchError(ModelRefusedError):
    """The file's SHA-256 is not the one in the manifest."""


class ModelUnreadableError(ModelRefusedError):
    """The file or its manifest is absent, too large, or no ONNX model or manifest."""


class ModelShapeError(ModelRefusedError):
    """The model or its manifest expects other features, horizons or quantiles than this code."""


class ModelRunError(Exception):
    """A loaded model failed while it ran."""
