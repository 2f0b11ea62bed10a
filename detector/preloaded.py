"""What an analysis needs whatever its exhibit is: modules, weights, compiled networks, versions.

For a process that is started before it knows what it is to analyse. In one that is, all of it comes by itself
when it is needed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import detector.engine  # noqa: F401 - brings all that an analysis imports
from detector.backends.selection import open_backend
from detector.environment import libraries, source_sha256
from detector.faces.search.centerface import FaceDetector
from detector.models.loaded import LoadedModel, load_model

_CROPS = 2  # as a photograph has at first: networks are made ready for the number they are given


def preload(model: str | Path | None = None) -> LoadedModel:
    """A model whose networks have run once, for the argument ``model`` of :func:`detector.engine.analyze`.

    ``model`` is a name, or the path of a card. Raises :class:`~detector.errors.ModelError` for one that
    cannot be used.
    """
    loaded = load_model(model)
    for one in (loaded, loaded.second_look):
        if one is not None:
            size = one.card.input.size
            open_backend(one).run(np.full((_CROPS, size, size, 3), 128, np.uint8))
    FaceDetector()(np.zeros((64, 64, 3), np.uint8))
    libraries(), source_sha256()  # kept by both
    return loaded


def preload_heatmaps(loaded: LoadedModel) -> None:
    """What only findings need: torch with its networks, and Grad-CAM."""
    if loaded.card.onnx:
        return  # whose heatmaps are made by occlusion
    import detector.explain.grad_cam  # noqa: F401

    loaded.make_networks()
