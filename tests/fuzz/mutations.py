"""Ways to break a file. A broken file is a recipe: a base and edits in plain numbers, so that it can be kept.

An edit is one of ``["put", at, hex]`` (bytes overwritten), ``["cut", at]`` (the rest dropped),
``["drop", from, to]``, ``["insert", at, hex]``, ``["repeat", at, hex, times]`` (bytes put in many times),
``["copy", at, base, from, to]`` (bytes of a base put in) and ``["move", from, to, at]`` (bytes taken out
and put in elsewhere, counted after that).
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from fuzz.bases import bases
from fuzz.parts import parts

Edit = list[Any]


class Recipe(NamedTuple):
    """One broken file: the base it comes from, and what is done to it in order."""

    base: str
    edits: list[Edit]

    def bake(self) -> bytes:
        """The file's bytes."""
        data = bytearray(bases()[self.base])
        for what, *how in self.edits:
            if what == "put":
                at, content = how[0], bytes.fromhex(how[1])
                data[at : at + len(content)] = content[: max(0, len(data) - at)]
            elif what == "cut":
                del data[how[0] :]
            elif what == "drop":
                del data[how[0] : how[1]]
            elif what == "insert":
                data[how[0] : how[0]] = bytes.fromhex(how[1])
            elif what == "repeat":
                data[how[0] : how[0]] = bytes.fromhex(how[1]) * how[2]
            elif what == "copy":
                data[how[0] : how[0]] = bases()[how[1]][how[2] : how[3]]
            elif what == "move":
                taken = data[how[0] : how[1]]
                del data[how[0] : how[1]]
                data[how[2] : how[2]] = taken
            else:
                raise ValueError(what)
        return bytes(data)


EXTREMES = (0, 1, 2, 7, 8, 15, 16, 255, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)


def recipe(seed: int, number: int, endings: frozenset[str] = frozenset()) -> Recipe:
    """Broken file ``number`` of a run with this seed, of bases with these ``endings``; none: of all."""
    chance = random.Random(f"{seed}:{number}")
    names = [name for name in sorted(bases()) if not endings or name.partition("-")[0] in endings]
    name = names[number % len(names)]  # each kind as often as any other
    data = bases()[name]
    way = chance.choice(SOUND_WAYS if name.partition("-")[0] in SOUNDS else WAYS)
    edits = list(way(chance, name, data))
    if chance.random() < 0.15:  # two things wrong at once
        edits += list(_flips(chance, name, data))
    return Recipe(name, edits)


def _truncation(chance: random.Random, _name: str, data: bytes) -> Iterator[Edit]:
    yield [
        "cut",
        chance.choice(
            [chance.randrange(64), chance.randrange(len(data)), len(data) - 1 - chance.randrange(64)]
        ),
    ]


def _flips(chance: random.Random, _name: str, data: bytes) -> Iterator[Edit]:
    for _ in range(chance.choice([1, 1, 3, 10, 60])):
        at = chance.randrange(len(data))
        yield ["put", at, f"{data[at] ^ 1 << chance.randrange(8):02x}"]


def _head(chance: random.Random, _name: str, data: bytes) -> Iterator[Edit]:
    for _ in range(chance.choice([1, 2, 8])):
        at = chance.randrange(min(len(data), 600))
        yield [
            "put",
            at,
            chance.choice(["00", "ff", "7f", "80", "ffffffff", "00000000", chance.randbytes(4).hex()]),
        ]


def _run(chance: random.Random, _name: str, data: bytes) -> Iterator[Edit]:
    at, length = chance.randrange(len(data)), chance.choice([4, 16, 64, 512])
    content = chance.choice([b"\0" * length, b"\xff" * length, chance.randbytes(length)])
    yield ["put", at, content.hex()]


def _sizes(chance: random.Random, name: str, data: bytes) -> Iterator[Edit]:
    pieces = parts(name, data)
    if not pieces:
        yield from _head(chance, name, data)
        return
    for part in chance.sample(pieces, min(len(pieces), chance.choice([1, 1, 2]))):
        true = part.end - part.start
        size = chance.choice([*EXTREMES, true - 1, true + 1, true * 2])
        size = max(0, size) % (1 << 8 * part.size_bytes)
        yield ["put", part.size_at, size.to_bytes(part.size_bytes, "little" if part.little else "big").hex()]


