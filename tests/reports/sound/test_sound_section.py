"""What reports say of voices: examined, absent, left out, or from before they were examined."""

from __future__ import annotations

from pathlib import Path

import pytest
from analyses import build
from voices import recording, voice

from detector.schema.analysis import MediaKind, Verdict
from detector.schema.causes.cards import CardCode
from detector.schema.causes.cause import Cause
from detector.schema.causes.voices import VoiceCode
from detector.schema.voice import VoiceCheck, VoiceVerdict
from detector.voice.card import read_voice_card
from detector.voice.model import load_voice_model
from language import translation
from reports.render.html import render_html
from reports.report_view import ReportInputs, report_view
from reports.sound.network_rates import network_rates
from reports.wording.lengths import LENGTHS
from verification.checks import CheckResults
from verification.consistency import check_analysis


def text_of(analysis, folder: Path, language: str = "en") -> str:
    view = report_view(analysis, folder, ReportInputs(language_code=language))
    with translation.speaking(language):
        return render_html(view, {picture.key: b"" for picture in view.pictures}, ())


def test_a_video_with_synthetic_speech(tmp_path: Path) -> None:
    analysis = build(tmp_path, duration=20.0).model_copy(update={"voice": voice(tmp_path)})
    view = report_view(analysis, tmp_path)
    assert view.verdict == analysis.verdict.value, "the faces have a verdict of their own"
    assert view.sound is not None and view.sound.verdict == "synthetic speech found"
    answers = dict(view.answers)
    assert answers["Voice"] == "Strong signs of a synthetic voice: 00:00:03.000 to 00:00:08.500."
    assert "ound; everything" not in answers["Not examined"]
    (segment,) = view.sound.segments
    assert (segment.name, segment.start, segment.confidence) == ("Voice 1", "00:00:03.000", "0.94")
    assert view.sound.not_judged == (("silence", "00:00:02.000"), ("music", "00:00:00.500"))
    assert "Sound that was not judged: silence 00:00:02.000; music 00:00:00.500." in view.not_examined.lines
    assert set(voice(tmp_path).pictures) <= set(view.kept)
    page = text_of(analysis, tmp_path)
    assert "Report of analysis: manipulation of faces, synthetic speech" in page
    assert "present, not examined" not in page and "present, examined" in page


@pytest.mark.parametrize(
    ("spans", "words"), [(((3.0, 8.5),), "human recordings"), ((), "synthetic recordings")]
)
def test_reports_on_voices_state_how_often_such_verdicts_are_wrong(
    tmp_path: Path, spans: tuple[tuple[float, float], ...], words: str
) -> None:
    """In the summary as well, whatever was found of faces, and where the network was never measured."""
    shipped = read_voice_card().as_model()
    for model, wrong in ((shipped, words), (None, "the rate is unknown")):
        changes = {"model": model} if model else {}
        heard = voice(tmp_path, spans=spans, **changes)
        video = build(tmp_path, kept=False).model_copy(update={"voice": heard})
        unsure = build(tmp_path, kept=False, segments=0, verdict=Verdict.INCONCLUSIVE)
        for analysis in (
            recording(tmp_path, spans=spans, **changes), video, unsure.model_copy(update={"voice": heard}),
        ):  # fmt: skip
            for length in LENGTHS:
                view = report_view(analysis, tmp_path, ReportInputs(length=length))
                answer = dict(view.answers)["How often wrong"]
                assert wrong in answer.partition("Voices: ")[2] or analysis.media.sound_only
                assert wrong in answer and ("Faces: " in answer) == (analysis is video)


def test_a_recording_without_picture_has_no_parts_about_faces(tmp_path: Path) -> None:
    view = report_view(recording(tmp_path), tmp_path)
    assert (view.verdict, view.verdict_mark) == ("synthetic speech found", "manipulated")
    assert {"sound", "not-examined", "method", "custody"} <= view.sections.keys()
    assert not {"timeline", "segments", "limits", "model", "reader"} & view.sections.keys()
    assert [name for name, _ in view.answers] == [
        "When", "How certain", "How often wrong", "How much was judged", "What to do next",
    ]  # fmt: skip
    page = text_of(recording(tmp_path), tmp_path)
    assert "sound recording" in page and "Report of analysis: synthetic speech" in page
    assert "Resolution" not in page and "heatmap of the face" not in page


def test_the_spectrogram_lies_under_the_waveform(tmp_path: Path) -> None:
    late = voice(tmp_path, spans=(), duration=11.0)
    assert late.stream is not None and late.spectrogram is not None and late.waveform is not None
    late = late.model_copy(
        update={
            "stream": late.stream.model_copy(update={"start": 3.0}),
            "spectrogram": late.spectrogram.model_copy(update={"start": 3.0, "end": 14.0}),
            "waveform": late.waveform.model_copy(update={"start": 3.0}),
        }
    )
    analysis = build(tmp_path, duration=8.0).model_copy(update={"voice": late})
    assert analysis.end == 14.0
    view = report_view(analysis, tmp_path)
    assert view.sound is not None and view.sound.drawing is not None
    drawing = view.sound.drawing
    assert drawing.spectrum is not None
    assert drawing.wave.startswith(f"M{drawing.spectrum.x} ")
    per_second = (drawing.right - drawing.left) / 14.0
    assert drawing.spectrum.x == pytest.approx(drawing.left + 3.0 * per_second, abs=0.1)
    assert drawing.spectrum.x + drawing.spectrum.width == pytest.approx(drawing.right, abs=0.2)
    page = text_of(analysis, tmp_path)
    assert f'<image x="{drawing.spectrum.x}"' in page and 'href="data:image/jpeg' in page
    without = text_of(analysis, tmp_path / "no pictures")
    assert "<image" not in without


