"""Validations of the data folder: list them, set thresholds, quote them in reports, remove them."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy.orm import Session

from detector.errors import ModelError, ReelproofError
from detector.files import flush_folder, write_atomically
from detector.schema.laboratory import Laboratory, OwnThreshold
from detector.validation.validated_model import validated_model, why_not_of_model
from reports.file_names import LABORATORY
from reports.language.translation import gettext, translated
from webapp import context
from webapp.custody import custody_log
from webapp.custody.job_records import AlteredRecord
from webapp.errors import UserError
from webapp.models import service as model_service
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import Choice
from webapp.validations import quoted_extract
from webapp.validations import quoted_extract as validations_quoted_extract
from webapp.validations.quoted_extract import sha256_of

FILES = {
    "validation.html": "text/html",
    "validation.pdf": "application/pdf",
    "validation.json": "application/json",
    LABORATORY: "application/json",
    "sha256sums.txt": "text/plain",
    "validation.sig": "application/pkcs7-signature",
}
_NAME = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class ListedValidation:
    """A validation as pages show it; ``ended`` says why it no longer applies, empty: it does."""

    id: str
    about: Laboratory
    quoted: bool
    ended: str


def list_validations() -> list[ListedValidation]:
    """All of them, the latest first."""
    folders = context.folders()
    found = [each for place in _places(folders) if (each := _listed(folders, place.name)) is not None]
    return sorted(found, key=lambda each: each.about.created, reverse=True)


def find_or_404(validation_id: str) -> ListedValidation:
    """One of them; raises :class:`UserError` (404) where there is none."""
    folders = context.folders()
    found = _listed(folders, validation_id) if _NAME.fullmatch(validation_id) else None
    if found is None:
        raise UserError(
            404, gettext("There is no validation at this address."), gettext("Look for it in the list.")
        )
    return found


def validation_file(validation_id: str, name: str) -> Path:
    """One of its files; raises :class:`UserError` (404) where there is none."""
    find_or_404(validation_id)
    path = context.folders().validation(validation_id) / name
    if name not in FILES or not path.is_file():
        raise UserError(
            404, gettext("This validation has no such file."), gettext("Its page lists what there is.")
        )
    return path


def set_thresholds(validation_id: str, rate: float | None, cost: float | None, share: float) -> None:
    """Set the laboratory's own thresholds by a false positive rate or by a cost; neither: remove them.

    ``rate`` is 0 to 1, ``cost`` how many times as much a false positive costs, ``share`` that of manipulated
    files among those to be expected. Raises :class:`~webapp.errors.UserError` for figures that cannot be,
    :class:`AlteredRecord` where the validation is not the one its extract was made of.
    """
    from detector.schema.laboratory import Validation
    from detector.validation.rates import by_cost, by_false_positive_rate, quoted

    folders, was = context.folders(), find_or_404(validation_id)
    text = (folders.validation(validation_id) / "validation.json").read_bytes()
    if sha256_of(text) != was.about.validation_sha256:
        raise AlteredRecord(gettext("The validation is not the one its extract was made of."))
    whole = Validation.from_json(text)
    own: tuple[OwnThreshold, ...] = ()
    try:
        if rate is not None:
            own = by_false_positive_rate(whole, rate)
        elif cost is not None:
            own = by_cost(whole, cost, share)
    except ReelproofError as problem:
        raise UserError(
            400,
            translated(str(problem)),
            gettext("Choose another one."),
            field="cost" if rate is None else "rate",
        ) from None
    extract = quoted(whole, text, own).to_json().encode()
    told = "; ".join(f"{each.kind} {each.threshold:g} by {each.by}" for each in own) or "none"
    details = {"what": validations_quoted_extract.THRESHOLDS, "validation": validation_id, "thresholds": told}
    details[validations_quoted_extract.EXTRACT] = sha256_of(extract)
    place = folders.validation(validation_id) / LABORATORY
    written = quoted_extract.pending_path(place, sha256_of(extract))
    with context.database().alone() as session:  # nobody removes it or has it quoted meanwhile
        find_or_404(validation_id)
        _finish_interrupted(session, place)
        chosen = session.get(Choice, quoted_extract.CHOICE)
        if chosen is not None and chosen.value.startswith(validation_id):
            quoted_extract.choose_extract(session, validation_id, extract)
        custody_log.append(session, "configuration", details)
        session.flush()
        write_atomically(written, extract)  # last: once the rows are as good as written
    _put_in_place(written, place)


def _finish_interrupted(session: Session, place: Path) -> None:
    """Put an extract in its place, or remove it, that a crash left beside it. The session must be alone."""
    for left in place.parent.glob(quoted_extract.pending_path(place, "*").name):
        if left == quoted_extract.pending_path(
            place, validations_quoted_extract.thresholds_extract(session, place.parent.name) or ""
        ):
            _put_in_place(left, place)
        else:
            left.unlink(missing_ok=True)


def _put_in_place(written: Path, place: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # somebody else has done so
        written.replace(place)
        flush_folder(place.parent)


def quote(validation_id: str | None) -> None:
    """Let reports from now on quote this one; None: none."""
    folders = context.folders()
    with context.database().alone() as session:  # nobody removes it meanwhile
        if validation_id is None:
            if (chosen := session.get(Choice, quoted_extract.CHOICE)) is not None:
                session.delete(chosen)
            none = {"what": validations_quoted_extract.CHOSEN, "validation": "none"}
            custody_log.append(session, "configuration", none)
            return
        find_or_404(validation_id)
        if not validations_quoted_extract.made_validations(session, keyed=True).get(validation_id):
            raise AlteredRecord(
                gettext("The custody log does not hold this validation as one that was made.")
            )
        place = folders.validation(validation_id) / LABORATORY
        _finish_interrupted(session, place)
        extract = place.read_bytes()
        quoted_extract.choose_extract(session, validation_id, extract)
        details = {"what": validations_quoted_extract.CHOSEN, "validation": validation_id}
        details[validations_quoted_extract.EXTRACT] = sha256_of(extract)
        custody_log.append(session, "configuration", details)


def remove(validation_id: str) -> None:
    """Delete one that reports do not quote; the custody log keeps its SHA-256.

    Raises :class:`~webapp.errors.UserError` for one that they quote.
    """
    folders = context.folders()
    with context.database().alone() as session:  # nobody has it quoted meanwhile
        was = find_or_404(validation_id)
        if was.quoted:
            raise UserError(
                409,
                gettext("Reports quote this validation."),
                gettext("Let them quote another one or none first."),
            )
        details = {"what": validations_quoted_extract.REMOVED, "validation": validation_id}
        details["validation sha256"] = was.about.validation_sha256
        custody_log.append(session, "configuration", details)
    _remove_files(folders, validation_id)


def finish_interrupted_changes(database: Database, folders: Folders) -> None:
    """Finish what a crash interrupted: removals, and thresholds, that the custody log holds already.

    Nothing, where its entries are not its own: ``verify-log`` says so.
    """
    with contextlib.suppress(AlteredRecord), database.alone() as session:
        made = validations_quoted_extract.made_validations(session, keyed=True)
        for place in _places(folders):
            if made.get(place.name) is False:
                _remove_files(folders, place.name)
            else:
                _finish_interrupted(session, place / LABORATORY)


def _remove_files(folders: Folders, validation_id: str) -> None:
    """Out of sight in one step; what a crash leaves of it goes at the next start."""
    gone = folders.validations / f".{validation_id}"
    folders.validation(validation_id).rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _places(folders: Folders) -> list[Path]:
    return sorted(place for place in folders.validations.iterdir() if _NAME.fullmatch(place.name))


def validation_problems(session: Session, folders: Folders) -> Iterator[str]:
    """Why reports cannot quote what they should, in words; without it none can be rendered.

    And which validations the custody log does not hold. Who asks checks the MACs of the log's entries.
    """
    try:
        quoted_extract.read_quoted_extract(session, folders, keyed=False)
    except AlteredRecord as altered:
        yield altered.error
    made = validations_quoted_extract.made_validations(session, keyed=False)
    for place in _places(folders):
        if place.name not in made:
            yield f"Validation {place.name}: the custody log does not say that it was made."
        elif not made[place.name]:
            yield f"Validation {place.name}: the custody log says that it was removed."


def _listed(folders: Folders, validation_id: str) -> ListedValidation | None:
    try:
        about = Laboratory.from_json((folders.validation(validation_id) / LABORATORY).read_bytes())
    except (OSError, ValidationError):
        return None
    with context.database().begin() as session:
        chosen = session.get(Choice, quoted_extract.CHOICE)
        default = model_service.default_model(session, folders)
    try:
        now = validated_model(model_service.card_path(folders, default), about.parameters)
        ended = why_not_of_model(about, now)
    except (ModelError, OSError) as problem:
        ended = str(problem)
    is_quoted = chosen is not None and chosen.value.startswith(validation_id)
    return ListedValidation(validation_id, about, is_quoted, ended)
