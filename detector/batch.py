"""Many files, one line each: what ``python -m detector score`` prints.

A line is a dictionary with ``file``, ``verdict``, ``probability`` (calibrated, of
manipulation; None when nothing could be judged), ``faces``, ``duration`` and ``seconds``,
or with ``file`` and ``error``. One bad file never stops the others.
"""

from __future__ import annotations

import lzma
import stat
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path

import cv2
import numpy as np

from detector.analysis import Parameters, Verdict
from detector.engine import analyze
from detector.errors import MediaError, ReelproofError
from detector.faces import Image, Square, cut
from detector.models import load_model
from detector.scoring import Scorer

Line = dict[str, object]

_BATCH = 32
# A zip entry larger than this is no face crop or photo.
_LARGEST_ENTRY = 256 * 1024 * 1024
_MOST_ENTRIES = 200_000
_LARGEST_RATIO, _SMALL = 1000, 1000  # photos are compressed already; below so many bytes nothing is said
# The framing of whole frames takes in a little less than the DFDC crops do; see faces.SIDE_PER_BOX.
CROP_SCALE = 0.96
_IMAGES = {".jpg", ".jpeg", ".png", ".webp"}


def score_files(files: Sequence[Path], model: str | Path | None, parameters: Parameters) -> Iterator[Line]:
    """Analyse whole videos and photos; the entries of a zip of photos count as files."""
    loaded = load_model(model)
    with tempfile.TemporaryDirectory() as folder:
        for name, path, error in _expanded(files, Path(folder)):
            if error:
                yield {"file": name, "error": error}
                continue
            started = time.perf_counter()
            try:
                analysis = analyze(path, name=Path(name).name, parameters=parameters, model=loaded)
            except ReelproofError as refused:
                yield {"file": name, "error": str(refused)}
                continue
            yield {
                "file": name,
                "verdict": str(analysis.verdict),
                "probability": analysis.probability,
                "faces": len(analysis.persons),
                "duration": analysis.media.duration,
                "seconds": round(time.perf_counter() - started, 4),
            }


def score_crops(files: Sequence[Path], model: str | Path | None, parameters: Parameters) -> Iterator[Line]:
    """Score images that are themselves crops of one face, framed as the DFDC crops are."""
    scorer = Scorer(load_model(model), still=True)
    with tempfile.TemporaryDirectory() as folder:
        waiting = _expanded(files, Path(folder))
        while batch := list(islice(waiting, _BATCH)):
            started = time.perf_counter()
            read = [(name, *((None, error) if error else _read(path))) for name, path, error in batch]
            images = [image for _, image, _ in read if image is not None]
            logits = iter(scorer.logits([framed_crop(image, scorer.card.input.size) for image in images]))
            scored = [
                (name, image, error, next(logits) if image is not None else 0.0)
                for name, image, error in read
            ]
            seconds = round((time.perf_counter() - started) / len(batch), 4)
            for name, image, error, logit in scored:
                if image is None:
                    yield {"file": name, "error": error}
                    continue
                probability = scorer.probability(float(logit))
                yield {
                    "file": name,
                    "verdict": str(_crop_verdict(image, probability, parameters)),
                    "probability": probability,
                    "faces": 1,
                    "duration": 0.0,
                    "seconds": seconds,
                }


def framed_crop(image: Image, size: int) -> Image:
    """A ready-made crop as the network sees faces: its middle square, at the framing's scale."""
    height, width = image.shape[:2]
    return cut(image, Square(width / 2, height / 2, min(height, width) * CROP_SCALE, 0.0), size)


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


def _expanded(files: Sequence[Path], folder: Path) -> Iterator[tuple[str, Path, str]]:
    """Name, path and error of each file; zip entries are unpacked one at a time below ``folder``."""
    numbers = count()
    for path in files:
        try:
            if not path.is_file():
                raise MediaError("No such file." if not path.exists() else "Not a file.")
            if path.suffix.lower() != ".zip":
                yield str(path), path, ""
                continue
            with zipfile.ZipFile(path) as archive:
                _refuse_tricks(archive, path.stat().st_size)
                entries = [e for e in archive.infolist() if Path(e.filename).suffix.lower() in _IMAGES]
                if not entries:
                    raise MediaError("The zip holds no images (jpeg, png, webp).")
                for entry in entries:
                    # A whole batch is unpacked before it is read, so names return only after two.
                    unpacked = folder / f"{next(numbers) % (2 * _BATCH)}{Path(entry.filename).suffix.lower()}"
                    yield entry.filename, unpacked, _unpack(archive, entry, unpacked)
        except (MediaError, zipfile.BadZipFile, OSError) as error:
            yield str(path), path, str(error)


def _refuse_tricks(archive: zipfile.ZipFile, size: int) -> None:
    """Raise :class:`MediaError` for a zip made to unpack to far more than it holds."""
    entries = archive.infolist()
    if len(entries) > _MOST_ENTRIES:
        raise MediaError(f"The zip has more than {_MOST_ENTRIES:,} entries. Split it into several.")
    if sum(entry.compress_size for entry in entries) > size:
        raise MediaError("The zip's entries overlap, so it unpacks to more than it holds. Make it anew.")


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, to: Path) -> str:
    """Unpack one entry to a name of our own; returns what went wrong, or nothing."""
    if entry.file_size > _LARGEST_ENTRY:
        return "The entry is too large for a photo."
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "The entry is a link to another file, not a photo."
    if entry.file_size > _LARGEST_RATIO * max(entry.compress_size, _SMALL):
        return "The entry unpacks to a thousand times its size, which no photo does."
    try:
        to.write_bytes(archive.read(entry))
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        RuntimeError,
        NotImplementedError,
        OSError,
    ) as error:
        return f"The entry cannot be unpacked: {error}"
    return ""
