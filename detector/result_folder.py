"""The folder that a command writes its result to: an empty one, or that of an earlier result."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from detector.errors import ParameterError
from detector.files import temporary_folder


def refuse_occupied(folder: Path, mark: str, earlier: str) -> None:
    """Raise :class:`ParameterError` for a file, and for a folder of other things than ours.

    ``mark`` is the file by which an earlier result is known, ``earlier`` what messages call one.
    """
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"{folder} is a file. Name a folder.")
    if folder.is_dir() and os.listdir(folder) and not (folder / mark).is_file():
        raise ParameterError(f"{folder} is not empty and holds no {earlier}. Name another folder.")


def temporary_beside(folder: Path) -> AbstractContextManager[str]:
    """A folder to make the result in: what fails leaves an earlier result as it was."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return temporary_folder(".result-", folder.parent, folder)


def put(made: Path, folder: Path, *, pictures: str, earlier: Iterable[str] = ()) -> None:
    """Move a finished result into ``folder``, where parts of an earlier one are replaced.

    ``pictures`` is the folder among them that is removed first: the earlier result may have had more.
    ``earlier`` are files of it that are removed as well where this one has none of the name.
    """
    folder.mkdir(exist_ok=True)
    for name in earlier:
        if not (made / name).exists():
            (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / pictures, ignore_errors=True)
    for part in made.iterdir():
        part.replace(folder / part.name)
