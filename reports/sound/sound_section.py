"""View of the section on the voices, for report, result page and bundle."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from detector.schema.analysis import Analysis, Voice
from detector.schema.voice import (
    ChannelFinding,
    VoiceCheck,
    VoicePeak,
    VoiceProperty,
    VoiceSegment,
    VoiceVerdict,
)
from language.formatting import (
    duration,
    from_to,
    number,
    plural,
    probability,
    shown,
    signed,
    time_span,
    timecode,
)
from language.translation import (
    UNTRANSLATED,
    Quoted,
    capitalize_first,
    code_text,
    gettext,
    text_of,
    texts_of,
    translated,
)
from reports.inputs.pictures import ShownPicture, find_picture
from reports.sound.channels import channel_words
from reports.sound.drawing import SoundDrawing, draw_sound
from reports.sound.facts import sound_facts
from reports.sound.network_rates import NetworkRates, network_rates
from reports.sound.words import (
    SoundState,
    boundary_words,
    further_reason,
    limits,
    meaning,
    not_examined_words,
    sound_state,
    verdict_sentence,
)
from reports.wording.heatmaps import HidingView, hiding_view
from reports.wording.sections import Fact
from reports.wording.verdict_sentence import MARKS


@dataclass(frozen=True)
class SoundPeakView:
    """A peak window with its spectrogram, and what the check of its heatmap showed."""

    title: str
    start_seconds: float
    end_seconds: float
    score: str
    heat: str
    spectrogram: ShownPicture
    overlay: ShownPicture
    check: HidingView | None
    confirmed: bool
    effect: str


@dataclass(frozen=True)
class SoundSegmentView:
    """One segment of synthetic speech, flagged or only looked at."""

    id: str = field(metadata=UNTRANSLATED)
    name: str
    flagged: bool
    start: str
    end: str
    duration: str
    start_seconds: float
    end_seconds: float
    confidence: str
    windows: str
    peaks: tuple[SoundPeakView, ...]


@dataclass(frozen=True)
class SoundProperty:
    """A property of the sound, beside the range in which the network was measured."""

    name: str
    value: str
    range: str
    state: str


@dataclass(frozen=True)
class SoundLaneView:
    """The sound over time: of all channels, or of those with the same speech, which then have a ``name``."""

    name: str
    verdict: str = field(metadata=UNTRANSLATED)
    figure: str
    drawing: SoundDrawing
    spectrogram: ShownPicture | None


@dataclass(frozen=True)
class SoundView:
    """The finding about the voices. Without ``examined`` only ``absent`` is filled, which says why."""

    examined: bool
    only: bool  # the exhibit has no picture
    present: bool  # the file has sound
    absent: str
    verdict: str = field(metadata=UNTRANSLATED)
    mark: str = field(metadata=UNTRANSLATED)
    sentence: str = ""
    reason: str = ""
    figure: str = ""
    facts: tuple[Fact, ...] = ()
    not_judged: tuple[tuple[str, str], ...] = ()
    segments: tuple[SoundSegmentView, ...] = ()
    boundaries: str = ""  # how exact those of segments are
    lead: SoundPeakView | None = None  # the hottest map of a flagged segment
    properties: tuple[SoundProperty, ...] = ()
    lanes: tuple[SoundLaneView, ...] = ()
    lane: SoundLaneView | None = None  # that of the verdict
    meaning: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    model: tuple[Fact, ...] = ()
    rates: NetworkRates | None = None
    model_title: str = field(default="", metadata=UNTRANSLATED)
    domain: str = ""
    model_limits: tuple[str, ...] = ()

    @property
    def drawing(self) -> SoundDrawing | None:
        """The drawing of the lane of the verdict; None if nothing was decoded."""
        return self.lane.drawing if self.lane else None

    @property
    def pictures(self) -> tuple[ShownPicture, ...]:
        """Pictures in the order in which a report shows them."""
        peaks = [peak for segment in self.segments for peak in segment.peaks]
        shown = [picture for peak in peaks for picture in (peak.spectrogram, peak.overlay)]
        whole = [lane.spectrogram for lane in self.lanes if lane.spectrogram]
        return tuple(picture for picture in (*whole, *shown) if picture.path)

    @property
    def summary_pictures(self) -> tuple[ShownPicture, ...]:
        """Pictures of a summary report."""
        pair = (self.lead.spectrogram, self.lead.overlay) if self.lead else ()
        whole = [self.lane.spectrogram] if self.lane and self.lane.spectrogram else []
        return tuple(picture for picture in (*whole, *pair) if picture.path)

    @property
    def flagged(self) -> int:
        """Number of segments on which a finding rests."""
        return sum(segment.flagged for segment in self.segments)


def sound_view(analysis: Analysis, folder: Path) -> SoundView | None:
    """Describe what was found about the voices; None for a photograph."""
    state, voice = sound_state(analysis), analysis.voice
    if state is SoundState.NONE:
        return None
    if voice is None:
        return SoundView(
            examined=False,
            only=analysis.media.sound_only,
            present=analysis.media.has_sound,
            absent=not_examined_words(state),
            verdict=VoiceVerdict.INCONCLUSIVE.value,
            mark=MARKS[VoiceVerdict.INCONCLUSIVE.value],
        )
    segments = tuple(_segment(voice, segment, folder) for segment in voice.segments)
    lanes = {
        finding.channels: _lane(voice, finding, analysis.end, folder)
        for finding in voice.findings
        if voice.stream and (finding is voice or finding.verdict is not VoiceVerdict.NO_SPEECH)
    }
    return SoundView(
        examined=True,
        only=analysis.media.sound_only,
        present=analysis.media.has_sound,
        absent="",
        verdict=voice.verdict.value,
        mark=MARKS[voice.verdict.value],
        sentence=verdict_sentence(voice),
        reason=further_reason(voice),
        figure=probability(voice.probability),
        facts=sound_facts(analysis),
        not_judged=tuple(
            (_of_channels(voice, finding, code_text(code)), timecode(length))
            for finding in voice.findings
            for code, length in finding.not_judged.items()
        ),
        segments=segments,
        boundaries=boundary_words(voice),
        lead=_lead(voice, segments),
        properties=tuple(
            replace(shown_property, name=_of_channels(voice, finding, shown_property.name))
            for finding in voice.findings
            if finding is voice or finding.channels in lanes
            for shown_property in map(_property, finding.properties)
        ),
        lanes=tuple(lanes.values()),
        lane=lanes.get(voice.channels),
        meaning=meaning(voice),
        limits=limits(only=analysis.media.sound_only),
        model=_model(voice),
        rates=network_rates(voice.model.figures),
        model_title=voice.model.title,
        domain=text_of(voice.model.domain_cause, voice.model.domain),
        model_limits=texts_of(voice.model.limit_causes, voice.model.limits),
    )


def _of_channels(voice: Voice, finding: ChannelFinding, text: str) -> str:
    """Return ``text``, with the channels that it is about where each was judged for itself."""
    return f"{text}, {channel_words(voice, finding.channels)}" if finding.channels else text


def _lane(voice: Voice, finding: ChannelFinding, end: float, folder: Path) -> SoundLaneView:
    spectrogram = None
    if finding.spectrogram:
        alt = gettext("Spectrogram of the whole recording")
        spectrogram = find_picture(folder, finding.spectrogram.path, _of_channels(voice, finding, alt))
    return SoundLaneView(
        name=capitalize_first(channel_words(voice, finding.channels)),
        verdict=finding.verdict.value,
        figure=probability(finding.probability),
        drawing=draw_sound(voice, finding, end, spectrogram is not None and spectrogram.path is not None),
        spectrogram=spectrogram,
    )


def _segment(voice: Voice, segment: VoiceSegment, folder: Path) -> SoundSegmentView:
    start, end = max(0.0, segment.start), max(0.0, segment.end)
    name = gettext("Voice %(number)s", number=segment.id.partition("-")[2])
    channels = channel_words(voice, segment.channels)
    return SoundSegmentView(
        id=segment.id,
        name=f"{name}, {channels}" if channels else name,
        flagged=segment.flagged,
        start=timecode(start),
        end=timecode(end),
        duration=duration(end - start),
        start_seconds=start,
        end_seconds=end,
        confidence=probability(segment.confidence),
        windows=plural(segment.windows, "window", "windows"),
        peaks=tuple(_peak(peak, position, folder) for position, peak in enumerate(segment.peaks, start=1)),
    )


def _lead(voice: Voice, segments: tuple[SoundSegmentView, ...]) -> SoundPeakView | None:
    peaks = [
        ((peak.check is not None and peak.check.confirmed, peak.heat), peak_view)
        for segment, segment_view in zip(voice.segments, segments, strict=True)
        for peak, peak_view in zip(segment.peaks, segment_view.peaks, strict=True)
        if segment.flagged and peak_view.overlay.path
    ]
    return max(peaks, key=lambda pair: pair[0])[1] if peaks else None


def _peak(peak: VoicePeak, position: int, folder: Path) -> SoundPeakView:
    start, end = max(0.0, peak.start), max(0.0, peak.end)
    when = time_span(start, end)
    return SoundPeakView(
        title=gettext("Peak %(number)s, %(when)s", number=position, when=when),
        start_seconds=start,
        end_seconds=end,
        score=probability(peak.probability),
        heat=shown(peak.heat, ".2f"),
        spectrogram=find_picture(
            folder, peak.spectrogram, gettext("Spectrogram of the window, %(when)s", when=when)
        ),
        overlay=find_picture(folder, peak.overlay, gettext("The same with heatmap, %(when)s", when=when)),
        check=None if peak.check is None else hiding_view(peak.check),
        confirmed=peak.check is not None and peak.check.confirmed,
        effect=_effect(peak.check),
    )


def _effect(check: VoiceCheck | None) -> str:
    """Describe what hiding the hottest area of a spectrogram changed."""
    if check is None:
        return gettext("This map was not checked.")
    figures = gettext(
        "Replacing the hottest %(area)s of the spectrogram by the recording's own noise changed the logit by "
        "%(highlight)s; replacing random areas of the same size changed it by %(random)s on average.",
        area=shown(check.area, ".0%"),
        highlight=signed(-check.drop_highlight),
        random=signed(-check.drop_random),
    )
    if check.margin is None:
        return gettext("%(figures)s In that version, any larger fall confirmed a map.", figures=figures)
    return gettext(
        "%(figures)s A map is confirmed from %(least)s.", figures=figures, least=signed(-check.least_drop)
    )


def _property(voice_property: VoiceProperty) -> SoundProperty:
    unit = f" {voice_property.unit}" if voice_property.unit else ""
    value = gettext("not measured")
    if isinstance(voice_property.value, str):
        value = translated(voice_property.value)
    elif voice_property.value is not None:
        value = f"{number(voice_property.value)}{unit}"
    limits = gettext("not stated")
    if voice_property.least is not None and voice_property.most is not None:
        limits = f"{from_to(number(voice_property.least), number(voice_property.most))}{unit}"
    elif voice_property.least is not None:
        limits = gettext("%(least)s or more", least=f"{number(voice_property.least)}{unit}")
    states = {True: gettext("inside"), False: gettext("outside"), None: gettext("not known")}
    return SoundProperty(translated(voice_property.name), value, limits, states[voice_property.inside])


def _model(voice: Voice) -> tuple[Fact, ...]:
    model = voice.model
    return (
        Fact(gettext("Name"), Quoted(model.name)),
        Fact(gettext("Architecture"), Quoted(model.architecture)),
        Fact(gettext("SHA-256 of the weights"), model.sha256, exact=True),
    )
