"""Where cards and their weights lie, and reading a card by a model's name or path."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from detector.errors import ModelError
from detector.models.card import Card, SecondLookCard, is_name
from detector.models.weights import is_pickled_name, pickled_error
from detector.paths import FILES
from detector.schema.translatable import N_

MODELS = FILES / "models"
DEFAULT = "reelproof"
SHIPPED = frozenset({DEFAULT, "efficientnet-lstm", "reelproof-2", "reelproof-3", "reelproof-lite0"})
"""Those in ``models/`` that come with the program; `train` publishes others beside them."""
SECOND_LOOKS = "second-look"
"""Folder beside the models."""
WEIGHTS = (".safetensors", ".onnx")
"""Endings of weights, which lie beside their card."""


def load_card(model: str | Path | None = None) -> tuple[Card, Path]:
    """The card named or pointed at by ``model`` (default: the shipped one), and its weights' path.

    ``model`` is a name in ``models/`` or the path of a ``.json`` card or of the weights beside it, a
    ``.safetensors`` or ``.onnx`` file. Raises :class:`ModelError` when either is missing or the card is
    malformed.
    """
    model = DEFAULT if model is None else model
    given = Path(model)
    if is_pickled_name(given.name):
        raise pickled_error(given.name)
    by_path = given.suffix in {".json", *WEIGHTS}
    if not by_path and not is_name(str(model)):
        raise ModelError(
            N_(
                "%(given)s names no model: a name is made of small letters, digits and hyphens. "
                "%(models_here)s A model elsewhere is named by the path of its .json, .safetensors "
                "or .onnx file."
            )
            % {"given": repr(str(model)), "models_here": _models_here()}
        )
    path = given if by_path else MODELS / f"{given}.json"
    card_path = path.with_suffix(".json")
    _require(card_path, given, by_path)
    card = read_card(card_path.read_bytes(), card_path.name)
    weights = card_path.with_suffix(card.suffix)
    if path.suffix in WEIGHTS and path.suffix != card.suffix:
        raise ModelError(
            N_(
                "%(card)s beside %(weights)s is the card of a %(suffix)s file. That of an ONNX file "
                "has a part onnx, which says how faces are framed and what the output means "
                "(docs/external-models.md)."
            )
            % {"card": card_path.name, "weights": path.name, "suffix": card.suffix}
        )
    _require(weights, given, by_path)
    return card, weights


def with_absolute_path(model: str | None) -> str | None:
    """A model given as a file by its whole path, for processes in another folder; a name as it is."""
    return str(Path(model).absolute()) if model and Path(model).suffix else model


def _require(needed: Path, given: Path, by_path: bool) -> None:
    if needed.is_file():
        return
    beside = f" It belongs beside {given.name}." if by_path and needed.name != given.name else ""
    if given.suffix == ".onnx" and needed.suffix == ".json":
        beside += " It says how faces are framed and what the output means (docs/external-models.md)."
    raise ModelError(
        N_("Model file %(name)s not found.%(beside)s %(models_here)s")
        % {"name": needed.name, "beside": beside, "models_here": _models_here()}
    )


def second_look_path(weights: Path, ending: str = "") -> Path:
    """Where the file with this ``ending`` of the second look of the model with ``weights`` would lie."""
    return weights.parent / SECOND_LOOKS / f"{weights.stem}{ending}"


def second_look_weights(weights: Path) -> Path:
    """The weights of that second look; raises :class:`ModelError` where they are missing."""
    path = second_look_path(weights, ".safetensors")
    if not path.is_file():
        raise ModelError(f"{SECOND_LOOKS}/{path.name} is missing beside its card. Fetch both again.")
    return path


def files_of(card: Card, weights: Path) -> dict[Path, str]:
    """All weights of a model, its second look's too, with their SHA-256; raises :class:`ModelError`."""
    files = {weights: card.sha256}
    if found := read_second_look(card, weights):
        files[second_look_weights(weights)] = found.sha256
    return files


def read_second_look(card: Card, weights: Path) -> SecondLookCard | None:
    """The second look of a model, if there is one beside its ``weights``; raises :class:`ModelError`."""
    path = second_look_path(weights, ".json")
    if card.onnx or not path.is_file():
        return None
    try:
        found = SecondLookCard.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise _malformed(f"{SECOND_LOOKS}/{path.name}", error) from None
    if found.of != card.sha256:
        raise ModelError(
            N_(
                "%(folder)s/%(card)s belongs to other weights than those of %(model)s. Fetch "
                "both again, or remove the folder second-look."
            )
            % {"folder": SECOND_LOOKS, "card": path.name, "model": card.name}
        )
    return found


def _models_here() -> str:
    return f"Models here: {', '.join(sorted(card.stem for card in MODELS.glob('*.json'))) or 'none'}."


def read_card(data: bytes, name: str) -> Card:
    """The card in ``data``, called ``name`` in the :class:`ModelError` raised when it is malformed."""
    try:
        return Card.model_validate_json(data)
    except ValidationError as error:
        raise _malformed(name, error) from None


def _malformed(name: str, error: ValidationError) -> ModelError:
    first = error.errors()[0]
    told = {"name": name, "key": ".".join(map(str, first["loc"]))[:80], "problem": first["msg"]}
    if not told["key"]:
        return ModelError(
            N_(
                "Model card %(name)s is malformed at its top level: %(problem)s. Correct it; "
                "docs/external-models.md has an example."
            )
            % told
        )
    return ModelError(
        N_(
            "Model card %(name)s is malformed at %(key)s: %(problem)s. Correct it; docs/external-models.md "
            "has an example."
        )
        % told
    )


def known_models(folders: Iterable[Path] = (MODELS,)) -> list[tuple[Card, Path]]:
    """Cards and weights' paths of the whole pairs in ``folders``, each folder's in order of their names.

    Nothing is loaded or hashed. Left out are cards without weights, cards that are malformed
    or under another name than their own, and names that an earlier folder has already.
    """
    found: dict[str, tuple[Card, Path]] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            try:
                card, weights = load_card(path)
            except (ModelError, OSError):
                continue
            if card.name == path.stem and is_name(card.name):
                found.setdefault(card.name, (card, weights))
    return list(found.values())
