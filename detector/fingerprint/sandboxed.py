"""The fingerprint of a file alone, made in a confined process: of exhibits that were analysed before."""

from __future__ import annotations

from pathlib import Path

from detector.fingerprint.fingerprint import Fingerprint
from detector.progress import Progress
from detector.sandbox import AllowedPaths, Limits, Sandbox, refuse_links

_RESULT = "fingerprint.bin"


def fingerprint_confined(path: Path, folder: Path, limits: Limits) -> Fingerprint | None:
    """The fingerprint of the file at ``path``, by way of ``folder``, an empty one; none of no pictures.

    Raises :class:`~detector.errors.MediaError`, and :mod:`detector.sandbox`'s errors for a file that takes
    too much or breaks what reads it.
    """
    path, folder = path.absolute(), folder.absolute()
    places = AllowedPaths(readable=(path,), writable=(folder,))
    modules = ("detector.fingerprint.sampling",)
    with Sandbox(_made, path, folder, limits=limits, places=places, modules=modules) as confined:
        confined.result()
    refuse_links(folder)
    found = folder / _RESULT
    return Fingerprint.from_bytes(found.read_bytes()) if found.exists() else None


def _made(path: Path, folder: Path, _report: Progress) -> None:
    from detector.fingerprint.sampling import fingerprint_of

    found = fingerprint_of(path)
    if found is not None:
        (folder / _RESULT).write_bytes(found.to_bytes())
