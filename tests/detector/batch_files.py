"""Files that pass for photographs, for runs over many files, and the fields of a line of ``score``."""

from __future__ import annotations

from pathlib import Path

KEYS = (
    *("file", "verdict", "probability", "stability", "faces", "duration"),
    *(
        "reason",
        "outcome",
        "strength",
        "no_face",
        "sound_only",
        "kind",
        "answers",
        "declarations",
        "marks",
        "voice",
        "seconds",
    ),
)
"""The fields of a line, in order."""
PHOTO = b"\xff\xd8\xff\xe0" + bytes(60)


def files(folder: Path, *names: str) -> list[Path]:
    """Such files in ``folder``, by these names."""
    paths = [folder / name for name in names]
    for path in paths:
        path.write_bytes(PHOTO)
    return paths
