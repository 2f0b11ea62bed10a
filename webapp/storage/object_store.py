"""An S3-compatible store beside the data folder, for machines that share no folder.

With a store, its copy of a file is authoritative and the data folder is a cache of it. Files have the same
names as below the data folder. A folder is stored as one object, a tar, so that it is seen complete or not
at all. Fetched files are checked, flushed and only then renamed into place.

fsspec and s3fs are imported at first use, and start a thread. A worker forks its confined processes, so it
leaves the store to a process of its own (:mod:`webapp.worker.store_transfer`).
"""

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
from language.translation import gettext
from reports.untrusted_input import escapes_folder
from webapp.errors import DamagedFile, StoreError
from webapp.settings import Settings

log = logging.getLogger(__name__)

_READ_BLOCK = 16_000_000  # bytes requested at a time when a stored file is only read
_CHUNK = 1 << 20
_TAR_END = bytes(tarfile.BLOCKSIZE)  # two of these end a tar
# Seconds for one request including retries, which may hold a thread of the web server.
_TIMEOUT = 15
_CONFIG = {"connect_timeout": 5, "read_timeout": 60, "retries": {"max_attempts": 2}}
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_ACCESS_DENIED_CODES = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "401", "403"}
)
_STORE_FULL_CODES = frozenset({"XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded", "507"})


@contextmanager
def explain_store_errors(url: str, endpoint: str | None) -> Iterator[None]:
    """Turn errors of the store at ``url`` into :class:`StoreError`.

    s3fs raises errors of botocore, aiohttp and the operating system, some with an error code of S3.
    ``FileNotFoundError`` passes unchanged, and so does the ``OSError`` of a local disk that is full or
    read-only.
    """
    try:
        yield
    except (StoreError, InterruptedError):
        raise
    except Exception as problem:
        code = _s3_code(problem)
        if isinstance(problem, FileNotFoundError) and code != "NoSuchBucket":
            raise
        if isinstance(problem, OSError) and problem.errno in (*_DISK_FULL, errno.EROFS) and not code:
            raise
        log.warning("%s at %s: %s", url, endpoint or "its usual address", problem)
        if code == "NoSuchBucket":
            raise StoreError(
                503,
                gettext("The store has no such bucket."),
                gettext("Create the bucket, or correct REELPROOF_STORE."),
            ) from problem
        if code in _ACCESS_DENIED_CODES or type(problem).__name__ in (
            "NoCredentialsError",
            "PermissionError",
        ):
            raise StoreError(
                503,
                gettext("The store denies access to Reelproof."),
                gettext(
                    "Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the permissions of their "
                    "owner: read, write, list, delete."
                ),
            ) from problem
        if code in _STORE_FULL_CODES:
            raise StoreError(
                507, gettext("The store is full."), gettext("Make room there, then try again.")
            ) from problem
        raise StoreError(
            503,
            gettext("The store cannot be reached, or failed."),
            gettext(
                "Try again in a minute. If the problem persists, check that the store runs and that "
                "REELPROOF_STORE_ENDPOINT is its address."
            ),
        ) from problem


def _s3_code(problem: BaseException) -> str:
    """Return the S3 error code of an error, which s3fs may have wrapped; empty if it has none."""
    for error in (problem, problem.__cause__):
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return ""


@contextmanager
def explain_full_disk() -> Iterator[None]:
    """Raise :class:`StoreError` when the local disk has no room for a file from the store."""
    try:
        yield
    except OSError as problem:
        if problem.errno not in _DISK_FULL:
            raise
        raise StoreError(
            507,
            gettext("There is not enough free disk space for files from the store."),
            gettext(
                "Free some space on the disk that holds Reelproof's data; `python -m webapp clear-cache` "
                "removes files that the store has."
            ),
        ) from problem


class DamagedTar(ValueError):
    """A file is not a tar written by :func:`pack_folder`."""


