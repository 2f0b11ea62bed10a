"""Write figures of pages left out to the second look's card, where reports read them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

from detector.errors import ParameterError
from detector.schema.model import LEFT_OUT_FOUND, PAGES_LEFT_OUT
from training.second_look.measuring.verdicts import update_card


def write_figures(options: argparse.Namespace) -> None:
    """Write the figures of ``unseen.json`` to the card; raise :class:`ParameterError` if it is missing."""
    path = options.out / "unseen.json"
    if not path.is_file():
        raise ParameterError(f"{path} is missing. Run the step `evaluate` first.")
    print(update_card(options.scan, left_out_figures(json.loads(path.read_bytes()))))


def left_out_figures(measured: Mapping[str, float]) -> dict[str, float]:
    """Return the card's figures from those of ``unseen.json``."""
    figures = {}
    for name, value in measured.items():
        kind = name.removeprefix("manipulated, found at 5 %, ")
        own = f"{kind}, {LEFT_OUT_FOUND}" if kind != name else name
        figures[f"{PAGES_LEFT_OUT}, {own}"] = value
    return figures
