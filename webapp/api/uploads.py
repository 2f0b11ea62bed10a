"""Files in parts: the tus 1.0 protocol, with creation, termination, expiration and checksum.

tus and not the IETF draft on resumable uploads: its version is fixed and has clients for many
languages, the draft still changes, and its interim answers (104) are beyond a WSGI server. The
server keeps each part until all of it arrived, so what a broken line costs is one part: send
parts of some megabytes.
"""

from __future__ import annotations

import re
from email.utils import format_datetime
from pathlib import Path

from flask import Blueprint, Response, request, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response as Answered

from webapp import this_app
from webapp.api import tus_headers
from webapp.api.analysis_requests import QUEUED, accepted_response, asked_analysis, asked_case
from webapp.api.contract.idempotency import id_to_create
from webapp.api.contract.operation import Answer, Bytes, operation
from webapp.api.contract.schemas.base import moment
from webapp.api.contract.schemas.uploads import OfUpload, UploadShape
from webapp.errors import UserError
from webapp.intake import resumable
from webapp.intake.exhibits import clean_name
from webapp.intake.incoming import AssembledFile
from webapp.security.access import visibility
from webapp.security.access.permissions import Permission, current
from webapp.services import analyses as analysis_service
from webapp.services import quota
from webapp.storage.tables import AnalysisRow, UploadRow

blueprint = Blueprint("api_uploads", __name__)

PART = "application/offset+octet-stream"
# A whole file in one request is no upload in parts; the server would hold it twice.
LARGEST_PART = 256_000_000
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@blueprint.after_request
def _complete(response: Response) -> Response:
    return tus_headers.complete(response, this_app.settings().upload_limit)


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
    tus_headers.refuse_other_versions()
    length, metadata = tus_headers.number("Upload-Length"), tus_headers.metadata()
    sha256 = metadata.get("sha256", "")
    if sha256 and not _SHA256.fullmatch(sha256):
        raise tus_headers.unusable("Upload-Metadata", "“sha256” is not 64 hexadecimal digits.")
    file = clean_name(metadata.get("filename"))
    row = resumable.begin(
        this_app.database(),
        this_app.settings(),
        lambda session: quota.upload_limit_in(session, this_app.settings(), current()),
        resumable.Announced(current().name, file, length, sha256.lower() or None, id_to_create()),
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
    if kept := tus_headers.metadata_kept(row.file, row.sha256):
        response.headers["Upload-Metadata"] = kept
    return _with_tus_headers(response, row)


@operation(
    blueprint,
    "PATCH",
    "/uploads/<upload_id>",
    permission=Permission.ANALYSE,
    headers=("Tus-Resumable", "Upload-Offset", "Upload-Checksum"),
    body=Bytes(PART),
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
    tus_headers.refuse_other_versions()
    if request.mimetype != PART:
        raise UserError(415, "A part is sent as bytes.", f"Set Content-Type to {PART}.")
    if (request.content_length or 0) > LARGEST_PART:
        raise UserError(
            413, f"A part may have {LARGEST_PART / 1e6:g} MB at most.", "Send parts of some megabytes."
        )
    row = _find(upload_id)
    offset, checksum = tus_headers.number("Upload-Offset"), tus_headers.checksum()
    row = resumable.append(this_app.database(), this_app.settings(), row, offset, request.stream, checksum)
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
    resumable.remove(this_app.database(), this_app.folders(), _find(upload_id).id)
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
    case_id = asked_case(body)

    def start(path: Path, upload: UploadRow) -> str:
        whole = AssembledFile(this_app.folders(), path)
        if upload.sha256 is not None and whole.sha256 != upload.sha256:
            raise UserError(
                460,
                "The file arrived damaged: its SHA-256 is not the one announced.",
                "Delete this upload and send the file again.",
            )
        # The upload's id becomes the analysis's: a crash in between makes no second one.
        asked = asked_analysis(body, upload.id)
        return analysis_service.submit(whole, upload.file, asked, case_id=case_id).id

    analysis_id = resumable.finish(this_app.database(), this_app.settings(), row, start)
    own = visibility.reachable(select(AnalysisRow).where(AnalysisRow.id == analysis_id), current())
    with this_app.database().begin() as session:
        made = session.scalar(own)
    if made is None:
        raise UserError(404, "The analysis of this upload was deleted.", "Hand the file in again.")
    return accepted_response(made)


def _find(upload_id: str) -> UploadRow:
    with this_app.database().begin() as session:
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
