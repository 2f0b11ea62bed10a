"""The models available to analyses: list, add, choose the default, remove."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from detector.errors import ModelError
from detector.files import publish_folder
from detector.models.card import Card, is_model_name
from detector.models.loaded import check_card, check_weights
from detector.models.model_files import (
    DEFAULT_MODEL,
    MODELS_FOLDER,
    RETIRED_MODELS,
    SHIPPED_MODELS,
    WEIGHTS,
    known_models,
    read_second_look,
    retired_error,
)
from detector.schema.model import PAGES_LEFT_OUT, Model
from language.translation import N_, gettext, text_of, texts_of
from webapp import context
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.http.uploads import Incoming
from webapp.installed_models.check import check_model
from webapp.jobs import parameters, states
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, Choice, now

# Short names of the figures that distinguish models at a glance; the first name found on a card counts.
# Whole clips are measured with the second look, if the model has one.
HEADLINES = (
    (("dfdc-test crops, AUC",), N_("AUC, crops")),
    (("develop clips, AUC",), N_("AUC, 24 clips of older methods")),
    (
        ("241 develop clips, AUC", "211 develop clips, AUC", "126 develop clips, AUC"),
        N_("AUC, clips of many methods"),
    ),
    ((f"{PAGES_LEFT_OUT}, AUC",), N_("AUC, sources left out")),
    (
        (
            "whole program, 241 develop clips, expected calibration error",
            "whole program, 211 develop clips, expected calibration error",
            "whole program, 126 develop clips, expected calibration error",
            "develop clips, expected calibration error",
        ),
        N_("Calibration error, clips"),
    ),
)

_DEFAULT_CHOICE = "default model"
_CHECKING = threading.Lock()  # a check takes a core and 500 MB, so one at a time


@dataclass(frozen=True)
class ListedModel:
    """A model with its second look as the pages show it; ``bytes`` is the size of its weights.

    Models that are neither ``added`` to the data folder nor ``shipped`` were trained on this machine.
    """

    card: Card
    bytes: int
    shipped: bool
    added: bool
    default: bool

    @property
    def name(self) -> str:
        """The unique name."""
        return self.card.name

    @property
    def told(self) -> Model:
        """The model as results describe it, with figures measured including the second look."""
        return self.card.as_model()

    @property
    def domain(self) -> str:
        """What the model was validated on, in the current language."""
        return text_of(self.told.domain_cause, self.told.domain)

    @property
    def limits(self) -> tuple[str, ...]:
        """The limits on its card, in the current language."""
        return texts_of(self.told.limit_causes, self.told.limits)

    @property
    def headlines(self) -> list[tuple[str, float | None]]:
        """Short names and values of the headline figures; None if not measured.

        Over the oldest clips every model is measured alone, without a second look.
        """
        figures = self.card.figures | self.told.figures
        return [
            (gettext(short), next((figures[name] for name in names if name in figures), None))
            for names, short in HEADLINES
        ]


def list_models() -> list[ListedModel]:
    """List all models, those of the program's folder first, each group by name."""
    folders = context.folders()
    with context.database().begin() as session:
        default = default_model(session, folders)
    added = (path for path in sorted(folders.models.iterdir()) if not path.name.startswith("."))
    models = []
    for card, weights in known_models((MODELS_FOLDER, *added)):
        # An analysis reports an unreadable second look itself.
        with contextlib.suppress(ModelError, OSError):
            card = card.model_copy(update={"second_look": read_second_look(card, weights)})
        in_program = weights.parent == MODELS_FOLDER
        models.append(
            ListedModel(
                card,
                weights.stat().st_size,
                shipped=in_program and card.name in SHIPPED_MODELS,
                added=not in_program,
                default=card.name == default,
            )
        )
    return models


def default_model(session: Session, folders: Folders) -> str:
    """Return the name of the default model: the chosen one, or else the shipped default."""
    chosen = session.get(Choice, _DEFAULT_CHOICE)
    return chosen.value if chosen and _find_card(folders, chosen.value) else DEFAULT_MODEL


def card_path(folders: Folders, name: str) -> Path:
    """Return the path of a model's card for the engine. Raises :class:`ModelError` if it is gone."""
    path = _find_card(folders, name)
    if path is None:
        if name in RETIRED_MODELS.values():
            raise retired_error(name)
        raise ModelError(
            N_("The model %(name)s is not here any more. Add it again, or choose another one.")
            % {"name": name}
        )
    return path


def _find_card(folders: Folders, name: str) -> Path | None:
    if not is_model_name(name):
        return None
    paths = (MODELS_FOLDER / f"{name}.json", folders.models / name / f"{name}.json")
    return next((path for path in paths if path.is_file()), None)


