"""The models available to analyses: list, add, choose the default, remove."""

from __future__ import annotations

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
    SHIPPED_MODELS,
    WEIGHTS,
    known_models,
    read_second_look,
)
from detector.schema.model import Model
from reports.language.translation import N_, gettext
from webapp import context
from webapp.custody import custody_log
from webapp.errors import UserError
from webapp.http.uploads import Incoming
from webapp.jobs import parameters, states
from webapp.models.check import check_model
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, Choice, now

# Of a card's figures, those that tell models apart at a glance, and their short names: of several that a card
# has, the first. Whole clips are measured with the second look where there is one.
HEADLINES = (
    (("dfdc-test crops, AUC",), N_("AUC, crops")),
    (("126 develop clips, AUC", "develop clips, AUC"), N_("AUC, clips")),
    (
        (
            "whole program, 126 develop clips, expected calibration error",
            "develop clips, expected calibration error",
        ),
        N_("Calibration error, clips"),
    ),
)

_DEFAULT_CHOICE = "default model"
_CHECKING = threading.Lock()  # a check takes a core and half a gigabyte: one at a time


@dataclass(frozen=True)
class ListedModel:
    """A model as the pages show it; ``bytes`` is the size of its weights.

    ``added`` ones lie in the data folder. What is neither that nor ``shipped`` was trained on this machine.

    The card holds its second look. What was measured of the two together is in ``told``, as in results.
    """

    card: Card
    bytes: int
    shipped: bool
    added: bool
    default: bool

    @property
    def name(self) -> str:
        """Its name, which no other model has."""
        return self.card.name

    @property
    def told(self) -> Model:
        """What results and pages tell of the model."""
        return self.card.as_model()

    @property
    def headlines(self) -> list[tuple[str, float | None]]:
        """Short names and values of the figures to compare; None where nothing was measured."""
        figures = self.told.figures
        return [
            (gettext(short), next((figures[name] for name in names if name in figures), None))
            for names, short in HEADLINES
        ]


def list_models() -> list[ListedModel]:
    """All models, those in the program's folder first, each group by name."""
    folders = context.folders()
    with context.database().begin() as session:
        chosen = default_model(session, folders)
    added = (place for place in sorted(folders.models.iterdir()) if not place.name.startswith("."))
    return [
        ListedModel(
            _with_second_look(card, weights),
            weights.stat().st_size,
            weights.parent == MODELS_FOLDER and card.name in SHIPPED_MODELS,
            weights.parent != MODELS_FOLDER,
            card.name == chosen,
        )
        for card, weights in known_models((MODELS_FOLDER, *added))
    ]


def _with_second_look(card: Card, weights: Path) -> Card:
    """The card with its second look; without one where that cannot be read, which an analysis says itself."""
    try:
        return card.model_copy(update={"second_look": read_second_look(card, weights)})
    except (ModelError, OSError):
        return card


def default_model(session: Session, folders: Folders) -> str:
    """Name of the model used where nobody names one: the chosen one, or the shipped default."""
    chosen = session.get(Choice, _DEFAULT_CHOICE)
    return chosen.value if chosen and _card_path(folders, chosen.value) else DEFAULT_MODEL


def card_path(folders: Folders, name: str) -> Path:
    """Path of a model's card, for the engine. Raises :class:`ModelError` when it is no longer there."""
    path = _card_path(folders, name)
    if path is None:
        raise ModelError(
            N_("The model %(name)s is not here any more. Add it again, or choose another one.")
            % {"name": name}
        )
    return path


def _card_path(folders: Folders, name: str) -> Path | None:
    if not is_model_name(name):
        return None
    places = (MODELS_FOLDER / f"{name}.json", folders.models / name / f"{name}.json")
    return next((place for place in places if place.is_file()), None)


def fetch_model(folders: Folders, name: str) -> None:
    """Have an added model as the store has it: another one may have had its name.

    A card is put after its weights and removed before them, and names their SHA-256.
    """
    if not folders.store.elsewhere or not is_model_name(name) or (MODELS_FOLDER / f"{name}.json").is_file():
        return
    place = folders.models / name
    with tempfile.TemporaryDirectory(dir=folders.analyses, prefix=".model.") as aside:
        card = Path(aside, f"{name}.json")
        if not folders.store.fetch(place / card.name, to=card):
            return
        if (place / card.name).is_file() and (place / card.name).read_bytes() == card.read_bytes():
            return
        said = check_card(card.read_bytes())
        weights = Path(aside, f"{name}{said.suffix}")
        if folders.store.fetch(place / weights.name, said.sha256, to=weights):
            shutil.rmtree(place, ignore_errors=True)
            publish_folder(Path(aside), place)


