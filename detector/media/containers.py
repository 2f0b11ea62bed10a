"""Read parts of ISO BMFF, Matroska and ASF containers that FFmpeg does not report."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from detector import timestamps
from detector.schema.metadata import Edit, Moment, Structure, clean_text

_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_HEAD, _OBJECT = 30, 24  # bytes before the objects of the header, and at the beginning of each
_PROPERTIES_LENGTH = 68  # bytes after that, up to the flags
_MOST, _LARGEST = 256, 1 << 32  # objects that are read; bytes of one
_TICKS = 10_000_000  # a second
_BROADCAST = 1  # a flag: the duration was not known when the header was written


def stated_seconds(file: BinaryIO) -> float | None:
    """Return the duration stated by an ASF file; None for other files and where none is stated."""
    fields = file_properties(file)
    if fields is None:
        return None
    play, preroll = (int.from_bytes(fields[at : at + 8], "little") for at in (40, 56))
    seconds = play / _TICKS - preroll / 1000
    return seconds if seconds > 0 else None


def file_properties(file: BinaryIO) -> bytes | None:
    """Return the properties of an ASF file, from its id on; None for others and for broadcasts."""
    file.seek(0)
    if not file.read(_HEAD).startswith(_HEADER):
        return None
    for _ in range(_MOST):
        header = file.read(_OBJECT)
        size = int.from_bytes(header[16:], "little")
        if len(header) < _OBJECT or not _OBJECT <= size <= _LARGEST:
            return None
        if header.startswith(_PROPERTIES):
            fields = file.read(_PROPERTIES_LENGTH)
            if len(fields) < _PROPERTIES_LENGTH or fields[64] & _BROADCAST:
                return None
            return fields
        file.seek(file.tell() + size - _OBJECT)
    return None


EBML, SEGMENT, CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675  # elements of Matroska
INFO, _TRACKS = 0x1549A966, 0x1654AE6B
_TRACK, _VIDEO, _WIDTH, _HEIGHT = 0xAE, 0xE0, 0xB0, 0xBA
_FROM_HEIGHT, _FROM_WIDTH = (0x54AA, 0x54BB), (0x54CC, 0x54DD)  # PixelCrop: bottom and top, left and right
HEADER_MATROSKA = 12  # bytes that the ID and size of an element take at most
_MOST_ELEMENTS, _MOST_READ = 1000, 1 << 20


def display_sizes(file: BinaryIO) -> dict[int, tuple[int, int]]:
    """Return the cropped width and height of each Matroska track that states a crop (RFC 9559), by number."""
    tracks = read_element(file, _TRACKS)
    if tracks is None:
        return {}
    sizes = {}
    for number, track in enumerate(data for kind, data in elements(tracks) if kind == _TRACK):
        for kind, video in elements(track):
            values = dict(elements(video)) if kind == _VIDEO else {}
            width, height = (
                int.from_bytes(values.get(side, b""))
                - sum(int.from_bytes(values.get(end, b"")) for end in ends)
                for side, ends in ((_WIDTH, _FROM_WIDTH), (_HEIGHT, _FROM_HEIGHT))
            )
            if width > 0 and height > 0 and not values.keys().isdisjoint((*_FROM_WIDTH, *_FROM_HEIGHT)):
                sizes[number] = width, height
    return sizes


def read_element(file: BinaryIO, wanted: int) -> bytes | None:
    """Return the contents of an element before the first cluster of a Matroska file; None without it."""
    at, end = 0, file.seek(0, 2)
    for _ in range(_MOST_ELEMENTS):
        if at >= end:  # a seek far beyond the end is an error
            return None
        file.seek(at)
        header = element_header(file.read(HEADER_MATROSKA), 0)
        if header is None or header[0] == CLUSTER or not at and header[0] != EBML:
            return None
        kind, length, start = header
        if kind == wanted:
            file.seek(at + start)
            return file.read(min(length, _MOST_READ))
        at += start + (0 if kind == SEGMENT else length)
    return None


def elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the ID and contents of each complete element in ``data``."""
    at = 0
    while (header := element_header(data, at)) is not None:
        kind, length, start = header
        at = start + length
        if at > len(data):
            return
        yield kind, data[start:at]