def _fields(chance: random.Random, name: str, data: bytes) -> Iterator[Edit]:
    """Numbers inside a box or chunk set to extremes; a PNG's sum is made to fit again."""
    pieces = parts(name, data)
    if not pieces:
        yield from _head(chance, name, data)
        return
    part = chance.choice(pieces)
    inside = range(part.start + 8, max(part.start + 9, min(part.end, part.start + 120)))
    at = chance.choice(inside)
    value = chance.choice(EXTREMES) % 2**32
    edit = struct.pack("<I" if part.little else ">I", value)
    if name.startswith("png") and at + 4 <= part.end - 4:
        content = bytearray(data[part.start + 4 : part.end - 4])
        content[at - part.start - 4 : at - part.start] = edit
        yield [
            "put",
            part.end - 4,
            struct.pack(">I", zlib.crc32(bytes(content[: part.end - part.start - 8]))).hex(),
        ]
    yield ["put", at, edit.hex()]


def _swap(chance: random.Random, name: str, data: bytes) -> Iterator[Edit]:
    pieces = parts(name, data)
    if len(pieces) < 2:
        yield from _run(chance, name, data)
        return
    first, two = chance.sample(pieces, 2)
    length = first.end - first.start
    at = two.start if two.start < first.start else max(0, two.start - length)
    yield ["move", first.start, first.end, at]


def _lose(chance: random.Random, name: str, data: bytes) -> Iterator[Edit]:
    pieces = parts(name, data)
    if pieces and chance.random() < 0.7:
        part = chance.choice(pieces)
        yield ["drop", part.start, part.end]
    else:
        at = chance.randrange(len(data))
        yield ["drop", at, at + chance.choice([1, 4, 100, 1000])]


def _double(chance: random.Random, name: str, data: bytes) -> Iterator[Edit]:
    pieces = parts(name, data)
    if pieces:
        part = chance.choice(pieces)
        for _ in range(chance.choice([1, 2, 20])):
            yield ["copy", part.end, name, part.start, part.end]
    else:
        yield ["copy", len(data), name, 0, len(data)]


def _joined(chance: random.Random, name: str, data: bytes) -> Iterator[Edit]:
    """Two files in one: one after the other, or one inside the other."""
    other = chance.choice(sorted(bases()))
    at = chance.choice([0, len(data), chance.randrange(len(data))])
    yield ["copy", at, other, 0, len(bases()[other])]


def _insert(chance: random.Random, _name: str, data: bytes) -> Iterator[Edit]:
    yield ["insert", chance.randrange(len(data)), chance.randbytes(chance.choice([1, 3, 16, 300])).hex()]


_XMP_OF_JPEG = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_OF_MP4 = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_XMP_OF_PNG = b"XML:com.adobe.xmp\0\0\0\0\0"
_XMP_OF_GIF = b"\x21\xff\x0bXMP DataXMP"
_PROPERTIES = (
    "Software",
    "CreatorTool",
    "DigitalSourceType",
    "Make",
    "AISystemUsed",
    "Credit",
    "UserComment",
)
# Letters that equal s, i and k where case is ignored, and others that encodings and folding treat apart.
_LETTERS = {"s": "\u017f", "i": "\u0131", "k": "\u212a", "e": "\u0435", "t": "\u1e97", "m": "\U0001d5c6"}


def _letters(chance: random.Random) -> tuple[str, int, str]:
    name = chance.choice(_PROPERTIES)
    changed = "".join(
        _LETTERS[char.lower()] if char.lower() in _LETTERS and chance.random() < 0.5 else char
        for char in name
    )
    value = chance.choice(["\ufb05ora", "Adobe \u212arita", "\u017fora", "&#" + "9" * 5000 + ";", "\0"])
    written = f'<r x:{changed}="{value}"/><x:{changed}>{value}</x:{changed}><r x:Software="GIMP"/>'
    return written, 1, ""


def _repeats(chance: random.Random) -> tuple[str, int, str]:
    name = chance.choice(_PROPERTIES)
    pieces = (
        f"<x a:{name}",
        f"a:{name} ",
        f"a:{name}='",
        f"<a:{name}>",
        f"<a:{name}><rdf:li ",
        "<",
        '"',
        "&#9;",
    )
    return chance.choice(pieces), chance.choice([1000, 4000]), chance.choice(["", "'", ">", '"/>'])