def fetch_model(folders: Folders, name: str) -> None:
    """Fetch an added model from the object store, unless the copy here is the same.

    The card is stored after its weights, removed before them and contains their SHA-256, so a model of the
    same name cannot be mixed up with an earlier one.
    """
    if not folders.store.elsewhere or not is_model_name(name) or (MODELS_FOLDER / f"{name}.json").is_file():
        return
    folder = folders.models / name
    with tempfile.TemporaryDirectory(dir=folders.analyses, prefix=".model.") as temporary:
        path = Path(temporary, f"{name}.json")
        if not folders.store.fetch(folder / path.name, to=path):
            return
        if (folder / path.name).is_file() and (folder / path.name).read_bytes() == path.read_bytes():
            return
        card = check_card(path.read_bytes())
        weights = Path(temporary, f"{name}{card.suffix}")
        if folders.store.fetch(folder / weights.name, card.sha256, to=weights):
            shutil.rmtree(folder, ignore_errors=True)
            publish_folder(Path(temporary), folder)


def fetch_all_models(folders: Folders) -> None:
    """Fetch every added model from the object store."""
    for card in folders.store.below(folders.models):
        if card.suffix == ".json":
            fetch_model(folders, card.stem)


def choose_default(session: Session, folders: Folders, name: str) -> None:
    """Make a model the default for new analyses. The session must be exclusive."""
    _find(folders, name)
    before = default_model(session, folders)
    session.merge(Choice(name=_DEFAULT_CHOICE, value=name, made=now()))
    custody_log.append(session, "configuration", {"what": "default model", "model": name, "before": before})


def remove_model(session: Session, folders: Folders, name: str) -> None:
    """Remove an added model. Results made with it stay as they are.

    The session must be exclusive. Raises :class:`~webapp.errors.UserError` for models of the program's
    folder, the default, and models that unfinished analyses use.
    """
    if _find(folders, name).parent == MODELS_FOLDER:
        if name in SHIPPED_MODELS:
            raise UserError(
                409,
                gettext("%(name)s came with Reelproof and cannot be removed.", name=name),
                gettext("Only added models can be removed."),
            )
        raise UserError(
            409,
            gettext("%(name)s is in the program’s folder, from which this page removes nothing.", name=name),
            gettext("Remove its files from the folder models, or ask the operator of this server to do so."),
        )
    if default_model(session, folders) == name:
        raise UserError(
            409,
            gettext("%(name)s is the default model.", name=name),
            gettext("Make another model the default first."),
        )
    if waiting := _count_unfinished(session, name):
        raise UserError(
            409,
            gettext(
                "Analyses that are not finished use %(name)s, alone or beside another model: %(waiting)s.",
                name=name,
                waiting=waiting,
            ),
            gettext("Remove it when they are done, or cancel them first."),
        )
    custody_log.append(session, "configuration", {"what": "model removed", "model": name})
    for ending in (".json", *WEIGHTS):
        folders.store.remove(folders.models / name / f"{name}{ending}")
    # It disappears in one step; the next start removes what a crash leaves behind.
    trash = folders.models / f".removed-{secrets.token_hex(8)}"
    (folders.models / name).rename(trash)
    shutil.rmtree(trash, ignore_errors=True)


def _count_unfinished(session: Session, name: str) -> int:
    """Count the unfinished analyses that use the model, as the primary or another one."""
    unfinished = select(AnalysisRow.model, AnalysisRow.changed_parameters).where(
        AnalysisRow.state.in_(states.UNFINISHED),
        or_(AnalysisRow.model == name, AnalysisRow.changed_parameters.contains(f'"{name}"', autoescape=True)),
    )
    return sum(
        model == name or name in parameters.read_other_models(changed).names
        for model, changed in session.execute(unfinished)
    )


def _find(folders: Folders, name: str) -> Path:
    path = _find_card(folders, name)
    if path is None:
        raise UserError(
            404, gettext("There is no model of this name."), gettext("Choose one of the models listed.")
        )
    return path


def add_model(folders: Folders, text: bytes, weights: Incoming, file: str) -> Card:
    """Check and add a model; ``file`` is the original name of the weights' file.

    Card and weights appear together, after all checks. Raises :class:`ModelError` or :class:`UserError`, and
    then nothing is kept.
    """
    card = check_card(text)
    weights.complete()
    check_weights(card, weights.path, file, weights.sha256)
    if not _CHECKING.acquire(blocking=False):
        raise UserError(
            409,
            gettext("Another model is being checked at the moment."),
            gettext("Add this one in a minute."),
        )
    temporary = folders.models / f".added-{secrets.token_hex(8)}"
    try:
        # Under the lock, so that of two models with one name the second is refused.
        if _find_card(folders, card.name):
            raise UserError(
                409,
                gettext("There is a model called %(name)s already.", name=card.name),
                gettext("Change the name in the card, or remove the other one first if it was added here."),
            )
        temporary.mkdir(mode=0o700)
        card_file, weights_file = temporary / f"{card.name}.json", temporary / f"{card.name}{card.suffix}"
        card_file.write_bytes(text)
        weights.move(weights_file)
        check_model(card_file)
        folder = folders.models / card.name
        # Before the transaction, because it takes long and others write to the log meanwhile.
        folders.store.put(weights_file, folder / weights_file.name)
        with context.database().begin() as session:  # commits once the model is in its place
            details = {"what": "model added", "model": card.name, "sha256": weights.sha256, "file": file}
            custody_log.append(session, "configuration", details)
            folders.store.put(card_file, folder / card_file.name)
            publish_folder(temporary, folder)
    finally:
        _CHECKING.release()
        shutil.rmtree(temporary, ignore_errors=True)
    return card
