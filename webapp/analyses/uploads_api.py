"""REST routes of resumable uploads: the tus 1.0 protocol."""

from __future__ import annotations

import base64
import binascii
import re
from email.utils import format_datetime
from pathlib import Path

from flask import Blueprint, Response, request, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response as Answered

from webapp import context
from webapp.accounts import visibility
from webapp.accounts.permissions import Permission, current
from webapp.analyses.api import QUEUED, accepted_response, analysis_request, requested_case_id
from webapp.analyses.schemas import OfUpload, UploadShape
from webapp.errors import UserError
from webapp.exhibits import service as analysis_service
from webapp.exhibits.uploads import resumable
from webapp.exhibits.uploads.exhibits import clean_file_name
from webapp.exhibits.uploads.resumable import CHECKSUMS
from webapp.http.error_responses import FieldProblem, FieldsError
from webapp.http.uploads import AssembledFile
from webapp.rest.idempotency import id_to_create
from webapp.rest.operation import Answer, Bytes, operation
from webapp.rest.schemas import MAX_METADATA_LENGTH, METADATA, moment
from webapp.storage.tables import AnalysisRow, UploadRow

TUS_VERSION = "1.0.0"
_EXTENSIONS = "creation,termination,expiration,checksum"
_NUMBER = re.compile(r"[0-9]{1,18}")


def require_tus_version() -> None:
    """Raise :class:`~webapp.errors.UserError` unless the request declares the supported version of tus."""
    version = request.headers.get("Tus-Resumable")
    if version != TUS_VERSION:
        status = 400 if version is None else 412
        error = f"The request does not declare tus {TUS_VERSION}."
        raise UserError(status, error, f"Send Tus-Resumable: {TUS_VERSION}.")


def byte_count(name: str) -> int:
    """Parse the number of bytes in the header ``name``."""
    text = request.headers.get(name, "")
    if not _NUMBER.fullmatch(text):
        raise header_error(name, "It must be a number of bytes.")
    return int(text)


def read_metadata() -> dict[str, str]:
    """Parse ``Upload-Metadata`` into values by name."""
    metadata: dict[str, str] = {}
    text = request.headers.get("Upload-Metadata")
    if text is None:
        return metadata
    if len(text) > MAX_METADATA_LENGTH or not re.fullmatch(METADATA, text):
        raise header_error(
            "Upload-Metadata", "It must be pairs of a name and a value in base64, separated by commas."
        )
    for pair in text.split(","):
        name, _, value = pair.partition(" ")
        try:
            metadata[name] = base64.b64decode(value, validate=True).decode()
        except (ValueError, binascii.Error):
            raise header_error("Upload-Metadata", f"The value of “{name}” is not text in base64.") from None
    return metadata


def format_metadata(file: str, sha256: str | None) -> str:
    """Format ``Upload-Metadata`` for an upload; empty if neither name nor SHA-256 is known."""
    values = {"filename": "" if file == clean_file_name(None) else file, "sha256": sha256 or ""}
    return ",".join(
        f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items() if value
    )


def read_checksum() -> tuple[str, bytes] | None:
    """Parse ``Upload-Checksum`` into algorithm and digest; None without the header."""
    text = request.headers.get("Upload-Checksum")
    if text is None:
        return None
    name, _, value = text.partition(" ")
    try:
        digest = base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        digest = b""
    if name not in CHECKSUMS or len(digest) != CHECKSUMS[name]().digest_size:
        raise header_error(
            "Upload-Checksum", f"It must be one of {', '.join(CHECKSUMS)}, a space and the digest in base64."
        )
    return name, digest


def header_error(name: str, problem: str) -> FieldsError:
    """Build the error for an invalid header."""
    return FieldsError((FieldProblem(where=f"header.{name}", problem=problem),))


blueprint = Blueprint("api_uploads", __name__)

PART_MEDIA_TYPE = "application/offset+octet-stream"
# A larger part would be a whole file, which the server would then hold twice.
MAX_PART_BYTES = 256_000_000
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@blueprint.after_request
def add_tus_headers(response: Response) -> Response:
    """Add the headers that tus requires of every response, and of OPTIONS and 412."""
    response.headers["Tus-Resumable"] = TUS_VERSION
    if request.method == "OPTIONS":
        response.headers["Tus-Extension"] = _EXTENSIONS
        response.headers["Tus-Max-Size"] = str(context.settings().upload_limit)
        response.headers["Tus-Checksum-Algorithm"] = ",".join(CHECKSUMS)
    if request.method == "OPTIONS" or response.status_code == 412:
        response.headers["Tus-Version"] = TUS_VERSION
    return response


@operation(
    blueprint,
    "POST",
    "/uploads",
    permission=Permission.ANALYSE,
    headers=("Tus-Resumable", "Upload-Length", "Upload-Metadata"),
    answers={
        201: Answer(
            "Send parts to the Location.",
            UploadShape,
            headers=("Location", "Tus-Resumable", "Upload-Offset", "Upload-Expires"),
        )
    },
    errors=(409, 412, 413, 422, 429, 507),
    keyed=True,
)
def create() -> Response:
    """Begin a resumable upload (tus: creation).

    Upload-Metadata holds pairs of a name and a value in base64: ``filename``, and ``sha256`` with
    the hexadecimal SHA-256 of the whole file, which is then verified before the analysis.
    """
    require_tus_version()
    length, metadata = byte_count("Upload-Length"), read_metadata()
    sha256 = metadata.get("sha256", "")
    if sha256 and not _SHA256.fullmatch(sha256):
        raise header_error("Upload-Metadata", "“sha256” is not 64 hexadecimal digits.")
    file = clean_file_name(metadata.get("filename"))
    row = resumable.begin_upload(
        context.database(),
        context.settings(),
        lambda session: resumable.upload_limit_in(session, context.settings(), current()),
        resumable.AnnouncedUpload(current().name, file, length, sha256.lower() or None, id_to_create()),
    )
    response = _json(_shape(row))
    response.status_code = 201
    response.headers["Location"] = url_for("api_uploads.get", upload_id=row.id)
    return _with_tus_headers(response, row)


