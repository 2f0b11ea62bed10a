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
from webapp.analyses import service as analysis_service
from webapp.analyses.api import QUEUED, accepted_response, analysis_request, requested_case_id
from webapp.analyses.schemas import MAX_METADATA_LENGTH, METADATA, OfUpload, UploadShape
from webapp.analyses.uploads import resumable
from webapp.analyses.uploads import resumable as uploads_resumable
from webapp.analyses.uploads.exhibits import clean_file_name
from webapp.analyses.uploads.resumable import CHECKSUMS
from webapp.errors import UserError
from webapp.http.error_responses import FieldProblem, FieldsError
from webapp.http.uploads import AssembledFile
from webapp.rest.idempotency import id_to_create
from webapp.rest.operation import Answer, Bytes, operation
from webapp.rest.schemas import moment
from webapp.storage.tables import AnalysisRow, UploadRow

TUS_VERSION = "1.0.0"
_EXTENSIONS = "creation,termination,expiration,checksum"
_NUMBER = re.compile(r"[0-9]{1,18}")


def refuse_other_versions() -> None:
    """Raise :class:`~webapp.errors.UserError` unless the request says that it is of this version."""
    said = request.headers.get("Tus-Resumable")
    if said != TUS_VERSION:
        status = 400 if said is None else 412
        words = f"This is tus {TUS_VERSION}, and the request does not say so."
        raise UserError(status, words, f"Send Tus-Resumable: {TUS_VERSION}.")


def add_tus_headers(response: Response, largest: int) -> Response:
    """``response`` with what the protocol asks of each, of OPTIONS and of 412; ``largest`` file in bytes."""
    response.headers["Tus-Resumable"] = TUS_VERSION
    if request.method == "OPTIONS":
        response.headers["Tus-Extension"] = _EXTENSIONS
        response.headers["Tus-Max-Size"] = str(largest)
        response.headers["Tus-Checksum-Algorithm"] = ",".join(CHECKSUMS)
    if request.method == "OPTIONS" or response.status_code == 412:
        response.headers["Tus-Version"] = TUS_VERSION
    return response


def byte_count(name: str) -> int:
    """The number of bytes in the header ``name``."""
    text = request.headers.get(name, "")
    if not _NUMBER.fullmatch(text):
        raise header_error(name, "It must be a number of bytes.")
    return int(text)


def read_metadata() -> dict[str, str]:
    """What ``Upload-Metadata`` says of the file, by name."""
    found: dict[str, str] = {}
    given = request.headers.get("Upload-Metadata")
    if given is None:
        return found
    if len(given) > MAX_METADATA_LENGTH or not re.fullmatch(METADATA, given):
        raise header_error(
            "Upload-Metadata", "It must be names, each with a space and base64, commas between."
        )
    for pair in given.split(","):
        name, _, value = pair.partition(" ")
        try:
            found[name] = base64.b64decode(value, validate=True).decode()
        except (ValueError, binascii.Error):
            raise header_error("Upload-Metadata", f"The value of “{name}” is no text in base64.") from None
    return found


def format_metadata(file: str, sha256: str | None) -> str:
    """``Upload-Metadata`` of what is kept of it; empty where that is nothing."""
    kept = {"filename": "" if file == clean_file_name(None) else file, "sha256": sha256 or ""}
    return ",".join(
        f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in kept.items() if value
    )


def read_checksum() -> tuple[str, bytes] | None:
    """Algorithm and digest of the part, by ``Upload-Checksum``; None where it has none."""
    given = request.headers.get("Upload-Checksum")
    if given is None:
        return None
    name, _, value = given.partition(" ")
    try:
        digest = base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        digest = b""
    if name not in CHECKSUMS or len(digest) != CHECKSUMS[name]().digest_size:
        raise header_error(
            "Upload-Checksum", f"It must be one of {', '.join(CHECKSUMS)}, a space and base64."
        )
    return name, digest


def header_error(name: str, problem: str) -> FieldsError:
    """What is raised for a header that cannot be used."""
    return FieldsError((FieldProblem(where=f"header.{name}", problem=problem),))


blueprint = Blueprint("api_uploads", __name__)

