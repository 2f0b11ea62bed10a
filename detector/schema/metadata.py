"""The published metadata of an exhibit, and what the file declares about how it was made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from detector.schema.base import Seconds, Share, Value, optional
from detector.schema.causes.anomalies import AnomalyCode
from detector.schema.causes.cause import Cause, CauseParameter
from detector.schema.formatting import N_, printable
from detector.schema.tolerance import (
    BOTH,
    SECONDS,
    Tolerance,
)

LONGEST_DECLARED = 300  # characters of any text of a declaration
MOST_DECLARATIONS = 32  # kept of one file
_FEW, _SHORT = 5, 80  # declarations in a summary, and characters of each part


class DeclarationKind(StrEnum):
    """The means by which a file declares something about how it was made."""

    DIGITAL_SOURCE_TYPE = "digital source type"
    CONTENT_CREDENTIALS = "content credentials"
    AI_LABEL = "AI label"
    GENERATION_PARAMETERS = "generation parameters"
    SOFTWARE = "software"
    CAMERA = "camera"
    THUMBNAIL = "thumbnail"
    QUANTIZATION_TABLES = "quantization tables"
    HIDDEN_MARK = "hidden mark"


class Meaning(StrEnum):
    """How the picture was made if the declaration is true; the terms follow IPTC's digital source types."""

    GENERATED = N_("generated")
    COMPOSITE_WITH_GENERATED = "composite_with_generated"
    COMPOSITE = N_("composite")
    EDITED = N_("edited")
    CREATED = "created"
    CAPTURED = N_("captured")
    SCREEN_CAPTURE = "screen_capture"
    INCONSISTENT = N_("inconsistent")
    UNKNOWN = "unknown"


class HiddenPlace(StrEnum):
    """Where a mark is hidden that no viewer or player shows."""

    PIXELS = "pixels"
    LOWEST_BITS = "lowest bits"
    SOUND = "sound"


class HiddenMark(Value):
    """How a declaration is hidden in pixels or sound, and how well it can be read."""

    place: HiddenPlace
    matched: int | None = optional("bits that agree with the program's mark; null: not a mark of bits", ge=0)
    bits: int | None = optional("length of the program's mark", gt=0)
    chance: Share | None = optional(
        "of an accidental match of so many bits in any trial with this exhibit, with bits like tosses of a "
        "coin"
    )
    shifted: bool = optional(
        "it does not begin at the corner of the picture, which was cropped or moved", False
    )
    frames: int | None = optional("of a video, the searched frames that carry it", ge=1)
    strength: Share | None = optional("of a mark in sound, the highest output of its decoder")
    stretches: tuple[tuple[Seconds, Seconds], ...] = optional(
        "of a mark in sound, where it is heard: starts and ends in the sound, the first 32", (), max_length=32
    )
    channels: tuple[int, ...] = optional(
        "of a mark in sound, the channels that carry it, from 1; empty: all of them alike", (), since="0.3"
    )


class _Noted(Value):
    note: Annotated[str | None, BOTH] = optional(
        "why something was not searched or checked: the text of `cause`"
    )
    cause: Annotated[Cause | None, BOTH] = optional("since 0.3")

    @model_validator(mode="after")
    def _write_note(self) -> Self:
        if self.cause is not None and self.note is None:
            object.__setattr__(self, "note", self.cause.text)
        return self


class MarkSearch(_Noted):
    """Where hidden marks were looked for; what was found is among the declarations."""

    frames: int = Field(
        ge=0,
        description="pictures whose pixels were searched: of a video the first sampled frame "
        "of each second, of an animation each",
    )
    sound: Annotated[Seconds | None, Tolerance(by=SECONDS.by, share=SECONDS.share, both=True)] = optional(
        "seconds of sound that were searched; null: none, for the reason in note"
    )


