"""Convert colours to sRGB: ICC profiles and colour tags of photos, and high dynamic range (PQ, HLG)."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO, Literal, cast

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageCms

from detector.media.frame import Image
from detector.media.photos import open_photo

PQ, HLG = 16, 18  # ITU-T H.273, transfer characteristics
TRANSFER_NAMES = {PQ: "PQ", HLG: "HLG"}
_WHITE = 203.0  # cd/m² that standard range shows as white (ITU-R BT.2408)
_HLG_PEAK, _HLG_GAMMA = 1000.0, 1.2
_KNEE = 0.8
_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)  # ITU-R BT.2087
_BITS = 12  # of a channel's 16 bits that index the look-up tables


def to_standard_range(picture: NDArray[np.uint16], transfer: int) -> Image:
    """Convert 16-bit RGB (height, width, 3) of high dynamic range to 8-bit sRGB."""
    light = cv2.transform(_linear(transfer)[picture >> (16 - _BITS)], _TO_BT709)
    np.maximum(light, 0.0, out=light)
    brightest = light.max(axis=2)
    over = np.maximum(brightest - _KNEE, 0.0) / (1 - _KNEE)
    shown = np.minimum(brightest, _KNEE) + (1 - _KNEE) * (1 - np.exp(-over))
    light *= np.divide(shown, brightest, out=np.ones_like(shown), where=brightest > 0)[..., None]
    return _encoded()[(light * ((1 << _BITS) - 1) + 0.5).astype(np.uint16)]


@cache
def _linear(transfer: int) -> NDArray[np.float32]:
    """Return the light of each coded value, relative to reference white."""
    coded = np.arange(1 << _BITS) / ((1 << _BITS) - 1)
    if transfer == PQ:
        root = coded ** (1 / 78.84375)
        light = 10_000 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (
            1 / 0.1593017578125
        )
    else:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - c) / a) + b) / 12)
        light = _HLG_PEAK * scene**_HLG_GAMMA
    return (light / _WHITE).astype(np.float32)


@cache
def _encoded() -> NDArray[np.uint8]:
    """Return the sRGB value (IEC 61966-2-1) of each light from 0 to 1."""
    light = np.arange(1 << _BITS) / ((1 << _BITS) - 1)
    coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(255 * coded).astype(np.uint8)


_GREYS = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "I;16N")
_SPACES = {"RGB ": "RGB", "RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_PROFILE_TOLERANCE = 2  # levels; ICC profiles for sRGB differ in how they round its curve
_PROBES = 17  # values of each channel that are tried
_ROWS = 256  # converted at once, to bound memory
_PNG = b"\x89PNG\r\n\x1a\n"
_MOST_CHUNKS = 256  # before the pixels
Chromaticities = tuple[float, ...]  # x and y of white, red, green and blue
_D65 = (0.3127, 0.329)
_SRGB: Chromaticities = (*_D65, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
# ITU-T H.273, tables 2 and 3; of the transfer characteristics those that players show like sRGB.
_PRIMARIES: dict[int, Chromaticities] = {
    1: _SRGB,
    2: _SRGB,  # unspecified
    5: (*_D65, 0.64, 0.33, 0.29, 0.6, 0.15, 0.06),
    6: (*_D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    7: (*_D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    9: (*_D65, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046),
    12: (*_D65, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
}
_AS_SRGB = frozenset({1, 2, 6, 13, 14, 15})
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
# As in libpng, a gAMA within 5 % of 1 / 2.2 stands for sRGB's curve.
_USUAL_GAMMA, _GAMMA_TOLERANCE = 2.2, 0.05
_LARGEST_GAMMA = 100.0
# ICC.1:2022, annex E: adaptation of a white point to that of the connection space.
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D50 = np.array([0.9642, 1.0, 0.8249])
_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # IEC 61966-2-1


@dataclass(frozen=True)
class ToSrgb:
    """The conversion of a photo's colours to sRGB; none if they are sRGB already."""

    description: Literal["converted", "unusable"] | None = None
    """The published statement; ``unusable`` if the file states its colours in a way that makes no sense."""
    as_browsers: bool = True
    """Whether every browser shows the same colours."""
    of_cmyk: bool = False
    """Whether the input has four channels, which FFmpeg does not deliver."""
    transform: ImageCms.ImageCmsTransform | None = None

    def __call__(self, image: Image) -> Image:
        """Convert RGB (height, width, 3) to sRGB."""
        if self.transform is None or self.of_cmyk:
            return image
        converted = np.empty_like(image)
        for row in range(0, len(image), _ROWS):
            rows = image[row : row + _ROWS]
            pixels = rows[:, :, 0] if self.transform.input_mode == "L" else rows
            converted[row : row + _ROWS] = self.of(PIL.Image.fromarray(np.ascontiguousarray(pixels)))
        return converted

    def of(self, picture: PIL.Image.Image) -> Image:
        """Convert a picture that is in the input mode of the transform."""
        assert self.transform is not None
        return cast(Image, np.asarray(self.transform.apply(picture)))


_UNUSABLE = ToSrgb("unusable", as_browsers=False)