def test_a_reason_that_repeats_the_verdict_is_left_out(tmp_path: Path) -> None:
    nowhere = "Nowhere does the sound resemble synthetic speech enough for a finding."
    doubtful = VoiceCode.DOUBTFUL.cause()
    for verdict, cause, reason in (
        (VoiceVerdict.NO_SPEECH, VoiceCode.NO_SPEECH.cause(), ""),
        (VoiceVerdict.NOT_FOUND, VoiceCode.BELOW_THRESHOLD.cause(seconds=17.5), nowhere),
        (VoiceVerdict.INCONCLUSIVE, doubtful, doubtful.text),
    ):
        heard = recording(tmp_path, spans=(), verdict=verdict, reason=cause.text, causes=(cause,))
        view = report_view(heard, tmp_path)
        assert view.sound is not None
        assert view.sound.reason == reason
        assert ("Grounds" in dict(view.answers)) is bool(reason)


def test_limits_of_the_network_are_translated(tmp_path: Path) -> None:
    heard = recording(tmp_path)
    assert heard.voice is not None
    later = Cause(code="of_a_later_version", text="As nobody wrote.")
    limits = (CardCode.SHORT_SYNTHETIC_SPEECH.cause(), later)
    network = heard.voice.model.model_copy(update={"limit_causes": limits})
    heard = heard.model_copy(update={"voice": heard.voice.model_copy(update={"model": network})})
    page = text_of(heard, tmp_path, "de")
    assert "in menschlicher Sprache wird selten gefunden." in page and "As nobody wrote." in page


def test_a_summary_shows_the_hottest_map(tmp_path: Path) -> None:
    analysis = recording(tmp_path, spans=((3.0, 8.5), (11.0, 16.0)))
    assert analysis.voice is not None
    first, second = analysis.voice.segments
    hotter = second.model_copy(update={"peaks": (second.peaks[0].model_copy(update={"heat": 1.0}),)})
    heard = analysis.voice.model_copy(update={"segments": (first, hotter)})
    analysis = analysis.model_copy(update={"voice": heard})
    view = report_view(analysis, tmp_path, ReportInputs(length="summary"))
    assert [picture.path for picture in view.pictures] == [
        "overlays/voice.png", "overlays/voice-2-1-spectrogram.png", "overlays/voice-2-1.png",
    ]  # fmt: skip
    with translation.speaking("en"):
        page = render_html(view, {picture.key: b"" for picture in view.pictures}, ())
    assert page.count("<img") == 2 and page.count("<image") == 1


def test_the_rates_of_the_network_stand_in_one_table() -> None:
    rates = network_rates(load_voice_model().card.figures)
    assert rates.rows[0].sound == "as published" and len(rates.rows) >= 4
    assert all("–" not in (row.flagged, row.found, row.inconclusive, row.auc) for row in rates.rows)
    assert "text to speech" in rates.kinds
    assert network_rates({"AUC, pages left out": 0.9}).rows == ()


@pytest.mark.parametrize(
    ("verdict", "mark", "words"),
    [
        (VoiceVerdict.NOT_FOUND, "not-found", "Do not take this as proof that a human spoke"),
        (VoiceVerdict.INCONCLUSIVE, "inconclusive", "A longer copy"),
    ],
)
def test_other_verdicts(tmp_path: Path, verdict: VoiceVerdict, mark: str, words: str) -> None:
    analysis = recording(tmp_path, spans=(), verdict=verdict)
    view = report_view(analysis, tmp_path)
    assert view.verdict_mark == mark and view.next_steps.startswith(words)
    assert view.sound is not None and not view.sound.segments


@pytest.mark.parametrize(
    ("changes", "media", "words"),
    [
        ({"schema_version": "1.25"}, {}, "The version that made this analysis did not examine it"),
        ({}, {"has_sound": False}, "The file has no sound."),
        ({"sound": False}, {}, "It was left out of this analysis on request."),
        ({}, {}, "Sound is present, but was not examined."),
    ],
)
def test_why_sound_was_not_examined(
    tmp_path: Path, changes: dict[str, object], media: dict[str, object], words: str
) -> None:
    analysis = build(tmp_path)
    parameters = analysis.parameters.model_copy(update={"sound": changes.pop("sound", True)})
    update = {"parameters": parameters, "media": analysis.media.model_copy(update=media), **changes}
    view = report_view(analysis.model_copy(update=update), tmp_path)
    assert view.sound is not None and not view.sound.examined
    assert words in view.sound.absent and words in dict(view.answers)["Voice"]
    assert any(words in line for line in view.not_examined.lines)


