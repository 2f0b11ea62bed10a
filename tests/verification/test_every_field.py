"""Every field of an analysis: what is changed does not fit, or stands in the list of what is not compared."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from changed_fields import changed_fields
from clips import Analysed
from sounds import write_recording

from detector.engine import analyze
from detector.environment import extend_command
from detector.files import ROOT
from detector.models.loaded import load_model
from detector.schema.analysis import Analysis, OtherModel, Parameters
from detector.schema.joint import JointRule
from detector.schema.method import Ran
from detector.schema.voice import VoiceCheck
from detector.verdict.verdict import joint_verdict
from detector.voice import examine
from detector.voice.channels import Heard, HeardChannels
from detector.voice.maps import VoiceMap
from detector.voice.model import load_voice_model
from detector.voice.outline import Outline
from detector.voice.windows import Listening, Window
from verification.agreement import compare_analyses
from verification.checks import CheckResults
from verification.consistency import check_fields

_FLAGGED = Parameters(enter_threshold=1e-12, exit_threshold=1e-13, second_look=0)


def listed() -> set[str]:
    """The fields that docs/evidence.md lists as not compared."""
    text = (ROOT / "docs" / "evidence.md").read_text("utf-8")
    section = text.partition("### Fields that are not compared\n")[2].partition("\n#")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([a-z0-9_.]+)`", row)}


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """Two faces, both flagged, with a heatmap each."""
    import skimage.data

    folder = tmp_path_factory.mktemp("photograph")
    face = skimage.data.astronaut()[..., ::-1]
    cv2.imwrite(str(folder / "photo.png"), np.concatenate([face, face[:, ::-1]], axis=1))
    return analyze(folder / "photo.png", model=load_model().alone, parameters=_FLAGGED, images=folder)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """A recording of which the networks are said to have heard other speech on each channel."""
    return _recording(tmp_path_factory.mktemp("recording"), ((0,), (1,)))


def _recording(folder: Path, groups: tuple[tuple[int, ...], ...]) -> Analysis:
    """Twenty seconds of a tone on two channels, said to be speech, that of the first group synthetic in part.

    The ``groups`` of channels are judged each for itself.
    """
    tone = 0.3 * np.sin(2 * np.pi * 220 * np.arange(20 * 16_000) / 16_000)
    path = write_recording(folder / "voice.wav", tone.astype(np.float32), layout="stereo")

    def hear(blocks, _network, seen: Callable[[], None]) -> Heard:
        outlines = [Outline() for _ in groups]
        for block in blocks:
            for outline in outlines:
                outline.add(block[0])
            seen()
        heard = [_heard(synthetic=not number) for number in range(len(groups))]
        return Heard(tuple(map(HeardChannels, groups, heard, outlines)), ())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(examine, "listen_to_channels", hear)
        patch.setattr(examine, "share_of_views", lambda _model, stretches: 0.75 if stretches else None)
        patch.setattr(examine, "explain_window", _explained)
        return analyze(path, model=load_model().alone, images=folder)


def _heard(*, synthetic: bool) -> Listening:
    card = load_voice_model().card
    shares = [1.0] * 24 + [0.0] * 10 + [1.0] * 6
    windows = []
    for number in range(1, 40):
        first, last = max(0, number - 3), min(40, number + 3)
        if sum(shares[first:last]) >= 2 and any(shares[number - 1 : number + 1]):
            logit = 4.0 if synthetic and 8 <= number <= 16 else -3.0 + number / 50
            raw = (logit + card.short_lowered - card.window.offset) / card.window.scale
            windows.append(Window(number / 2, first / 2, last / 2, sum(shares[first:last]) / 2, raw))
    return Listening(windows, shares, [not share for share in shares])


def _explained(model, window: Window, samples, _shares, _seed, lowered: float) -> VoiceMap:
    logit = model.logit(window.raw) - lowered

    def chance(value: float) -> float:
        return float(1 / (1 + np.exp(-value)))

    check = VoiceCheck(
        area=2 / 15,
        probability=chance(logit),
        hidden_highlight=chance(logit - 2.0),
        hidden_random=chance(logit - 0.5),
        drop_highlight=2.0,
        drop_random=0.5,
        areas=8,
        margin=0.6,
    )
    heat = np.linspace(0, logit, 15, dtype=np.float32).reshape(5, 3)
    return VoiceMap(window, samples, chance(logit), heat, check)


@pytest.fixture(scope="module")
def video_with_sound(analysed_sample: Analysed, tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """The sample as if it had the sound of a recording whose channels carry the same speech."""
    recording = _recording(tmp_path_factory.mktemp("sound"), ((0, 1),))
    video = analysed_sample.analysis
    media = video.media.model_copy(update={"has_sound": True})
    marks = recording.marks and video.marks and video.marks.model_copy(update={"note": recording.marks.note})
    return video.model_copy(update={"media": media, "marks": marks, "voice": recording.voice})


@pytest.fixture(scope="module")
def judged_twice(photograph: Analysis) -> Analysis:
    """The photograph as if a second model had judged it alike."""
    text = re.sub("overlays/([AB])", r"overlays/model2-\1", photograph.to_json())
    again, software = Analysis.from_json(text), photograph.software
    other = OtherModel(
        model=photograph.model.model_copy(update={"name": "other", "title": "Another"}),
        verdict=photograph.verdict,
        reason=photograph.reason,
        causes=photograph.causes,
        probability=photograph.probability,
        segments=again.segments,
        persons=again.persons,
        ran=Ran(backend=software.backend or "", precision=software.precision or "", device="cpu"),
    )
    verdicts = [(model.title, photograph.verdict) for model in (photograph.model, other.model)]
    return photograph.model_copy(
        update={
            "others": (other,),
            "joint": joint_verdict(JointRule.ANY, verdicts),
            "software": extend_command(photograph, ["other"], JointRule.ANY),
        }
    )


def is_refused(changed: Analysis, original: Analysis) -> bool:
    """Whether the changed analysis contradicts itself, or is not what the analysis repeated gives."""
    return bool(contradictions_of(changed)) or not compare_analyses(changed, original).agree


def contradictions_of(analysis: Analysis) -> list[str]:
    results = CheckResults()
    check_fields("analysis.json", analysis, results)
    return [problem.why for problem in results.problems]


def changes_that_pass(analysis: Analysis, like: Analysis, only: str = "") -> set[str]:
    """The changes of fields that begin with ``only`` that nothing refuses."""
    return {
        f"{path} ({change})"
        for path, change, changed in changed_fields(analysis, like)
        if path.startswith(only) and not is_refused(changed, analysis)
    }


def test_every_field_is_compared_or_listed(
    analysed_sample: Analysed,
    video_with_sound: Analysis,
    recording: Analysis,
    photograph: Analysis,
    judged_twice: Analysis,
) -> None:
    """Of a video, its sound, a recording of sound, a photograph, and a second model."""
    exhibits = (analysed_sample.analysis, video_with_sound, recording, photograph, judged_twice)
    assert [contradictions_of(analysis) for analysis in exhibits] == [[]] * 5
    passing = changes_that_pass(analysed_sample.analysis, photograph)
    passing |= changes_that_pass(video_with_sound, recording, "voice")
    for part in ("others", "joint"):
        passing |= changes_that_pass(judged_twice, video_with_sound, part)
    passing |= changes_that_pass(recording, video_with_sound) | changes_that_pass(photograph, recording)
    fields = {change.partition(" ")[0] for change in passing}
    assert sorted(change for change in passing if change.partition(" ")[0] not in listed()) == []
    assert sorted(listed() - fields) == [], "the list names fields that are compared"


@pytest.mark.parametrize("kind", ["video_with_sound", "recording"])
def test_what_follows_from_scores_of_voices_needs_no_exhibit(
    kind: str, request: pytest.FixtureRequest
) -> None:
    analysis: Analysis = request.getfixturevalue(kind)
    fields = (
        "voice", "voice.verdict", "voice.reason", "voice.causes", "voice.causes.code", "voice.probability",
        "voice.speech", "voice.not_judged", "voice.segments", "voice.segments.start",
        "voice.segments.confidence", "voice.segments.windows", "voice.segments.flagged",
        "voice.scores.window", "voice.scores.enter", "voice.scores.leave", "voice.scores.logit",
        "voice.scores.probability", "voice.scores.smoothed", "voice.properties.inside",
        "voice.model.sha256", "voice.model.figures", "voice.waveform.step", "voice.spectrogram.end",
    )  # fmt: skip
    changes = {
        (path, change): contradictions_of(changed)
        for path, change, changed in changed_fields(analysis, analysis)
        if path in fields
    }
    assert {path for path, _ in changes} == set(fields)
    assert [where for where, why in changes.items() if not why] == []


@pytest.mark.parametrize("margin", [None, 0.4])
def test_a_map_of_a_voice_needs_the_margin_of_this_version(recording: Analysis, margin: float | None) -> None:
    """Without one, any larger fall would confirm it, as in analyses before."""
    assert recording.voice is not None
    first, *others = recording.voice.segments
    peak, *rest = first.peaks
    assert peak.check is not None
    peaks = (peak.model_copy(update={"check": peak.check.model_copy(update={"margin": margin})}), *rest)
    segments = (first.model_copy(update={"peaks": peaks}), *others)
    changed = recording.model_copy(
        update={"voice": recording.voice.model_copy(update={"segments": segments})}
    )
    assert contradictions_of(changed) == [f"peak 1 of {first.id} is not that of its window"]
