"""Write figures of families left out to the second look's card, where reports read them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from detector.errors import ParameterError
from detector.schema.model import LEFT_OUT_FOUND, NEW_LEFT_OUT
from training.second_look.measuring.verdicts import update_card

ALL_LEFT_OUT = "generators left out"


def write_figures(options: argparse.Namespace) -> None:
    """Write the figures of ``unseen.json`` to the card; raise :class:`ParameterError` if it is missing."""
    path = options.out / "unseen.json"
    if not path.is_file():
        raise ParameterError(f"{path} is missing. Run the step `evaluate` first.")
    print(update_card(options.scan, left_out_figures(json.loads(path.read_bytes()))))


def left_out_figures(table: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return the card's figures from the table of ``unseen.json``.

    Of *new* families neither scan nor inner face has learned either.
    """
    figures = {}
    for data, kinds in ((ALL_LEFT_OUT, table["all"]["kinds"]), (NEW_LEFT_OUT, table["new"]["kinds"])):
        for kind, of in kinds.items():
            figures[f"{data}, {kind}, AUC"] = of["auc"]
            figures[f"{data}, {kind}, {LEFT_OUT_FOUND}"] = of["found"]
    return figures
