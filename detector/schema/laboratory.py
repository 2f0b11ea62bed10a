"""A laboratory's own validation (``validation.json``) and what reports quote of it (``laboratory.json``)."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from detector.schema.analysis import Verdict
from detector.schema.base import Document, Probability, Seconds, Sha256, Value, optional
from detector.schema.causes.cause import Cause
from detector.schema.joint import JointRule
from detector.schema.method import Library, Parameters, add_missing_parameters
from detector.schema.model import Platt, Rate, SecondLookModel
from detector.schema.voice import VoiceVerdict

VALIDATION_SCHEMA_VERSION = "1.3"


class Subject(StrEnum):
    """What was judged: faces in videos, faces in photographs, or the voices of any exhibit with sound.

    The first two are also the kind of the exhibit.
    """

    VIDEO = "video"
    IMAGE = "image"
    VOICE = "voice"


class ValidatedModel(Value):
    """The validated model. A validation says nothing about analyses by any other."""

    name: str
    title: str
    architecture: str
    sha256: Sha256
    temperature: float = Field(gt=0)
    segment: Platt | None = None
    exhibit: Platt | None = None
    second_look: SecondLookModel | None = None
    card_sha256: Sha256 = Field(description="of the deciding part of the model's card, as canonical JSON")


class ValidatedVoiceModel(Value):
    """The validated network of voices, which judges whether speech is synthetic."""

    name: str
    title: str
    architecture: str
    sha256: Sha256
    enter: Probability = Field(description="smoothed score that opens a segment")
    leave: Probability = Field(description="smoothed score that closes it")
    card_sha256: Sha256 = Field(description="of the deciding part of its card, as canonical JSON")


class OtherValidated(Value):
    """A further model that judged the same faces with the same parameters."""

    name: str
    title: str
    architecture: str
    sha256: Sha256
    second_look_sha256: Sha256 | None = None


class Versions(Value):
    """Software and machine that computed the validation."""

    reelproof: str
    commit: str | None = None
    source_sha256: Sha256 | None = optional("over the engine's source")
    python: str
    system: str
    processor: str
    backends: tuple[str, ...] = Field(description="back ends of the network, with version and precision")
    libraries: tuple[Library, ...]


class LabelledSegment(Value):
    """An interval that was labelled as manipulated or synthetic, or flagged."""

    start: Seconds
    end: Seconds
    confidence: Probability | None = optional("of a flagged one")


class SaidByOther(Value):
    """The result of another model for a file, in the order of the validation's ``others``."""

    verdict: Verdict
    probability: Probability | None = None


class ValidationItem(Value):
    """One question about one file of the material: the laboratory's labels and the result of the analysis.

    A file of which faces and voices are labelled has an item for each.
    """

    file: str = Field(description="relative to the material, with / between folders")
    bytes: int = Field(ge=0)
    sha256: Sha256
    manipulated: bool = Field(description="the laboratory's label; of voices: synthetic")
    group: int = Field(ge=0, description="files with the same number are not independent")
    generator: str | None = None
    attributes: dict[str, str] = Field(default_factory=dict, description="labelled: skin tone, sex, language")
    truth: tuple[LabelledSegment, ...] = optional("labelled segments", ())
    error: str | None = optional("why it could not be analysed; null: no error")
    cause: Cause | None = optional("the error as a code with parameters; since 0.3")
    kind: Subject | None = optional("what was judged; null: faces, in a file that could not be analysed")
    verdict: Verdict | VoiceVerdict | None = None
    probability: Probability | None = optional("null: nothing could be judged")
    stability: Probability | None = None
    duration: Seconds = 0.0
    codec: str | None = optional("of a video, or of the sound, by FFmpeg's name")
    faces: int = optional("persons found", 0, ge=0)
    segments: tuple[LabelledSegment, ...] = ()
    values: dict[str, float] = Field(
        default_factory=dict,
        description="face width, contrast, bits per pixel, seconds of speech …, as in the domain check",
    )
    outside: tuple[str, ...] = optional("properties outside the card's own ranges", ())
    others: tuple[SaidByOther, ...] = optional("results of other models", ())

    @property
    def flagged(self) -> bool:
        """Whether the verdict is a finding."""
        return self.verdict in (Verdict.MANIPULATED, VoiceVerdict.SYNTHETIC)

    @property
    def cleared(self) -> bool:
        """Whether the verdict is that nothing was found."""
        return self.verdict in (Verdict.NOT_FOUND, VoiceVerdict.NOT_FOUND)


class Outcomes(Value):
    """Number of files by outcome."""

    flagged: int = Field(ge=0)
    not_found: int = Field(ge=0)
    inconclusive: int = Field(ge=0, description="with a probability")
    not_judged: int = Field(ge=0, description="inconclusive, and without any probability")

    @property
    def total(self) -> int:
        """All analysed files."""
        return self.flagged + self.not_found + self.inconclusive + self.not_judged