PART_MEDIA_TYPE = "application/offset+octet-stream"
# A whole file in one request is no upload in parts; the server would hold it twice.
MAX_PART_BYTES = 256_000_000
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@blueprint.after_request
def _complete(response: Response) -> Response:
    return add_tus_headers(response, context.settings().upload_limit)


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
    """Begin to send a file in parts (tus: creation).

    Upload-Metadata holds pairs of a name and a value in base64: ``filename``, and ``sha256`` with
    the hexadecimal SHA-256 of the whole file, which is then checked before it is analysed.
    """
    refuse_other_versions()
    length, metadata = byte_count("Upload-Length"), read_metadata()
    sha256 = metadata.get("sha256", "")
    if sha256 and not _SHA256.fullmatch(sha256):
        raise header_error("Upload-Metadata", "“sha256” is not 64 hexadecimal digits.")
    file = clean_file_name(metadata.get("filename"))
    row = resumable.begin_upload(
        context.database(),
        context.settings(),
        lambda session: uploads_resumable.upload_limit_in(session, context.settings(), current()),
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
            "How far it is.",
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
    """How far an upload is; HEAD gives the same in headers alone, as tus asks."""
    row = _find(upload_id)
    response = _json(_shape(row))
    if kept := format_metadata(row.file, row.sha256):
        response.headers["Upload-Metadata"] = kept
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
            "It arrived; the next part starts at Upload-Offset.",
            headers=("Tus-Resumable", "Upload-Offset", "Upload-Expires"),
        )
    },
    errors=(404, 409, 412, 413, 415, 422, 423, 460, 507),
)
def append(upload_id: str) -> Response:
    """Send a part that starts at Upload-Offset.

    Upload-Checksum is ``sha1`` or ``sha256``, a space, and the part's digest in base64; a part that
    does not fit it is not kept.
    """
    refuse_other_versions()
    if request.mimetype != PART_MEDIA_TYPE:
        raise UserError(415, "A part is sent as bytes.", f"Set Content-Type to {PART_MEDIA_TYPE}.")
    if (request.content_length or 0) > MAX_PART_BYTES:
        raise UserError(
            413, f"A part may have {MAX_PART_BYTES / 1e6:g} MB at most.", "Send parts of some megabytes."
        )
    row = _find(upload_id)
    offset, checksum = byte_count("Upload-Offset"), read_checksum()
    row = resumable.append_part(context.database(), context.settings(), row, offset, request.stream, checksum)
    response = Response(status=204)
    del response.headers["Content-Type"]
    return _with_tus_headers(response, row)


@operation(
    blueprint,
    "DELETE",
    "/uploads/<upload_id>",
    permission=Permission.ANALYSE,
    answers={204: Answer("It is gone.", headers=("Tus-Resumable",))},
    errors=(404,),
)
def delete(upload_id: str) -> Response:
    """Forget an upload and what came of it (tus: termination); an analysis made of it stays."""
    resumable.remove_upload(context.database(), context.folders(), _find(upload_id).id)
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


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
    """Make an exhibit of a file that is whole, and have it analysed.

    Asked again, it answers with the same analysis.
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
        # The upload's id becomes the analysis's: a crash in between makes no second one.
        asked = analysis_request(body, upload.id)
        return analysis_service.submit(whole, upload.file, asked, case_id=case_id).id

    analysis_id = resumable.finish_upload(context.database(), context.settings(), row, start)
    own = visibility.reachable(select(AnalysisRow).where(AnalysisRow.id == analysis_id), current())
    with context.database().begin() as session:
        made = session.scalar(own)
    if made is None:
        raise UserError(404, "The analysis of this upload was deleted.", "Hand the file in again.")
    return accepted_response(made)


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


def _json(shape: UploadShape) -> Response:
    return Response(shape.model_dump_json() + "\n", content_type="application/json")


def _with_tus_headers(response: Response, row: UploadRow) -> Response:
    response.headers["Upload-Offset"] = str(row.received)
    response.headers["Upload-Length"] = str(row.size)
    response.headers["Upload-Expires"] = format_datetime(row.expires, usegmt=True)
    return response
