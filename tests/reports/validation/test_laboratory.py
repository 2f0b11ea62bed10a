"""What a report quotes of the laboratory's own validation, and that it can be verified with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from analyses import build
from made_validation import VOICE_MODEL, items, of_analysis, of_sixty, validation
from voices import recording, voice

from cli.reports.main import main
from detector.schema.analysis import Analysis, FaceQuality, MediaKind, Parameters, Spread, Verdict
from detector.schema.laboratory import Laboratory, Subject
from detector.schema.measurements import Cause
from detector.schema.voice import VoiceVerdict
from detector.validation.rates import quoted_extract, thresholds_by_false_positive_rate
from language import translation
from reports.inputs.input_files import LaboratoryError, parse_laboratory
from reports.render.write import write_report
from reports.report_view import ReportInputs, report_view
from reports.validation.laboratory import (
    THRESHOLD,
    VOICE_THRESHOLD,
    fitting,
    laboratory_view,
    voices_view,
)
from verification.verify import verify


def laboratory_for(analysis: Analysis) -> Laboratory:
    made = of_analysis(of_sixty(), analysis)
    return quoted_extract(made, made.to_json().encode(), thresholds_by_false_positive_rate(made, 0.01))


@pytest.fixture
def analysis(tmp_path: Path) -> Analysis:
    made = build(tmp_path)
    width = Spread(tenth=90, median=100, ninetieth=110)
    other = Spread(tenth=0, median=0, ninetieth=0)
    quality = FaceQuality(width=width, contrast=other, sharpness=other, tilt=other, grey=0)
    return made.model_copy(update={"coverage": made.coverage.model_copy(update={"quality": quality})})


def test_applicable_rates_are_chosen(analysis: Analysis) -> None:
    levels = fitting(laboratory_for(analysis), analysis)
    assert [(level.attribute, level.name) for level in levels] == [
        ("", "all clips"),
        ("face width", "80 to 120 px"),
    ]


def test_own_threshold_and_ratio_are_stated(tmp_path: Path, analysis: Analysis) -> None:
    own = laboratory_for(analysis)
    given = ReportInputs(laboratory=own.to_json().encode())
    view = laboratory_view(own, analysis)
    assert not view.refused
    assert (view.thresholds[0].own, view.thresholds[0].used) == (
        f"{own.thresholds[0].threshold:g}",
        "0.75",
    )
    assert "The verdict is based on the threshold used, 0.75." in view.decision
    shipped = analysis.model_copy(update={"parameters": Parameters()})
    decision = laboratory_view(laboratory_for(shipped), shipped).decision
    assert "The verdict is based on the default threshold, 0.65." in decision
    near = shipped.model_copy(update={"verdict": Verdict.INCONCLUSIVE, "segments": ()})
    decision = laboratory_view(laboratory_for(near), near).decision
    assert "The verdict is based on the default threshold, 0.65." in decision, "the threshold is the reason"
    nobody = near.model_copy(update={"coverage": near.coverage.model_copy(update={"faces_found": 0})})
    decision = laboratory_view(laboratory_for(nobody), nobody).decision
    assert decision.endswith("The verdict is inconclusive for the stated reason, whatever the threshold.")
    assert "It is not a probability of manipulation" in view.ratio
    report, alone = report_view(analysis, tmp_path, given), report_view(analysis, tmp_path)
    assert "No likelihood ratio is stated" in alone.meaning.scale
    assert "No likelihood ratio" not in report.meaning.scale
    assert f"Section {report.sections['model'].number} states" in report.meaning.scale
    answers = dict(report_view(analysis, tmp_path, given).answers)
    assert answers[THRESHOLD] == view.decision


def test_no_rounding_contradicts_what_follows_from_a_threshold(analysis: Analysis) -> None:
    own = laboratory_for(analysis)
    threshold = own.thresholds[0].threshold
    assert threshold not in (0.4, 0.65)
    for probability, words in (
        (threshold - 0.002, f"with a score of {threshold - 0.002:.3f}, this exhibit is not flagged"),
        (threshold, f"with a score of {threshold:.2f}, this exhibit is flagged"),
        (0.7468, "with a score of 0.746"),
    ):
        near = analysis.model_copy(update={"probability": probability})
        assert words in laboratory_view(own, near).decision


def test_outside_and_unknown_properties_are_named(tmp_path: Path, analysis: Analysis) -> None:
    def outside(exhibit: Analysis, **media: object) -> str:
        own = laboratory_for(exhibit)
        covered = [
            extent.model_copy(update={"least": 2.0, "most": 90.0}) if extent.name == "duration" else extent
            for extent in own.covered
        ]
        changed = exhibit.model_copy(update={"media": exhibit.media.model_copy(update=media)})
        return laboratory_view(own.model_copy(update={"covered": tuple(covered)}), changed).outside

    within = (
        "In all 3 properties that could be compared, this exhibit lies within the ranges of that material."
    )
    assert outside(analysis) == f"{within} Not known: bits per pixel."
    beyond = "This exhibit lies outside the measured ranges: duration. Not known: bits per pixel."
    assert outside(analysis, duration=7200.0) == beyond
    assert "Not known: face width, bits per pixel." in outside(build(tmp_path))
    own = laboratory_for(analysis)
    strange = tuple(entry.model_copy(update={"name": "depth"}) for entry in own.covered[:1])
    unknown = laboratory_view(own.model_copy(update={"covered": strange, "codecs": ()}), analysis).outside
    assert unknown.endswith("within the ranges of that material. Not known: depth, codec.")
    assert unknown.startswith("It is not known")


def in_codec(analysis: Analysis, codec: str) -> Analysis:
    return analysis.model_copy(update={"media": analysis.media.model_copy(update={"codec": codec})})


def test_codecs_are_compared_by_name(analysis: Analysis) -> None:
    """One clip in VP9 says nothing of MPEG-2, and none in H.264 says nothing of H.264."""
    some = items(60)

    def outside(codec: str, *measured: str) -> str:
        codecs = [*measured, *(["vp9"] * (len(some) - len(measured)))]
        of = tuple(e.model_copy(update={"codec": c}) for e, c in zip(some, codecs, strict=True))
        made = of_analysis(validation(of), analysis)
        return laboratory_view(
            quoted_extract(made, made.to_json().encode()), in_codec(analysis, codec)
        ).outside

    beyond = "This exhibit lies outside the measured ranges: duration, codec %s. Not known: "
    assert outside("mpeg2video", "h264").startswith(beyond % "MPEG-2")
    assert outside("h264").startswith(beyond % "H.264")
    for codec in ("vp9", "h264", "av1"):  # by its decoder's name in older analyses
        assert "codec" not in outside(codec, "h264", "libdav1d")
    with translation.speaking("de"):
        assert "Dauer, Codec MPEG-2" in outside("mpeg2video")
    with translation.speaking("es"):
        assert "duración, códec MPEG-2" in outside("mpeg2video")


@pytest.mark.parametrize(
    ("codec", "least", "most", "words"),
    [
        ("h264", 0.0, 1.0, None),
        ("mpeg2video", 0.0, 1.0, "Not known: bits per pixel, codec."),
        ("mpeg2video", 0.0, 0.0, "lies outside the measured ranges: duration, codec MPEG-2."),
        ("h264", 1.0, 1.0, "lies outside the measured ranges: duration, codec H.264."),
    ],
)
def test_older_validations_compare_codecs_as_far_as_possible(
    analysis: Analysis, codec: str, least: float, most: float, words: str | None
) -> None:
    own = laboratory_for(analysis).model_copy(update={"codecs": ()})
    assert "Not known: bits per pixel, codec." in laboratory_view(own, analysis).outside
    yes_or_no = own.covered[0].model_copy(update={"name": "other codecs", "least": least, "most": most})
    older = own.model_copy(update={"covered": (*own.covered, yes_or_no)})
    outside = laboratory_view(older, in_codec(analysis, codec)).outside
    assert words in outside if words else "codec" not in outside


def test_an_uninformative_ratio_is_not_quoted(analysis: Analysis) -> None:
    """As older validations state where ratios could not be tried."""
    own = laboratory_for(analysis)
    (ratios,) = own.likelihood_ratios
    dear = ratios.systems[1].model_copy(update={"cllr": 1.0})
    changed = ratios.model_copy(update={"systems": (ratios.systems[0], dear, ratios.systems[2])})
    view = laboratory_view(own.model_copy(update={"likelihood_ratios": (changed,)}), analysis)
    assert view.ratio.startswith("No likelihood ratio is stated") and "Cllr 1.00" in view.ratio


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("de", ("bei Dateien, die manipuliert sind", "gewählt nach einer gemessenen Falsch-positiv-Rate",
                "Dauer", "Nicht bekannt: Bit je Pixel", "Fotos wurden nicht gemessen")),
        ("es", ("archivos que están manipulado", "elegido por una tasa medida", "duración",
                "Desconocido: bits por píxel", "No se midieron fotografías")),
    ],
)  # fmt: skip
def test_the_laboratory_section_is_translated(analysis: Analysis, code: str, words: tuple[str, ...]) -> None:
    own = laboratory_for(analysis)
    still = analysis.model_copy(update={"media": analysis.media.model_copy(update={"kind": MediaKind.IMAGE})})
    with translation.speaking(code):
        view = translation.translated_view(laboratory_view(own, analysis))
        photo = translation.translated_view(laboratory_view(own, still))
    text = " ".join((view.ratio, view.decision, view.outside, photo.outside))
    for phrase in words:
        assert phrase in text
    assert not re.search(r"\b(measured|manipulated|photographs|duration|chosen)\b", text)


def voices_for(analysis: Analysis) -> Laboratory:
    """That of a material with voices as well, of the network that judged those of ``analysis``."""
    assert analysis.voice is not None
    made = of_analysis(validation(items(60) + items(60, Subject.VOICE, seed=5)), analysis)
    model = VOICE_MODEL.model_copy(update={"sha256": analysis.voice.model.sha256})
    made = made.model_copy(update={"voice_model": model})
    own = thresholds_by_false_positive_rate(made, 0.01)
    return quoted_extract(made, made.to_json().encode(), own)


def test_voices_are_quoted_beside_faces(tmp_path: Path, analysis: Analysis) -> None:
    analysis = analysis.model_copy(update={"voice": voice()})
    own = voices_for(analysis)
    view = voices_view(own, analysis)
    assert view is not None and not view.refused
    assert [row.name for row in view.rows] == [
        "all voices",
        "speech 15 to 60 s",
        "bandwidth 7000 and more Hz",
        "codec Opus",
    ]
    assert view.names.manipulated == "synthetic"
    assert view.outside.endswith("lies within the ranges of that material.")
    assert "voices that are synthetic" in view.ratio and "not a probability of synthetic speech" in view.ratio
    assert view.thresholds[0].used == "0.65"
    assert view.limits == own.voice_limits != own.limits == laboratory_view(own, analysis).limits
    report = report_view(analysis, tmp_path, ReportInputs(laboratory=own.to_json().encode()))
    answers = dict(report.answers)
    assert answers[THRESHOLD] != answers[VOICE_THRESHOLD] == view.decision
    assert report.laboratory is not None and report.laboratory.rows[0].name == "all clips"
    assert report.laboratory_of_voices == view
    write_report(analysis, tmp_path, laboratory=own.to_json().encode())
    page = (tmp_path / "report.html").read_text()
    assert "all clips" in page and "all voices" in page


def test_a_sound_unlike_the_material_is_named(tmp_path: Path) -> None:
    analysis = recording(tmp_path)
    own = voices_for(analysis)
    assert analysis.voice is not None and analysis.voice.stream is not None
    stream = analysis.voice.stream.model_copy(update={"codec": "amr_nb"})
    quiet = analysis.voice.model_copy(update={"stream": stream, "speech": 400.0})
    view = voices_view(own, analysis.model_copy(update={"voice": quiet}))
    assert view is not None and "outside the measured ranges: speech, codec AMR." in view.outside
    assert "codec Opus" not in {row.name for row in view.rows}
    report = report_view(analysis, tmp_path, ReportInputs(laboratory=own.to_json().encode()))
    assert report.laboratory is None and report.laboratory_of_voices is not None


def test_voices_are_quoted_where_they_were_measured_by_this_network(analysis: Analysis) -> None:
    assert voices_view(laboratory_for(analysis), analysis) is None
    spoken = analysis.model_copy(update={"voice": voice()})
    assert voices_view(laboratory_for(spoken), spoken) is None, "it measured no voices"
    own = voices_for(spoken)
    assert voices_view(own, analysis) is None, "none were examined"
    other = own.voice_model.model_copy(update={"sha256": "00" * 32}) if own.voice_model else None
    view = voices_view(own.model_copy(update={"voice_model": other}), spoken)
    assert view is not None and "other weights (Voices 1)" in view.refused and not view.rows
    assert laboratory_view(own, spoken).rows, "faces are quoted all the same"


def test_no_threshold_decides_what_views_disagree_about(tmp_path: Path) -> None:
    analysis = recording(tmp_path)
    own = voices_for(analysis)
    assert analysis.voice is not None
    for code, words in (
        ("voice_unstable", "whatever the threshold"),
        ("voice_doubtful", "based on the default threshold, 0.65"),
    ):
        changes = {"verdict": VoiceVerdict.INCONCLUSIVE, "causes": (Cause(code=code),)}
        left_open = analysis.voice.model_copy(update=changes)
        view = voices_view(own, analysis.model_copy(update={"voice": left_open}))
        assert view is not None and words in view.decision


def test_a_validation_of_another_model_is_not_quoted(tmp_path: Path, analysis: Analysis) -> None:
    own = laboratory_for(analysis)
    given = ReportInputs(laboratory=own.to_json().encode())
    other = analysis.model_copy(update={"model": analysis.model.model_copy(update={"sha256": "00" * 32})})
    view = laboratory_view(own, other)
    assert "other weights" in view.refused
    assert not (view.rows or view.thresholds or view.decision or view.ratio)
    assert THRESHOLD not in dict(report_view(other, tmp_path, given).answers)


def test_a_result_stores_the_second_review_and_verifies_with_it(tmp_path: Path, analysis: Analysis) -> None:
    text = laboratory_for(analysis).to_json().encode()
    write_report(analysis, tmp_path, laboratory=text)
    assert (tmp_path / "laboratory.json").read_bytes() == text
    assert "validation of 2026-11-22" in (tmp_path / "report.html").read_text()
    assert not {problem.file for problem in verify(tmp_path).results.problems} - {"analysis.json"}
    before = (tmp_path / "report.html").read_bytes()
    assert main(["render", str(tmp_path / "analysis.json")]) == 0
    assert (tmp_path / "report.html").read_bytes() == before, "what is kept is quoted again"
    changed = text.replace(b'"files": 120', b'"files": 900')
    assert changed != text
    (tmp_path / "laboratory.json").write_bytes(changed)
    assert {problem.file for problem in verify(tmp_path).results.problems} >= {"laboratory.json"}


def test_an_invalid_laboratory_json_is_refused() -> None:
    with pytest.raises(LaboratoryError, match="can be quoted"):
        parse_laboratory(b'{"title": "x"}')