def element_header(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Return an element's ID (with its marker), length and contents offset; None if there is no element."""
    fields = []
    for longest in (4, 8):
        size = 9 - data[at].bit_length() if at < len(data) else 9
        if size > longest or at + size > len(data):
            return None
        fields.append((int.from_bytes(data[at : at + size]), 1 << 7 * size))
        at += size
    (kind, _), (length, marker) = fields
    return kind, length - marker, at


_INSIDE = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"udta"}
_MOST_BOXES = 4096
_MOST_FRAGMENTS = 1 << 20
_MOST_READ_ISOBMFF = 1 << 16
_WITH_XMP, _MOST_XMP = (
    frozenset({b"uuid", b"XMP_", b"meta"}),
    1 << 20,
)  # boxes, and bytes that are read of them
_MOST_EDITS = 64
_MOST_NAMED = 32
_EPOCH = datetime(1904, 1, 1, tzinfo=UTC)
_VISUAL = 86  # bytes of a visual sample description before its boxes
# Sample descriptions of pictures, and of sound: ISO/IEC 23001-7; of Apple's and of Audible's shop.
_ENCRYPTED, _ENCRYPTED_SOUND = frozenset({b"encv", b"drmi"}), frozenset({b"enca", b"drms", b"aavd"})
# Dolby Vision Streams Within the ISO Base Media File Format.
_DOLBY_VISION = frozenset({b"dvcC", b"dvvC", b"dvwC"})
# Adobe, XMP Specification Part 3: the box that carries XMP in MP4.
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


