"""Write figures of pages left out to the second look's card, where reports read them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

from detector.errors import ParameterError
from detector.schema.model import LEFT_OUT_FOUND, PAGES_LEFT_OUT, PHOTOGRAPHS_LEFT_OUT
from detector.schema.strength import MaterialKind, Strength, figure_names
from training.second_look.measuring.verdicts import update_card
from training.unseen.families import LIPS, SWAP, TALKING, VIDEO


def write_figures(options: argparse.Namespace) -> None:
    """Write the figures of ``unseen.json``, and those of ``photographs.json`` if it is there, to the card.

    Raises :class:`ParameterError` without the first.
    """
    path, of_photographs = options.out / "unseen.json", options.out / "photographs.json"
    if not path.is_file():
        raise ParameterError(f"{path} is missing. Run the step `evaluate` first.")
    figures = left_out_figures(json.loads(path.read_bytes()))
    if of_photographs.is_file():
        measured = json.loads(of_photographs.read_bytes())
        figures |= {f"{PHOTOGRAPHS_LEFT_OUT}, {name}": value for name, value in measured.items()}
    print(update_card(options.scan, figures))


def left_out_figures(measured: Mapping[str, float]) -> dict[str, float]:
    """Return the card's figures from those of ``unseen.json``."""
    figures = {_NAMES[name]: value for name, value in measured.items() if name in _NAMES}
    for kind in (TALKING, SWAP, VIDEO, LIPS):
        figures[f"{kind}, {LEFT_OUT_FOUND}"] = measured[f"manipulated, found at 5 %, {kind}"]
    names = [name for strength in (None, *Strength) for name in figure_names(MaterialKind.VIDEO, strength)]
    counts = {name: measured[name] for name in names if name in measured}
    return {f"{PAGES_LEFT_OUT}, {name}": value for name, value in figures.items()} | counts


_NAMES = {
    "fused, AUC": "AUC",
    "fused, AUC inside pages": "AUC inside pages",
    "fused, found at 5 %": LEFT_OUT_FOUND,
    "unmanipulated, flagged, all": "unmanipulated ones flagged",
    "unmanipulated, flagged, film, television and stock": (
        "films and stock footage, unmanipulated ones flagged"
    ),
    "manipulated, flagged, all": "manipulated ones flagged",
}