def pack_folder(folder: Path, tar: Path) -> None:
    """Write all files of a folder to a new tar. No file may have 8 GB or a name longer than 100 bytes."""
    with tarfile.open(tar, "w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                member = tarfile.TarInfo(path.relative_to(folder).as_posix())
                member.size, member.mode = path.stat().st_size, 0o600
                with path.open("rb") as file:
                    archive.addfile(member, file)


def unpack_folder(tar: Path, folder: Path) -> None:
    """Unpack a tar into an empty folder; the files together are not larger than the tar.

    Anybody who can write to the store can put any tar there, and it is unpacked before its hash is compared.
    So only what :func:`pack_folder` writes is accepted: plain files. :mod:`tarfile` also supports links,
    compression and sparse files, and its filters have let files escape the folder (CVE-2025-4517).

    Raises :class:`DamagedTar`, leaving the files unpacked so far.
    """
    max_size = tar.stat().st_size
    with tar.open("rb") as archive:
        while (block := archive.read(tarfile.BLOCKSIZE)) != _TAR_END:
            try:
                member = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
            except (tarfile.HeaderError, ValueError) as problem:
                raise DamagedTar("no header of a file") from problem
            if not 0 <= member.size <= max_size:
                raise DamagedTar("a size that cannot be")
            if member.type == tarfile.XHDTYPE:
                # In tars of earlier versions: the modification time of the next file, in nanoseconds.
                archive.seek(member.size, 1)
            elif member.type == tarfile.REGTYPE and not escapes_folder(member.name):
                _unpack_file(archive, member.size, folder / member.name)
            else:
                raise DamagedTar("something other than files")
            archive.seek(-member.size % tarfile.BLOCKSIZE, 1)


def _unpack_file(archive: BinaryIO, size: int, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("xb")
    except (FileExistsError, NotADirectoryError) as problem:
        raise DamagedTar("a name twice") from problem
    with file:
        while size:
            chunk = archive.read(min(size, _CHUNK))
            if not chunk:
                raise DamagedTar("it breaks off")
            size -= file.write(chunk)


class Store:
    """The absence of a store: the data folder holds everything. All paths are below the data folder."""

    elsewhere = False  # whether there is a store

    def check(self) -> None:
        """Raise :class:`StoreError` unless files can be written, read and removed."""

    def put(self, source: Path, path: Path) -> None:
        """Store the bytes of ``source`` under ``path``."""

    def put_folder(self, folder: Path) -> None:
        """Store a whole folder."""

    def fetch(
        self, path: Path, sha256: str | None = None, *, to: Path | None = None, anew: bool = False
    ) -> bool:
        """Fetch a file to its path, or to ``to``, and return False if there is none.

        An existing file is fetched again only with ``anew``. Raises :class:`DamagedFile` if a fetched file
        does not have the given SHA-256.
        """
        return path.exists()

    def fetch_folder(self, folder: Path, refuse: Callable[[Path], None]) -> bool:
        """Fetch a folder and return False if there is none. ``refuse`` raises if the folder is damaged."""
        return folder.exists()

    def size(self, path: Path) -> int | None:
        """Return the size of a stored file in bytes; None if it is not in the store."""
        return None

    def has_folder(self, folder: Path) -> bool:
        """Return whether the folder is in the store."""
        return False

    def below(self, folder: Path) -> list[Path]:
        """Return the paths of all stored files below a folder."""
        return []

    def set_aside(self, path: Path, aside: Path) -> None:
        """Rename a stored file."""

    def remove(self, stem: Path) -> None:
        """Remove all stored files whose path begins with ``stem``; no id or hash is a prefix of another."""

    def opened(self, path: Path) -> AbstractContextManager[IO[bytes]]:
        """Open the authoritative copy for reading. Raises ``FileNotFoundError`` if there is none."""
        return path.open("rb", buffering=0)

    @contextmanager
    def held(self, path: Path, *, folder: bool) -> Iterator[Path]:
        """Yield a local path of the authoritative copy for the duration of the ``with`` block.

        Raises ``FileNotFoundError`` if there is none.
        """
        if not path.exists():
            raise FileNotFoundError(path)
        yield path


class RemoteStore(Store):
    """A store at a URL such as ``s3://bucket/prefix``."""

    elsewhere = True

    def __init__(self, url: str, endpoint: str | None, data: Path) -> None:
        self._url, self._endpoint, self._data = url, endpoint, data
        self._temporary = data / "analyses"  # dot names left there by a crash are removed at the next start

    def check(self) -> None:
        with tempfile.NamedTemporaryFile(dir=self._temporary, prefix=".probe.") as file:
            file.write(b"Reelproof looks whether this store works.")
            file.flush()
            path = self._data / "probes" / Path(file.name).name
            self.put(Path(file.name), path)
            try:
                if self.size(path) is None:
                    raise DamagedFile(self._name(path))
            finally:
                self.remove(path)

    def put(self, source: Path, path: Path) -> None:
        with self._explained():
            self._files.put_file(str(source), self._name(path))

    def put_folder(self, folder: Path) -> None:
        with explain_full_disk(), tempfile.TemporaryDirectory(dir=self._temporary, prefix=".put.") as place:
            tar = Path(place, folder.name)
            pack_folder(folder, tar)
            self.put(tar, _tar_path(folder))

    def fetch(
        self, path: Path, sha256: str | None = None, *, to: Path | None = None, anew: bool = False
    ) -> bool:
        to = to or path
        with _fetch_lock(to):
            if to.exists() and not anew:
                return True
            with self._download(path) as fetched:
                if fetched is None:
                    return False
                if sha256 is not None and hash_file(fetched)[1] != sha256:
                    raise DamagedFile(self._name(path))
                fetched.chmod(0o440)
                flush_file(fetched)
                to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.replace(fetched, to)
                flush_folder(to.parent)
        return True

    def fetch_folder(self, folder: Path, refuse: Callable[[Path], None]) -> bool:
        with _fetch_lock(folder):
            if folder.exists():
                return True
            with self._download(_tar_path(folder)) as tar:
                if tar is None:
                    return False
                unpacked = self._unpacked(tar, folder)
                try:
                    refuse(unpacked)
                except (FileNotFoundError, ValueError) as problem:
                    raise DamagedFile(self._name(_tar_path(folder))) from problem
                publish_folder(unpacked, folder)
        return True

    def size(self, path: Path) -> int | None:
        try:
            with self._explained():
                return int(self._files.info(self._name(path), timeout=_TIMEOUT)["size"])
        except FileNotFoundError:
            return None

    def has_folder(self, folder: Path) -> bool:
        return self.size(_tar_path(folder)) is not None

    def below(self, folder: Path) -> list[Path]:
        with self._explained():
            names = self._files.find(self._name(folder), timeout=_TIMEOUT)
        return [self._data / name.removeprefix(f"{self._root}/") for name in sorted(names)]

    def set_aside(self, path: Path, aside: Path) -> None:
        with self._explained():
            self._files.mv(self._name(path), self._name(aside))

    def remove(self, stem: Path) -> None:
        with self._explained():
            for name in self._files.find(self._name(stem.parent), prefix=stem.name, timeout=_TIMEOUT):
                self._files.rm_file(name)

    @contextmanager
    def opened(self, path: Path) -> Iterator[IO[bytes]]:
        # Asking for the size also ensures that the store responds: reading has no overall timeout.
        if self.size(path) is None:
            raise FileNotFoundError(path)
        with self._explained(), self._files.open(self._name(path), "rb", block_size=_READ_BLOCK) as stream:
            yield stream

    @contextmanager
    def held(self, path: Path, *, folder: bool) -> Iterator[Path]:
        with self._download(_tar_path(path) if folder else path) as file:
            if file is None:
                raise FileNotFoundError(path)
            yield self._unpacked(file, path) if folder else file

    def _unpacked(self, tar: Path, folder: Path) -> Path:
        """Unpack the fetched tar of ``folder`` beside it; raises :class:`DamagedFile`."""
        unpacked = tar.with_name("unpacked")
        unpacked.mkdir(mode=0o700)
        try:
            unpack_folder(tar, unpacked)
        except DamagedTar as problem:
            raise DamagedFile(self._name(_tar_path(folder))) from problem
        return unpacked

    @contextmanager
    def _download(self, path: Path) -> Iterator[Path | None]:
        """Download a stored file to a temporary folder; yield None if there is no such file."""
        with explain_full_disk(), tempfile.TemporaryDirectory(dir=self._temporary, prefix=".fetch.") as place:
            if self.size(path) is None:  # ensures that the store responds, as in opened()
                yield None
                return
            fetched: Path | None = Path(place, "file")
            try:
                with self._explained():
                    self._files.get_file(self._name(path), str(fetched))
            except FileNotFoundError:
                fetched = None
            yield fetched

    @cached_property
    def _files(self) -> Any:
        import fsspec

        # Listings are never cached: other machines put and remove files.
        options = {"use_listings_cache": False, "skip_instance_cache": True, "config_kwargs": _CONFIG}
        return fsspec.filesystem("s3", endpoint_url=self._endpoint, **options)

    @property
    def _root(self) -> str:
        return self._url.removeprefix("s3://").strip("/")

    def _explained(self) -> AbstractContextManager[None]:
        return explain_store_errors(self._url, self._endpoint)

    def _name(self, path: Path) -> str:
        return f"{self._root}/{path.relative_to(self._data).as_posix()}"


NO_STORE = Store()


def open_store(settings: Settings) -> Store:
    """Return the configured store, one per process."""
    if settings.store is None:
        return NO_STORE
    return _remote_store(settings.store, settings.store_endpoint, settings.data)


@lru_cache
def _remote_store(url: str, endpoint: str | None, data: Path) -> RemoteStore:
    return RemoteStore(url, endpoint, data)


@lru_cache(maxsize=1024)
def _fetch_lock(_path: Path) -> threading.Lock:
    """Return a lock to hold while a file is fetched, so that two simultaneous requests fetch it once."""
    return threading.Lock()


def _tar_path(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.tar")