@dataclass
class Layout:
    """The layout of an ISO BMFF file; ``structure`` is the published part."""

    brand: str | None = None
    compatible: list[str] = field(default_factory=list)
    boxes: list[str] = field(default_factory=list)
    times: list[Moment] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    descriptions: list[int] = field(default_factory=list)
    edit_seconds: dict[int, float] = field(default_factory=dict)
    """Seconds that the edit list of each track plays, from its first material to its last."""
    apertures: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Width and height of the clean aperture of each track that has one."""
    dolby_vision: dict[int, str] = field(default_factory=dict)
    """Dolby Vision profile and base-layer compatibility of each track, such as 8.4."""
    sound_formats: dict[int, str] = field(default_factory=dict)
    """Type of the first sample description of each track of sound."""
    encrypted: set[int] = field(default_factory=set)
    """Encrypted tracks of pictures and sound."""
    xmp: bytes = b""
    """All XMP packets, one after the other."""
    xmp_items: list[tuple[int, int]] = field(default_factory=list)
    """Offsets in the file and lengths of the packets that are items of a ``meta`` box."""
    movie_scale: int = 0
    track: int = -1
    handler: bytes = b""
    media_scale: int = 0
    raw_edits: list[tuple[int, int, int, float]] = field(default_factory=list)
    all_edits: bool = True  # of the track

    def add_xmp(self, packet: bytes) -> None:
        """Add a packet that is not there yet."""
        if packet and packet not in self.xmp and len(self.xmp) + len(packet) <= _MOST_XMP:
            self.xmp += packet

    @property
    def structure(self) -> Structure:
        return Structure(
            brand=self.brand,
            compatible=tuple(self.compatible),
            boxes=tuple(self.boxes),
            edits=tuple(self.edits),
            descriptions=tuple(self.descriptions),
        )


def read_layout(file: BinaryIO) -> Layout:
    """Read the layout of an open file; unreadable parts are left out."""
    layout = Layout()
    end = file.seek(0, 2)
    for depth, kind, start, stop in _boxes(file, end):
        if depth == 0 and len(layout.boxes) < _MOST_NAMED:
            layout.boxes.append(clean_text(kind.decode("latin-1"), 12))
        reader = _READERS.get(kind)
        if kind == b"trak":
            _finish_track(layout)
            layout.track += 1
        elif reader is not None:
            file.seek(start)
            data = file.read(min(stop - start, _MOST_XMP if kind in _WITH_XMP else _MOST_READ_ISOBMFF))
            try:
                reader(layout, data)
            except (struct.error, IndexError):
                continue  # a box too short for what it should hold
    for start, length in layout.xmp_items[:_MOST_NAMED]:
        if start >= end:
            continue
        file.seek(start)
        layout.add_xmp(file.read(min(length, _MOST_XMP)))
    _finish_track(layout)
    return layout


def cut_fragment(file: BinaryIO) -> int | None:
    """Return the offset of the last fragment if the file ends within its table (``moof``), else None.

    Depending on where such a file ends, FFmpeg either opens it without a warning or refuses all of it.
    """
    place = file.tell()
    try:
        end = file.seek(0, 2)
        at, fragmented = 0, False
        for _ in range(_MOST_FRAGMENTS):
            if at + 8 > end:  # the box type itself is cut off
                return at if fragmented and at < end else None
            size, kind, start = _header_isobmff(file, at, end)
            fragmented |= kind == b"moof"
            if at + size > end:
                return at if kind == b"moof" else None
            if size < start - at:
                break
            at += size
        return None
    finally:
        file.seek(place)


def _header_isobmff(file: BinaryIO, at: int, end: int) -> tuple[int, bytes, int]:
    """Return size, type and contents offset of the box at ``at``; a box of size 0 extends to ``end``."""
    file.seek(at)
    header = file.read(16)
    size, kind, start = int.from_bytes(header[:4], "big"), header[4:8], at + 8
    if size == 1 and len(header) == 16:
        return int.from_bytes(header[8:], "big"), kind, at + 16
    return size or end - at, kind, start


def _boxes(file: BinaryIO, end: int) -> Iterator[tuple[int, bytes, int, int]]:
    """Yield depth, type, and start and end of the contents of each box, in file order."""
    stack, at, count = [end], 0, 0
    while stack:
        if at + 8 > stack[-1]:
            at = stack.pop()
            continue
        if (count := count + 1) > _MOST_BOXES:
            return
        size, kind, start = _header_isobmff(file, at, stack[-1])
        if size < start - at:
            at = stack.pop()
            continue
        stop = min(at + size, stack[-1])
        yield len(stack) - 1, kind, start, stop
        if kind in _INSIDE and len(stack) < 8:
            stack.append(stop)
            at = start
        else:
            at = stop


def _ftyp(layout: Layout, data: bytes) -> None:
    layout.brand = clean_text(data[:4].decode("latin-1"), 24)
    brands = [data[i : i + 4] for i in range(8, min(len(data), 8 + 4 * _MOST_NAMED), 4)]
    layout.compatible = [clean_text(brand.decode("latin-1"), 24) for brand in brands if brand.strip(b"\0 ")]


def _times(layout: Layout, data: bytes, place: str) -> int:
    """Record both times of a full box; return the offset of its remaining fields."""
    wide = data[0] == 1
    created, modified = struct.unpack_from(">QQ" if wide else ">II", data, 4)
    for name, seconds in (("created", created), ("modified", modified)):
        if seconds and len(layout.times) < _MOST_NAMED:
            utc = None
            with suppress(OverflowError):
                utc = timestamps.iso_seconds(_EPOCH + timedelta(seconds=seconds))
            layout.times.append(Moment(place=place, name=name, written=str(seconds), utc=utc))
    return 20 if wide else 12


def _mvhd(layout: Layout, data: bytes) -> None:
    (layout.movie_scale,) = struct.unpack_from(">I", data, _times(layout, data, "file"))


def _mdhd(layout: Layout, data: bytes) -> None:
    at = _times(layout, data, f"media of track {layout.track}")
    (layout.media_scale,) = struct.unpack_from(">I", data, at)


def _hdlr(layout: Layout, data: bytes) -> None:
    # QuickTime has a second handler further in, for data references.
    if data[4:8] in {b"mhlr", b"\0\0\0\0"} and not layout.handler:
        layout.handler = data[8:12]


def _elst(layout: Layout, data: bytes) -> None:
    wide = data[0] == 1
    form, step = (">Qqi", 20) if wide else (">Iii", 12)
    (count,) = struct.unpack_from(">I", data, 4)
    layout.all_edits = count <= _MOST_EDITS
    for i in range(min(count, _MOST_EDITS)):
        length, start, rate = struct.unpack_from(form, data, 8 + step * i)
        layout.raw_edits.append((layout.track, length, start, rate / 65536))


def _stsd(layout: Layout, data: bytes) -> None:
    (count,) = struct.unpack_from(">I", data, 4)
    if layout.handler == b"soun":
        layout.sound_formats[layout.track] = clean_text(data[12:16].decode("latin-1"), 16).strip()
        if data[12:16] in _ENCRYPTED_SOUND:
            layout.encrypted.add(layout.track)
    if layout.handler != b"vide" or len(layout.descriptions) >= _MOST_NAMED:
        return
    layout.descriptions.append(count)
    if data[12:16] in _ENCRYPTED:
        layout.encrypted.add(layout.track)
    for kind, contents in _extensions(data):
        if kind == b"clap":
            width, of_width, height, of_height = struct.unpack_from(">4I", contents)
            if of_width and of_height and width >= of_width and height >= of_height:
                layout.apertures[layout.track] = round(width / of_width), round(height / of_height)
        elif kind in _DOLBY_VISION:
            layout.dolby_vision[layout.track] = f"{contents[2] >> 1}.{contents[4] >> 4}"


def _extensions(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and contents of each box in the first sample description of a picture track."""
    stop, at = min(8 + int.from_bytes(data[8:12]), len(data)), 8 + _VISUAL
    while at + 8 <= stop:
        end = at + max(8, int.from_bytes(data[at : at + 4]))
        yield data[at + 4 : at + 8], data[at + 8 : min(end, stop)]
        at = end