def test_photographs_have_no_section_on_sound(tmp_path: Path) -> None:
    view = report_view(build(tmp_path, kind=MediaKind.IMAGE), tmp_path)
    assert view.sound is None and "sound" not in view.sections and "Voice" not in dict(view.answers)


@pytest.mark.parametrize(
    ("language", "words"), [("de", "Synthetische Sprache gefunden"), ("es", "habla sintética")]
)
def test_other_languages(tmp_path: Path, language: str, words: str) -> None:
    page = text_of(recording(tmp_path), tmp_path, language)
    assert words in page
    for english in ("synthetic speech", "Speech judged", "windows", "silence"):
        assert english not in page, english


def test_an_analysis_with_voices_is_read_again(tmp_path: Path) -> None:
    analysis, results = recording(tmp_path), CheckResults()
    assert check_analysis("analysis.json", analysis.to_json().encode(), results) == analysis
    assert not results.problems


def test_a_map_is_confirmed_by_the_rule_of_faces() -> None:
    """Hiding its hottest area must lower the logit by more than random areas, and twice their spread."""
    peak = voice().segments[0].peaks[0]
    assert peak.check is not None

    def check(**changes: float | None) -> VoiceCheck:
        return peak.check.model_copy(update={"drop_random": 0.2, "margin": 0.6} | changes)

    assert check(drop_highlight=0.8).confirmed and not check(drop_highlight=0.79).confirmed
    assert not check(drop_highlight=1.5, drop_random=0.8).confirmed, "less than twice random areas"
    assert not check(drop_highlight=0.9, margin=0.75).confirmed, "random areas spread widely"
    assert check(drop_highlight=0.3, margin=None).confirmed, "as versions before stated it"


def test_a_map_checked_before_there_was_a_margin_is_described(tmp_path: Path) -> None:
    analysis = recording(tmp_path)
    assert analysis.voice is not None
    (segment,) = analysis.voice.segments
    (peak,) = segment.peaks
    assert peak.check is not None

    def effect(margin: float | None) -> str:
        check = peak.check.model_copy(update={"margin": margin})
        peaks = (peak.model_copy(update={"check": check}),)
        voice = analysis.voice.model_copy(update={"segments": (segment.model_copy(update={"peaks": peaks}),)})
        changed = analysis.model_copy(update={"voice": voice})
        assert "Hottest 10%" in text_of(changed, tmp_path)
        view = report_view(changed, tmp_path)
        assert view.sound is not None and view.sound.lead is not None and view.sound.lead.confirmed
        return view.sound.lead.effect

    assert effect(0.6).endswith("A map is confirmed from −1.00.")
    assert effect(None).endswith("In that version, any larger fall confirmed a map.")


@pytest.mark.parametrize(
    ("seconds", "window", "middles", "words"),
    [
        (20.0, 4.0, (2.0, 8.0, 18.0), "Each window of 4 s of speech"),
        (20.0, 3.0, (0.5, 8.0, 19.5), "Each window of 2 to 3 s of speech"),
        (2.4, 4.0, (0.5, 1.0, 1.5, 2.0), "Each window of 2.4 s of speech"),
    ],
)
def test_lengths_of_windows_are_those_that_were_used(
    tmp_path: Path, seconds: float, window: float, middles: tuple[float, ...], words: str
) -> None:
    """Windows at the edges of the sound are shorter, and none is longer than the sound."""
    analysis = recording(tmp_path, spans=())
    made = analysis.voice
    assert made is not None and made.stream is not None
    columns = (0.5,) * len(middles)
    scores = made.scores.model_copy(
        update={
            "window": window,
            "time": middles,
            "logit": columns,
            "probability": columns,
            "smoothed": columns,
        }
    )
    stream = made.stream.model_copy(update={"duration": seconds})
    changed = made.model_copy(update={"scores": scores, "stream": stream})
    view = report_view(analysis.model_copy(update={"voice": changed}), tmp_path)
    assert view.sound is not None and view.sound.meaning[0].startswith(words)
    assert any(words in paragraph for paragraph in view.procedure)
    unjudged = scores.model_copy(update=dict.fromkeys(("time", "logit", "probability", "smoothed"), ()))
    view = report_view(
        analysis.model_copy(update={"voice": made.model_copy(update={"scores": unjudged})}), tmp_path
    )
    assert not any("Each window" in paragraph for paragraph in view.procedure)


def test_how_exact_segments_of_voices_are_is_stated(tmp_path: Path) -> None:
    view, without = (report_view(recording(tmp_path, **spans), tmp_path) for spans in ({}, {"spans": ()}))
    assert view.sound is not None and without.sound is not None
    assert view.sound.boundaries.startswith("Segments of voices begin and end in steps of 0.25 s;")
    assert view.sound.segments[0].duration == "5.5 s" and not without.sound.boundaries
