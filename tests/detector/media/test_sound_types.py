"""Recordings of rare types, and those that begin with something else: read as they play, or named."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import av
import numpy as np
import pytest
from sounds import RATE, hum, write_recording

from detector.errors import MediaError
from detector.media.acceptance import HEAD_BYTES, InputLimits, container_of, refuse_other_types
from detector.recordings import recording_facts
from detector.voice.samples import read_spans

SECONDS, TONE = 2.0, 220  # of `hum`
PCM = (32767 * hum(SECONDS)).astype(">i2").tobytes()
ID3 = b"ID3\x04\0\0\0\0\x08\0" + bytes(1024)
LONG_ID3 = b"ID3\x04\0\0\0\x08\0\0" + bytes(8 << 14)
APE = b"APETAGEX" + struct.pack("<IIII", 2000, 64, 0, 1 << 31 | 1 << 29) + bytes(8 + 64)
VBR = {"flags": "+qscale", "global_quality": "472"}  # quality 4 of LAME


def packets(codec: str, rate: int, bit_rate: int = 0) -> list[bytes]:
    """The swelling tone of `hum` in a codec, without a container."""
    context = av.CodecContext.create(codec, "w")
    context.sample_rate, context.layout, context.format = rate, "mono", context.codec.audio_formats[0]
    context.bit_rate = bit_rate or context.bit_rate
    context.open()
    frame = av.AudioFrame.from_ndarray(hum(SECONDS)[None], format="fltp", layout="mono")
    frame.sample_rate = RATE
    resampler, queue = av.AudioResampler(format=context.format, layout="mono", rate=rate), av.AudioFifo()
    for part in (*resampler.resample(frame), *resampler.resample(None)):
        queue.write(part)
    encoded: list[bytes] = []
    while (part := queue.read(context.frame_size)) is not None:
        encoded += map(bytes, context.encode(part))
    return [*encoded, *map(bytes, context.encode(None))]


def encoded(name: str, codec: str, **choices: object) -> Callable[[Path], bytes]:
    return lambda folder: write_recording(folder / name, hum(SECONDS), codec=codec, **choices).read_bytes()  # type: ignore[arg-type]


def dictation(_folder: Path) -> bytes:
    """DSS in the quality LP: G.723.1 in blocks of 512 bytes."""
    head, sound = bytearray(1024), b"".join(packets("g723_1", 8000, 6300))
    head[:4], head[0x26:0x32], head[0x32:0x3E] = b"\2dss", b"261130120000", b"261130120002"
    head[0x2A4] = 2
    blocks: Iterable[bytes] = (bytes(6) + sound[at : at + 506] for at in range(0, len(sound), 506))
    return bytes(head) + b"".join(blocks)


def real_audio(_folder: Path) -> bytes:
    rest = bytes(8) + struct.pack(">H", 0) + bytes(9) + b"\x04lpcJ"
    head = b".ra\xfd\0\x03" + struct.pack(">H", len(rest)) + rest
    return head + b"".join(packets("real_144", 8000))


def sphere(_folder: Path) -> bytes:
    head = (
        "NIST_1A\n   1024\nchannel_count -i 1\nsample_rate -i 16000\nsample_n_bytes -i 2\n"
        "sample_byte_format -s2 10\nsample_coding -s3 pcm\nsample_count -i 32000\nend_head\n"
    )
    return head.encode().ljust(1024) + PCM


def large_wave(name: bytes) -> Callable[[Path], bytes]:
    """A WAV with 64-bit sizes, EBU Tech 3306 or ITU-R BS.2088."""
    made = encoded("a.wav", "pcm_s16le", options={"rf64": "always"})
    return lambda folder: made(folder).replace(b"RF64", name, 1)


def amiga(_folder: Path) -> bytes:
    sound = (100 * hum(SECONDS)).astype(np.int8).tobytes()
    head = b"VHDR" + struct.pack(">IIIIHBBI", 20, len(sound), 0, 0, RATE, 1, 0, 1 << 16)
    body = b"8SVX" + head + b"BODY" + struct.pack(">I", len(sound)) + sound
    return b"FORM" + struct.pack(">I", len(body)) + body


PLAIN_MP3 = encoded("a.mp3", "libmp3lame", options={"write_xing": "0", "id3v2_version": "0"})
PLAYED: dict[str, Callable[[Path], bytes]] = {
    "RF64": large_wave(b"RF64"),
    "BW64": large_wave(b"BW64"),
    "AIFF": encoded("a.aiff", "pcm_s16be"),
    "AIFF-C": encoded("a.aiff", "pcm_mulaw"),
    "AU": encoded("a.au", "pcm_mulaw"),
    "AU sent while recorded": encoded("a.au", "pcm_s16be", container="au", seekable=False),
    "Wave64": encoded("a.w64", "pcm_s16le"),
    "MP2": encoded("a.mp2", "mp2"),
    "8SVX": amiga,
    "DSS": dictation,
    "RealAudio": real_audio,
    "SPHERE": sphere,
    "PVF": lambda _folder: b"PVF1\n1 16000 16\n" + PCM,
    "FLAC behind ID3v2": lambda folder: ID3 + encoded("a.flac", "flac")(folder),
    "FLAC behind a long ID3v2": lambda folder: LONG_ID3 + encoded("a.flac", "flac")(folder),
    "AAC behind ID3v2": lambda folder: ID3 + encoded("a.aac", "aac", container="adts")(folder),
    "AC-3 behind ID3v2": lambda folder: ID3 + encoded("a.ac3", "ac3", rate=48_000)(folder),
    "MP3 behind a long ID3v2": lambda folder: LONG_ID3 + PLAIN_MP3(folder),
    "MP3 behind two ID3v2": lambda folder: ID3 + ID3 + PLAIN_MP3(folder),
    "MP3 behind APE": lambda folder: APE + PLAIN_MP3(folder),
    "MP3 behind zeros": lambda folder: bytes(5000) + PLAIN_MP3(folder),
    "MP3 within a frame": lambda folder: PLAIN_MP3(folder)[100:],
    "MP3 of variable rate within a frame": lambda folder: encoded("a.mp3", "libmp3lame", coding=VBR)(folder)[
        700:
    ],
    "MP2 within a frame": lambda folder: encoded("a.mp2", "mp2")(folder)[100:],
    "AAC within a frame": lambda folder: encoded("a.aac", "aac", container="adts")(folder)[100:],
    "AC-3 within a frame": lambda folder: encoded("a.ac3", "ac3", rate=48_000)(folder)[100:],
}


@pytest.mark.parametrize("make", PLAYED.values(), ids=PLAYED)
def test_what_players_play_is_read(tmp_path: Path, make: Callable[[Path], bytes]) -> None:
    path = tmp_path / "of no ending"
    path.write_bytes(make(tmp_path))
    media, _ = recording_facts(path, path.name, InputLimits())
    assert media.duration == pytest.approx(SECONDS, abs=0.2)
    container = container_of(path.read_bytes()[:HEAD_BYTES])
    assert container is not None and media.container in container.demuxers
    (samples,) = read_spans(path, [(0.2, 1.8)])
    strengths = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    assert np.argmax(strengths) * RATE / len(samples) == pytest.approx(TONE, abs=5)


@pytest.mark.parametrize(
    ("make", "codec"),
    [
        (lambda random: b"".join(bytes([0xD5]) + random.bytes(32) for _ in range(100)), "gsm"),
        (lambda random: b"#!iLBC30\n" + b"".join(random.bytes(49) + b"\0" for _ in range(66)), "ilbc"),
    ],
)
def test_codecs_without_an_encoder_here_are_decoded(
    tmp_path: Path, make: Callable[[np.random.Generator], bytes], codec: str
) -> None:
    path = tmp_path / "a"
    path.write_bytes(make(np.random.default_rng(1)))
    media, _ = recording_facts(path, path.name, InputLimits())
    assert media.codec == codec and media.duration == pytest.approx(2.0, abs=0.05)


def test_the_last_packet_of_vorbis_may_be_cut_off_before_it_begins(tmp_path: Path) -> None:
    """FFmpeg states its duration then as four thousand million samples."""
    path = write_recording(
        tmp_path / "a.ogg", hum(2.0), codec="vorbis", layout="stereo", coding={"strict": "experimental"}
    )
    data = bytearray(path.read_bytes())
    last = data.rindex(b"OggS")
    (end,) = struct.unpack_from("<q", data, last + 6)
    struct.pack_into("<q", data, last + 6, end - 1500)
    path.write_bytes(with_checksum(data, last))
    media, _ = recording_facts(path, path.name, InputLimits())
    assert media.duration == pytest.approx(2.0, abs=0.2)


def with_checksum(data: bytearray, page: int) -> bytes:
    """The file with the CRC of an Ogg page (RFC 3533) made anew."""
    data[page + 22 : page + 26] = bytes(4)
    remainder = 0
    for byte in data[page:]:
        remainder ^= byte << 24
        for _ in range(8):
            remainder = (remainder << 1 ^ 0x04C11DB7 if remainder >> 31 else remainder << 1) & 0xFFFFFFFF
    struct.pack_into("<I", data, page + 22, remainder)
    return bytes(data)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x03ds2", "DS2"),
        (b"#!SILK_V3", "SILK"),
        (b"\x02#!SILK_V3", "SILK"),
        (b"#!EVS_MC1.0\n", "EVS"),
        (b"#!AMR_MC1.0\n", "AMR recording of several channels"),
        (b"MS_VOICE", "Sony"),
        (b"\xc0\xde\xc2\0", "Codec 2"),
        (b"OFR ", "OptimFROG"),
        (b"ADIF", "ADIF"),
        (b"RIFX\0\0\0\x40WAVE", "RIFX"),
        (b"ajkg", "Shorten"),
        (b"MThd", "MIDI"),
    ],
)
def test_what_cannot_be_decoded_is_named_with_a_remedy(head: bytes, name: str) -> None:
    with pytest.raises(MediaError, match=f"{name}.*(Export it as wav|Submit a recording)"):
        refuse_other_types(head + bytes(500))


@pytest.mark.parametrize("start", [b"", bytes(100), b"PK\x05\x06", b"plain words "])
def test_noise_is_no_sound(start: bytes) -> None:
    """Nor do syncwords that lie in it by chance make it so."""
    noise = bytearray(np.random.default_rng(4).bytes(HEAD_BYTES))
    for at, sync in enumerate((b"\xff\xfb\x90", b"\xff\xf1\x50", b"\x0b\x77", b"\x56\xe0")):
        noise[50 + 40 * at : 53 + 40 * at] = sync
    assert container_of((start + bytes(noise))[:HEAD_BYTES]) is None


def test_an_archive_of_recordings_is_no_recording(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.mp3", PLAIN_MP3(tmp_path))
    head = (tmp_path / "a.zip").read_bytes()[:HEAD_BYTES]
    assert container_of(head) is None and container_of(head[len("PK") :]) is not None
