"""Uploaded files: hashed while they are received, then kept read-only.

The server first keeps the whole request in ``incoming/``. From there the uploaded file is copied in chunks.
Memory use therefore does not depend on its size, but the disk needs room for two copies. Only a complete,
flushed file gets its place under ``exhibits/``, named by its SHA-256; anything else is removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple, cast

from flask import Request, request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.formparser import FormDataParser

from detector.files import flush_file, flush_folder, hash_file, is_disk_full
from detector.timestamps import compact
from language.formatting import plural, shown
from language.translation import N_, gettext
from webapp import context
from webapp.errors import IntakeError, UserError
from webapp.storage.data_folder import Folders
from webapp.storage.tables import now

CHUNK = 1 << 20
FORM_OVERHEAD = 64 * 1024  # room for the multipart frame around the largest exhibit
# Hash and copy one large upload at a time, so that several uploads do not slow down pages.
_LARGE_UPLOAD = threading.BoundedSemaphore(1)


@dataclass(frozen=True)
class UploadLimit:
    """Limits of one form: the number of files, the bytes of each file, and advice if a limit is exceeded.

    ``larger`` is the message for a limit other than the usual size limit of each file.
    """

    files: int
    bytes: int
    fewer: str = N_("Upload one file at a time.")
    larger: str = ""
    smaller: str = N_(
        "Cut out the part in question without re-encoding it, or raise REELPROOF_UPLOAD_LIMIT_MB."
    )

    def too_many(self) -> IntakeError:
        """Return the error for too many files."""
        count = plural(self.files, "file", "files")
        return IntakeError(
            400, gettext("The upload contains more than %(count)s.", count=count), gettext(self.fewer)
        )

    def too_large(self) -> IntakeError:
        """Return the error for a file above the size limit."""
        limit = f"{shown(self.bytes / 1e6, ',.10g')} MB"
        message = self.larger or gettext(
            "The file is larger than %(limit)s, the most this Reelproof accepts.", limit=limit
        )
        error = IntakeError(413, message, gettext(self.smaller))
        if self.larger:
            error.title = N_("No room in your quota")
        return error


class KeptFile(NamedTuple):
    """An exhibit's stored file; ``newly_kept`` is True if this upload stored it."""

    sha256: str
    bytes: int
    path: str  # relative to the data folder
    newly_kept: bool


class Incoming:
    """A file being received: each byte written is hashed, counted and checked against the limits.

    It has the stream methods that Werkzeug's form parser calls. :meth:`keep` makes it an exhibit,
    :meth:`move` gives it another place; without either, :meth:`close` removes it.
    """

    def __init__(self, folders: Folders, limit: UploadLimit, spare: int, announced: int | None) -> None:
        if announced is not None and announced > shutil.disk_usage(folders.incoming).free - spare:
            raise no_space_error()
        self._limit = limit
        self._folders = folders
        self._hash = hashlib.sha256()
        self.bytes = 0
        self.path = folders.incoming / secrets.token_hex(16)
        self.newly_kept = False  # put into the store or its place by this upload
        self._file: BinaryIO = open(self.path, "xb", opener=private_file)  # noqa: SIM115  (closed in close)

    def write(self, data: bytes) -> int:
        """Add ``data``; raise :class:`IntakeError` beyond the size limit or on a full disk."""
        self.bytes += len(data)
        if self.bytes > self._limit.bytes:
            raise self._limit.too_large()
        self._hash.update(data)
        with explain_full_disk():
            return self._file.write(data)

    def read(self, _size: int = -1) -> bytes:
        """Return nothing: the bytes are read from :attr:`path`."""
        return b""

    def readline(self, _size: int = -1) -> bytes:
        """Return nothing, as :meth:`read`."""
        return b""

    def seek(self, _offset: int, _whence: int = 0) -> int:
        """Do nothing: the form parser rewinds a complete stream."""
        return 0

    def keep(self, damaged: bool = False) -> KeptFile:
        """Flush the file and move it to its place; an exhibit with the same bytes stays as it is.

        With ``damaged`` the stored file is known to have other bytes; it is renamed and kept.
        """
        self.send(damaged)
        return _put_in_place(self._folders, self, damaged, os.rename)

    def send(self, damaged: bool = False) -> None:
        """Send a complete file to the object store unless the store has it.

        Call it before :meth:`keep`, which checks again: sending takes a while and must not block writers.
        """
        self.complete()
        self.newly_kept |= _send(self._folders, self, damaged and not self.newly_kept)

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes written so far."""
        return self._hash.hexdigest()

    def content(self) -> bytes:
        """Return the bytes of a file known to be small."""
        self.complete()
        return self.path.read_bytes()

    def move(self, place: Path) -> None:
        """Move the file within the data folder; the caller flushes that folder."""
        self.complete()
        os.rename(self.path, place)

    def complete(self) -> None:
        """Flush all bytes to the disk; nothing can be written afterwards."""
        with explain_full_disk():
            self._file.close()
            flush_file(self.path)

    def close(self) -> None:
        """Close the file and remove it unless it was kept."""
        with contextlib.suppress(OSError):  # a full disk refuses the last flush as well
            self._file.close()
        self.path.unlink(missing_ok=True)


class AssembledFile:
    """A complete, flushed file in the data folder that was received in parts. The constructor hashes it.

    The file stays where it is: an exhibit made from it is a hard link to the same bytes.
    """

    def __init__(self, folders: Folders, path: Path) -> None:
        self._folders, self.path, self.newly_kept = folders, path, False
        self.bytes, self.sha256 = hash_file(path)

    def keep(self, damaged: bool = False) -> KeptFile:
        """Link it to its place, as :meth:`Incoming.keep` moves a file."""
        self.send(damaged)
        return _put_in_place(self._folders, self, damaged, os.link)

    def send(self, damaged: bool = False) -> None:
        """Send it to the object store, as :meth:`Incoming.send`."""
        self.newly_kept |= _send(self._folders, self, damaged and not self.newly_kept)


def _put_in_place(
    folders: Folders,
    file: Incoming | AssembledFile,
    damaged: bool,
    rename_or_link: Callable[[Path, Path], None],
) -> KeptFile:
    place = folders.exhibit(file.sha256)
    place.parent.mkdir(mode=0o700, exist_ok=True)
    exists = place.exists()
    if exists and (damaged or place.stat().st_size != file.bytes):
        if folders.store.elsewhere:  # where the damaged file was set aside
            place.unlink()
        else:
            os.rename(place, _damaged_path(place))
        exists = False
    if not exists:
        file.path.chmod(0o440)
        rename_or_link(file.path, place)
        file.newly_kept |= not folders.store.elsewhere  # with a store this is only a cached copy
        flush_folder(place.parent)
        flush_folder(place.parent.parent)
    return KeptFile(file.sha256, file.bytes, place.relative_to(folders.data).as_posix(), file.newly_kept)


def _send(folders: Folders, file: Incoming | AssembledFile, damaged: bool) -> bool:
    """Put a file into the object store unless it is there; return whether it was sent."""
    if not folders.store.elsewhere:
        return False
    place = folders.exhibit(file.sha256)
    size = folders.store.size(place)
    if size == file.bytes and not damaged:
        return False
    if size is not None:
        folders.store.set_aside(place, _damaged_path(place))
    folders.store.put(file.path, place)
    return True


def _damaged_path(place: Path) -> Path:
    return place.with_name(f"{place.name}.damaged.{compact(now())}")


def no_space_error() -> IntakeError:
    """Return the error for a disk without room for the file."""
    return IntakeError(
        507,
        gettext("There is not enough free disk space for this file."),
        gettext(
            "Free some space on the disk that holds Reelproof's data, then upload the file again. "
            "Nothing of it was kept."
        ),
    )


@contextlib.contextmanager
def explain_full_disk() -> Iterator[None]:
    """Raise :func:`no_space_error` if the disk fills up in the block."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise no_space_error() from error
        raise


