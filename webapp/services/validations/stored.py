"""Validations of the data folder: listed, given thresholds of one's own, quoted in reports, removed.

Each lies in a folder of its own, as ``python -m detector validate`` writes it;
:mod:`webapp.services.validations.making` makes one of analyses that are done. Which one reports quote is a
choice of the data folder, with the SHA-256 of the extract they quote, so that a changed one is not quoted.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy.orm import Session

from detector.errors import ModelError, ReelproofError
from detector.files import flush_folder, write_atomically
from detector.schema.laboratory.quoted import NAME as LABORATORY
from detector.schema.laboratory.quoted import Laboratory, OwnThreshold
from detector.validation.model_used import validated_model, why_not_of_model
from reports.text.translation.language import gettext, translated
from webapp import this_app
from webapp.custody import choice_records
from webapp.custody import log as custody_log
from webapp.custody.altered import AlteredRecord
from webapp.errors import UserError
from webapp.services import models as model_service
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import Choice, now

FILES = {
    "validation.html": "text/html",
    "validation.pdf": "application/pdf",
    "validation.json": "application/json",
    LABORATORY: "application/json",
    "sha256sums.txt": "text/plain",
    "validation.sig": "application/pkcs7-signature",
}
_CHOICE = "validation"
_NAME = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class ListedValidation:
    """A validation as pages show it; ``ended`` says why it no longer applies, empty: it does."""

    id: str
    about: Laboratory
    quoted: bool
    ended: str


def listed() -> list[ListedValidation]:
    """All of them, the latest first."""
    folders = this_app.folders()
    found = [each for place in _places(folders) if (each := _listed(folders, place.name)) is not None]
    return sorted(found, key=lambda each: each.about.created, reverse=True)


def find(validation_id: str) -> ListedValidation:
    """One of them, or a 404 page."""
    folders = this_app.folders()
    found = _listed(folders, validation_id) if _NAME.fullmatch(validation_id) else None
    if found is None:
        raise UserError(
            404, gettext("There is no validation at this address."), gettext("Look for it in the list.")
        )
    return found


def file(validation_id: str, name: str) -> Path:
    """One of its files, or a 404 page."""
    find(validation_id)
    path = this_app.folders().validation(validation_id) / name
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
    from detector.schema.laboratory.validation import Validation
    from detector.validation.quoted import by_cost, by_false_positive_rate, quoted

    folders, was = this_app.folders(), find(validation_id)
    text = (folders.validation(validation_id) / "validation.json").read_bytes()
    if _sha256(text) != was.about.validation_sha256:
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
    details = {"what": choice_records.THRESHOLDS, "validation": validation_id, "thresholds": told}
    details[choice_records.EXTRACT] = _sha256(extract)
    place = folders.validation(validation_id) / LABORATORY
    written = _beside(place, _sha256(extract))
    with this_app.database().alone() as session:  # nobody removes it or has it quoted meanwhile
        find(validation_id)
        _finish_interrupted(session, place)
        chosen = session.get(Choice, _CHOICE)
        if chosen is not None and chosen.value.startswith(validation_id):
            _choose(session, validation_id, extract)
        custody_log.append(session, "configuration", details)
        session.flush()
        write_atomically(written, extract)  # last: once the rows are as good as written
    _put_in_place(written, place)


def _beside(place: Path, sha256: str) -> Path:
    """Where an extract lies until its rows are written: the one in its place is quoted until then.

    Whenever a crash comes, one of the two is what the rows speak of.
    """
    return place.with_name(f"{place.stem}.{sha256}{place.suffix}")


def _finish_interrupted(session: Session, place: Path) -> None:
    """Put an extract in its place, or remove it, that a crash left beside it. The session must be alone."""
    for left in place.parent.glob(_beside(place, "*").name):
        if left == _beside(place, choice_records.own_extract(session, place.parent.name) or ""):
            _put_in_place(left, place)
        else:
            left.unlink(missing_ok=True)


def _put_in_place(written: Path, place: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # somebody else has done so
        written.replace(place)
        flush_folder(place.parent)


def quote(validation_id: str | None) -> None:
    """Let reports from now on quote this one; None: none."""
    folders = this_app.folders()
    with this_app.database().alone() as session:  # nobody removes it meanwhile
        if validation_id is None:
            if (chosen := session.get(Choice, _CHOICE)) is not None:
                session.delete(chosen)
            none = {"what": choice_records.CHOSEN, "validation": "none"}
            custody_log.append(session, "configuration", none)
            return
        find(validation_id)
        if not choice_records.made_validations(session, keyed=True).get(validation_id):
            raise AlteredRecord(
                gettext("The custody log does not hold this validation as one that was made.")
            )
        place = folders.validation(validation_id) / LABORATORY
        _finish_interrupted(session, place)
        extract = place.read_bytes()
        _choose(session, validation_id, extract)
        details = {"what": choice_records.CHOSEN, "validation": validation_id}
        details[choice_records.EXTRACT] = _sha256(extract)
        custody_log.append(session, "configuration", details)


def remove(validation_id: str) -> None:
    """Delete one that reports do not quote; the custody log keeps its SHA-256.

    Raises :class:`~webapp.errors.UserError` for one that they quote.
    """
    folders = this_app.folders()
    with this_app.database().alone() as session:  # nobody has it quoted meanwhile
        was = find(validation_id)
        if was.quoted:
            raise UserError(
                409,
                gettext("Reports quote this validation."),
                gettext("Let them quote another one or none first."),
            )
        details = {"what": choice_records.REMOVED, "validation": validation_id}
        details["validation sha256"] = was.about.validation_sha256
        custody_log.append(session, "configuration", details)
    _remove_files(folders, validation_id)


def finish_interrupted(database: Database, folders: Folders) -> None:
    """Finish what a crash interrupted: removals, and thresholds, that the custody log holds already.

    Nothing, where its entries are not its own: ``verify-log`` says so.
    """
    with contextlib.suppress(AlteredRecord), database.alone() as session:
        made = choice_records.made_validations(session, keyed=True)
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


def _choose(session: Session, validation_id: str, extract: bytes) -> None:
    session.merge(Choice(name=_CHOICE, value=_chosen(validation_id, extract), made=now()))


def _chosen(validation_id: str, extract: bytes) -> str:
    return f"{validation_id} {_sha256(extract)}"


@dataclass(frozen=True)
class ChosenExtract:
    """The ``laboratory.json`` that reports quote, and the SHA-256 it had when it was chosen."""

    path: Path
    sha256: str

    @property
    def paths(self) -> tuple[Path, Path]:
        """Where it is: in its place or, after a crash, beside it."""
        return self.path, _beside(self.path, self.sha256)


def chosen_extract(session: Session, folders: Folders) -> ChosenExtract | None:
    """Which one reports quote; None: none."""
    if (chosen := session.get(Choice, _CHOICE)) is None:
        return None
    validation_id, _, sha256 = chosen.value.partition(" ")
    return ChosenExtract(folders.validation(validation_id) / LABORATORY, sha256)


def in_reports(session: Session, folders: Folders) -> bytes | None:
    """The text of the ``laboratory.json`` that reports quote, if any.

    Raises :class:`AlteredRecord` for one that is not the one that was chosen.
    """
    return _in_reports(session, folders, keyed=True)


def _in_reports(session: Session, folders: Folders, *, keyed: bool) -> bytes | None:
    _refuse_unlogged(session, keyed=keyed)
    if (chosen := chosen_extract(session, folders)) is None:
        return None
    for path in (*chosen.paths, chosen.path):  # again: it may have been put in its place between the two
        with contextlib.suppress(OSError):
            if _sha256(text := path.read_bytes()) == chosen.sha256:
                return text
    raise AlteredRecord(gettext("The validation that reports quote is not the one that was chosen."))


def _refuse_unlogged(session: Session, *, keyed: bool) -> None:
    """Raise :class:`AlteredRecord` where the choice in the database is not that of the custody log."""
    before: object = ()
    while True:
        row = session.get(Choice, _CHOICE, populate_existing=True)
        chosen, told = (row.value if row else None), choice_records.chosen_validation(session, keyed=keyed)
        if chosen == (None if told is None else " ".join(told)):
            return
        if told == before:  # else somebody chose another one between the two questions
            raise AlteredRecord(
                gettext("The validation that reports quote is not the one that the custody log holds.")
            )
        before = told


def problems(session: Session, folders: Folders) -> Iterator[str]:
    """Why reports cannot quote what they should, in words; without it none can be rendered.

    And which validations the custody log does not hold. Who asks checks the MACs of the log's entries.
    """
    try:
        _in_reports(session, folders, keyed=False)
    except AlteredRecord as altered:
        yield altered.error
    made = choice_records.made_validations(session, keyed=False)
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
    with this_app.database().begin() as session:
        chosen = session.get(Choice, _CHOICE)
        default = model_service.default(session, folders)
    try:
        now = validated_model(model_service.card_path(folders, default), about.parameters)
        ended = why_not_of_model(about, now)
    except (ModelError, OSError) as problem:
        ended = str(problem)
    is_quoted = chosen is not None and chosen.value.startswith(validation_id)
    return ListedValidation(validation_id, about, is_quoted, ended)


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
