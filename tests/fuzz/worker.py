"""What the worker process has ready when a file comes, and the stream of files through the house."""

from __future__ import annotations

import contextlib
import importlib
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from unittest import mock

from fuzz.bases import bases, suffix
from fuzz.mutations import Recipe
from fuzz.through import House, Outcome

# The report of one file in so many is asked for, which takes ten times what these small analyses do.
_REPORT_EVERY = 25
# One file in so many is examined with thresholds that flag every face, so that its peak frames are sought
# out again, explained and drawn. Others are scanned alone: a second look takes longer than all else.
_FLAGGED_EVERY = 5
_FLAG_ALL = {"enter_threshold": 0.02, "exit_threshold": 0.01, "minimum_face": 20.0, "second_look": 2}
_SCAN = {"second_look": 0}


def prepared() -> None:
    """Import what the worker imports before it forks, and make the bases."""
    from webapp.worker import celery_worker

    for module in celery_worker._PRELOADED:
        importlib.import_module(module)
    bases()


def examined(folder: Path, files: Iterable[tuple[int, Recipe]]) -> Iterator[tuple[int, Recipe, Outcome]]:
    """Each file with its number and what became of it."""
    import torch

    from detector.backends.torch import fused_network
    from detector.models import loaded as models_loaded

    torch.set_num_threads(1)  # the confined processes are forked from this one, where no pool may be
    loaded = models_loaded.load_model()
    fused_network(loaded)
    logging.disable(logging.WARNING)
    house = House(folder)
    try:
        for number, made in files:
            with contextlib.ExitStack() as stack:
                # The weights are read once: they are not what is tested.
                stack.enter_context(mock.patch("detector.engine.load_model", lambda _name: loaded))
                changes, report = _SCAN if number % _FLAGGED_EVERY else _FLAG_ALL, not number % _REPORT_EVERY
                yield number, made, house.through(made.bake(), f"file{suffix(made.base)}", changes, report)
    finally:
        logging.disable(logging.NOTSET)
        house.close()
