"""An S3-compatible store beside the data folder, for machines that share no folder."""

from __future__ import annotations

import errno
import logging
import os
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import IO, Any, BinaryIO

from detector.files import flush_file, flush_folder, hash_file, publish_folder
from reports.language.translation import gettext
from reports.untrusted_input import escapes_folder
from webapp.errors import DamagedFile, StoreError
from webapp.settings import Settings

log = logging.getLogger(__name__)

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_OF_DISK_HERE = (*_DISK_FULL, errno.EROFS)
_NO_ENTRY = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "401", "403"}
)
_FULL = frozenset({"XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded", "507"})


@contextmanager
def explain_store_errors(url: str, endpoint: str | None) -> Iterator[None]:
    """Say in words what is wrong with the store at ``url``: raises :class:`StoreError`.

    ``FileNotFoundError`` stays what it is, and so does the ``OSError`` of a disk here that is full or
    read-only.
    """
    try:
        yield
    except (StoreError, InterruptedError):
        raise
    except Exception as problem:
        code = _code(problem)
        if isinstance(problem, FileNotFoundError) and code != "NoSuchBucket":
            raise
        if isinstance(problem, OSError) and problem.errno in _OF_DISK_HERE and not code:
            raise
        log.warning("%s at %s: %s", url, endpoint or "its usual address", problem)
        if code == "NoSuchBucket":
            raise StoreError(
                503,
                gettext("The store has no such bucket."),
                gettext("Make the bucket, or correct REELPROOF_STORE."),
            ) from problem
        if code in _NO_ENTRY or type(problem).__name__ in ("NoCredentialsError", "PermissionError"):
            raise StoreError(
                503,
                gettext("The store does not let Reelproof in."),
                gettext(
                    "Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what their owner "
                    "may do there: read, write, list, delete."
                ),
            ) from problem
        if code in _FULL:
            raise StoreError(
                507, gettext("The store is full."), gettext("Make room there, then try again.")
            ) from problem
        raise StoreError(
            503,
            gettext("The store cannot be reached, or failed."),
            gettext(
                "Try again in a minute. If it stays so, see that it runs, and that "
                "REELPROOF_STORE_ENDPOINT is its address."
            ),
        ) from problem


@contextmanager
def explain_full_disk() -> Iterator[None]:
    """Raise :class:`StoreError` where this machine's disk has no room for what comes from the store."""
    try:
        yield
    except OSError as problem:
        if problem.errno not in _DISK_FULL:
            raise
        raise StoreError(
            507,
            gettext("There is not enough free disk space for what comes from the store."),
            gettext(
                "Free some space on the disk that holds Reelproof's data; `python -m webapp "
                "clear-cache` removes from it what the store has."
            ),
        ) from problem


def _code(problem: BaseException) -> str:
    """S3's own code of an error, which s3fs wraps; empty where it did not come from there."""
    for error in (problem, problem.__cause__):
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return ""


_CHUNK = 1 << 20
_END = bytes(tarfile.BLOCKSIZE)  # two of these end a tar


class DamagedTar(ValueError):
    """A file is no tar that :func:`pack` wrote."""


def pack_folder(folder: Path, tar: Path) -> None:
    """Write all files of ``folder`` and below into a new tar; none may have 8 GB or a name over 100 bytes."""
    with tarfile.open(tar, "w", format=tarfile.USTAR_FORMAT) as whole:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                member = tarfile.TarInfo(path.relative_to(folder).as_posix())
                member.size, member.mode = path.stat().st_size, 0o600
                with path.open("rb") as file:
                    whole.addfile(member, file)


def unpack_folder(tar: Path, folder: Path) -> None:
    """Write the files of ``tar`` into an empty ``folder``; together they are not larger than it.

    Raises :class:`DamagedTar`; what was unpacked until then is left.
    """
    most = tar.stat().st_size
    with tar.open("rb") as whole:
        while (block := whole.read(tarfile.BLOCKSIZE)) != _END:
            try:
                member = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
            except (tarfile.HeaderError, ValueError) as problem:
                raise DamagedTar("no header of a file") from problem
            if not 0 <= member.size <= most:
                raise DamagedTar("a size that cannot be")
            if member.type == tarfile.XHDTYPE:
                # Of tars of earlier versions: the moment of the file that follows, to the nanosecond.
                whole.seek(member.size, 1)
            elif member.type == tarfile.REGTYPE and not escapes_folder(member.name):
                _unpack(whole, member.size, folder / member.name)
            else:
                raise DamagedTar("something other than files")
            whole.seek(-member.size % tarfile.BLOCKSIZE, 1)