def private_file(path: str, flags: int) -> int:
    """Open a file for this user alone, as the ``opener`` of :func:`open`."""
    return os.open(path, flags, 0o600)


class _FormParser(FormDataParser):
    """Refuse a form that is not UTF-8; Werkzeug would return an empty form."""

    def parse(
        self,
        stream: IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str] | None = None,
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, FileStorage]]:
        self.silent = False
        try:
            return super().parse(stream, mimetype, content_length, options)
        except UnicodeDecodeError:
            raise UserError(
                400,
                gettext("The form is not in UTF-8: most likely the name of a file in it is not."),
                gettext("Give the file another name, then send it again."),
            ) from None
        except ValueError:  # an incomplete form; return an empty one, as Werkzeug does by default
            return stream, self.cls(), self.cls()


class UploadRequest(Request):
    """A request that hashes its uploaded files into ``incoming/`` and removes them if it is interrupted.

    A view with a limit other than one exhibit sets :attr:`upload_limit` before it reads the form.
    """

    form_data_parser_class = _FormParser
    upload_limit: UploadLimit | None = None
    on_form: Callable[[], None] | None = None  # called after parsing, before the form is used

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._incoming: list[Incoming] = []

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        limit = self.allowed()
        # Too many files in one request are a mistake or an attack and get no room on the disk.
        if len(self._incoming) >= limit.files:
            raise limit.too_many()
        stream = Incoming(context.folders(), limit, context.settings().spare, total_content_length)
        self._incoming.append(stream)
        return stream  # type: ignore[return-value]

    def _load_form_data(self) -> None:
        with _LARGE_UPLOAD if (self.content_length or 0) > CHUNK else contextlib.nullcontext():
            super()._load_form_data()
        if self.on_form is not None:
            self.on_form()
        if any("\0" in text for field in self.form.items(multi=True) for text in field):
            raise UserError(
                400,
                gettext("A text of the form contains a NUL character, which cannot be stored."),
                gettext("Remove it, then send the form again."),
            )

    @property
    def form_is_read(self) -> bool:
        """True if the form was parsed; False if it was incomplete, or refused before it was read."""
        return "form" in self.__dict__

    def allowed(self) -> UploadLimit:
        """Return the limit of this request: one exhibit, unless its view sets another."""
        return self.upload_limit or UploadLimit(1, context.settings().upload_limit)

    def close(self) -> None:
        """Remove files that were not kept. Werkzeug does not close the streams of an incomplete form."""
        for stream in self._incoming:
            stream.close()
        super().close()


def current_request() -> UploadRequest:
    """Return the current request as an instance of the app's class."""
    return cast(UploadRequest, request)
