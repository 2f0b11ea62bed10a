"""Validations of the data folder: list them, set thresholds, quote them in reports, remove them.

Each validation has its own folder, written by ``python -m detector validate``.
"""

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
from detector.validation.validated_model import (
    difference_to_models,
    validated_model,
    validated_voice_model,
    validates_faces,
)
from language.names import model_title
from language.translation import gettext, translated
from reports.file_names import LABORATORY
from webapp import context
from webapp.custody import custody_log
from webapp.custody.job_records import AlteredRecord
from webapp.downloads import quoted_extract
from webapp.downloads.quoted_extract import sha256_of
from webapp.errors import UserError
from webapp.installed_models import service as model_service
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import Choice

FILES = {
    "validation.html": "text/html",
    "validation.pdf": "application/pdf",
    "validation.json": "application/json",
    LABORATORY: "application/json",
    "sha256sums.txt": "text/plain",
    "validation.sig": "application/pkcs7-signature",
}
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class ListedValidation:
    """A validation for pages; ``ended`` says why it no longer applies, and is empty if it does."""

    id: str
    about: Laboratory
    quoted: bool
    ended: str

    @property
    def models(self) -> str:
        """Titles of the models that were measured."""
        titles = [self.about.model.title] if validates_faces(self.about) else []
        titles += [self.about.voice_model.title] if self.about.voice_model else []
        return "; ".join(map(model_title, titles))


def list_validations() -> list[ListedValidation]:
    """Return all validations, newest first."""
    folders = context.folders()
    ids = [path.name for path in _validation_folders(folders)]
    validations = [validation for id_ in ids if (validation := _load(folders, id_)) is not None]
    return sorted(validations, key=lambda validation: validation.about.created, reverse=True)


def find_or_404(validation_id: str) -> ListedValidation:
    """Return a validation; raise :class:`UserError` (404) if it does not exist."""
    validation = _load(context.folders(), validation_id) if _ID.fullmatch(validation_id) else None
    if validation is None:
        raise UserError(
            404, gettext("There is no validation at this address."), gettext("Look for it in the list.")
        )
    return validation


def _load(folders: Folders, validation_id: str) -> ListedValidation | None:
    try:
        about = Laboratory.from_json((folders.validation(validation_id) / LABORATORY).read_bytes())
    except (OSError, ValidationError):
        return None
    with context.database().begin() as session:
        choice = session.get(Choice, quoted_extract.CHOICE)
        default = model_service.default_model(session, folders)
    try:
        model = validated_model(model_service.card_path(folders, default), about.parameters)
        difference = difference_to_models(about, model, validated_voice_model())
    except (ModelError, OSError) as problem:
        difference = str(problem)
    is_quoted = choice is not None and choice.value.startswith(validation_id)
    return ListedValidation(validation_id, about, is_quoted, difference)


def validation_file(validation_id: str, name: str) -> Path:
    """Return a file of a validation; raise :class:`UserError` (404) if it does not exist."""
    find_or_404(validation_id)
    path = context.folders().validation(validation_id) / name
    if name not in FILES or not path.is_file():
        raise UserError(
            404, gettext("This validation has no such file."), gettext("Its page lists its files.")
        )
    return path


def set_thresholds(validation_id: str, rate: float | None, cost: float | None, share: float) -> None:
    """Set the laboratory's own thresholds by a false positive rate or by a cost; with neither, remove them.

    ``rate`` is between 0 and 1, ``cost`` the cost of a false positive relative to a false negative, ``share``
    the expected share of manipulated files. Raises :class:`UserError` for impossible figures, and
    :class:`AlteredRecord` if the validation is not the one its extract was made from.
    """
    from detector.schema.laboratory import Validation
    from detector.validation.rates import quoted_extract as quoted
    from detector.validation.rates import thresholds_by_cost, thresholds_by_false_positive_rate

    folders, entry = context.folders(), find_or_404(validation_id)
    text = (folders.validation(validation_id) / "validation.json").read_bytes()
    if sha256_of(text) != entry.about.validation_sha256:
        raise AlteredRecord(gettext("The validation is not the one its extract was made from."))
    validation = Validation.from_json(text)
    thresholds: tuple[OwnThreshold, ...] = ()
    try:
        if rate is not None:
            thresholds = thresholds_by_false_positive_rate(validation, rate)
        elif cost is not None:
            thresholds = thresholds_by_cost(validation, cost, share)
    except ReelproofError as problem:
        raise UserError(
            400,
            translated(str(problem)),
            gettext("Choose another one."),
            field="cost" if rate is None else "rate",
        ) from None
    extract = quoted(validation, text, thresholds).to_json().encode()
    details = {
        "what": quoted_extract.THRESHOLDS,
        "validation": validation_id,
        "thresholds": "; ".join(f"{t.kind} {t.threshold:g} by {t.by}" for t in thresholds) or "none",
        quoted_extract.EXTRACT: sha256_of(extract),
    }
    path = folders.validation(validation_id) / LABORATORY
    pending = quoted_extract.pending_path(path, sha256_of(extract))
    with context.database().alone() as session:  # nobody removes or quotes it meanwhile
        find_or_404(validation_id)
        _finish_interrupted(session, path)
        choice = session.get(Choice, quoted_extract.CHOICE)
        if choice is not None and choice.value.startswith(validation_id):
            quoted_extract.choose_extract(session, validation_id, extract)
        custody_log.append(session, "configuration", details)
        session.flush()
        write_atomically(pending, extract)  # the last step before the commit
    _move_into_place(pending, path)


