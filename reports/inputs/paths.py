"""Names of files that come with an analysis or a bundle, which may come from anywhere."""

from __future__ import annotations

from pathlib import PurePosixPath


def escapes_folder(name: str) -> bool:
    """Whether a file's name could mean a place outside of the folder that it is in, on any system."""
    pure = PurePosixPath(name)
    return pure.is_absolute() or ".." in pure.parts or any(char in name for char in "\\:\0")
