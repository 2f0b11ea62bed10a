"""Uploaded files: hashed while they are received, then kept read-only."""

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
from reports.language.formatting import plural, shown
from reports.language.translation import N_, gettext
from webapp import context
from webapp.errors import IntakeError, UserError
from webapp.storage.data_folder import Folders
from webapp.storage.tables import now

CHUNK = 1 << 20


@dataclass(frozen=True)
class UploadLimit:
    """What one form may bring: how many files, how many bytes in each, and what to do when it is more.

    ``larger`` says in which limit a file has no room, where that is not the usual one of each file.
    """

    files: int
    bytes: int
    fewer: str = N_("Hand in one file at a time.")
    larger: str = ""
    smaller: str = N_(
        "Cut out the part in question without re-encoding it, or raise REELPROOF_UPLOAD_LIMIT_MB."
    )

    def too_many(self) -> IntakeError:
        """What to say of one file too many."""
        count = plural(self.files, "file", "files")
        return IntakeError(
            400, gettext("More than %(count)s came in one upload.", count=count), gettext(self.fewer)
        )

    def too_large(self) -> IntakeError:
        """What to say of a file above the size limit."""
        limit = f"{shown(self.bytes / 1e6, ',.10g')} MB"
        error = self.larger or gettext(
            "The file is larger than %(limit)s, the most this Reelproof accepts.", limit=limit
        )
        problem = IntakeError(413, error, gettext(self.smaller))
        if self.larger:
            problem.title = N_("No room in your quota")
        return problem


class Incoming:
    """A file on its way in: every byte written is hashed, counted and checked against the limits.

    Has what Werkzeug's form parser asks of a stream. :meth:`keep` makes it an exhibit, :meth:`move`
    gives it another place; :meth:`close` without either removes it.
    """

    def __init__(self, folders: Folders, limit: UploadLimit, spare: int, announced: int | None) -> None:
        if announced is not None:
            room = shutil.disk_usage(folders.incoming).free - spare
            if announced > room:
                raise no_space_error()
        self._limit = limit
        self._folders = folders
        self._hash = hashlib.sha256()
        self.bytes = 0
        self.path = folders.incoming / secrets.token_hex(16)
        # In the store or its place by this upload; not where another had the same bytes.
        self.newly_kept = False
        self._file: BinaryIO = open(self.path, "xb", opener=private_file)  # noqa: SIM115  (closed in close)

    def write(self, data: bytes) -> int:
        """Add ``data``; raises :class:`IntakeError` beyond the size limit or a full disk."""
        self.bytes += len(data)
        if self.bytes > self._limit.bytes:
            raise self._limit.too_large()
        self._hash.update(data)
        with explain_full_disk():
            return self._file.write(data)

    def read(self, _size: int = -1) -> bytes:
        """Nothing: the bytes are on disk and are read from there."""
        return b""

    def readline(self, _size: int = -1) -> bytes:
        """Nothing, as :meth:`read`."""
        return b""

    def seek(self, _offset: int, _whence: int = 0) -> int:
        """Do nothing: the form parser rewinds a stream once it is complete."""
        return 0

    def keep(self, damaged: bool = False) -> KeptFile:
        """Flush the file and give it its place; an exhibit with the same bytes is kept as it is.

        ``damaged``: the kept file is known to hold other bytes by now. Those stay, under another name.
        """
        self.send(damaged)
        return _placed(self._folders, self, damaged, os.rename)

    def send(self, damaged: bool = False) -> None:
        """Put a complete file into the store, if there is one, unless it has the exhibit.

        Before :meth:`keep`, which looks again: sending takes its time, in which others want to write.
        """
        self.complete()
        self.newly_kept |= _sent(self._folders, self, damaged and not self.newly_kept)

    @property
    def sha256(self) -> str:
        """SHA-256 of what was written so far."""
        return self._hash.hexdigest()

    def content(self) -> bytes:
        """All of a file known to be small."""
        self.complete()
        return self.path.read_bytes()

    def move(self, place: Path) -> None:
        """Give the file another place below the data folder; flushing that folder is left to the caller."""
        self.complete()
        os.rename(self.path, place)

    def complete(self) -> None:
        """Put every byte on the disk; nothing can be written afterwards."""
        with explain_full_disk():
            self._file.close()
            flush_file(self.path)

    def close(self) -> None:
        """Close the file and remove it unless it was kept."""
        with contextlib.suppress(OSError):  # a full disk refuses the last flush as well
            self._file.close()
        self.path.unlink(missing_ok=True)


class KeptFile(NamedTuple):
    """An exhibit's file in its place; ``newly_kept``: it was put there just now."""

    sha256: str
    bytes: int
    path: str  # relative to the data folder
    newly_kept: bool


class AssembledFile:
    """A whole, flushed file below the data folder that came in parts. Making one hashes it, which takes time.

    It stays where it is: an exhibit made of it is another name of the same bytes.
    """

    def __init__(self, folders: Folders, path: Path) -> None:
        self._folders, self.path, self.newly_kept = folders, path, False
        self.bytes, self.sha256 = hash_file(path)

    def keep(self, damaged: bool = False) -> KeptFile:
        """Give it its place, as :meth:`Incoming.keep` does."""
        self.send(damaged)
        return _placed(self._folders, self, damaged, os.link)

    def send(self, damaged: bool = False) -> None:
        """Put it into the store, as :meth:`Incoming.send` does."""
        self.newly_kept |= _sent(self._folders, self, damaged and not self.newly_kept)