def _nesting(chance: random.Random) -> tuple[str, int, str]:
    pieces = ("<rdf:li>", "<a:Software>", "[", '{"prompt":', '{"class_type":"', "&amp;", "<!--", "<![CDATA[")
    return chance.choice(pieces), chance.choice([100, 5000]), chance.choice(["", "</a:Software>", "}", "]"])


def metadata(chance: random.Random, name: str, data: bytes) -> Iterator[Edit]:
    """Put XMP of odd letters, repeats or nesting where the format keeps it, else at any place."""
    piece, times, end = chance.choice([_letters, _repeats, _nesting])(chance)
    content, after = piece.encode(), end.encode()
    kind, at, before = name.partition("-")[0], chance.randrange(len(data)), b""
    if kind == "jpg":
        times = min(times, 60_000 // len(content))
        size = 2 + len(_XMP_OF_JPEG) + len(content) * times + len(after)
        at, before = 2, b"\xff\xe1" + struct.pack(">H", size) + _XMP_OF_JPEG
    elif kind in ("mp4", "mov", "heic", "avif"):
        size = 8 + len(_XMP_OF_MP4) + len(content) * times + len(after)
        at, before = len(data), struct.pack(">I", size) + b"uuid" + _XMP_OF_MP4
    elif kind == "png":
        keyword = chance.choice([_XMP_OF_PNG, b"parameters\0\0\0\0\0", b"prompt\0\0\0\0\0"])
        text = keyword + content * times + after
        at, before = 33, struct.pack(">I", len(text)) + b"iTXt" + keyword
        after += struct.pack(">I", zlib.crc32(b"iTXt" + text))
    elif kind == "gif":
        at, before, after = len(data) - 1, _XMP_OF_GIF, after + b"\x01\xff\xfe\xfd"
    if before:
        yield ["insert", at, before.hex()]
    yield ["repeat", at + len(before), content.hex(), times]
    if after:
        yield ["insert", at + len(before) + len(content) * times, after.hex()]


def _format(chance: random.Random, name: str, data: bytes) -> Iterator[Edit]:
    """Other channels, rates and sizes of samples in the description of a WAV."""
    at = data.find(b"fmt ") + 8
    if not name.startswith("wav"):
        yield from _head(chance, name, data)
        return
    field, size = chance.choice([(0, 2), (2, 2), (4, 4), (8, 4), (12, 2), (14, 2)])
    value = chance.choice([*EXTREMES, 3, 4, 6, 9, 32, 64, 100, 8000, 44_100, 192_000]) % (1 << 8 * size)
    yield ["put", at + field, value.to_bytes(size, "little").hex()]


def _chained(chance: random.Random, name: str, data: bytes) -> Iterator[Edit]:
    """A part of this or of another recording behind it, perhaps in the middle of a packet."""
    other = chance.choice(
        [name, name, *(base for base in sorted(bases()) if base.partition("-")[0] in SOUNDS)]
    )
    content = bases()[other]
    if chance.random() < 0.4:
        yield ["cut", chance.randrange(len(data))]
    start = chance.choice([0, 0, chance.randrange(len(content))])
    for _ in range(chance.choice([1, 1, 2, 5])):
        yield ["copy", len(data), other, start, len(content)]


def _gap(chance: random.Random, name: str, data: bytes) -> Iterator[Edit]:
    """A stretch in the middle lost, or repeated elsewhere."""
    start = chance.randrange(len(data))
    end = min(len(data), start + chance.choice([100, 1000, 10_000]))
    yield chance.choice([["drop", start, end], ["copy", chance.randrange(len(data)), name, start, end]])


SOUNDS = frozenset({"wav", "mp3", "m4a", "aac", "ogg", "flac", "amr", "caf", "mka"})
"""Endings of bases of sound alone."""
WAYS: tuple[Callable[[random.Random, str, bytes], Iterator[Edit]], ...] = (
    _truncation,
    _flips,
    _flips,
    _head,
    _run,
    _sizes,
    _sizes,
    _fields,
    _fields,
    _swap,
    _lose,
    _double,
    _joined,
    _insert,
    metadata,
    metadata,
)
SOUND_WAYS = (*WAYS, _truncation, _format, _format, _chained, _chained, _gap)
