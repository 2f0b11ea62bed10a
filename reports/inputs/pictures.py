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
from language.translation import UNTRANSLATED, gettext
from reports.errors import PictureError
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


Shares = tuple[float, float, float, float]
"""A rectangle in a picture: left, top, width and height as shares of the picture's size."""


@dataclass(frozen=True)
class ShownPicture:
    """One picture to show: its path relative to ``analysis.json``, or why there is none."""

    path: str | None = field(metadata=UNTRANSLATED)
    alt: str
    absent: str = ""
    part: Shares | None = None
    """What of it a report shows; None: all."""
    mark: Shares | None = None
    """Where a frame is drawn around a place; None: nowhere."""
    width: int | None = None
    """Largest width in px; None: that of :func:`width_for`."""

    @property
    def key(self) -> str:
        """Path of the picture, and after ``#`` what is done with it.

        :func:`embed` returns its bytes by this key.
        """
        # As Media Fragments URI 1.0 has it.
        options = [
            *([f"xywh=percent:{_percent(self.part)}"] if self.part else []),
            *([f"mark=percent:{_percent(self.mark)}"] if self.mark else []),
            *([f"width={self.width}"] if self.width else []),
        ]
        return f"{self.path or ''}{'#' if options else ''}{'&'.join(options)}"


def _percent(shares: Shares) -> str:
    return ",".join(f"{100 * value:.3f}" for value in shares)


def find_picture(
    folder: Path,
    path: str | None,
    alt: str,
    *,
    part: Shares | None = None,
    mark: Shares | None = None,
    width: int | None = None,
) -> ShownPicture:
    """Look up a picture that an analysis names, and say what of it reports show (:class:`ShownPicture`).

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
    return ShownPicture(str(pure), alt, part=part, mark=mark, width=width)


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
    name, _, fragment = key.partition("#")
    options = dict(option.split("=", 1) for option in fragment.split("&")) if fragment else {}
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
    if "xywh" in options:
        left, top, right, bottom = _edges(options["xywh"], columns, rows)
        image = image[top : max(top + 1, bottom), left : max(left + 1, right)]
        rows, columns = image.shape[:2]
    width = min(width, int(options.get("width", width)))
    if columns > width:
        height = max(1, round(rows * width / columns))
        # Averaging over parts of pixels takes five times as long, and shows only where there are many.
        slightly = columns <= _SLIGHTLY * width
        how = cv2.INTER_LINEAR if slightly else cv2.INTER_AREA
        image = cv2.resize(image, (width, height), interpolation=how)
    if "mark" in options:
        rows, columns = image.shape[:2]
        left, top, right, bottom = _edges(options["mark"], columns, rows)
        line = max(1, round(columns / 200))
        image = np.ascontiguousarray(image)
        for colour, thickness in (((0, 0, 0), 3 * line), ((255, 255, 255), line)):
            cv2.rectangle(image, (left, top), (right, bottom), colour, thickness, cv2.LINE_AA)
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(encoded)


def _edges(percent: str, columns: int, rows: int) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom in px of ``xywh=percent:…`` or ``mark=percent:…``."""
    x, y, width, height = (float(value) / 100 for value in percent.removeprefix("percent:").split(","))
    return round(x * columns), round(y * rows), round((x + width) * columns), round((y + height) * rows)


def heat_scale() -> tuple[str, ...]:
    """Return the colours of heatmaps from none to hottest, as ``#rrggbb``."""
    ramp = np.linspace(0, 255, _HEAT_STEPS).round().astype(np.uint8).reshape(1, -1)
    return tuple(f"#{r:02x}{g:02x}{b:02x}" for r, g, b in heat_colours(ramp)[0])
