"""What an analysis says of the voices in an exhibit: the second question, beside that of the faces."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from detector.schema.base import Probability, Seconds, Sha256, Share, Value, optional
from detector.schema.causes.cause import Cause, with_reason
from detector.schema.causes.voices import VoiceCode
from detector.schema.formatting import N_
from detector.schema.measurements import Span
from detector.schema.model import Described
from detector.schema.peaks import least_drop
from detector.schema.strength import MaterialKind, Strength, strength_of
from detector.schema.tolerance import (
    FINDING,
    FOLLOWS,
    FOUND,
    FOUND_LOGIT,
    HEAT,
    LEVELS,
    LOGIT,
    PICTURE,
    SECONDS,
    SPANS,
    STABILITY,
    Tolerance,
)

# Seconds from the first frame, or from the start of a recording without picture. Negative where the sound
# begins before the first frame.
Instant = float
ChannelNumber = Annotated[int, Field(ge=1)]
"""Number of a channel in its stream, from 1."""


class VoiceVerdict(StrEnum):
    """The verdict on the voices of an exhibit. There is deliberately no "human"."""

    SYNTHETIC = N_("synthetic speech found")
    NOT_FOUND = N_("no synthetic speech found")
    INCONCLUSIVE = "inconclusive"
    NO_SPEECH = N_("no speech")


class VoiceCheck(Value):
    """The effect on the score of hiding what the heatmap highlights in a window.

    The hottest area of the spectrogram, a share ``area`` of it, is replaced by the noise floor of the
    recording and the window is scored again. The control is the mean over random areas of the same size.
    """

    area: Share = Field(description="share of the spectrogram that was hidden")
    probability: Probability = Field(description="before hiding")
    hidden_highlight: Probability = Field(description="after hiding the hottest area")
    hidden_random: Probability = Field(description="after hiding a random area, mean of several")
    drop_highlight: Annotated[float, FOUND_LOGIT] = Field(
        description="logit before minus logit after hiding the hottest area"
    )
    drop_random: Annotated[float, FOUND_LOGIT] = Field(
        description="logit before minus mean logit after hiding random areas"
    )
    areas: int = Field(ge=1, description="number of random areas in that mean")
    margin: Annotated[float | None, FOUND_LOGIT] = optional(
        "by how much the first drop must exceed the second one, at least, for the map to count as confirmed: "
        "0.5, or twice the standard deviation of drops over random areas; null: any more counted",
        since="0.3",
    )

    @property
    def least_drop(self) -> float:
        """The drop of the logit from which the map counts as confirmed, as for faces."""
        if self.margin is None:
            return max(0.0, self.drop_random)
        return least_drop(self.margin, self.drop_random)

    @property
    def confirmed(self) -> bool:
        """Whether hiding the hottest area lowers the score clearly more than hiding random areas does."""
        if self.margin is None:
            return self.drop_highlight > self.least_drop
        return self.drop_highlight >= self.least_drop


class VoicePeak(Value):
    """One of the highest windows of a segment; those of an analysis do not overlap."""

    time: Instant = Field(description="middle of the window")
    start: Instant
    end: Instant
    probability: Annotated[Probability, FOUND]
    spectrogram: Annotated[str | None, PICTURE] = Field(
        description="PNG of the window's spectrogram, low frequencies at the bottom, relative to "
        "analysis.json; null if not kept"
    )
    overlay: Annotated[str | None, PICTURE] = Field(
        description="PNG of the same with the heatmap; null if not kept"
    )
    heat: Annotated[Probability, Tolerance(by=HEAT.by, finding=True)] = Field(
        description="highest value of this map on the scale of all maps of the voices"
    )
    check: Annotated[VoiceCheck | None, FINDING] = optional("null: not checked")

    @property
    def pictures(self) -> tuple[str, ...]:
        """Paths of all stored pictures."""
        return tuple(path for path in (self.spectrogram, self.overlay) if path)


class VoiceSegment(Value):
    """An interval in which the speech reaches the threshold for a finding."""

    id: str = Field(
        pattern=r"^voice-[0-9]+$", description="such as voice-1; never that of a segment of a face"
    )
    start: Annotated[Instant, Tolerance(how="voice_edge", finding=True)] = Field(
        description="in steps of half the distance of windows; not measured against known boundaries"
    )
    end: Annotated[Instant, Tolerance(how="voice_edge", finding=True)]
    confidence: Annotated[Probability, FOUND] = Field(
        description="calibrated, of the mean logit of its windows"
    )
    windows: Annotated[int, Tolerance(by=2)] = Field(
        gt=0, description="scored windows whose middle lies inside"
    )
    flagged: bool = optional("false: a finding does not rest on it, because other views disagree", True)
    peaks: Annotated[
        tuple[VoicePeak, ...], Tolerance(key="time", alone=1.0, how="same_number", finding=True)
    ] = Field(default=(), max_length=3)
    channels: Annotated[tuple[ChannelNumber, ...], FINDING] = optional(
        "those in which it was found; empty: all were judged together", (), since="0.3"
    )


class VoiceScores(Value):
    """The scores of all judged windows in order of time, a column for each value."""

    window: Seconds = Field(description="length of a whole window; shorter where the sound begins and ends")
    step: Seconds = Field(description="from one window to the next")
    enter: Share = Field(description="smoothed score that opens a segment")
    leave: Share = Field(description="smoothed score that closes it")
    time: tuple[Instant, ...] = Field(default=(), description="middle of each window")
    logit: Annotated[tuple[float, ...], LOGIT] = ()
    probability: tuple[Probability, ...] = Field(default=(), description="calibrated, of this window alone")
    smoothed: tuple[Probability, ...] = Field(
        default=(), description="after the sliding median; segments are made from it"
    )

    @model_validator(mode="after")
    def _same_length(self) -> Self:
        lengths = {len(column) for column in (self.time, self.logit, self.probability, self.smoothed)}
        if len(lengths) > 1:
            raise ValueError("the columns of the voice's scores differ in length")
        return self


class SoundStream(Value):
    """The sound that was examined."""

    index: int = Field(ge=0, description="number of the stream in the file")
    codec: str
    sample_rate: int = Field(gt=0, description="hertz")
    channels: int = Field(gt=0)
    start: Annotated[Instant, Tolerance(by=0.01)] = Field(description="when it begins")
    duration: Annotated[Seconds, Tolerance(by=0.05)] = Field(
        description="of the samples that could be decoded"
    )
    others: int = optional("further sound tracks of the file, which were not examined", 0, ge=0)
    undecodable: int = optional("packets that the decoder refused", 0, ge=0)
    channel_names: tuple[str, ...] = optional(
        "FFmpeg's names of the channels in order, such as FL for front left; an empty one has none; empty "
        "also for one channel, and before 0.3",
        (),
    )
    channels_left_out: tuple[ChannelNumber, ...] = optional(
        "channels that carry other speech, but were not examined, because eight were", (), since="0.3"
    )
    restarts: int = optional(
        "times at which the clock went back, as where recordings were joined; it was continued",
        0,
        ge=0,
        since="0.3",
    )
    closed_gaps: int = optional(
        "gaps of more than ten minutes, which were closed up as errors of the clock", 0, ge=0, since="0.3"
    )
    repeated: int = optional(
        "packets that were left out because they repeat one before", 0, ge=0, since="0.3"
    )
    unread: int = optional(
        "bytes behind the end that the file states for its sound, or between its packets, that "
        "hold nothing known and were not examined",
        0,
        ge=0,
        since="0.3",
    )


class Waveform(Value):
    """The outline of the sound for drawing: its lowest and highest sample in each of equal steps."""

    start: Annotated[Instant, Tolerance(by=0.01)]
    step: float = Field(gt=0, description="seconds")
    low: Annotated[tuple[int, ...], LEVELS] = Field(description="thousandths of full scale")
    high: Annotated[tuple[int, ...], LEVELS]


class Spectrogram(Value):
    """A picture of the whole sound, time from left to right and frequency from bottom to top."""

    path: Annotated[str, PICTURE] = Field(description="PNG relative to analysis.json")
    start: Instant
    end: Instant
    highest: float = Field(gt=0, description="hertz at the top; the scale is the mel scale")


class VoiceProperty(Value):
    """A property of the sound, and whether the network was measured on such sound."""

    name: str = Field(description="such as bandwidth")
    value: Annotated[float | str | None, Tolerance(by=1.0, share=0.02)] = Field(
        description="null: not measured"
    )
    unit: str = ""
    least: float | None = optional("of the range in which it was measured; null: no range")
    most: float | None = None
    inside: bool | None = Field(description="null: not known")


class VoiceModel(Described):
    """The network that judged the voices, and what was measured with it."""

    name: str
    title: str
    architecture: str
    sha256: Annotated[Sha256, FINDING]
    card_sha256: Sha256 | None = optional(
        "of the deciding part of its card, as canonical JSON; null: not recorded"
    )
    figures: dict[str, float] = Field(default_factory=dict, description="from its card, by name")


class VoiceSummary(Value):
    """What is said of the voices in a few fields, for lists and messages."""

    verdict: VoiceVerdict
    probability: Probability | None
    segments: int = Field(description="on which a finding rests")
    speech: Seconds = Field(description="seconds of speech that were judged")
    only: bool = Field(description="the exhibit is a recording of sound without picture")
    strength: Strength | None = optional("of a finding; null: none, or made by 0.2 or earlier", since="0.3")


# From the least to the most serious.
_SERIOUSNESS = (
    VoiceVerdict.NO_SPEECH,
    VoiceVerdict.NOT_FOUND,
    VoiceVerdict.INCONCLUSIVE,
    VoiceVerdict.SYNTHETIC,
)


class ChannelFinding(Value):
    """The finding about channels that carry the same speech, or about all channels together."""

    channels: Annotated[tuple[ChannelNumber, ...], FINDING] = optional(
        "those that this is about; empty: all were judged together, as before 0.3", (), since="0.3"
    )
    verdict: Annotated[VoiceVerdict, FINDING]
    reason: Annotated[str, FOLLOWS] = Field(
        default="", description="the reason for the verdict: the texts of `causes`"
    )
    causes: Annotated[tuple[Cause, ...], Tolerance(how="causes")] = Field(
        default=(), description="what the reason consists of"
    )
    probability: Annotated[Probability | None, FOUND] = Field(
        description="calibrated, of the strongest segment or else of all judged windows; null: nothing could "
        "be judged"
    )
    stability: Annotated[Probability | None, STABILITY] = optional(
        "share of views of the same sound (shifted, re-encoded, with noise) with the same verdict; null: no "
        "segment, so they were not scored"
    )
    speech: Annotated[Seconds, Tolerance(by=0.1, share=0.01)] = Field(
        description="seconds of speech that were judged"
    )
    not_judged: Annotated[dict[str, Seconds], SECONDS] = Field(
        default_factory=dict, description="seconds of sound that were not judged, by code, such as `silence`"
    )
    gaps: Annotated[tuple[Span, ...], SPANS] = Field(
        default=(), description="intervals of a second and more that were not judged"
    )
    scores: Annotated[VoiceScores, Tolerance(key="time", alone=0.01)]
    properties: Annotated[tuple[VoiceProperty, ...], Tolerance(key="name")] = ()
    waveform: Waveform | None = optional("null: not kept")
    spectrogram: Annotated[Spectrogram | None, PICTURE] = optional("null: not kept")

    @model_validator(mode="after")
    def _write_reason(self) -> Self:
        return with_reason(self, self.causes)

    @property
    def seriousness(self) -> tuple[float, float]:
        """The channel in which it is highest decides on the whole.

        Too little speech on one channel does not outweigh what was judged on another.
        """
        level: float = _SERIOUSNESS.index(self.verdict)
        if any(cause.code == VoiceCode.TOO_LITTLE.code for cause in self.causes):
            level = 0.5
        return level, -1.0 if self.probability is None else self.probability


class Voice(ChannelFinding):
    """The finding about the voices in an exhibit; it affects neither verdict nor probability of the faces.

    Where channels carry different speech, each is judged for itself. The most serious finding is that about
    the exhibit; ``other_channels`` has those about the others, and ``segments`` are of all.
    """

    stream: SoundStream | None = Field(description="null: the file has no sound")
    segments: Annotated[tuple[VoiceSegment, ...], Tolerance(key="id", finding=True)] = ()
    other_channels: Annotated[tuple[ChannelFinding, ...], Tolerance(key="channels", finding=True)] = optional(
        "findings about the other channels, where they carry different speech", (), since="0.3"
    )
    model: Annotated[VoiceModel, FINDING]

    @model_validator(mode="after")
    def _worst_first(self) -> Self:
        if any(other.seriousness > self.seriousness for other in self.other_channels):
            raise ValueError("the voice of another channel is more serious than that of the exhibit")
        numbers = [number for finding in self.findings for number in finding.channels]
        if len(numbers) != len(set(numbers)) or (
            self.other_channels and not all(f.channels for f in self.findings)
        ):
            raise ValueError("the findings about the voices do not name their channels")
        known = {finding.channels for finding in self.findings}
        if any(segment.channels not in known for segment in self.segments):
            raise ValueError("a segment of the voices is of channels that were not judged")
        return self

    @property
    def findings(self) -> tuple[ChannelFinding, ...]:
        """The findings about all channels, in their order; one where they were judged together."""
        return tuple(sorted((self, *self.other_channels), key=lambda finding: finding.channels))

    def segments_of(self, finding: ChannelFinding) -> tuple[VoiceSegment, ...]:
        """Return the segments that were found in the channels of ``finding``."""
        return tuple(segment for segment in self.segments if segment.channels == finding.channels)

    @property
    def pictures(self) -> tuple[str, ...]:
        """Paths of all stored pictures."""
        peaks = [path for segment in self.segments for peak in segment.peaks for path in peak.pictures]
        whole = [finding.spectrogram.path for finding in self.findings if finding.spectrogram]
        return (*whole, *peaks)

    @property
    def flagged(self) -> tuple[VoiceSegment, ...]:
        """The segments on which a finding rests."""
        return tuple(segment for segment in self.segments if segment.flagged)

    @property
    def strength(self) -> Strength | None:
        """The strength of the finding; None if there is none."""
        if self.verdict is not VoiceVerdict.SYNTHETIC or self.probability is None:
            return None
        return strength_of(self.probability, MaterialKind.VOICE)

    def summarise(self, *, only: bool) -> VoiceSummary:
        """Return the finding in a few fields; ``only`` if the exhibit has no picture."""
        return VoiceSummary(
            verdict=self.verdict,
            probability=self.probability,
            segments=len(self.flagged),
            speech=round(self.speech, 1),
            only=only,
            strength=self.strength,
        )