class Level(Value):
    """Figures for one part of the material. Of voices, *manipulated* counts synthetic ones."""

    kind: Subject
    attribute: str = Field(description="attribute that selects the part; empty: all files of the kind")
    name: str = Field(description="such as 80 to 120 px")
    least: float | None = optional("of a measured attribute; null: no lower end")
    most: float | None = optional("below this; null: no upper end")
    manipulated: Outcomes
    unmanipulated: Outcomes
    groups: int = Field(ge=0)
    rates: tuple[Rate, ...]

    def rate_of(self, figure: str) -> Rate | None:
        """Return the rate of that name, if it was measured."""
        return next((rate for rate in self.rates if rate.figure == figure), None)


class ByOther(Value):
    """Figures of another model for all files of each kind and by generator."""

    model: OtherValidated
    levels: tuple[Level, ...]


class ByRule(Value):
    """Error rates of the joint verdict of all models by one rule, for all files of each kind."""

    rule: JointRule
    levels: tuple[Level, ...]


class CurvePoint(Value):
    """Both error rates, with 95 % intervals, if everything from a probability on is flagged."""

    threshold: Probability
    false_positives: int = Field(ge=0)
    false_positive_rate: Probability
    false_positive_low: Probability
    false_positive_high: Probability
    false_negatives: int = Field(ge=0)
    false_negative_rate: Probability
    false_negative_low: Probability
    false_negative_high: Probability


class Curve(Value):
    """Error rates by threshold for one kind of media, or for voices."""

    kind: Subject
    manipulated: int = Field(gt=0)
    unmanipulated: int = Field(gt=0)
    points: tuple[CurvePoint, ...]


class PavStep(Value):
    """The likelihood ratio from this probability up to that of the next step."""

    probability: Probability
    log10_lr: float


class TippettPoint(Value):
    """Shares of both classes with at least this likelihood ratio."""

    log10_lr: float
    manipulated: Probability
    unmanipulated: Probability


class LrSystem(Value):
    """One method of computing likelihood ratios, and its quality."""

    name: str
    made: str = Field(description="the method in words")
    cllr: float = Field(ge=0, description="log-likelihood-ratio cost; 1: uninformative, 0: perfect")
    misleading_manipulated: Probability = Field(description="share of manipulated ones with a ratio below 1")
    misleading_unmanipulated: Probability = Field(description="share of the others with one above 1")
    tippett: tuple[TippettPoint, ...]
    ece: tuple[float, ...] = Field(description="empirical cross-entropy at each of the prior odds")


class LikelihoodRatios(Value):
    """Likelihood ratios: how much more likely a score is for manipulated than for unmanipulated files."""

    kind: Subject
    manipulated: int = Field(gt=0)
    unmanipulated: int = Field(gt=0)
    groups: int = Field(gt=0)
    platt: Platt = Field(description="natural log of the ratio from the log odds of the probability")
    pav: tuple[PavStep, ...]
    least: float = Field(description="log10 of the smallest ratio that so few files can support")
    most: float = Field(description="log10 of the largest such ratio")
    cllr_min: float = Field(ge=0, description="the lowest cost that the order of the scores allows")
    systems: tuple[LrSystem, ...]
    ece_odds: tuple[float, ...] = Field(description="log10 of prior odds")
    ece_neutral: tuple[float, ...] = Field(description="cross-entropy if every ratio is 1")
    ece_best: tuple[float, ...] = Field(description="with the ratios of cllr_min")


class Repetition(Value):
    """Differences between repeated analyses of the same files."""

    how: str = Field(default="", description="how the analyses were repeated: the text of `cause`")
    cause: Cause | None = optional("null: a validation before 0.3")
    voices: bool = optional("verdicts on voices were compared, else on faces; since 0.3", False)
    items: int = Field(gt=0)
    verdicts_changed: int = Field(ge=0)
    largest_difference: float = Field(ge=0, description="of a probability")
    segments_changed: int = Field(ge=0, description="files with another number of segments")
    largest_edge: Seconds = Field(description="largest shift of the edge of a segment")

    @model_validator(mode="after")
    def _write_how(self) -> Self:
        if self.cause is not None and not self.how:
            object.__setattr__(self, "how", self.cause.text)
        return self


class CoveredRange(Value):
    """The range of a property in the material, with its 10th, 50th and 90th percentile."""

    kind: Subject
    name: str
    unit: str
    items: int = Field(gt=0)
    least: float
    tenth: float
    median: float
    ninetieth: float
    most: float


class CoveredCodec(Value):
    """A codec of clips, or of the sound of voices, in the material."""

    kind: Subject = optional("since 0.3", Subject.VIDEO)
    name: str = Field(description="by FFmpeg's name")
    items: int = Field(gt=0)


