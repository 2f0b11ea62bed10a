"""Find the pictures that an analysis names and embed them in a report."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from detector.explain.overlays import heat_colours
from reports.errors import PictureError
from reports.language.translation import UNTRANSLATED, gettext
from reports.untrusted_input import escapes_folder

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_PIXELS = 100_000_000  # about 12,000 x 8,000; a larger header is a decompression bomb
JPEG_QUALITY = 85
COMPARISONS = "comparisons"  # folder of comparisons with a reference, which may lie elsewhere
# (pictures in the report at most, width in px at most). 85 mm of paper at 300 dpi are 1000 px;
# with hundreds of pictures the file must stay one that mail and browsers still take.
WIDTHS = ((60, 1000), (300, 720))
LEAST_WIDTH = 480
_HEAT_STEPS = 24  # of the legend
_SLIGHTLY = 1.5  # times as wide: what still shrinks well from the nearest four pixels


@dataclass(frozen=True)
class ShownPicture:
    """One picture to show: its path relative to ``analysis.json``, or why there is none."""

    path: str | None = field(metadata=UNTRANSLATED)
    alt: str
    absent: str = ""
    part: tuple[float, float, float, float] | None = None
    """What of it a report shows: left, top, width and height as shares of its size; None: all."""

    @property
    def key(self) -> str:
        """Path of the picture with its part after ``#``; :func:`embed` returns its bytes by this key."""
        if self.part is None:
            return self.path or ""
        # As Media Fragments URI 1.0 has it.
        return f"{self.path}#xywh=percent:{','.join(f'{100 * value:.3f}' for value in self.part)}"


def find_picture(
    folder: Path, path: str | None, alt: str, part: tuple[float, float, float, float] | None = None
) -> ShownPicture:
    """Look up a picture that an analysis names, of which reports show ``part``.

    Raise :class:`PictureError` if the path leaves ``folder``: an analysis.json may come from anywhere, and a
    report must never include another file of the machine.
    """
    if path is None:
        return ShownPicture(None, alt, gettext("This picture was not stored."))
    pure = PurePosixPath(path)
    inside = path and not escapes_folder(path)
    if not inside or not (folder / pure).resolve().is_relative_to(folder.resolve()):
        raise PictureError(
            f"The analysis names the picture {path!r}, which lies outside its folder. "
            "Use an analysis.json that Reelproof wrote, in the folder it was written to."
        )
    if not (folder / pure).is_file():
        return ShownPicture(
            None, alt, gettext("The file %(file)s is missing from the folder of the analysis.", file=pure)
        )
    return ShownPicture(str(pure), alt, part=part)


def width_for(count: int) -> int:
    """Return the largest width in px of each of ``count`` pictures in one report."""
    return next((width for most, width in WIDTHS if count <= most), LEAST_WIDTH)


def embed(folder: Path, keys: Iterable[str], comparisons: Path | None = None) -> Mapping[str, bytes]:
    """Return JPEG bytes of pictures or parts of them by :attr:`ShownPicture.key`, sized to suit their number.

    Pictures below ``comparisons/`` are read from the folder ``comparisons`` if it is given. Raise
    :class:`PictureError` for a picture that is not a readable PNG.
    """
    names = list(dict.fromkeys(keys))
    width = width_for(len(names))

    def read(name: str) -> bytes:
        of_comparison = comparisons is not None and name.startswith(f"{COMPARISONS}/")
        return _jpeg(comparisons if comparisons and of_comparison else folder, name, width)

    # OpenCV lets go of Python's lock: as many at a time as there are cores.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(names, pool.map(read, names), strict=True))


def _jpeg(folder: Path, key: str, width: int) -> bytes:
    name, _, part = key.partition("#xywh=percent:")
    path = folder / name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PictureError(f"The picture {path.name} cannot be read: {error.strerror}.") from error
    if data[:8] != PNG_SIGNATURE or len(data) < 24:
        raise PictureError(f"The picture {path.name} is not a PNG; run the analysis again.")
    columns, rows = struct.unpack(">II", data[16:24])
    if columns * rows > MOST_PIXELS:
        raise PictureError(
            f"The picture {path.name} claims {columns} x {rows} pixels, more than is accepted."
        )
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise PictureError(f"The picture {path.name} is damaged; run the analysis again.")
    if part:
        left, top, wide, high = (float(value) / 100 for value in part.split(","))
        x, y = round(left * columns), round(top * rows)
        right, bottom = round((left + wide) * columns), round((top + high) * rows)
        image = image[y : max(y + 1, bottom), x : max(x + 1, right)]
        rows, columns = image.shape[:2]
    if columns > width:
        height = max(1, round(rows * width / columns))
        # Averaging over parts of pixels takes five times as long, and shows only where there are many.
        slightly = columns <= _SLIGHTLY * width
        how = cv2.INTER_LINEAR if slightly else cv2.INTER_AREA
        image = cv2.resize(image, (width, height), interpolation=how)
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(encoded)


def heat_scale() -> tuple[str, ...]:
    """Return the colours of heatmaps from none to hottest, as ``#rrggbb``."""
    ramp = np.linspace(0, 255, _HEAT_STEPS).round().astype(np.uint8).reshape(1, -1)
    return tuple(f"#{r:02x}{g:02x}{b:02x}" for r, g, b in heat_colours(ramp)[0])
