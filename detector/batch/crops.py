"""Images that are themselves crops of one face: what ``python -m detector score --crops`` prints.

They are decoded in confined processes (:mod:`detector.batch.crop_pictures`) and go through the network in
batches, in this one; :mod:`detector.batch.worker_pool` scores whole files.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from itertools import islice
from pathlib import Path

from detector.batch.crop_pictures import read_crops
from detector.batch.input_files import File
from detector.batch.result_line import ResultLine
from detector.media.frame import Image
from detector.models.loaded import load_model
from detector.schema.analysis import Parameters, Verdict
from detector.schema.summary import NOTHING_TOLD
from detector.scoring.single_crops import CropScorer

_BATCH = 32


def score_crops(
    files: Iterable[File], model: str | Path | None, parameters: Parameters
) -> Generator[tuple[File, ResultLine]]:
    """Score crops framed as the DFDC crops are; lines come in the order of ``files``.

    Raises :class:`~detector.errors.ModelError` for a model that cannot be used.
    """
    loaded = load_model(model)
    scorer = CropScorer(loaded if parameters.second_look else loaded.alone)
    waiting = iter(files)
    pictures = read_crops(waiting)
    while True:
        started = time.perf_counter()
        if not (read := list(islice(pictures, _BATCH))):
            return
        images = [crop.image for _, crop in read if crop.image is not None]
        known = iter(scorer.probabilities(images))
        scored = [(file, crop, next(known) if crop.image is not None else 0.0) for file, crop in read]
        seconds = round((time.perf_counter() - started) / len(read), 4)
        for file, crop, probability in scored:
            if crop.image is None:
                yield file, {"file": file.name, "error": crop.error}
                continue
            line: ResultLine = {
                "file": file.name,
                "verdict": str(_crop_verdict(crop.image, probability, parameters)),
                "probability": probability,
                "stability": None,
                "faces": 1,
                "duration": 0.0,
                "reason": None,
                **NOTHING_TOLD,
                "declarations": list(crop.declarations),
                "seconds": seconds,
            }
            yield file, line


def _crop_verdict(image: Image, probability: float, parameters: Parameters) -> Verdict:
    if probability >= parameters.enter_threshold:
        return Verdict.MANIPULATED
    unsure = image.shape[1] < parameters.minimum_face or probability >= parameters.doubt_threshold
    return Verdict.INCONCLUSIVE if unsure else Verdict.NOT_FOUND