class Validation(Document):
    """One validation of one model on one body of material."""

    schema_version: str = VALIDATION_SCHEMA_VERSION
    title: str = Field(description="of the material, in the laboratory's words")
    laboratory: str | None = None
    created: str = Field(
        description="UTC, ISO 8601; when the last file was measured or the figures were computed"
    )
    model: ValidatedModel
    voice_model: ValidatedVoiceModel | None = optional("null: no voices were labelled; since 0.3")
    parameters: Parameters
    versions: Versions
    labelled: tuple[str, ...] = Field(description="attributes that the laboratory labelled as well")
    remarks: tuple[str, ...] = optional("on the material", ())
    remark_causes: tuple[Cause, ...] = optional("the same as codes and parameters; since 0.3", ())
    levels: tuple[Level, ...]
    others: tuple[ByOther, ...] = optional("other models, side by side", ())
    joint: tuple[ByRule, ...] = optional("all models together, by rule", ())
    curves: tuple[Curve, ...]
    likelihood_ratios: tuple[LikelihoodRatios, ...]
    temporal: dict[str, float | None] = Field(
        default_factory=dict, description="metrics in time, of clips with labelled segments"
    )
    voice_temporal: dict[str, float | None] = Field(
        default_factory=dict, description="the same of voices; since 0.3"
    )
    repetitions: tuple[Repetition, ...]
    covered: tuple[CoveredRange, ...]
    codecs: tuple[CoveredCodec, ...] = optional(
        "of videos, and of the sound of voices, the most frequent first", ()
    )
    limits: tuple[str, ...] = Field(description="limits of the validation, in words")
    limit_causes: tuple[Cause, ...] = optional("the same as codes and parameters; since 0.3", ())
    voice_limits: tuple[str, ...] = optional("the same of voices; since 0.3", ())
    voice_limit_causes: tuple[Cause, ...] = ()
    material_sha256: Sha256 = Field(
        description="over the lines 'SHA-256 label' of all items, sorted, each ended by a line feed; labels "
        "are manipulated and unmanipulated, of voices synthetic and human"
    )
    items: tuple[ValidationItem, ...]

    _missing = model_validator(mode="before")(add_missing_parameters)

    @property
    def files(self) -> int:
        """Number of files."""
        return len({item.sha256 for item in self.items})

    def level(self, kind: Subject) -> Level | None:
        """Return the figures for all files of a kind."""
        return next((level for level in self.levels if level.kind is kind and not level.attribute), None)

    def threshold(self, kind: Subject) -> float:
        """Return the probability from which verdicts of a kind are findings."""
        voices = self.voice_model if kind is Subject.VOICE else None
        return voices.enter if voices else self.parameters.enter_threshold


PROBABILITY_EDGE = 1e-6  # least distance of a probability from 0 and 1 when its log odds are computed


def stated_log10(ratios: LikelihoodRatios, probability: float) -> float:
    """Return log10 of the ratio by Platt's formula, limited to what so few files can support."""
    inside = min(max(probability, PROBABILITY_EDGE), 1 - PROBABILITY_EDGE)
    natural = ratios.platt.scale * math.log(inside / (1 - inside)) + ratios.platt.offset
    return min(max(natural / math.log(10), ratios.least), ratios.most)


LABORATORY_FILE = "laboratory.json"
LABORATORY_SCHEMA_VERSION = "1.3"


class OwnThreshold(Value):
    """A threshold of the laboratory's own, from which it flags exhibits of a kind."""

    kind: Subject
    threshold: Probability
    shipped: Probability = Field(description="the threshold of the verdict, which may not be the shipped one")
    by: str = Field(description="how it was chosen, in words")
    cause: Cause | None = optional("the same as a code with parameters; since 0.3")
    false_positive: Rate
    false_negative: Rate


class Laboratory(Document):
    """The extract of a validation that reports quote."""

    schema_version: str = LABORATORY_SCHEMA_VERSION
    validation_sha256: Sha256 = Field(description="of validation.json")
    title: str
    laboratory: str | None
    created: str
    files: int = Field(gt=0)
    model: ValidatedModel
    voice_model: ValidatedVoiceModel | None = optional("null: no voices were labelled; since 0.3")
    parameters: Parameters
    source_sha256: Sha256 | None
    levels: tuple[Level, ...]
    others: tuple[ByOther, ...] = optional("other models, side by side", ())
    joint: tuple[ByRule, ...] = optional("all models together, by rule", ())
    likelihood_ratios: tuple[LikelihoodRatios, ...] = Field(description="without their plots")
    covered: tuple[CoveredRange, ...]
    codecs: tuple[CoveredCodec, ...] = optional(
        "of videos, and of the sound of voices, the most frequent first", ()
    )
    limits: tuple[str, ...]
    limit_causes: tuple[Cause, ...] = optional("the same as codes and parameters; since 0.3", ())
    voice_limits: tuple[str, ...] = optional("the same of voices; since 0.3", ())
    voice_limit_causes: tuple[Cause, ...] = ()
    thresholds: tuple[OwnThreshold, ...] = ()

    _missing = model_validator(mode="before")(add_missing_parameters)
