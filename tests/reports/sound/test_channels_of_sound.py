"""Reports name the channels that were judged for themselves, and what was found in each."""

from __future__ import annotations

from pathlib import Path

import pytest
from analyses import build
from voices import recording, two_channels, voice

from detector.schema.analysis import Analysis
from detector.schema.voice import Voice
from language import translation
from reports.render.html import render_html
from reports.report_view import ReportInputs, report_view
from webapp.downloads.desk_sound import sound_document


def text_of(analysis: Analysis, folder: Path, language: str = "en") -> str:
    view = report_view(analysis, folder, ReportInputs(language_code=language))
    with translation.speaking(language):
        return render_html(view, {picture.key: b"" for picture in view.pictures}, ())


def of_two(folder: Path) -> Analysis:
    return recording(folder).model_copy(update={"voice": two_channels(folder)})


def test_each_channel_has_its_lane_and_verdict(tmp_path: Path) -> None:
    view = report_view(of_two(tmp_path), tmp_path)
    assert view.sound is not None and view.verdict == "synthetic speech found"
    assert [(lane.name, lane.verdict) for lane in view.sound.lanes] == [
        ("Channel 1 (left)", "no synthetic speech found"),
        ("Channel 2 (right)", "synthetic speech found"),
    ]
    assert view.sound.lane is view.sound.lanes[1]
    assert [len(lane.drawing.bands) for lane in view.sound.lanes] == [0, 1]
    assert view.sound.segments[0].name == "Voice 1, channel 2 (right)"
    answers = dict(view.answers)
    assert answers["When"] == "00:00:03.000 to 00:00:08.500, channel 2 (right)"
    assert "Channel 1 (left): no synthetic speech found; channel 2 (right): synth" in answers["Grounds"]
    assert answers["How much was judged"].startswith("Channel 1 (left): 17.5 s of speech were judged;")
    assert [fact.name for fact in view.sound.facts[:2]] == ["Channel 1 (left)", "Channel 2 (right)"]
    assert view.sound.facts[1].value.endswith("of the sound were not.") and "windows; sta" in (
        view.sound.facts[1].note
    )
    assert "Sound that was not judged: channel 1 (left): silence 00:00:02.000; music 00:00:00.500." in (
        view.not_examined.lines
    )
    page = text_of(of_two(tmp_path), tmp_path)
    assert "Channel 1 (left): no synthetic speech found" in page and "others separately" in page


def test_both_questions_name_the_channel_on_the_first_page(tmp_path: Path) -> None:
    analysis = build(tmp_path, duration=20.0).model_copy(update={"voice": two_channels(tmp_path)})
    answers = dict(report_view(analysis, tmp_path).answers)
    assert (
        answers["Voice"]
        == "Strong signs of a synthetic voice: 00:00:03.000 to 00:00:08.500, channel 2 (right)."
    )


def test_channels_that_were_left_out_are_named(tmp_path: Path) -> None:
    heard = two_channels(tmp_path)
    assert heard.stream is not None
    stream = heard.stream.model_copy(update={"channels": 12, "channels_left_out": (9, 11)})
    analysis = recording(tmp_path).model_copy(update={"voice": heard.model_copy(update={"stream": stream})})
    view = report_view(analysis, tmp_path)
    sentence = "Eight channels were examined; the speech in channels 9, 11 was not."
    assert view.sound is not None and sentence in view.sound.reason and sentence in view.not_examined.lines


@pytest.mark.parametrize(("language", "words"), [("de", "Kanal 2 (rechts)"), ("es", "canal 2 (derecho)")])
def test_channels_are_translated(tmp_path: Path, language: str, words: str) -> None:
    assert words in text_of(of_two(tmp_path), tmp_path, language)


def test_channels_that_were_judged_together_are_not_named(tmp_path: Path) -> None:
    analysis = recording(tmp_path)
    assert "hannel 1" not in text_of(analysis, tmp_path) and "reduced to one channel" in text_of(
        analysis, tmp_path
    )


def test_the_desk_has_a_lane_for_each_channel(tmp_path: Path) -> None:
    def document(heard: Voice) -> dict:
        analysis = recording(tmp_path).model_copy(update={"voice": heard})
        sound = report_view(analysis, tmp_path).sound
        assert sound is not None
        return sound_document(heard, sound, "files/")

    both = document(two_channels(tmp_path))
    assert [lane["name"] for lane in both["lanes"]] == ["Channel 1 (left)", "Channel 2 (right)"]
    assert [segment["lane"] for segment in both["segments"]] == [1]
    assert both["lanes"][1]["spectrogram"]["picture"] == "files/overlays/voice.png"
    together = document(voice(tmp_path))
    assert [lane["name"] for lane in together["lanes"]] == [""] and together["segments"][0]["lane"] == 0
