"""Score images that are crops of one face each, decoded in confined processes."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Generator, Iterable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from detector.batch.input_files import File
from detector.batch.results_file import ResultLine, error_line
from detector.errors import ReelproofError
from detector.media.frame import Image
from detector.metadata.declarations import photo_declarations
from detector.models.loaded import load_model
from detector.progress import Progress
from detector.sandbox import AllowedPaths, CrashError, LimitError, Limits, Sandbox, refuse_links
from detector.sandboxed_engine import limits_of_environment
from detector.schema.analysis import Parameters, Verdict
from detector.schema.metadata import LONGEST_DECLARED, first_statements
from detector.schema.summary import EMPTY_SUMMARY, Verdicts, faces_strength
from detector.scoring.scorer import CropScorer


class Crop(NamedTuple):
    """A decoded picture (RGB) with the short form of its declarations, or an error."""

    image: Image | None
    error: str = ""
    declarations: tuple[str, ...] = ()


ReadCrop = tuple[File, Crop]

_AT_ONCE = 256
_UNREADABLE = "Not a picture that can be read. Accepted crops are jpeg, png and webp."
_NO_PICTURES = "What decoded the crops did not give back pictures."
_ENOUGH = 500_000_000  # bytes of pictures decoded by one process
_SIZE = 8  # header of a picture: its height and width


def read_crops(files: Iterable[File]) -> Generator[ReadCrop]:
    """Yield each file with its picture (RGB) or an error, in order; remove unpacked files."""
    limits, waiting = limits_of_environment(), iter(files)
    while batch := list(islice(waiting, _AT_ONCE)):
        paths = [file.path.absolute() for file in batch if not file.error]
        with contextlib.closing(_decoded(paths, limits)) as pictures:
            for file in batch:
                yield file, Crop(None, file.error) if file.error else next(pictures)
        for file in batch:
            if file.unpacked:
                file.path.unlink(missing_ok=True)


def _decoded(paths: Sequence[Path], limits: Limits) -> Generator[Crop]:
    """Yield the picture or error of each path; a file that crashes a process is skipped."""
    while paths:
        with tempfile.TemporaryDirectory() as place:
            folder, at, ended = Path(place), [0.0], ""
            places = AllowedPaths(readable=tuple(paths), writable=(folder,))
            modules = ("detector.batch.crops", "c2pa")
            try:
                with Sandbox(
                    _decode, tuple(paths), folder, limits=limits, places=places, modules=modules
                ) as confined:
                    at.append(confined.result(partial(_follow, at)))
            except (CrashError, LimitError) as problem:
                ended = str(problem)
            count = min(int(at[-1]), len(paths) - bool(ended))
            if count + bool(ended) < 1:
                raise ReelproofError(_NO_PICTURES)
            refuse_links(folder)
            for number in range(count):
                yield _crop(folder / str(number))
            if ended:
                yield Crop(None, ended)
        paths = paths[count + bool(ended) :]


def _follow(at: list[float], _stage: str, number: float) -> None:
    at.append(number)


def _decode(paths: Sequence[Path], folder: Path, report: Progress) -> int:
    """Decode pictures until enough is written; return the number of files handled."""
    written = 0
    for number, path in enumerate(paths):
        if written > _ENOUGH:
            return number
        report("decoding", number)
        try:
            data = np.frombuffer(path.read_bytes(), np.uint8)
        except OSError as error:
            (folder / f"{number}.error").write_text(f"The file cannot be opened: {error.strerror}.")
            continue
        try:
            image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        except cv2.error:  # header that claims over a thousand million pixels
            continue
        if image is not None:
            size = np.array(image.shape[:2], "<u4").tobytes()
            written += (folder / str(number)).write_bytes(
                size + cv2.cvtColor(image, cv2.COLOR_BGR2RGB).tobytes()
            )
            with path.open("rb") as file:
                declarations = [statement.short for statement in first_statements(photo_declarations(file))]
            (folder / f"{number}.declared").write_text(json.dumps(declarations))
    return len(paths)


def _crop(path: Path) -> Crop:
    if (error := path.with_name(f"{path.name}.error")).exists():
        return Crop(None, error.read_text(errors="replace")[:200])
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Crop(None, _UNREADABLE)
    height, width = (int(value) for value in np.frombuffer(data[:_SIZE].ljust(_SIZE, b"\0"), "<u4"))
    if not height or not width or len(data) != _SIZE + height * width * 3:
        raise ReelproofError(_NO_PICTURES)
    image = np.frombuffer(data, np.uint8, offset=_SIZE).reshape(height, width, 3)
    try:
        texts = json.loads(path.with_name(f"{path.name}.declared").read_bytes())
    except (OSError, ValueError):
        raise ReelproofError(_NO_PICTURES) from None
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ReelproofError(_NO_PICTURES)
    return Crop(image, "", tuple(text[:LONGEST_DECLARED] for text in texts))


_BATCH = 32


def score_crops(
    files: Iterable[File], model: str | Path | None, parameters: Parameters
) -> Generator[tuple[File, ResultLine]]:
    """Score crops framed like the DFDC crops; yield lines in the order of ``files``.

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
        scores = iter(scorer.probabilities(images))
        scored = [(file, crop, next(scores) if crop.image is not None else 0.0) for file, crop in read]
        seconds = round((time.perf_counter() - started) / len(read), 4)
        for file, crop, probability in scored:
            if crop.image is None:
                yield file, error_line(file.name, crop.error)
                continue
            verdict = _crop_verdict(crop.image, probability, parameters)
            line: ResultLine = {
                "file": file.name,
                "verdict": str(verdict),
                "probability": probability,
                "stability": None,
                "faces": 1,
                "duration": 0.0,
                "reason": None,
                **EMPTY_SUMMARY,
                "outcome": str(Verdicts(verdict, None).outcome),
                "strength": faces_strength(verdict, probability, still=True),
                "declarations": list(crop.declarations),
                "seconds": seconds,
            }
            yield file, line


def _crop_verdict(image: Image, probability: float, parameters: Parameters) -> Verdict:
    if probability >= parameters.enter_threshold:
        return Verdict.MANIPULATED
    unsure = image.shape[1] < parameters.minimum_face or probability >= parameters.doubt_threshold
    return Verdict.INCONCLUSIVE if unsure else Verdict.NOT_FOUND