@operation(
    blueprint,
    "GET",
    "/uploads/<upload_id>",
    permission=Permission.ANALYSE,
    answers={
        200: Answer(
            "The state of the upload.",
            UploadShape,
            headers=(
                "Tus-Resumable",
                "Upload-Offset",
                "Upload-Length",
                "Upload-Metadata",
                "Upload-Expires",
                "ETag",
            ),
        )
    },
    errors=(404,),
)
def get(upload_id: str) -> Response:
    """Get the state of an upload; HEAD, which tus uses, gets the same in headers."""
    row = _find(upload_id)
    response = _json(_shape(row))
    if metadata := format_metadata(row.file, row.sha256):
        response.headers["Upload-Metadata"] = metadata
    return _with_tus_headers(response, row)


@operation(
    blueprint,
    "PATCH",
    "/uploads/<upload_id>",
    permission=Permission.ANALYSE,
    headers=("Tus-Resumable", "Upload-Offset", "Upload-Checksum"),
    body=Bytes(PART_MEDIA_TYPE),
    answers={
        204: Answer(
            "The part is stored; the next part starts at Upload-Offset.",
            headers=("Tus-Resumable", "Upload-Offset", "Upload-Expires"),
        )
    },
    errors=(404, 409, 412, 413, 415, 422, 423, 460, 507),
)
def append(upload_id: str) -> Response:
    """Send a part that starts at Upload-Offset.

    Upload-Checksum is ``sha1`` or ``sha256``, a space, and the part's digest in base64; a part with
    another digest is discarded.
    """
    require_tus_version()
    if request.mimetype != PART_MEDIA_TYPE:
        raise UserError(415, "A part must be sent as bytes.", f"Set Content-Type to {PART_MEDIA_TYPE}.")
    if (request.content_length or 0) > MAX_PART_BYTES:
        raise UserError(
            413, f"A part may have {MAX_PART_BYTES / 1e6:g} MB at most.", "Send parts of some megabytes."
        )
    row = _find(upload_id)
    offset, checksum = byte_count("Upload-Offset"), read_checksum()
    row = resumable.append_part(context.database(), context.settings(), row, offset, request.stream, checksum)
    response = _no_content()
    return _with_tus_headers(response, row)


@operation(
    blueprint,
    "DELETE",
    "/uploads/<upload_id>",
    permission=Permission.ANALYSE,
    answers={204: Answer("The upload is deleted.", headers=("Tus-Resumable",))},
    errors=(404,),
)
def delete(upload_id: str) -> Response:
    """Delete an upload (tus: termination); an analysis made of it stays."""
    resumable.remove_upload(context.database(), context.folders(), _find(upload_id).id)
    return _no_content()


@operation(
    blueprint,
    "POST",
    "/uploads/<upload_id>/analysis",
    permission=Permission.ANALYSE,
    body=OfUpload,
    answers={202: QUEUED},
    errors=(404, 409, 413, 415, 422, 423, 460, 507),
    keyed=True,
)
def analyse(upload_id: str, body: OfUpload) -> Answered:
    """Turn a complete upload into an exhibit and have it analysed.

    A repeated request gets the same analysis.
    """
    row = _find(upload_id)
    analysis_service.refuse_unknown_model(body.model)
    case_id = requested_case_id(body)

    def start(path: Path, upload: UploadRow) -> str:
        whole = AssembledFile(context.folders(), path)
        if upload.sha256 is not None and whole.sha256 != upload.sha256:
            raise UserError(
                460,
                "The file arrived damaged: its SHA-256 is not the one announced.",
                "Delete this upload and send the file again.",
            )
        # The analysis gets the upload's id, so that a crash in between cannot create a second one.
        request = analysis_request(body, upload.id)
        return analysis_service.submit(whole, upload.file, request, case_id=case_id).id

    analysis_id = resumable.finish_upload(context.database(), context.settings(), row, start)
    own = visibility.reachable(select(AnalysisRow).where(AnalysisRow.id == analysis_id), current())
    with context.database().begin() as session:
        analysis = session.scalar(own)
    if analysis is None:
        raise UserError(404, "The analysis of this upload was deleted.", "Upload the file again.")
    return accepted_response(analysis)


def _find(upload_id: str) -> UploadRow:
    with context.database().begin() as session:
        row = session.get(UploadRow, upload_id)
    if row is None or row.who != current().name:
        raise UserError(404, "There is no such upload; it may have expired.", "Begin another one.")
    return row


def _shape(row: UploadRow) -> UploadShape:
    return UploadShape(
        id=row.id,
        file=row.file,
        size=row.size,
        offset=row.received,
        created=moment(row.created) or "",
        expires=moment(row.expires) or "",
        analysis=row.analysis_id,
    )


def _no_content() -> Response:
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


def _json(shape: UploadShape) -> Response:
    return Response(shape.model_dump_json() + "\n", content_type="application/json")


def _with_tus_headers(response: Response, row: UploadRow) -> Response:
    response.headers["Upload-Offset"] = str(row.received)
    response.headers["Upload-Length"] = str(row.size)
    response.headers["Upload-Expires"] = format_datetime(row.expires, usegmt=True)
    return response
