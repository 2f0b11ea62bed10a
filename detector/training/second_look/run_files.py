"""What steps of training the second look share: the folder of a run, and the networks they start from."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from detector.errors import ParameterError
from detector.models.card_files import load_card
from detector.models.loaded import LoadedModel, load_pair

say = partial(print, flush=True)


def run_folder(options: argparse.Namespace) -> Path:
    """Where a run keeps its checkpoints and figures; is made."""
    path: Path = options.out / "runs" / options.name
    path.mkdir(parents=True, exist_ok=True)
    return path


def pretrained(data: Path) -> Path:
    """The pretrained start in the research folder; raises :class:`ParameterError` where it is missing."""
    path = data / "pretrained" / "vit-small-14.int8.safetensors"
    if not path.is_file():
        raise ParameterError(f"{path}: the pretrained start is missing.")
    return path


def scan_model(options: argparse.Namespace) -> LoadedModel:
    """The scan alone, whatever second look the card of the model names."""
    card, weights = load_card(options.scan)
    return load_pair(card.alone, weights)
