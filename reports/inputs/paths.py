"""Files that come with an analysis or a bundle, which may come from anywhere."""

from __future__ import annotations

from pathlib import Path, PurePosixPath


def escapes_folder(name: str) -> bool:
    """Whether a file's name could mean a place outside of the folder that it is in, on any system."""
    pure = PurePosixPath(name)
    return pure.is_absolute() or ".." in pure.parts or any(char in name for char in "\\:\0")


def kept(folder: Path, name: str) -> bytes | None:
    """What is in the file of this name in the folder of a result or an unpacked bundle, if there is one."""
    path = folder / name
    return path.read_bytes() if path.is_file() else None
