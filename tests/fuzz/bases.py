"""Small files of every kind that is taken in, which the fuzzer breaks; the same every time."""

from __future__ import annotations

import functools
import io
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
from clips import cornered, numbered, write_clip
from made_speech import babble
from media_files import boxed_photo
from PIL import Image
from sounds import write_film, write_recording, write_stamped, write_wave

FRAMES = 10


@functools.cache
def bases() -> dict[str, bytes]:
    """Every base by name; the part before the first hyphen is the ending a file of it is given."""
    with tempfile.TemporaryDirectory() as folder:
        return {name: make(Path(folder)) for name, make in _MAKERS.items()}


def names() -> list[str]:
    """Of the bases, none of which is made for it."""
    return list(_MAKERS)


def suffix(name: str) -> str:
    """The file ending of a base."""
    return "." + name.partition("-")[0]


def _faces(side: int = 128) -> list[np.ndarray]:
    """A portrait that drifts: 10 frames, the face some 60 pixels wide."""
    import skimage.data

    portrait = skimage.data.astronaut()
    moved = [portrait[4 * n : 4 * n + 256, 90 + 3 * n : 346 + 3 * n] for n in range(FRAMES)]
    return [
        np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BOX)) for picture in moved
    ]


def _clip(ending: str, codec: str = "libx264", **options: object) -> Callable[[Path], bytes]:
    def make(folder: Path) -> bytes:
        path = folder / f"clip.{ending}"
        pictures = _faces() if options.pop("faces", False) else [numbered(n) for n in range(FRAMES)]
        rate = options.pop("rate", 8)
        return write_clip(
            path, pictures, rate=rate, time_base=Fraction(1, rate), codec=codec, **options
        ).read_bytes()

    return make


def _photo(kind: str, faces: bool = False, **options: object) -> Callable[[Path], bytes]:
    def make(_folder: Path) -> bytes:
        image = Image.fromarray(_faces()[0] if faces else cornered())
        if mode := options.pop("mode", None):
            image = image.convert(str(mode))
        out = io.BytesIO()
        image.save(out, kind, **options)
        return out.getvalue()

    return make


def _animation(kind: str) -> Callable[[Path], bytes]:
    def make(_folder: Path) -> bytes:
        first, *rest = [Image.fromarray(picture) for picture in _faces()[:4]]
        out = io.BytesIO()
        first.save(out, kind, save_all=True, append_images=rest, duration=120)
        return out.getvalue()

    return make


def _heic(side: int = 128, tile: int = 0) -> Callable[[Path], bytes]:
    def make(folder: Path) -> bytes:
        return boxed_photo(folder / "photo.heic", _faces(side)[0], tile).read_bytes()

    return make


def _sound(
    name: str, codec: str, rate: int = 16_000, container: str | None = None
) -> Callable[[Path], bytes]:
    def make(folder: Path) -> bytes:
        return write_recording(
            folder / name, babble(2.5), codec=codec, rate=rate, container=container
        ).read_bytes()

    return make


def _channels(count: int) -> Callable[[Path], bytes]:
    def make(folder: Path) -> bytes:
        samples = np.stack([np.roll(babble(1.2), 500 * number) for number in range(count)])
        return write_wave(folder / "many.wav", samples).read_bytes()

    return make


def _chain(*makers: Callable[[Path], bytes]) -> Callable[[Path], bytes]:
    return lambda folder: b"".join(make(folder) for make in makers)


def _jumps(folder: Path) -> bytes:
    """Sound that pauses, goes back, jumps a year and repeats itself."""
    wave = babble(0.5)
    return write_stamped(
        folder / "jumps.mka", [(0.0, wave), (3.0, wave), (700.0, wave), (31_536_000.0, wave)]
    ).read_bytes()


