"""Upload a file in parts, and send again the part at which the connection broke."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from webapp.client.connection import (
    PASSING,
    ClientError,
    Conflict,
    Connection,
    NotFound,
    NotReached,
    Problem,
    Retries,
    without_none,
)

PART = 8 * 1024 * 1024  # bytes of one part: what a broken line costs


class UploadCalls(Connection):
    """Handing in files."""

    def create(
        self,
        file: str | os.PathLike[str],
        *,
        name: str | None = None,
        model: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        also: Sequence[str] | None = None,
        joint: str | None = None,
        case: int | None = None,
        priority: str | None = None,
        on_part: Callable[[int, int], None] | None = None,
    ) -> dict[str, Any]:
        """Hand in a file, in parts that are sent again where the line breaks; where its analysis stands.

        An outage is waited out with growing pauses, a limit of requests for as long as the other side says.

        ``also`` names other models that judge the same faces, ``joint`` the rule of their joint verdict.
        ``on_part`` is told of bytes sent and bytes in all. The file's SHA-256 is checked on arrival. What is
        refused leaves no upload behind: there may be only so many unfinished ones.
        """
        path = Path(file)
        upload = self.begin_upload(path, name=name)
        asked = without_none(
            model=model, parameters=parameters, also=also, joint=joint, case=case, priority=priority
        )
        try:
            self.send_parts(upload["id"], path, on_part=on_part)
            return self.analyse_upload(upload["id"], **asked)
        except ClientError as refused:
            if not _may_go_on(refused):
                with contextlib.suppress(ClientError):
                    self.delete_upload(upload["id"])
            raise

    def begin_upload(self, path: Path, *, name: str | None = None) -> dict[str, Any]:
        """Announce a file that will come in parts; its ``id`` lets :meth:`send_parts` go on another day.

        There may be only so many unfinished uploads: :meth:`delete_upload` ends one that is not gone on with.
        """
        with path.open("rb") as source:
            sha256 = hashlib.file_digest(source, "sha256").hexdigest()
        metadata = {"filename": name or path.name, "sha256": sha256}
        headers = {
            "Tus-Resumable": "1.0.0",
            "Upload-Length": str(path.stat().st_size),
            "Upload-Metadata": ",".join(
                # Of a name that is no UTF-8, ? stands for what is none.
                f"{key} {base64.b64encode(value.encode(errors='replace')).decode()}"
                for key, value in metadata.items()
            ),
        }
        begun: dict[str, Any] = self._once(lambda key: self._json("POST", "uploads", headers=headers | key))
        return begun

    def send_parts(
        self, upload_id: str, path: Path, *, on_part: Callable[[int, int], None] | None = None
    ) -> None:
        """Send what is missing of a file; after a break it goes on where the other side says.

        Raises :class:`ClientError` where the file becomes shorter meanwhile.
        """
        size, retries, told = path.stat().st_size, Retries(), 0
        offset: int | None = None  # asked of the other side: at first, and after each failure
        with path.open("rb") as source:
            while offset is None or offset < size:
                try:
                    if offset is None:
                        offset = self._offset(upload_id)
                    else:
                        offset = self._send_part(upload_id, source, offset, min(PART, size - offset))
                        retries = Retries()
                except (NotReached, Problem) as problem:
                    # Damaged on the way (460), somewhere else than thought (409), busy (423) or broken off.
                    retries.pause(problem, 409, 423, 460)
                    offset = None
                if on_part is not None and offset is not None and offset != told:
                    on_part(offset, size)
                    told = offset

    def _send_part(self, upload_id: str, source: BinaryIO, offset: int, length: int) -> int:
        """Send so many bytes from there; where the next part starts."""
        source.seek(offset)
        part = source.read(length)
        if len(part) < length:
            raise ClientError(f"{source.name} became shorter while it was sent. Hand it in again.")
        digest = base64.b64encode(hashlib.sha256(part).digest()).decode()
        headers = {
            "Tus-Resumable": "1.0.0",
            "Upload-Offset": str(offset),
            "Upload-Checksum": f"sha256 {digest}",
            "Content-Type": "application/offset+octet-stream",
        }
        with self._open("PATCH", f"uploads/{upload_id}", part, headers) as answer:
            return int(answer.headers["Upload-Offset"])

    def analyse_upload(
        self,
        upload_id: str,
        *,
        model: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        also: Sequence[str] | None = None,
        joint: str | None = None,
        case: int | None = None,
        priority: str | None = None,
    ) -> dict[str, Any]:
        """Have a file that came whole analysed; asked again it is the same analysis."""
        asked = without_none(
            model=model, parameters=parameters, also=also, joint=joint, case=case, priority=priority
        )
        made: dict[str, Any] = self._once(
            lambda key: self._json("POST", f"uploads/{upload_id}/analysis", asked, headers=key)
        )
        return made

    def delete_upload(self, upload_id: str) -> None:
        """Delete an upload, finished or not; an analysis that was made of it stays."""
        retries, asked_before = Retries(), False
        while True:
            try:
                self._open("DELETE", f"uploads/{upload_id}").close()
                return
            except (NotReached, Problem) as problem:
                if asked_before and isinstance(problem, NotFound):
                    return  # only the answer did not come
                retries.pause(problem)
                asked_before = True

    def _offset(self, upload_id: str) -> int:
        return int(self._json("GET", f"uploads/{upload_id}")["offset"])


def _may_go_on(error: ClientError) -> bool:
    """Whether a request that ended so may still be being answered, by the server or behind a proxy."""
    if isinstance(error, Conflict):
        return error.retry_after is not None
    return isinstance(error, NotReached) or (isinstance(error, Problem) and error.status in (423, *PASSING))