def _uuid(layout: Layout, data: bytes) -> None:
    if data[:16] == _XMP:
        layout.add_xmp(data[16:])


def _xmp_of_quicktime(layout: Layout, data: bytes) -> None:
    layout.add_xmp(data)


def _meta(layout: Layout, data: bytes) -> None:
    """Note the XMP items of a ``meta`` box (ISO/IEC 14496-12, 8.11): of type mime, application/rdf+xml."""
    # In QuickTime files the box has no version.
    start = 0 if data[4:8] == b"hdlr" else 4
    boxes = {kind: contents for kind, contents in _children(data[start:])}
    packets = set(_xmp_item_numbers(boxes.get(b"iinf", b"")))
    for number, method, offset, length in _item_places(boxes.get(b"iloc", b"")) if packets else ():
        if number in packets and method == 0:
            layout.xmp_items.append((offset, length))
        elif number in packets and method == 1:
            layout.add_xmp(boxes.get(b"idat", b"")[offset : offset + length])


def _children(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and contents of the boxes in ``data``."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4]) or len(data) - at
        if size < 8:
            return
        yield data[at + 4 : at + 8], data[at + 8 : at + size]
        at += size


def _xmp_item_numbers(data: bytes) -> Iterator[int]:
    """Yield the numbers of the items that are XMP, from an ``iinf`` box."""
    for kind, entry in _children(data[8 if data[:1] > b"\0" else 6 :]):
        wide = entry[:1] == b"\3"
        at = 10 if wide else 8
        _name, _, kind_of_content = entry[at + 4 :].partition(b"\0")
        is_mime = kind == b"infe" and entry[at : at + 4] == b"mime"
        if is_mime and kind_of_content.startswith(b"application/rdf+xml"):
            yield int.from_bytes(entry[4 : 8 if wide else 6])


def _item_places(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield number, construction method, offset and length of items of one extent, from an ``iloc`` box."""
    version, sizes, others = data[0], data[4], data[5]
    sizes_of = (sizes >> 4, sizes & 15, others >> 4, others & 15 if version else 0)
    offset_size, length_size, base_size, index_size = sizes_of
    number_size = 4 if version == 2 else 2
    count, at = int.from_bytes(data[6 : 6 + number_size]), 6 + number_size

    def read(size: int) -> int:
        nonlocal at
        at += size
        if at > len(data):
            raise IndexError
        return int.from_bytes(data[at - size : at])

    for _ in range(min(count, _MOST_BOXES)):
        number = read(number_size)
        method = read(2) & 15 if version else 0
        read(2)
        base, extents = read(base_size), read(2)
        for extent in range(extents):
            read(index_size)
            offset, length = read(offset_size), read(length_size)
            if extents == 1 and not extent:
                yield number, method, base + offset, length


def _finish_track(layout: Layout) -> None:
    for track, length, start, rate in layout.raw_edits:
        if layout.movie_scale and (layout.media_scale or start < 0) and len(layout.edits) < _MOST_EDITS:
            layout.edits.append(
                Edit(
                    track=max(track, 0),
                    duration=length / layout.movie_scale,
                    media_start=None if start < 0 else start / layout.media_scale,
                    rate=rate,
                )
            )
    played = _edit_length(layout.raw_edits)
    if played and layout.all_edits and layout.movie_scale:
        layout.edit_seconds[max(layout.track, 0)] = played / layout.movie_scale
    layout.raw_edits, layout.all_edits, layout.handler, layout.media_scale = [], True, b"", 0


def _edit_length(edits: list[tuple[int, int, int, float]]) -> int:
    """Return the ticks from the beginning of the material to its end; 0 if unknown.

    Before and after it nothing is shown. An entry of length 0, as in fragmented files, plays everything.
    """
    material = [number for number, (_track, _length, start, _rate) in enumerate(edits) if start >= 0]
    if not material or not all(edits[number][1] for number in material):
        return 0
    return sum(length for _track, length, *_rest in edits[material[0] : material[-1] + 1])


_READERS = {
    b"ftyp": _ftyp,
    b"mvhd": _mvhd,
    b"tkhd": lambda layout, data: _times(layout, data, f"track {layout.track}"),
    b"mdhd": _mdhd,
    b"hdlr": _hdlr,
    b"elst": _elst,
    b"stsd": _stsd,
    b"uuid": _uuid,
    b"XMP_": _xmp_of_quicktime,
    b"meta": _meta,
}