def _unpack(whole: BinaryIO, size: int, to: Path) -> None:
    """Write the next ``size`` bytes to the new file ``to``."""
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        file = to.open("xb")
    except (FileExistsError, NotADirectoryError) as problem:
        raise DamagedTar("a name twice") from problem
    with file:
        while size:
            piece = whole.read(min(size, _CHUNK))
            if not piece:
                raise DamagedTar("it breaks off")
            size -= file.write(piece)


_BLOCK = 16_000_000  # bytes asked for at a time where a stored file is only read
# Seconds for the answer to a question, asked again or not: who asks may be a thread of the web server.
_ANSWER_WITHIN = 15
_CONFIG = {"connect_timeout": 5, "read_timeout": 60, "retries": {"max_attempts": 2}}


class Store:
    """No store: what lies in the data folder is all there is. Every path is one below the data folder."""

    elsewhere = False  # whether there is a store

    def check(self) -> None:
        """Raise :class:`~webapp.errors.StoreError` unless files can be put, read and removed."""

    def put(self, source: Path, path: Path) -> None:
        """Put the bytes of a file into the store, as those of ``path``."""

    def put_folder(self, folder: Path) -> None:
        """Put a whole folder into the store."""

    def fetch(
        self, path: Path, sha256: str | None = None, *, to: Path | None = None, anew: bool = False
    ) -> bool:
        """Have the file in its place, or at ``to``, ``anew`` even if it is there; False where there is none.

        Raises :class:`DamagedFile` for one that was fetched and has another SHA-256.
        """
        return path.exists()

    def fetch_folder(self, folder: Path, refuse: Callable[[Path], None]) -> bool:
        """Have the folder in its place; False where there is none. ``refuse`` raises for a damaged one."""
        return folder.exists()

    def size(self, path: Path) -> int | None:
        """Bytes of a file in the store; None where it is not there."""
        return None

    def has_folder(self, folder: Path) -> bool:
        """Whether the store has this folder."""
        return False

    def below(self, folder: Path) -> list[Path]:
        """Files in the store whose place is below a folder."""
        return []

    def set_aside(self, path: Path, aside: Path) -> None:
        """Give a file in the store another name."""

    def remove(self, stem: Path) -> None:
        """Remove from the store all whose name begins with this one; ids and hashes begin no other."""

    def opened(self, path: Path) -> AbstractContextManager[IO[bytes]]:
        """The kept file to read from, wherever it is. Raises ``FileNotFoundError`` where there is none."""
        return path.open("rb", buffering=0)

    @contextmanager
    def held(self, path: Path, *, folder: bool) -> Iterator[Path]:
        """Where the kept file or folder can be read for the ``with`` block, as it is kept.

        Raises ``FileNotFoundError`` where there is none.
        """
        if not path.exists():
            raise FileNotFoundError(path)
        yield path


