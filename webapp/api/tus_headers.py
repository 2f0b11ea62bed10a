"""Headers of a request of the tus 1.0 protocol, checked. What cannot be used raises ``FieldsError``."""

from __future__ import annotations

import base64
import binascii
import re

from flask import Response, request

from webapp.api.contract.schemas.uploads import LONGEST_METADATA, METADATA
from webapp.errors import UserError
from webapp.http.problem_details import FieldProblem, FieldsError
from webapp.intake.exhibits import clean_name
from webapp.intake.resumable import CHECKSUMS

VERSION = "1.0.0"
_EXTENSIONS = "creation,termination,expiration,checksum"
_NUMBER = re.compile(r"[0-9]{1,18}")


def refuse_other_versions() -> None:
    """Raise :class:`~webapp.errors.UserError` unless the request says that it is of this version."""
    said = request.headers.get("Tus-Resumable")
    if said != VERSION:
        status = 400 if said is None else 412
        words = f"This is tus {VERSION}, and the request does not say so."
        raise UserError(status, words, f"Send Tus-Resumable: {VERSION}.")


def complete(response: Response, largest: int) -> Response:
    """``response`` with what the protocol asks of each, of OPTIONS and of 412; ``largest`` file in bytes."""
    response.headers["Tus-Resumable"] = VERSION
    if request.method == "OPTIONS":
        response.headers["Tus-Extension"] = _EXTENSIONS
        response.headers["Tus-Max-Size"] = str(largest)
        response.headers["Tus-Checksum-Algorithm"] = ",".join(CHECKSUMS)
    if request.method == "OPTIONS" or response.status_code == 412:
        response.headers["Tus-Version"] = VERSION
    return response


def number(name: str) -> int:
    """The number of bytes in the header ``name``."""
    text = request.headers.get(name, "")
    if not _NUMBER.fullmatch(text):
        raise unusable(name, "It must be a number of bytes.")
    return int(text)


def metadata() -> dict[str, str]:
    """What ``Upload-Metadata`` says of the file, by name."""
    found: dict[str, str] = {}
    given = request.headers.get("Upload-Metadata")
    if given is None:
        return found
    if len(given) > LONGEST_METADATA or not re.fullmatch(METADATA, given):
        raise unusable("Upload-Metadata", "It must be names, each with a space and base64, commas between.")
    for pair in given.split(","):
        name, _, value = pair.partition(" ")
        try:
            found[name] = base64.b64decode(value, validate=True).decode()
        except (ValueError, binascii.Error):
            raise unusable("Upload-Metadata", f"The value of “{name}” is no text in base64.") from None
    return found


def metadata_kept(file: str, sha256: str | None) -> str:
    """``Upload-Metadata`` of what is kept of it; empty where that is nothing."""
    kept = {"filename": "" if file == clean_name(None) else file, "sha256": sha256 or ""}
    return ",".join(
        f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in kept.items() if value
    )


def checksum() -> tuple[str, bytes] | None:
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
        raise unusable("Upload-Checksum", f"It must be one of {', '.join(CHECKSUMS)}, a space and base64.")
    return name, digest


def unusable(name: str, problem: str) -> FieldsError:
    """What is raised for a header that cannot be used."""
    return FieldsError((FieldProblem(where=f"header.{name}", problem=problem),))
