"""The file itself, before anything reads more than its beginning. Imports no decoder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from detector.errors import MediaError, NotOpenedError
from detector.files import open_file
from detector.media.exhibit.signatures import ACCEPTED, HEAD, is_accepted, refuse_others
from detector.schema.translatable import N_

UNREADABLE = (
    N_("The file cannot be read: it is not a video or photo, or it is damaged or was copied only in part.")
    + f" {ACCEPTED}"
)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The open file at ``path``; raises :class:`MediaError` for what is no file or cannot be opened.

    Of what cannot be opened it is :class:`NotOpenedError`.
    """
    try:
        file = open_file(path)
    except IsADirectoryError:
        raise MediaError(
            N_("The file cannot be opened: it is a folder. Name one of the files in it.")
        ) from None
    except shutil.SpecialFileError:
        raise MediaError(
            N_(
                "The file cannot be opened: it is a device or a pipe. Save what comes out of it as a file, "
                "and name that."
            )
        ) from None
    except FileNotFoundError:
        raise NotOpenedError(
            N_("The file cannot be opened: it is not there. Look for a mistake in its name or folder.")
        ) from None
    except PermissionError:
        raise NotOpenedError(
            N_("The file cannot be opened: it may not be read. Allow that, or copy it to where it may.")
        ) from None
    except OSError as error:
        raise NotOpenedError(
            N_("The file cannot be opened: %(problem)s.") % {"problem": os.strerror(error.errno or 0)}
        ) from None
    with file:
        yield file


def accepted_head(file: BinaryIO) -> bytes:
    """The first bytes of an open file; raises :class:`MediaError` where none or of a kind not accepted."""
    head = file.read(HEAD)
    if not head:
        raise MediaError(N_("The file is empty (0 bytes). Copy or download it again."))
    refuse_others(head)
    if not is_accepted(head):
        raise MediaError(UNREADABLE)
    return head


def refuse_early(path: Path) -> None:
    """Raise :class:`MediaError` for a file that its first bytes rule out, before anything heavy is loaded."""
    with opened(path) as file:
        accepted_head(file)