class RemoteStore(Store):
    """A store at a URL such as ``s3://bucket/prefix``."""

    elsewhere = True

    def __init__(self, url: str, endpoint: str | None, data: Path) -> None:
        self._url, self._endpoint, self._data = url, endpoint, data
        self._aside = data / "analyses"  # what a crash leaves there of names with a dot is removed

    def check(self) -> None:
        with tempfile.NamedTemporaryFile(dir=self._aside, prefix=".probe.") as file:
            file.write(b"Reelproof looks whether this store works.")
            file.flush()
            place = self._data / "probes" / Path(file.name).name
            self.put(Path(file.name), place)
            try:
                if self.size(place) is None:
                    raise DamagedFile(self._name(place))
            finally:
                self.remove(place)

    def put(self, source: Path, path: Path) -> None:
        with self._in_words():
            self._files.put_file(str(source), self._name(path))

    def put_folder(self, folder: Path) -> None:
        with explain_full_disk(), tempfile.TemporaryDirectory(dir=self._aside, prefix=".put.") as place:
            whole = Path(place, folder.name)
            pack_folder(folder, whole)
            self.put(whole, _tar(folder))

    def fetch(
        self, path: Path, sha256: str | None = None, *, to: Path | None = None, anew: bool = False
    ) -> bool:
        to = to or path
        with _one_at_a_time(to):
            if to.exists() and not anew:
                return True
            with self._download(path) as aside:
                if aside is None:
                    return False
                if sha256 is not None and hash_file(aside)[1] != sha256:
                    raise DamagedFile(self._name(path))
                aside.chmod(0o440)
                flush_file(aside)
                to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.replace(aside, to)
                flush_folder(to.parent)
        return True

    def fetch_folder(self, folder: Path, refuse: Callable[[Path], None]) -> bool:
        with _one_at_a_time(folder):
            if folder.exists():
                return True
            with self._download(_tar(folder)) as whole:
                if whole is None:
                    return False
                unpacked = self._unpacked(whole, folder)
                try:
                    refuse(unpacked)
                except (FileNotFoundError, ValueError) as problem:
                    raise DamagedFile(self._name(_tar(folder))) from problem
                publish_folder(unpacked, folder)
        return True

    def size(self, path: Path) -> int | None:
        try:
            with self._in_words():
                return int(self._files.info(self._name(path), timeout=_ANSWER_WITHIN)["size"])
        except FileNotFoundError:
            return None

    def has_folder(self, folder: Path) -> bool:
        return self.size(_tar(folder)) is not None

    def below(self, folder: Path) -> list[Path]:
        with self._in_words():
            found = self._files.find(self._name(folder), timeout=_ANSWER_WITHIN)
        return [self._data / name.removeprefix(f"{self._root}/") for name in sorted(found)]

    def set_aside(self, path: Path, aside: Path) -> None:
        with self._in_words():
            self._files.mv(self._name(path), self._name(aside))

    def remove(self, stem: Path) -> None:
        with self._in_words():
            asked = {"prefix": stem.name, "timeout": _ANSWER_WITHIN}
            for name in self._files.find(self._name(stem.parent), **asked):
                self._files.rm_file(name)

    @contextmanager
    def opened(self, path: Path) -> Iterator[IO[bytes]]:
        if self.size(path) is None:  # and it answers: reading has no end that is known before
            raise FileNotFoundError(path)
        with self._in_words(), self._files.open(self._name(path), "rb", block_size=_BLOCK) as stream:
            yield stream

    @contextmanager
    def held(self, path: Path, *, folder: bool) -> Iterator[Path]:
        with self._download(_tar(path) if folder else path) as whole:
            if whole is None:
                raise FileNotFoundError(path)
            yield self._unpacked(whole, path) if folder else whole

    def _unpacked(self, tar: Path, folder: Path) -> Path:
        """What the fetched tar of ``folder`` holds, beside it; raises :class:`DamagedFile`."""
        unpacked = tar.with_name("unpacked")
        unpacked.mkdir(mode=0o700)
        try:
            unpack_folder(tar, unpacked)
        except DamagedTar as problem:
            raise DamagedFile(self._name(_tar(folder))) from problem
        return unpacked

    @contextmanager
    def _download(self, path: Path) -> Iterator[Path | None]:
        """The stored file in a folder of its own, for the ``with`` block; None where there is none."""
        with explain_full_disk(), tempfile.TemporaryDirectory(dir=self._aside, prefix=".fetch.") as place:
            if self.size(path) is None:  # and it answers, as in opened
                yield None
                return
            aside: Path | None = Path(place, "file")
            try:
                with self._in_words():
                    self._files.get_file(self._name(path), str(aside))
            except FileNotFoundError:
                aside = None
            yield aside

    @cached_property
    def _files(self) -> Any:
        import fsspec

        # Listings are never cached: other machines put and remove files.
        options = {"use_listings_cache": False, "skip_instance_cache": True, "config_kwargs": _CONFIG}
        return fsspec.filesystem("s3", endpoint_url=self._endpoint, **options)

    @property
    def _root(self) -> str:
        return self._url.removeprefix("s3://").strip("/")

    def _in_words(self) -> AbstractContextManager[None]:
        return explain_store_errors(self._url, self._endpoint)

    def _name(self, path: Path) -> str:
        return f"{self._root}/{path.relative_to(self._data).as_posix()}"


def open_store(settings: Settings) -> Store:
    """The store of these settings; one a process."""
    if settings.store is None:
        return NO_STORE
    return _remote(settings.store, settings.store_endpoint, settings.data)


NO_STORE = Store()


@lru_cache
def _remote(url: str, endpoint: str | None, data: Path) -> RemoteStore:
    return RemoteStore(url, endpoint, data)


@lru_cache(maxsize=1024)
def _one_at_a_time(_path: Path) -> threading.Lock:
    """Held while a file is fetched, so that two requests at once fetch it once."""
    return threading.Lock()


def _tar(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.tar")