class Declaration(Value):
    """One thing that a file declares, or that its parts reveal, about how it was made."""

    kind: DeclarationKind
    source: str = Field(
        max_length=LONGEST_DECLARED, description="where in the file, such as 'XMP DigitalSourceType'"
    )
    says: str = Field(
        max_length=LONGEST_DECLARED, description="as written; cut with …, control characters as escapes"
    )
    means: str = Field(max_length=LONGEST_DECLARED, description="its meaning in plain words, if it is true")
    program: str | None = optional("the program named as the maker, if known", max_length=LONGEST_DECLARED)
    meaning: Meaning
    hidden: HiddenMark | None = optional(
        "if it is hidden in pixels or sound, how; null: written openly, or before 0.3"
    )
    cause: Cause | None = optional("what it means as code and parameters; null: before 0.3")
    measure: Cause | None = optional(
        "what it says, if that was measured; null: quoted from the file, or before 0.3"
    )

    @property
    def is_statement(self) -> bool:
        """Whether it was written as a statement; thumbnails and tables are traces of saving the file."""
        return self.kind not in (DeclarationKind.THUMBNAIL, DeclarationKind.QUANTIZATION_TABLES)

    @property
    def short(self) -> str:
        """A short form, such as ``generated: ComfyUI (PNG text, prompt)``."""
        meaning = self.meaning.replace("_", " ")
        return f"{meaning}: {_cut(self.program or self.says)} ({_cut(self.source)})"

    @property
    def is_of_generation(self) -> bool:
        """Whether it says that all or a part of the picture was generated."""
        return self.meaning in (Meaning.GENERATED, Meaning.COMPOSITE_WITH_GENERATED)


def first_statements(declarations: Iterable[Declaration] | None) -> list[Declaration]:
    """Return the first few declarations that were written as statements."""
    return [declaration for declaration in declarations or () if declaration.is_statement][:_FEW]