def fetch_all_models(folders: Folders) -> None:
    """Have every added model of the store."""
    for card in folders.store.below(folders.models):
        if card.suffix == ".json":
            fetch_model(folders, card.stem)


def choose_default(session: Session, folders: Folders, name: str) -> None:
    """Make this model the default from the next analysis on. The session must be alone."""
    _find(folders, name)
    before = default_model(session, folders)
    session.merge(Choice(name=_DEFAULT_CHOICE, value=name, made=now()))
    custody_log.append(session, "configuration", {"what": "default model", "model": name, "before": before})


def remove_model(session: Session, folders: Folders, name: str) -> None:
    """Remove an added model that nothing needs. Results made with it stay as they are.

    The session must be alone. Raises :class:`~webapp.errors.UserError` for one in the program's folder, the
    default, and one that analyses wait for.
    """
    if _find(folders, name).parent == MODELS_FOLDER:
        if name in SHIPPED_MODELS:
            raise UserError(
                409,
                gettext("%(name)s came with Reelproof and cannot be removed.", name=name),
                gettext("Only added models can."),
            )
        raise UserError(
            409,
            gettext("%(name)s lies in the program’s folder, where this page removes nothing.", name=name),
            gettext("Remove its files from the folder models, or ask whoever runs this server to."),
        )
    if default_model(session, folders) == name:
        raise UserError(
            409,
            gettext("%(name)s is the default model.", name=name),
            gettext("Make another model the default first."),
        )
    if waiting := _waiting_for(session, name):
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
    # Out of sight in one step; what a crash leaves of it goes at the next start.
    out = folders.models / f".removed-{secrets.token_hex(8)}"
    (folders.models / name).rename(out)
    shutil.rmtree(out, ignore_errors=True)


def _waiting_for(session: Session, name: str) -> int:
    """How many unfinished analyses name the model, as the one that decides or as one beside it."""
    unfinished = select(AnalysisRow.model, AnalysisRow.changed_parameters).where(
        AnalysisRow.state.in_(states.UNFINISHED),
        or_(AnalysisRow.model == name, AnalysisRow.changed_parameters.contains(f'"{name}"', autoescape=True)),
    )
    return sum(
        model == name or name in parameters.read_other_models(changed).names
        for model, changed in session.execute(unfinished)
    )


def _find(folders: Folders, name: str) -> Path:
    path = _card_path(folders, name)
    if path is None:
        raise UserError(
            404, gettext("There is no model of this name."), gettext("Choose one of the models listed.")
        )
    return path


def add_model(folders: Folders, text: bytes, weights: Incoming, file: str) -> Card:
    """Take in a card and the weights it describes; ``file`` is what the weights' file was called.

    Both appear in their place together, after everything was checked. Raises
    :class:`ModelError` or :class:`UserError` with the reason, and then nothing is kept.
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
    aside = folders.models / f".added-{secrets.token_hex(8)}"
    try:
        # Inside, so that of two with one name the second is told.
        if _card_path(folders, card.name):
            raise UserError(
                409,
                gettext("There is a model called %(name)s already.", name=card.name),
                gettext("Change the name in the card, or remove the other one first if it was added here."),
            )
        aside.mkdir(mode=0o700)
        (aside / f"{card.name}.json").write_bytes(text)
        held = aside / f"{card.name}{card.suffix}"
        weights.move(held)
        check_model(aside / f"{card.name}.json")
        place = folders.models / card.name
        folders.store.put(held, place / held.name)  # takes its time, in which others write to the log
        with context.database().begin() as session:  # committed once the model is in its place
            details = {"what": "model added", "model": card.name, "sha256": weights.sha256, "file": file}
            custody_log.append(session, "configuration", details)
            folders.store.put(aside / f"{card.name}.json", place / f"{card.name}.json")
            publish_folder(aside, place)
    finally:
        _CHECKING.release()
        shutil.rmtree(aside, ignore_errors=True)
    return card
