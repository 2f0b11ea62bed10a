"""Results with every combination of verdicts, and all that can go with one: for the layout of reports.

Their models are the shipped ones, whose cards fill the tables of figures.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from analyses import EXHIBIT_SHA256, build, scene, write_png
from combinations import shipped_model, shipped_voice_model
from made_annotations import say
from made_comparison_results import comparison_of
from made_logs import exported_log
from made_validation import of_analysis, of_sixty
from voices import recording, voice

from detector.schema.analysis import (
    Analysis,
    CalmFrame,
    MediaKind,
    OtherModel,
    Parameters,
    Ran,
    StripFace,
    Verdict,
)
from detector.schema.causes.voices import VoiceCode
from detector.schema.joint import JointRule
from detector.schema.metadata import Declaration, DeclarationKind, Meaning
from detector.schema.voice import Voice, VoiceVerdict
from detector.validation.rates import quoted_extract, thresholds_by_false_positive_rate
from detector.verdict.verdict import joint_verdict
from reports.comparison.kept import kept_comparisons
from reports.inputs.case import LONGEST, CaseDetails
from reports.inputs.pictures import embed
from reports.render.attachments import attachments
from reports.render.pdf import render_pdf
from reports.report_view import ReportInputs, report_view

FACES = ("flagged", "weak", "open", "nothing", "none")
VOICES = ("flagged", "open", "nothing", "none", "absent")
CASE = CaseDetails(
    case_number="12-2026",
    exhibit_number="4",
    examiner="A. Miller",
    organisation="Media laboratory",
    time_zone="Europe/Berlin",
)
LONG_CASE = CaseDetails(
    **{
        name: ("Case of the regional court, third chamber, " * 5)[:LONGEST]
        for name in ("case_number", "exhibit_number", "examiner", "organisation")
    },
    time_zone="America/Argentina/Buenos_Aires",
)
_SCORES = {"flagged": 0.97, "weak": 0.7}


def with_moments(folder: Path, **choices: Any) -> Analysis:
    """An analysis whose segments have film strips and calm frames."""
    analysis = build(folder, **{"persons": 2, "segments": 1, "peaks": 2, "picture": (640, 360), **choices})
    segments = []
    for segment in analysis.segments:
        strip = tuple(
            StripFace(time=segment.start + number, pts=number, probability=0.1 * number, picture=name)
            for number in range(1, 7)
            if (name := f"overlays/{segment.id}-strip-{number}.png")
        )
        for number, face in enumerate(strip):
            write_png(folder / face.picture, scene(number, 128, 128))
        write_png(folder / "overlays/calm.png", scene(9, 640, 360))
        box = segment.peaks[0].box
        calm = CalmFrame(time=1.0, pts=1, probability=0.02, box=box, frame="overlays/calm.png")
        segments.append(segment.model_copy(update={"strip": strip, "calm": calm}))
    return analysis.model_copy(update={"segments": tuple(segments)})


def made_result(
    folder: Path, kind: MediaKind, faces: str, voices: str, *, persons: int = 2, segments: int = 2
) -> Analysis:
    """An exhibit with one of :data:`FACES` and one of :data:`VOICES`; sound has no faces."""
    if kind is MediaKind.AUDIO:
        heard = made_voice(folder, voices)
        assert heard is not None
        return recording(folder).model_copy(update={"voice": heard, "parameters": Parameters()})
    verdict = {
        "flagged": Verdict.MANIPULATED,
        "weak": Verdict.MANIPULATED,
        "nothing": Verdict.NOT_FOUND,
    }.get(faces, Verdict.INCONCLUSIVE)
    choices = {
        "kind": kind,
        "persons": 0 if faces == "none" else persons,
        "segments": segments if faces in ("flagged", "weak", "open") else 0,
        "verdict": verdict,
    }
    if kind is MediaKind.IMAGE:
        analysis = build(folder, picture=(640, 360), **choices)  # type: ignore[arg-type]
        for name in ("photo.png", "boxed.png"):
            write_png(folder / name, scene(3, 960, 720))
        analysis = analysis.model_copy(update={"picture": "photo.png", "boxed": "boxed.png"})
    else:
        analysis = with_moments(folder, **choices)
    if faces in _SCORES:
        of = {"confidence": _SCORES[faces]}
        analysis = analysis.model_copy(
            update={
                "segments": tuple(segment.model_copy(update=of) for segment in analysis.segments),
                "probability": _SCORES[faces],
            }
        )
    heard = made_voice(folder, voices) if kind is MediaKind.VIDEO else None
    return analysis.model_copy(update={"model": shipped_model(), "parameters": Parameters(), "voice": heard})


def made_voice(folder: Path, voices: str) -> Voice | None:
    """The finding on voices called ``voices``; None where it is absent."""
    causes = {
        "open": (VoiceVerdict.INCONCLUSIVE, VoiceCode.DOUBTFUL.cause()),
        "nothing": (VoiceVerdict.NOT_FOUND, VoiceCode.BELOW_THRESHOLD.cause(seconds=17.5)),
        "none": (VoiceVerdict.NO_SPEECH, VoiceCode.NO_SPEECH.cause()),
    }
    if voices == "absent":
        return None
    if voices == "flagged":
        return voice(folder, model=shipped_voice_model(), spans=((3.0, 8.5), (11.0, 16.0)))
    verdict, cause = causes[voices]
    spans = ((3.0, 8.5),) if voices == "open" else ()
    changes = {"model": shipped_voice_model(), "reason": cause.text, "causes": (cause,)}
    if voices == "none":
        changes |= {"speech": 0.0, "probability": None}
    return voice(folder, spans=spans, verdict=verdict, **changes)


def with_everything(analysis: Analysis, folder: Path, **changes: Any) -> tuple[Analysis, ReportInputs]:
    """``analysis`` with another model and declarations, and all that a report can be given beside it."""
    for name in () if analysis.media.sound_only else ("original", "earlier copy"):
        place = folder / "comparisons" / name
        place.mkdir(parents=True)
        still = analysis.media.still
        made = comparison_of(place, ("clip.mp4", f"{name}.mp4"), (EXHIBIT_SHA256, "ab" * 32), still=still)
        (place / "comparison.json").write_text(made.to_json())
    laboratory = of_analysis(of_sixty(), analysis)
    thresholds = thresholds_by_false_positive_rate(laboratory, 0.01)
    inputs = ReportInputs(
        annotations=opinions(),
        case=LONG_CASE,
        custody=exported_log(count=40, actor="Ida", bytes="1234", file="a" * 80),
        comparisons=kept_comparisons(folder, EXHIBIT_SHA256),
        laboratory=quoted_extract(laboratory, laboratory.to_json().encode(), thresholds).to_json().encode(),
    )
    declared = Declaration(
        kind=DeclarationKind.GENERATION_PARAMETERS,
        source="PNG text, parameters",
        says="a portrait of a person, Steps: 20 " * 8,
        means="A generator made this picture.",
        program="ComfyUI",
        meaning=Meaning.GENERATED,
    )
    shown = analysis.model_copy(update={"declarations": (declared, declared)})
    return shown if analysis.media.sound_only else with_another_model(shown), replace(inputs, **changes)


def opinions(count: int = 12) -> tuple[Any, ...]:
    """Opinions and names, some of them right to left."""
    notes = ("Look at the teeth, which change within a frame. " * 4, "הפנים אינן תואמות את הקול. " * 3, "")
    said = [
        say(number, "exhibit", f"Reviewer {number}", verdict="disagree", note=notes[number % 3])
        for number in range(count)
    ]
    return (*said, say(99, "rename", person="A", name="Ada"))


def with_another_model(analysis: Analysis) -> Analysis:
    """``analysis`` by two models that say the same."""
    other = OtherModel(
        model=analysis.model,
        verdict=analysis.verdict,
        reason=analysis.reason,
        probability=analysis.probability,
        segments=analysis.segments,
        persons=analysis.persons,
        ran=Ran(backend="torch", precision="float32", device="cpu"),
    )
    verdicts = [(model.title, analysis.verdict) for model in (analysis.model, other.model)]
    return analysis.model_copy(update={"others": (other,), "joint": joint_verdict(JointRule.ALL, verdicts)})


def printed(analysis: Analysis, folder: Path, inputs: ReportInputs) -> bytes:
    """The PDF of the report, with its attachments."""
    view = report_view(analysis, folder, inputs)
    pictures = embed(folder, [picture.key for picture in view.pictures], folder)
    return render_pdf(view, pictures, attachments(analysis, analysis.to_json().encode(), inputs))