def _cut(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"


Count = Annotated[int, Field(ge=0)]

LEAST_TRANSPARENT = 0.001  # a smaller transparent share is reported as less than 0.1 %


class Tag(Value):
    """A name and a value that somebody wrote into the file. They prove nothing."""

    place: str = Field(description="such as 'file', 'stream 0', 'EXIF', 'XMP', 'PNG text'")
    name: str
    value: str


class Moment(Value):
    """A time written in the file, as text; ``utc`` is null if the zone is unknown or it makes no sense."""

    place: str
    name: str
    written: str
    utc: str | None = Field(description="ISO 8601")


class Stream(Value):
    """One stream of the container. At most one picture stream and one sound stream are examined."""

    index: Count
    kind: str = Field(description="video, audio, subtitle, data or attachment")
    codec: str
    examined: bool
    channels: Count | None = None
    sample_rate: Count | None = optional("of sound, in hertz")
    duration: Seconds | None = optional("as stated for the stream")
    cover: bool = optional("a picture beside the recording", False, since="0.2")


class Picture(Value):
    """How the examined pictures are encoded according to the container and the codec's header."""

    profile: str | None = None
    level: int | None = optional("as the codec writes it: 31 is H.264's 3.1, 5 AV1's")
    codec_tag: str | None = optional("four letters, such as avc1")
    pixel_format: str | None = None
    colour_range: str | None = None
    colour_space: str | None = None
    colour_primaries: str | None = None
    colour_transfer: str | None = None
    sample_aspect_ratio: str | None = optional("a fraction; null: not stated")
    declared_frame_rate: str | None = optional(
        "FFmpeg's estimate, from the header and the first frames, of the lowest rate that fits "
        "all time stamps, as a fraction; null: no video, or an animated GIF or WebP, which has no rate"
    )
    transparent: Share | None = optional(
        "the largest transparent share of a frame; frames were examined on a white background, "
        "those of videos on a black one; null: none, or not measured",
        since="0.2",
    )
    sizes: tuple[tuple[int, int], ...] = optional(
        "if the size changes, width and height of sampled frames in the file, upright and in "
        "square pixels, at most 16; each was fitted to the size of the media",
        (),
        since="0.2",
    )
    interlaced: Share | None = optional(
        "share of sampled frames that are stored as two fields; they were examined as stored; "
        "null: none, or not measured",
        since="0.2",
    )
    shown: tuple[Count, Count] | None = optional(
        "width and height in stored pixels of the part that players should show according to an "
        "MP4, QuickTime or Matroska file; the whole picture was examined; null: not cropped, or "
        "not read",
        since="0.2",
    )
    dolby_vision: str | None = optional(
        "Dolby Vision profile and compatibility of an MP4 or QuickTime file, such as 8.4; not "
        "applied; null: not stated, or not read",
        since="0.2",
    )
    ends_at: Share | None = optional(
        "share of a transport stream or Flash video at which its pictures end, if that is well "
        "before the end of the file; null: otherwise, or not measured",
        since="0.2",
    )
    bit_rate: Count | None = optional("bits a second, measured from the packets")
    declared_bit_rate: Count | None = None
    container_duration: Seconds | None = optional("as stated for the whole file")
    stream_duration: Seconds | None = optional("as stated for the pictures")


class Repeats(Value):
    """How often a number of frames between two key frames occurred."""

    frames: Count
    times: Count


class Groups(Value):
    """Groups of pictures, measured from packets and frames."""

    packets: Count
    key_frames: Count
    begins_with_key: bool | None = optional(
        "the first packet to be shown is a key frame; null: none, or before 0.2"
    )
    shortest: Count | None = Field(
        description="frames from one key frame to the next, the last group left out; null with one key frame"
    )
    longest: Count | None
    median: float | None
    lengths: tuple[Repeats, ...] = Field(description="the most frequent, at most 16")
    with_leading_frames: Count = Field(
        description="key frames followed in the file by frames shown before them: mostly open groups"
    )
    i_frames: Count
    p_frames: Count
    b_frames: Count
    other_frames: Count


class Gap(Value):
    """An unusually long time from one frame to the next."""

    start: Seconds
    length: Seconds


class DamagedStretch(Value):
    """An interval of frames that depend on damaged or missing pictures."""

    start: Seconds
    length: Seconds


class Failure(Value):
    """A packet or frame that could not be used; before 0.2 its time may be some frames late."""

    time: Seconds | None
    what: str = Field(default="", description="the text of `cause`")
    cause: Cause | None = optional("null: an analysis before 0.3")

    @model_validator(mode="after")
    def _write_text(self) -> Self:
        if self.cause is not None and not self.what:
            object.__setattr__(self, "what", self.cause.text)
        return self


class Timing(Value):
    """Measured times of frames and packets."""

    least_interval: Seconds | None = Field(description="between neighbouring frames")
    greatest_interval: Seconds | None
    median_interval: Seconds | None
    gaps: tuple[Gap, ...] = optional(
        "more than three median intervals and 0.2 s; at most 16, the longest", ()
    )
    decoding_order_breaks: Count = optional("packets whose decoding time is not after the one before", 0)
    packets_without_time: Count = 0
    packets_not_shown: Count = optional("cut away by an edit list", 0)
    failures: tuple[Failure, ...] = optional("the first 100", ())
    from_damaged: tuple[DamagedStretch, ...] = optional(
        "frames that depend on damaged or missing pictures", (), since="0.2"
    )


class Edit(Value):
    """One entry of an edit list, in seconds; in an empty edit ``media_start`` is null."""

    track: Count
    duration: float
    media_start: float | None
    rate: float


class Structure(Value):
    """The layout of an ISO base media file (MP4, QuickTime)."""

    brand: str | None = None
    compatible: tuple[str, ...] = ()
    boxes: tuple[str, ...] = optional("of the top level, in order, at most 32", ())
    edits: tuple[Edit, ...] = ()
    descriptions: tuple[Count, ...] = optional(
        "sample descriptions of each video track; more than one: joined material", ()
    )


class Encoding(Value):
    """Traces that encoders left in the picture stream."""

    texts: tuple[str, ...] = optional("distinct user data of x264 and x265, at most 8", ())
    parameter_sets: Count = optional("different sequence headers found in key frames", 0)
    headers: Count = optional("different headers beside the packets", 0)


class Table(Value):
    """A JPEG quantisation table compared with those of libjpeg."""

    quality: Annotated[int, Field(ge=1, le=100)] = Field(description="libjpeg quality of the nearest table")
    exact: bool = Field(description="whether the tables are identical")


class Thumbnail(Value):
    """The EXIF thumbnail of a photo, compared with the photo."""

    width: int
    height: int
    correlation: float | None = Field(description="of the grey levels of both, reduced; -1 to 1")
    difference: float | None = optional(
        "if they are similar as a whole, the difference of the least similar of 8 × 8 parts, "
        "relative to the contrast",
        ge=0,
        since="0.2",
    )
    cropped: Share | None = optional(
        "if they are not, the share of the thumbnail of which the photo is a crop", since="0.2"
    )


class Photo(Value):
    """How a still image is encoded."""

    format: str
    mode: str
    frames: Count = optional("pictures in the file, since 0.2 including those appended to the first", 1)
    orientation: int | None = optional("EXIF 2.3, tag 0x0112")
    progressive: bool | None = optional("of a JPEG")
    subsampling: str | None = optional("chroma subsampling of a JPEG, such as 4:2:0")
    tables: tuple[Table, ...] = ()
    colour_profile: str | None = optional("name of the ICC profile; empty: unnamed")
    colours: Literal["converted", "unusable"] | None = optional(
        "if the file states by a profile or otherwise that its colours are not sRGB, whether "
        "they could be converted before they were examined; null: it does not, or before 0.2"
    )
    thumbnail: Thumbnail | None = None
    appended_video: Count | None = optional(
        "bytes of a video behind the picture, as in motion photos, which is not examined; null: "
        "none, or before 0.2, for other formats than JPEG before 0.2"
    )


class Details(Value):
    """All metadata of an exhibit."""

    streams: tuple[Stream, ...] = ()
    picture: Picture | None = None
    groups: Groups | None = None
    timing: Timing | None = None
    structure: Structure | None = None
    encoding: Encoding | None = None
    photo: Photo | None = None
    tags: tuple[Tag, ...] = ()
    tags_left_out: Count = optional("beyond the first 200", 0)
    times: tuple[Moment, ...] = ()
    location: str | None = optional("a place written into the tags; personal data")

    @property
    def other_pictures(self) -> tuple[Stream, ...]:
        """Picture streams that were not examined, except covers."""
        return tuple(s for s in self.streams if s.kind == "video" and not s.examined and not s.cover)

    @property
    def other_pages(self) -> int:
        """Number of pictures of a photo file that were not examined, except those that phones add (MPO)."""
        return self.photo.frames - 1 if self.photo and self.photo.format != "MPO" else 0


class Anomaly(Value):
    """Something in the metadata that a person should look at. Never evidence of manipulation by itself."""

    kind: str
    observation: str
    concern: str = Field(description="why it may matter")
    innocent: str = Field(description="an innocent explanation")
    cause: Cause | None = optional("the observation as code and parameters; null: an analysis before 0.3")

    @classmethod
    def of(cls, code: AnomalyCode, **parameters: CauseParameter) -> Anomaly:
        """State an anomaly."""
        cause = code.cause(**parameters)
        texts = {"concern": code.concern, "innocent": code.innocent}
        return cls(kind=code.kind, observation=cause.text, cause=cause, **texts)


class Credentials(_Noted):
    """Content Credentials (C2PA) in the file, verified without a network."""

    checked: bool = Field(description="false: not possible; the note says why")
    found: bool = False
    valid: bool | None = optional("whether signature and hashes are valid; null: nothing to verify")
    trusted: bool | None = optional(
        "whether the signer is on a trust list; none is shipped, so false or null"
    )
    failed: tuple[str, ...] = optional("failed checks, except that of trust", ())
    signer: str | None = None
    issuer: str | None = None
    signed: str | None = optional("time of signing, if a time stamp states it")
    generator: str | None = optional("the software that made the claim")
    actions: tuple[str, ...] = ()
    ingredients: Count = 0
    remote: str | None = optional("address of a manifest elsewhere; never fetched")
    library: str | None = None


LONGEST_TEXT = 300  # characters of one value
MOST_TAGS = 200

_PLACE = re.compile(r"location|gps|geo", re.IGNORECASE | re.ASCII)
# Tags whose content is published in other fields.
_KNOWN_ELSEWHERE = frozenset({"major_brand", "minor_version", "compatible_brands", "language"})


def clean_text(value: object, longest: int = LONGEST_TEXT) -> str:
    """Return ``value`` as one printable line of bounded length, cut with ``…``."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    # An escape takes up to ten characters, so cut before and after escaping.
    shown = printable(text[: longest + 1].strip("\0 \t\r\n"))
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def tags_of(place: str, written: Mapping[str, object]) -> list[Tag]:
    """Return the tags of one place, without empty ones and those published in other fields."""
    tags = []
    for name, value in written.items():
        text = clean_text(value)
        if text and name not in _KNOWN_ELSEWHERE:
            tags.append(Tag(place=place, name=clean_text(name, 60), value=text))
    return tags


def location_of(tags: Iterable[Tag]) -> str | None:
    """Return the first location that the tags name."""
    return next((tag.value for tag in tags if _PLACE.search(tag.name)), None)
