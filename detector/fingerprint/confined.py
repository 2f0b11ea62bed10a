"""The fingerprint of a file, computed in a confined process."""

from __future__ import annotations

from pathlib import Path

from detector.fingerprint.fingerprint import Fingerprint
from detector.progress import Progress
from detector.sandbox import AllowedPaths, Limits, Sandbox, refuse_links

_RESULT = "fingerprint.bin"


def fingerprint_confined(path: Path, folder: Path, limits: Limits) -> Fingerprint | None:
    """Compute the fingerprint of a file in a confined process that writes to ``folder``, an empty one.

    Returns None if the file has no pictures. Raises :class:`~detector.errors.MediaError` and the errors of
    :mod:`detector.sandbox`.
    """
    path, folder = path.absolute(), folder.absolute()
    places = AllowedPaths(readable=(path,), writable=(folder,))
    modules = ("detector.fingerprint.sampling",)
    with Sandbox(
        _fingerprint_inside, path, folder, limits=limits, places=places, modules=modules
    ) as confined:
        confined.result()
    refuse_links(folder)
    result = folder / _RESULT
    return Fingerprint.from_bytes(result.read_bytes()) if result.exists() else None


def _fingerprint_inside(path: Path, folder: Path, _report: Progress) -> None:
    from detector.fingerprint.sampling import fingerprint_file

    fingerprint = fingerprint_file(path)
    if fingerprint is not None:
        (folder / _RESULT).write_bytes(fingerprint.to_bytes())