def _placed(
    folders: Folders,
    file: Incoming | AssembledFile,
    damaged: bool,
    put_in_place: Callable[[Path, Path], None],
) -> KeptFile:
    """A file in its place, put there by ``put_in_place``, or the one with the same bytes that is there."""
    place = folders.exhibit(file.sha256)
    place.parent.mkdir(mode=0o700, exist_ok=True)
    there = place.exists()
    if there and (damaged or place.stat().st_size != file.bytes):
        if folders.store.elsewhere:  # what was damaged is there
            place.unlink()
        else:
            os.rename(place, _aside(place))
        there = False
    if not there:
        file.path.chmod(0o440)
        put_in_place(file.path, place)
        file.newly_kept |= not folders.store.elsewhere  # else this is a copy of what the store has
        flush_folder(place.parent)
        flush_folder(place.parent.parent)
    kept = place.relative_to(folders.data).as_posix()
    return KeptFile(file.sha256, file.bytes, kept, file.newly_kept)


def _sent(folders: Folders, file: Incoming | AssembledFile, damaged: bool) -> bool:
    """Put a file into the store unless that has it; True if it did. A damaged one gets another name."""
    if not folders.store.elsewhere:
        return False
    place = folders.exhibit(file.sha256)
    found = folders.store.size(place)
    if found == file.bytes and not damaged:
        return False
    if found is not None:
        folders.store.set_aside(place, _aside(place))
    folders.store.put(file.path, place)
    return True


def _aside(place: Path) -> Path:
    return place.with_name(f"{place.name}.damaged.{compact(now())}")


def no_space_error() -> IntakeError:
    """What to say when the disk cannot take the file."""
    return IntakeError(
        507,
        gettext("There is not enough free disk space to take in this file."),
        gettext(
            "Free some space on the disk that holds Reelproof's data, then hand the file in again. "
            "Nothing of it was kept."
        ),
    )


@contextlib.contextmanager
def explain_full_disk() -> Iterator[None]:
    """Say so, in words, when the disk fills up in the block."""
    try:
        yield
    except OSError as problem:
        if is_disk_full(problem):
            raise no_space_error() from problem
        raise


def private_file(path: str, flags: int) -> int:
    """Opens a file that is for this user alone, as the ``opener`` of :func:`open`."""
    return os.open(path, flags, 0o600)


# Room for the multipart frame around the largest exhibit.
FORM_OVERHEAD = 64 * 1024
_LARGE = threading.BoundedSemaphore(1)  # uploads that are hashed and copied at a time


class _FormParser(FormDataParser):
    """Refuses a form that is not UTF-8, which Werkzeug gives out as one with nothing in it."""

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
        except ValueError:  # one that broke off, as by default
            return stream, self.cls(), self.cls()


class UploadRequest(Request):
    """A request whose uploaded files are hashed into ``incoming/``, and kept nowhere if it breaks off.

    A view with another limit than that of one exhibit, in bytes or in the number of files, sets
    :attr:`upload_limit` before it looks at the form.
    """

    form_data_parser_class = _FormParser
    upload_limit: UploadLimit | None = None
    # Called once the form was read, before anybody is given any of it.
    on_form: Callable[[], None] | None = None

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
        settings = context.settings()
        limit = self.allowed()
        # A file too many in one request is a mistake or an attack; it gets no room on the disk.
        if len(self._incoming) >= limit.files:
            raise limit.too_many()
        stream = Incoming(context.folders(), limit, settings.spare, total_content_length)
        self._incoming.append(stream)
        return stream  # type: ignore[return-value]

    def _load_form_data(self) -> None:
        # Each takes the processor for as long as it lasts; pages should not have to share it with ten.
        with _LARGE if (self.content_length or 0) > CHUNK else contextlib.nullcontext():
            super()._load_form_data()
        if self.on_form is not None:
            self.on_form()
        if any("\0" in text for field in self.form.items(multi=True) for text in field):
            raise UserError(
                400,
                gettext("A text of the form holds a NUL character, which cannot be kept."),
                gettext("Take it out, then send the form again."),
            )

    @property
    def form_is_read(self) -> bool:
        """Whether the fields of the form are here; of one that broke off, or is refused unread, none are."""
        return "form" in self.__dict__

    def allowed(self) -> UploadLimit:
        """What this request may bring: one exhibit, unless its view says otherwise."""
        return self.upload_limit or UploadLimit(1, context.settings().upload_limit)

    def close(self) -> None:
        """Remove what was not kept. Werkzeug forgets streams of a form that broke off; this does not."""
        for stream in self._incoming:
            stream.close()
        super().close()


def current_request() -> UploadRequest:
    """The request that is being answered, as the class the app makes them."""
    return cast(UploadRequest, request)
