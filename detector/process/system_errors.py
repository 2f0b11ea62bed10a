"""What a shell is told of an error of the system: which file, what is wrong, and what to do."""

from __future__ import annotations

import errno

_SPACE = "Free some space, or name a place on another disk."
_ACCESS = "Give yourself access to it, or name a place where you have it."
_ADVICE = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EACCES: _ACCESS,
    errno.EPERM: _ACCESS,
    errno.EROFS: "Name a place that can be written to.",
    errno.ENOENT: "Look for a mistake in its name or folder.",
    errno.ENOTDIR: "What stands before the last / is a file: name a folder there.",
    errno.EISDIR: "Name a file in it.",
    errno.ENAMETOOLONG: "Name a shorter one.",
    errno.EPIPE: "The program that read it has ended: let that one read to the end, or write to a file.",
}
_OUTPUT = frozenset({errno.EPIPE, errno.ENOSPC})


def told(error: OSError) -> str:
    """One line on ``error``; without a name it is about what the command prints, or reads or writes."""
    number = error.errno or 0
    name = error.filename
    if not isinstance(name, str):
        name = "output" if number in _OUTPUT else "reading or writing"
    what = (error.strerror or str(error)).rstrip(".")
    return f"{name}: {what}. {_ADVICE.get(number, '')}".rstrip()
