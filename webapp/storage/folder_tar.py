"""A folder as one file, a tar of plain files, as the store keeps results.

Whoever can write to the store can put any tar there, and it is unpacked before a hash of it is compared.
So nothing is read but what :func:`pack` writes: files, uncompressed, each with its name, size and bytes.
:mod:`tarfile` knows links, compression and sparse files as well, and its filters have let files out of
their folder (CVE-2025-4517).
"""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import BinaryIO

from reports.inputs.paths import escapes_folder

_CHUNK = 1 << 20
_END = bytes(tarfile.BLOCKSIZE)  # two of these end a tar


class DamagedTar(ValueError):
    """A file is no tar that :func:`pack` wrote."""


def pack(folder: Path, tar: Path) -> None:
    """Write all files of ``folder`` and below into a new tar; none may have 8 GB or a name over 100 bytes."""
    with tarfile.open(tar, "w", format=tarfile.USTAR_FORMAT) as whole:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                member = tarfile.TarInfo(path.relative_to(folder).as_posix())
                member.size, member.mode = path.stat().st_size, 0o600
                with path.open("rb") as file:
                    whole.addfile(member, file)


def unpack(tar: Path, folder: Path) -> None:
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