def _film(ending: str, channels: int) -> Callable[[Path], bytes]:
    def make(folder: Path) -> bytes:
        pictures = write_clip(folder / "pictures.mp4", _faces(), rate=8, time_base=Fraction(1, 8))
        samples = np.stack([babble(1.2, seed) for seed in range(channels)])
        wave = write_wave(folder / "film.wav", samples)
        if ending == "ts":
            wave = write_recording(folder / "film.m4a", samples[0], codec="aac")
        return write_film(folder / f"film.{ending}", pictures, wave).read_bytes()

    return make


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x0110] = "A camera"
    return exif.tobytes()


_VP8 = {"codec": "libvpx", "options": {"deadline": "realtime", "cpu-used": "8"}}
_VP9 = {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}
_MAKERS: dict[str, Callable[[Path], bytes]] = {
    "mp4-faces": _clip("mp4", faces=True),
    "mp4-sound": _clip("mp4", sound=True),
    "mp4-pieces": _clip("mp4", container_options={"movflags": "frag_keyframe+empty_moov"}),
    "mov-mpeg4": _clip("mov", codec="mpeg4", options={}),
    "mov-photojpeg": _clip("mov", codec="mjpeg", pix_fmt="yuvj420p", options={}),
    "mkv-faces": _clip("mkv", faces=True),
    "mkv-vp9": _clip("mkv", **_VP9),
    "webm-vp8": _clip("webm", **_VP8, faces=True),
    "webm-vp9": _clip("webm", **_VP9),
    "avi-mjpeg": _clip("avi", codec="mjpeg", pix_fmt="yuvj420p", options={}, faces=True),
    "avi-mpeg4": _clip("avi", codec="mpeg4", options={}),
    "png-rgb": _photo("PNG", faces=True),
    "png-palette": _photo("PNG", mode="P"),
    "png-alpha": _photo("PNG", mode="RGBA"),
    "jpg-faces": _photo("JPEG", faces=True, exif=_exif()),
    "jpg-progressive": _photo("JPEG", progressive=True, quality=70),
    "webp-lossy": _photo("WEBP", faces=True),
    "webp-lossless": _photo("WEBP", lossless=True),
    "webp-animated": _animation("WEBP"),
    "gif-still": _photo("GIF"),
    "gif-animated": _animation("GIF"),
    "mpg-mpeg2": _clip("mpg", codec="mpeg2video", options={}, rate=25, faces=True),
    "ts-h264": _clip("ts", faces=True),
    "flv-h264": _clip("flv"),
    "wmv-wmv2": _clip("wmv", codec="wmv2", options={}, faces=True),
    "tiff-lzw": _photo("TIFF", faces=True, compression="tiff_lzw"),
    "bmp-rgb": _photo("BMP"),
    "heic-whole": _heic(),
    "heic-tiles": _heic(side=256, tile=128),
    "avif-still": _photo("AVIF", faces=True),
    "wav-speech": _sound("a.wav", "pcm_s16le"),
    "wav-two": _channels(2),
    "wav-many": _channels(9),
    "wav-chain": _chain(_sound("a.wav", "pcm_s16le"), _sound("b.wav", "pcm_s16le", 8000)),
    "mp3-speech": _sound("a.mp3", "libmp3lame"),
    "m4a-speech": _sound("a.m4a", "aac"),
    "aac-speech": _sound("a.aac", "aac", container="adts"),
    "ogg-opus": _sound("a.ogg", "libopus", 48_000),
    "ogg-chain": _chain(_sound("a.ogg", "libopus", 48_000), _sound("b.ogg", "libopus", 48_000)),
    "flac-speech": _sound("a.flac", "flac"),
    "flac-chain": _chain(_sound("a.flac", "flac"), _sound("b.flac", "flac", 48_000)),
    "amr-speech": _sound("a.amr", "libopencore_amrnb", 8000),
    "caf-speech": _sound("a.caf", "pcm_s16be"),
    "mka-jumps": _jumps,
    "mov-channels": _film("mov", 9),
    "mkv-speech": _film("mkv", 2),
    "ts-chain": _chain(_film("ts", 1), _film("ts", 1)),
}
