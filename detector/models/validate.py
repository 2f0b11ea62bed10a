"""Whether a card and weights from somebody else are fit to be used, and if not, why.

:func:`check_card` and :func:`check_weights` take no time and need no torch; :func:`check_pair`
does everything, and takes seconds. Nothing in either file is ever run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from detector.errors import ModelError
from detector.models.card import Card, is_name
from detector.models.card_files import read_card
from detector.models.loaded import LoadedModel, load_pair
from detector.models.onnx_file import FILE_LIMIT
from detector.models.weights import is_pickled_name, looks_pickled, pickled_error, refuse_wrong_weights
from detector.schema.joiners import invisible
from detector.schema.translatable import N_

CARD_LIMIT = 64_000
"""Bytes of the longest card accepted; the shipped ones have a few thousand."""
WEIGHTS_LIMIT = 100_000_000
"""Bytes of the largest weights accepted: twice the largest architecture in single precision."""


def refuse_long_card(size: int) -> None:
    """Raise :class:`ModelError` for a card of more bytes than are accepted."""
    if size > CARD_LIMIT:
        raise ModelError(
            N_(
                "The model card has %(size)s bytes, and at most %(card_limit)s are accepted. Choose "
                "the card (JSON), not the weights, or shorten it."
            )
            % {"size": f"{size:,}", "card_limit": f"{CARD_LIMIT:,}"}
        )


def check_card(data: bytes) -> Card:
    """The card in ``data``, if a stranger's card may be taken in; :class:`ModelError` if not."""
    refuse_long_card(len(data))
    card = read_card(data, N_("handed in"))
    refuse_other_name(card)
    for text in _texts(card.model_dump()):
        if invisible(text):
            raise ModelError(
                N_(
                    "The model card holds control or direction characters, which can make text look "
                    "like what it is not. Remove them from the card."
                )
            )
    return card


def refuse_other_name(card: Card) -> None:
    """Raise :class:`ModelError` for a card whose name may not be that of a file."""
    if not is_name(card.name):
        raise ModelError(
            N_(
                "The model card's name cannot be used. A name has at most 60 small letters, digits "
                "and hyphens and starts with a letter or digit; change it in the card."
            )
        )


def _texts(value: Any) -> Iterator[str]:
    """Every string in nested dicts and sequences, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def check_weights(card: Card, weights: Path, name: str, sha256: str | None = None) -> None:
    """Refuse weights that cannot be the card's, before anything looks inside them.

    ``name`` is the file's own name, ``sha256`` its hash if known already. Raises :class:`ModelError`.
    """
    size = weights.stat().st_size
    with weights.open("rb") as file:
        head = file.read(16)
        if is_pickled_name(name) or looks_pickled(head, size):
            raise pickled_error(name)
        most = FILE_LIMIT if card.onnx else WEIGHTS_LIMIT
        if not 0 < size <= most:
            raise ModelError(
                N_(
                    "%(name)s has %(size)s bytes; weights have at most %(most)s, and more than none. "
                    "Store them in half precision."
                )
                % {"name": name, "size": f"{size:,}", "most": f"{most:,}"}
            )
        file.seek(0)
        found = sha256 or hashlib.file_digest(file, "sha256").hexdigest()
        refuse_wrong_weights(name, found, card.sha256)


def check_pair(card: bytes, weights: Path) -> LoadedModel:
    """Everything: the card, the weights' hash, every tensor's shape, and that a face gets a score.

    Raises :class:`ModelError` with the reason of the first refusal.
    """
    checked = check_card(card)
    check_weights(checked, weights, weights.name)
    model = load_pair(checked, weights)
    if checked.onnx:  # its score is looked at by detector.backends.trial
        return model
    import torch

    size = checked.input.size
    try:
        with torch.inference_mode():
            logit = model.network(torch.zeros(1, 3, size, size))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:120]
        raise ModelError(
            N_("The network takes no crops of %(size)s px: %(reason)s. Correct the card's size.")
            % {"size": size, "reason": reason}
        ) from None
    if logit.shape != (1,) or not logit.isfinite().all():
        raise ModelError(
            N_(
                "%(name)s gives no score for a plain grey crop, so its weights are damaged. Publish "
                "the model again."
            )
            % {"name": weights.name}
        )
    return model