def to_srgb(file: BinaryIO, code: tuple[int, int]) -> ToSrgb:
    """Return the conversion for the colours that a photo states; none for a file that is no photo.

    ``code`` has primaries and transfer characteristics (ITU-T H.273) as FFmpeg reads them; used for AVIF.
    """
    try:
        with open_photo(file) as photo:
            mode, format_, info = photo.mode, photo.format, dict(photo.info)
    except (OSError, SyntaxError, ValueError, RuntimeError, MemoryError, PIL.Image.DecompressionBombError):
        return ToSrgb()
    if mode == "LAB" or format_ == "GIF":  # Lab is unambiguous; browsers take GIF for sRGB
        return ToSrgb()
    if format_ == "PNG" and (stated := _png_code(file)):
        return _by_code(*stated)
    if "icc_profile" in info:
        # Pillow reports None for a profile in pieces of which some are missing.
        return _by_profile(info["icc_profile"] or b"", mode)
    if format_ == "HEIF" and (nclx := info.get("nclx_profile")):
        return _by_code(nclx["color_primaries"], nclx["transfer_characteristics"])
    if format_ == "AVIF":
        return _by_code(*code)
    gamma = info.get("gamma")
    if format_ == "PNG" and "srgb" not in info and isinstance(gamma, float) and gamma > 0:
        return _by_gamma(gamma, info.get("chromaticity"))
    return ToSrgb()


def _by_code(primaries: int, transfer: int) -> ToSrgb:
    """Return the conversion for codes of ITU-T H.273."""
    if transfer in TRANSFER_NAMES:
        return ToSrgb(as_browsers=False)  # converted by to_standard_range
    if primaries not in _PRIMARIES or not (transfer in _AS_SRGB or transfer in _GAMMAS):
        return _UNUSABLE
    return _by_profile(_profile(_PRIMARIES[primaries], _GAMMAS.get(transfer)), "RGB")


def _png_code(file: BinaryIO) -> tuple[int, int] | None:
    """Return primaries and transfer characteristics of a PNG's cICP chunk, if it has one."""
    file.seek(0)
    if file.read(len(_PNG)) != _PNG:
        return None
    for _ in range(_MOST_CHUNKS):
        head = file.read(8)
        if len(head) < 8 or head[4:] in (b"IDAT", b"IEND"):
            return None
        if head == b"\0\0\0\4cICP":
            code = file.read(4)
            return (code[0], code[1]) if len(code) == 4 else None
        file.seek(int.from_bytes(head[:4], "big") + 4, 1)
    return None


def _by_gamma(gamma: float, chromaticities: object) -> ToSrgb:
    stated = cast(Chromaticities, chromaticities) if isinstance(chromaticities, tuple) else _SRGB
    if len(stated) != len(_SRGB):
        return _UNUSABLE
    if abs(gamma * _USUAL_GAMMA - 1) < _GAMMA_TOLERANCE and np.allclose(stated, _SRGB, atol=0.005):
        return ToSrgb()
    if not 1 / _LARGEST_GAMMA < gamma < _LARGEST_GAMMA:
        return _UNUSABLE
    try:
        return _by_profile(_profile(stated, 1 / gamma), "RGB")
    except (np.linalg.LinAlgError, ZeroDivisionError, struct.error, ValueError):
        return _UNUSABLE


def _by_profile(data: bytes, mode: str) -> ToSrgb:
    """Return the conversion for a picture of this mode with an ICC profile."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        space = _SPACES.get(profile.profile.xcolor_space)
        if space is None or (mode == "CMYK") != (space == "CMYK") or (space == "L" and mode not in _GREYS):
            return _UNUSABLE
        transform = ImageCms.buildTransform(
            profile, ImageCms.createProfile("sRGB"), space, "RGB", ImageCms.Intent.PERCEPTUAL
        )
        if space != "CMYK" and _is_srgb(transform):
            return ToSrgb()
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, RuntimeError):
        return _UNUSABLE
    return ToSrgb("converted", as_browsers=space != "CMYK", of_cmyk=space == "CMYK", transform=transform)


def _is_srgb(transform: ImageCms.ImageCmsTransform) -> bool:
    """Return whether a transform changes no colour beyond rounding."""
    values = np.linspace(0, 255, _PROBES).round().astype(np.uint8)
    if transform.input_mode == "L":
        probes = np.arange(256, dtype=np.uint8)[None]
        expected = np.repeat(probes[:, :, None], 3, axis=2)
    else:
        probes = np.stack(np.meshgrid(values, values, values), axis=-1).reshape(1, -1, 3)
        greys = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
        probes = expected = np.concatenate([probes, greys], axis=1)
    converted = np.asarray(transform.apply(PIL.Image.fromarray(probes)))
    return int(np.abs(converted.astype(int) - expected).max()) <= _PROFILE_TOLERANCE


def _profile(chromaticities: Chromaticities, gamma: float | None) -> bytes:
    """Build an ICC display profile with these primaries and sRGB's curve or a gamma (ICC.1:2022, 8.3)."""
    curve = b"para\0\0\0\0" + (
        struct.pack(">HH", 3, 0) + _fixed(*_CURVE)
        if gamma is None
        else struct.pack(">HH", 0, 0) + _fixed(gamma)
    )
    columns = _to_d50(chromaticities).T
    tags = {b"wtpt": b"XYZ \0\0\0\0" + _fixed(*_D50)}
    for name, column in zip((b"r", b"g", b"b"), columns, strict=True):
        tags |= {name + b"XYZ": b"XYZ \0\0\0\0" + _fixed(*column), name + b"TRC": curve}
    at, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", at + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    length = at + len(body)
    header = struct.pack(">I4xI", length, 0x04400000) + b"mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28)
    return (header + _fixed(*_D50)).ljust(128, b"\0") + table + body


def _to_d50(chromaticities: Chromaticities) -> NDArray[np.float64]:
    """Return the matrix from linear RGB to XYZ adapted to D50, one primary a column."""
    xyz = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in np.reshape(chromaticities, (4, 2)).tolist()]).T
    white, primaries = xyz[:, 0], xyz[:, 1:]
    matrix = primaries * np.linalg.solve(primaries, white)
    scale = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white))
    return cast(NDArray[np.float64], np.linalg.inv(_BRADFORD) @ scale @ _BRADFORD @ matrix)


def _fixed(*numbers: float) -> bytes:
    """s15Fixed16Number."""
    return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)