def _finish_interrupted(session: Session, path: Path) -> None:
    """Move an extract that a crash left beside ``path`` into place, or remove it."""
    for pending in path.parent.glob(quoted_extract.pending_path(path, "*").name):
        log_sha256 = quoted_extract.thresholds_extract(session, path.parent.name) or ""
        if pending == quoted_extract.pending_path(path, log_sha256):
            _move_into_place(pending, path)
        else:
            pending.unlink(missing_ok=True)


def _move_into_place(pending: Path, path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # somebody else has done so
        pending.replace(path)
        flush_folder(path.parent)


def quote(validation_id: str | None) -> None:
    """Make future reports quote this validation, or no validation for None."""
    folders = context.folders()
    with context.database().alone() as session:  # nobody removes it meanwhile
        if validation_id is None:
            if (choice := session.get(Choice, quoted_extract.CHOICE)) is not None:
                session.delete(choice)
            details = {"what": quoted_extract.CHOSEN, "validation": "none"}
            custody_log.append(session, "configuration", details)
            return
        find_or_404(validation_id)
        if not quoted_extract.made_validations(session, keyed=True).get(validation_id):
            raise AlteredRecord(
                gettext("The custody log has no entry about the creation of this validation.")
            )
        path = folders.validation(validation_id) / LABORATORY
        _finish_interrupted(session, path)
        extract = path.read_bytes()
        quoted_extract.choose_extract(session, validation_id, extract)
        details = {"what": quoted_extract.CHOSEN, "validation": validation_id}
        details[quoted_extract.EXTRACT] = sha256_of(extract)
        custody_log.append(session, "configuration", details)


def remove(validation_id: str) -> None:
    """Delete a validation, whose SHA-256 stays in the custody log, unless reports quote it."""
    folders = context.folders()
    with context.database().alone() as session:  # nobody quotes it meanwhile
        validation = find_or_404(validation_id)
        if validation.quoted:
            raise UserError(
                409,
                gettext("Reports quote this validation."),
                gettext("First choose another validation to quote, or none."),
            )
        details = {"what": quoted_extract.REMOVED, "validation": validation_id}
        details["validation sha256"] = validation.about.validation_sha256
        custody_log.append(session, "configuration", details)
    _remove_files(folders, validation_id)


def finish_interrupted_changes(database: Database, folders: Folders) -> None:
    """Finish removals and changes of thresholds that a crash interrupted after they were logged.

    Does nothing if entries of the log were forged; ``verify-log`` reports that.
    """
    with contextlib.suppress(AlteredRecord), database.alone() as session:
        log_states = quoted_extract.made_validations(session, keyed=True)
        for folder in _validation_folders(folders):
            if log_states.get(folder.name) is False:
                _remove_files(folders, folder.name)
            else:
                _finish_interrupted(session, folder / LABORATORY)


def _remove_files(folders: Folders, validation_id: str) -> None:
    """Hide the folder in one step, then delete it; the next start removes what a crash leaves."""
    hidden_folder = folders.validations / f".{validation_id}"
    folders.validation(validation_id).rename(hidden_folder)
    shutil.rmtree(hidden_folder, ignore_errors=True)


def _validation_folders(folders: Folders) -> list[Path]:
    return sorted(path for path in folders.validations.iterdir() if _ID.fullmatch(path.name))


def validation_problems(session: Session, folders: Folders) -> Iterator[str]:
    """Yield why reports cannot quote the chosen validation, and which validations the log lacks.

    The caller checks the MACs of the log's entries.
    """
    try:
        quoted_extract.read_quoted_extract(session, folders, keyed=False)
    except AlteredRecord as problem:
        yield problem.error
    log_states = quoted_extract.made_validations(session, keyed=False)
    for folder in _validation_folders(folders):
        if folder.name not in log_states:
            yield f"Validation {folder.name}: the custody log does not say that it was made."
        elif not log_states[folder.name]:
            yield f"Validation {folder.name}: the custody log says that it was removed."
