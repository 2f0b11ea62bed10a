"""Upload a file in parts, and send again the part at which the connection broke."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from .connection import (
    TRANSIENT,
    ClientError,
    Conflict,
    Connection,
    NotFound,
    NotReached,
    Problem,
    Retries,
    without_none,
)

PART = 8 * 1024 * 1024  # bytes of one part, which a broken connection costs


class UploadCalls(Connection):
    """Uploads of files."""

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
        """Upload a file and start its analysis; return the status of the analysis.

        Parts are sent again if the connection breaks; outages are waited out with growing pauses, limits of
        requests for as long as the server says. ``also`` names other models that judge the same faces,
        ``joint`` the rule of their joint verdict. ``on_part`` is called with bytes sent and bytes in total.
        The server checks the file's SHA-256. A refused file leaves no upload behind, since the number of
        unfinished uploads is limited.
        """
        path = Path(file)
        upload = self.begin_upload(path, name=name)
        options = without_none(
            model=model, parameters=parameters, also=also, joint=joint, case=case, priority=priority
        )
        try:
            self.send_parts(upload["id"], path, on_part=on_part)
            return self.analyse_upload(upload["id"], **options)
        except ClientError as error:
            if not _may_be_in_progress(error):
                with contextlib.suppress(ClientError):
                    self.delete_upload(upload["id"])
            raise

    def begin_upload(self, path: Path, *, name: str | None = None) -> dict[str, Any]:
        """Begin a resumable upload; with its ``id`` :meth:`send_parts` can continue another day.

        The number of unfinished uploads is limited: :meth:`delete_upload` ends one that is given up.
        """
        with path.open("rb") as source:
            sha256 = hashlib.file_digest(source, "sha256").hexdigest()
        metadata = {"filename": name or path.name, "sha256": sha256}
        headers = {
            "Tus-Resumable": "1.0.0",
            "Upload-Length": str(path.stat().st_size),
            "Upload-Metadata": ",".join(
                # In a name that is not UTF-8, ? replaces what cannot be encoded.
                f"{key} {base64.b64encode(value.encode(errors='replace')).decode()}"
                for key, value in metadata.items()
            ),
        }
        return self._post_once("uploads", headers=headers)

    def send_parts(
        self, upload_id: str, path: Path, *, on_part: Callable[[int, int], None] | None = None
    ) -> None:
        """Send the missing parts of a file, after a break from where the server says.

        Raises :class:`ClientError` if the file becomes shorter meanwhile.
        """
        size, retries, reported = path.stat().st_size, Retries(), 0
        offset: int | None = None  # requested from the server at first and after each failure
        with path.open("rb") as source:
            while offset is None or offset < size:
                try:
                    if offset is None:
                        offset = self._offset(upload_id)
                    else:
                        offset = self._send_part(upload_id, source, offset, min(PART, size - offset))
                        retries = Retries()
                except (NotReached, Problem) as error:
                    # Damaged on the way (460), another offset (409), busy (423) or broken off.
                    retries.pause(error, 409, 423, 460)
                    offset = None
                if on_part is not None and offset is not None and offset != reported:
                    on_part(offset, size)
                    reported = offset

    def _send_part(self, upload_id: str, source: BinaryIO, offset: int, length: int) -> int:
        """Send one part; return where the next one starts."""
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
        """Analyse a completely uploaded file; repeated, this returns the same analysis."""
        options = without_none(
            model=model, parameters=parameters, also=also, joint=joint, case=case, priority=priority
        )
        return self._post_once(f"uploads/{upload_id}/analysis", options)

    def delete_upload(self, upload_id: str) -> None:
        """Delete an upload, finished or not; its analysis stays."""
        retries, is_repeated = Retries(), False
        while True:
            try:
                self._open("DELETE", f"uploads/{upload_id}").close()
                return
            except (NotReached, Problem) as error:
                if is_repeated and isinstance(error, NotFound):
                    return  # only the response was lost
                retries.pause(error)
                is_repeated = True

    def _offset(self, upload_id: str) -> int:
        return int(self._json("GET", f"uploads/{upload_id}")["offset"])


def _may_be_in_progress(error: ClientError) -> bool:
    """Tell whether the server may still be processing the request, perhaps behind a proxy."""
    if isinstance(error, Conflict):
        return error.retry_after is not None
    return isinstance(error, NotReached) or (isinstance(error, Problem) and error.status in (423, *TRANSIENT))
