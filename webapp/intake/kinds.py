"""Whether a file is, by its first bytes, of a kind the engine reads. Names and declared types say nothing."""

from __future__ import annotations

from pathlib import Path

from detector.errors import MediaError
from detector.media import signatures
from detector.media.signatures import is_accepted
from webapp.intake.incoming import IntakeError

ACCEPTED = "mp4, mov, mkv, webm, avi, jpeg, png or webp"


def refuse_others(path: Path) -> None:
    """Raise :class:`IntakeError` for a file that is no video or photo of these kinds.

    Says nothing of what follows the first bytes: the engine opens the file confined, later.
    """
    with path.open("rb") as file:
        head = file.read(signatures.HEAD)
    try:
        signatures.refuse_others(head, f"Reelproof reads {ACCEPTED}.")
    except MediaError as problem:
        raise IntakeError(415, str(problem), "") from None
    if head and not is_accepted(head):
        raise IntakeError(
            415,
            "This is no video or photo that Reelproof reads: it begins like a file of another kind.",
            f"Hand in {ACCEPTED}. What the file is called does not matter.",
        )
