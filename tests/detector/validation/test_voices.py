"""A validation of voices: labels, rates of their own beside those of faces, limits, and a real run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from analyses import build
from made_speech import RATE, babble
from made_validation import VOICE_MODEL, item, items, validation
from sounds import hum, write_recording
from voices import recording, voice

from cli.engine.main import main
from detector.errors import ParameterError
from detector.schema.analysis import Parameters, Verdict
from detector.schema.laboratory import LabelledSegment, Laboratory, Subject, Validation
from detector.schema.voice import VoiceSegment, VoiceVerdict
from detector.validation import conclude
from detector.validation.limits import find_limits
from detector.validation.material import LabelledFile, MaterialError, VoiceLabel, read_material
from detector.validation.measuring import Run, line_of_finished, validation_fields
from detector.validation.rates import (
    compute_levels,
    quoted_extract,
    thresholds_by_false_positive_rate,
)
from detector.validation.validated_model import (
    difference_to_models,
    difference_to_voice,
    validated_model,
    validated_voice_model,
)
from language.translation import cause_text, speaking
from reports.signing import validation_files

SEGMENT = LabelledSegment(start=1.0, end=3.0)


def file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(path.name)
    return path


def table(folder: Path, text: str) -> Path:
    path = folder / "material.csv"
    path.write_text(text)
    return path


def test_faces_and_voices_are_labelled_independently(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4", "c.opus", "d.opus"):
        file(tmp_path / name)
    text = (
        "file,label,generator,segments,voice,voice_generator,voice_segments,sex,language\n"
        "a.mp4,real,,,synthetic,cloner,0.5-1.25,male,en\n"
        "b.mp4,manipulated,swap,2-3,human,none,,,\n"
        "c.opus,,,,fake,,,female,de\n"
        "d.opus,,,,HUMAN,,,,\n"
    )
    material = read_material(table(tmp_path, text))
    first, second, third, fourth = material.files
    assert (first.manipulated, first.generator, first.truth) == (False, None, None)
    assert first.voice == VoiceLabel(True, "cloner", ((0.5, 1.25),))
    assert (second.manipulated, second.generator, second.truth) == (True, "swap", ((2.0, 3.0),))
    assert second.voice == VoiceLabel(False)
    assert (third.manipulated, third.voice) == (None, VoiceLabel(True))
    assert (fourth.manipulated, fourth.voice) == (None, VoiceLabel(False))
    assert material.has_voices and not material.remarks
    assert {"generator", "segments", "voice generator", "voice segments", "sex", "language"} == set(
        material.labelled
    )


def test_recordings_in_folders_are_labelled_as_voices(tmp_path: Path) -> None:
    for name in ("real/a.mp4", "real/a.wav", "manipulated/b.mp4", "manipulated/cloner/b.m4a"):
        file(tmp_path / name)
    files = {entry.name: entry for entry in read_material(tmp_path).files}
    assert files["real/a.mp4"].voice is None and files["manipulated/b.mp4"].manipulated is True
    assert files["real/a.wav"].manipulated is None and files["real/a.wav"].voice == VoiceLabel(False)
    assert files["manipulated/cloner/b.m4a"].voice == VoiceLabel(True, "cloner")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("file,voice\na.opus,perhaps\n", "line 2: unknown label 'perhaps' of a voice"),
        ("file,label,voice\na.opus,,\n", "line 2: unknown label ''"),
        ("file,voice\na.opus,human\nb.opus,human\n", "All labelled voices have one label only"),
        ("file,generator\na.opus,x\n", "file,label or file,voice"),
        ("file,label,voice\na.opus,real,human\n", "a.opus is sound without picture"),
        ("file,voice,voice_segments\na.opus,synthetic,2-1\n", "segments are written as"),
        ("file,voice\na.opus,human\ncopy.opus,synthetic\n", "same bytes with different labels"),
    ],
)
def test_invalid_labels_of_voices_are_rejected(tmp_path: Path, text: str, why: str) -> None:
    file(tmp_path / "a.opus")
    file(tmp_path / "b.opus")
    (tmp_path / "copy.opus").write_text("a.opus")
    with pytest.raises(MaterialError, match=why):
        read_material(table(tmp_path, text))


def test_labels_of_voices_need_sound(tmp_path: Path) -> None:
    for name in ("a.opus", "b.opus"):
        file(tmp_path / name)
    data = table(tmp_path, "file,voice\na.opus,human\nb.opus,synthetic\n")
    with pytest.raises(ParameterError, match="sound is left out"):
        conclude.validate(data, tmp_path, Run(None, Parameters(sound=False)), lambda *_: None)


def test_fields_of_the_voice_are_stored(tmp_path: Path) -> None:
    """Only segments on which a finding rests, and no time before the first frame."""
    segments = tuple(
        VoiceSegment(id=f"voice-{n}", start=start, end=4.0, confidence=0.9, windows=3, flagged=flagged)
        for n, (start, flagged) in enumerate(((-1.0, True), (2.0, False)))
    )
    stored = validation_fields(recording(tmp_path, segments=segments))["voice"]
    assert isinstance(stored, dict)
    assert stored["verdict"] == "synthetic speech found" and stored["codec"] == "opus"
    assert stored["segments"] == [[0.0, 4.0, 0.9]]
    assert stored["values"] == {"speech": 17.5, "bandwidth": 8000.0, "signal-to-noise ratio": 9.0}
    assert stored["outside"] == ["signal-to-noise ratio"]
    assert json.loads(json.dumps(stored)) == stored


def test_rates_of_voices_stand_beside_those_of_faces() -> None:
    faces = items(8)
    spoken = tuple(
        item(n, manipulated=n % 2 == 1, probability=(0.1, 0.9, 0.9, 0.5, 0.2, None)[n % 6],
             kind=Subject.VOICE, codec=("opus", "aac")[n % 2], attributes={"language": "en"},
             generator="cloner" if n % 2 else None)
        for n in range(12)
    )  # fmt: skip
    alone = compute_levels(faces, 0.65)
    levels = compute_levels(faces + spoken, 0.65)
    assert levels[: len(alone)] == alone, "labels of voices change nothing for faces"
    of_voices = levels[len(alone) :]
    whole = of_voices[0]
    assert (whole.kind, whole.name, whole.attribute) == (Subject.VOICE, "all voices", "")
    human, synthetic = whole.unmanipulated, whole.manipulated
    assert (human.flagged, human.not_found, human.total) == (2, 4, 6)
    assert (synthetic.flagged, synthetic.inconclusive, synthetic.not_judged) == (2, 2, 2)
    rates = {rate.figure: rate for rate in whole.rates}
    assert (rates["false positive rate"].events, rates["false positive rate"].items) == (2, 6)
    assert (rates["false negative rate"].events, rates["false negative rate"].items) == (2, 4)
    assert rates["AUC"].unit == "voices"
    assert {level.attribute for level in of_voices} == {
        "", "speech", "bandwidth", "generator", "language", "codec"
    }  # fmt: skip
    assert {level.name for level in of_voices if level.attribute == "codec"} == {"AAC", "Opus"}


def test_limits_name_voices() -> None:
    spoken = tuple(entry.model_copy(update={"outside": ("bandwidth",)}) for entry in items(4, Subject.VOICE))
    causes = find_limits(spoken, compute_levels(spoken, 0.65), (), (), ("sex",), voices=True)
    limits = [cause.text for cause in causes]
    assert "Only 4 human voices were measured: their rates are hardly known." in limits
    assert any(limit.startswith("8 of 8 voices lie outside the range of bandwidth") for limit in limits)
    assert (
        "Not labelled, so nothing is known of it: voice generator, group, voice segments, persons, language."
        in limits
    )
    assert any("No likelihood ratios for voices" in limit for limit in limits)


def test_limits_of_faces_and_voices_are_found_apart() -> None:
    made = validation(items(4) + items(40, Subject.VOICE, seed=2))
    of_faces, of_voices = "Only 4 manipulated clips were measured", "Nothing was analysed twice"
    for limits, own, other in (
        (made.limits, of_faces, of_voices),
        (made.voice_limits, of_voices, of_faces),
    ):
        assert any(own in limit for limit in limits) and not any(other in limit for limit in limits)
    extract = quoted_extract(made, made.to_json().encode())
    assert (extract.limits, extract.voice_limits) == (made.limits, made.voice_limits)


def test_both_labels_of_a_file_have_an_item_each(tmp_path: Path) -> None:
    analysis = build(tmp_path).model_copy(update={"voice": voice()})
    labels = LabelledFile(
        "a.mp4", tmp_path / "a.mp4", False, "a", sha256="0" * 64,
        voice=VoiceLabel(True, "cloner", ((1.0, 3.0),)),
        attributes={"skin tone": "V", "sex": "male", "language": "en"},
    )  # fmt: skip
    faces, spoken = conclude._items(labels, line_of_finished(analysis), {"a": 0})
    assert (faces.kind, faces.manipulated, faces.verdict) == (Subject.VIDEO, False, Verdict.MANIPULATED)
    assert (faces.attributes, faces.codec) == ({"skin tone": "V", "sex": "male"}, "h264")
    assert (spoken.kind, spoken.manipulated, spoken.verdict) == (
        Subject.VOICE,
        True,
        VoiceVerdict.SYNTHETIC,
    )
    assert (spoken.attributes, spoken.codec) == ({"sex": "male", "language": "en"}, "opus")
    assert (spoken.generator, len(spoken.truth)) == ("cloner", 1)
    unheard = line_of_finished(analysis.model_copy(update={"voice": None}))
    faces, spoken = conclude._items(labels, unheard, {"a": 0})
    assert faces.error is None and spoken.error == "Its sound was not examined."
    sound = line_of_finished(recording(tmp_path))
    faces, spoken = conclude._items(labels, sound, {"a": 0})
    assert faces.error == "It has no picture, so no face was judged." and spoken.error is None
    assert "backend" not in line_of_finished(
        analysis.model_copy(update={"software": analysis.software.model_copy(update={"backend": None})})
    )


def test_failed_files_are_counted_once() -> None:
    error = {"error": "It is damaged.", "kind": Subject.VOICE, "sha256": "0" * 64}
    both = (
        item(1, manipulated=True, probability=None, **(error | {"kind": None})),
        item(1, manipulated=True, probability=None, **error),
        *items(2),
    )
    assert not any(level.kind is Subject.VOICE for level in compute_levels(both, 0.65))
    limits = find_limits(both, (), (), (), ())
    assert limits[0].text == "1 of 5 files could not be analysed and is in none of the figures."


def test_extract_holds_voices_and_their_thresholds() -> None:
    made = validation(items(12) + items(40, Subject.VOICE, seed=2))
    assert [ratios.kind for ratios in made.likelihood_ratios] == [Subject.VIDEO, Subject.VOICE]
    own = thresholds_by_false_positive_rate(made, 0.05)
    assert (own[1].kind, own[1].shipped) == (Subject.VOICE, VOICE_MODEL.enter)
    extract = quoted_extract(made, made.to_json().encode(), own)
    assert extract.voice_model == VOICE_MODEL and extract.files == 104
    assert Laboratory.from_json(extract.to_json()) == extract
    assert Validation.from_json(made.to_json()) == made


def test_stretches_of_synthetic_speech_are_compared() -> None:
    met = LabelledSegment(start=1.0, end=3.0, confidence=0.9)
    spoken = tuple(
        item(n, manipulated=True, probability=0.9, kind=Subject.VOICE, truth=(SEGMENT,), segments=(met,) * n)
        for n in (0, 1)
    )
    figures = validation(spoken).voice_temporal
    assert figures["voices with labelled segments"] == 2
    assert (figures["labelled segments met"], figures["labelled segments missed"]) == (1, 1)


def test_older_validations_are_read() -> None:
    document = json.loads(validation(items(4)).to_json()) | {"schema_version": "1.2"}
    for name in ("voice_model", "voice_temporal"):
        del document[name]
    for codec in document["codecs"]:
        del codec["kind"]
    older = Validation.from_json(json.dumps(document))
    assert older.voice_model is None and {codec.kind for codec in older.codecs} == {Subject.VIDEO}


def test_voices_are_validated_for_one_network() -> None:
    now, faces = validated_voice_model(), validated_model(None)
    made = validation(items(4, Subject.VOICE), voice_model=now)
    assert difference_to_models(made, faces, now) == "", "the network of faces plays no part"
    other = now.model_copy(update={"sha256": "0" * 64})
    assert "other weights" in difference_to_models(made, faces, other)
    other = now.model_copy(update={"card_sha256": "0" * 64})
    assert "thresholds of Reelproof voice have changed" in difference_to_models(made, faces, other)
    spoken = voice()
    assert "other weights" in difference_to_voice(now, spoken)
    fits = now.model_copy(update={"sha256": spoken.model.sha256, "enter": 0.65, "leave": 0.5})
    assert difference_to_voice(fits, spoken) == "", "its card is not recorded"
    calibrated = spoken.model.model_copy(update={"card_sha256": "0" * 64})
    for changed in (
        spoken.model_copy(update={"model": calibrated}),
        spoken.model_copy(update={"scores": spoken.scores.model_copy(update={"enter": 0.7})}),
    ):
        assert "another calibration or other thresholds" in difference_to_voice(fits, changed)


def test_real_sounds_are_validated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the shipped network: speech, a tone in which there is none, and a file that is no sound."""
    monkeypatch.setattr(validation_files, "render_document", lambda *_, **__: b"%PDF-")
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    write_recording(data / "speech.wav", babble(5.0))
    write_recording(data / "other.m4a", babble(5.0, seed=3), codec="aac")
    write_recording(data / "tone.wav", np.concatenate([hum(2.0), np.zeros(RATE, np.float32)]))
    (data / "broken.wav").write_bytes(b"RIFF1234WAVE")
    text = (
        "file,voice,voice_generator,voice_segments,language\nspeech.wav,human,,,en\n"
        "other.m4a,synthetic,formants,0-5,en\ntone.wav,synthetic,,,\nbroken.wav,human,,,\n"
    )
    options = ["--workers", "1", "--repeat", "1", "--out", str(out)]
    assert main(["validate", str(table(data, text)), *options]) == 1, "one file could not be analysed"
    assert "all voices:" in capsys.readouterr().out
    made = Validation.from_json((out / "validation.json").read_bytes())
    assert made.voice_model == validated_voice_model() and len(made.items) == made.files == 4
    found = {entry.file: entry for entry in made.items}
    assert {entry.kind for entry in found.values()} == {Subject.VOICE}
    broken = found["broken.wav"]
    assert broken.cause is not None and broken.cause.text == broken.error and not found["tone.wav"].error
    with speaking("de"):
        assert cause_text(broken.cause) != broken.error
    assert found["tone.wav"].verdict is VoiceVerdict.NO_SPEECH and found["tone.wav"].probability is None
    for name, codec in (("speech.wav", "pcm_s16le"), ("other.m4a", "aac")):
        entry = found[name]
        assert entry.probability is not None and entry.codec == codec
        assert 3.0 < entry.values["speech"] <= 5.0 and entry.values["bandwidth"] > 0
    whole = made.level(Subject.VOICE)
    assert whole is not None and whole.manipulated.not_judged == 1 and whole.unmanipulated.total == 1
    (repetition,) = made.repetitions
    assert repetition.how == "voices, again" and repetition.verdicts_changed == 0
    assert {entry.name for entry in made.covered} == {"speech", "bandwidth"}, "no pause tells of noise"
    assert Laboratory.from_json((out / "laboratory.json").read_bytes()).voice_model == made.voice_model
