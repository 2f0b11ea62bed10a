"""Images that are themselves crops of one face: what ``python -m detector score --crops`` prints.

They go through the network in batches, in this process; :mod:`detector.batch.worker_pool` scores whole files.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from detector.batch.input_files import File
from detector.media.frame import Image
from detector.models.loaded import load_model
from detector.schema.analysis import Parameters, Verdict
from detector.scoring.single_crops import CropScorer

Line = dict[str, object]

_BATCH = 32


def score_crops(
    files: Iterable[File], model: str | Path | None, parameters: Parameters
) -> Generator[tuple[File, Line]]:
    """Score crops framed as the DFDC crops are; lines come in the order of ``files``.

    Raises :class:`~detector.errors.ModelError` for a model that cannot be used.
    """
    loaded = load_model(model)
    scorer = CropScorer(loaded if parameters.second_look else loaded.alone)
    waiting = iter(files)
    while batch := list(islice(waiting, _BATCH)):
        started = time.perf_counter()
        read = [(file, *((None, file.error) if file.error else _read(file.path))) for file in batch]
        for file in batch:
            if file.unpacked:
                file.path.unlink(missing_ok=True)
        images = [image for _, image, _ in read if image is not None]
        known = iter(scorer.probabilities(images))
        scored = [
            (file, image, error, next(known) if image is not None else 0.0) for file, image, error in read
        ]
        seconds = round((time.perf_counter() - started) / len(batch), 4)
        for file, image, error, probability in scored:
            if image is None:
                yield file, {"file": file.name, "error": error}
                continue
            line: Line = {
                "file": file.name,
                "verdict": str(_crop_verdict(image, probability, parameters)),
                "probability": probability,
                "stability": None,
                "faces": 1,
                "duration": 0.0,
                "seconds": seconds,
            }
            yield file, line


def _crop_verdict(image: Image, probability: float, parameters: Parameters) -> Verdict:
    if probability >= parameters.enter_threshold:
        return Verdict.MANIPULATED
    unsure = image.shape[1] < parameters.minimum_face or probability >= parameters.doubt_threshold
    return Verdict.INCONCLUSIVE if unsure else Verdict.NOT_FOUND


def _read(path: Path) -> tuple[Image | None, str]:
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        return None, f"The file cannot be opened: {error.strerror}."
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        return None, "Not a picture that can be read. Accepted crops are jpeg, png and webp."
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB), ""
