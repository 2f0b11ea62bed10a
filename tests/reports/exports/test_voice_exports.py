"""Segments of the voice in every export of segments."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import opentimelineio as otio
from analyses import build
from sheets import cells_of
from voices import recording, two_channels, voice

from reports.exports.editing import segments_edl, segments_otio
from reports.exports.spreadsheets import segments_xlsx
from reports.exports.tables import segments_csv, segments_json, segments_webvtt


def test_tables(tmp_path: Path) -> None:
    analysis = build(tmp_path, segments=1, duration=20.0).model_copy(update={"voice": voice()})
    face, heard = csv.DictReader(io.StringIO(segments_csv(analysis).decode()))
    assert (face["person"], heard["person"], heard["segment"]) == ("A", "voice", "voice-1")
    assert (heard["start"], heard["end_s"], heard["strength"]) == ("00:00:03.000", "8.5", "synthetic speech")
    assert heard["model"] == "voice" and heard["kind"] == ""
    document = json.loads(segments_json(analysis))
    assert document["voice"]["verdict"] == "synthetic speech found"
    assert [segment["id"] for segment in document["voice"]["segments"]] == ["voice-1"]
    assert json.loads(segments_json(build(tmp_path)))["voice"] is None
    cues = segments_webvtt(analysis).decode()
    assert "voice-1\n00:00:03.000 --> 00:00:08.500\nVoice: synthetic speech, 0.94" in cues


def test_editing(tmp_path: Path) -> None:
    analysis = build(tmp_path, segments=1, duration=20.0).model_copy(update={"voice": voice()})
    events = [line for line in segments_edl(analysis).decode().splitlines() if "  AX  " in line]
    assert [line.split()[2] for line in events] == ["V", "A"]
    picture, sound = otio.adapters.read_from_string(segments_otio(analysis).decode()).tracks
    assert [len(track[0].markers) for track in (picture, sound)] == [1, 1]
    assert sound[0].markers[0].name == "voice-1 0.94"


def test_segments_name_their_channels(tmp_path: Path) -> None:
    analysis = recording(tmp_path).model_copy(update={"voice": two_channels()})
    (row,) = csv.DictReader(io.StringIO(segments_csv(analysis).decode()))
    assert row["channels"] == "2"
    heard = json.loads(segments_json(analysis))["voice"]
    assert (heard["channels"], heard["segments"][0]["channels"]) == ([2], [2])
    assert [(other["channels"], other["verdict"]) for other in heard["other_channels"]] == [
        ([1], "no synthetic speech found")
    ]
    assert "Voice, channel 2 (right): synthetic speech, 0.94" in segments_webvtt(analysis).decode()
    assert "* COMMENT: Voice, channel 2 (right) segment voice-1" in segments_edl(analysis).decode()
    (sound,) = otio.adapters.read_from_string(segments_otio(analysis).decode()).tracks
    assert sound[0].markers[0].metadata["reelproof"]["channels"][0] == 2


def test_a_recording_has_a_track_of_sound_alone(tmp_path: Path) -> None:
    (sound,) = otio.adapters.read_from_string(segments_otio(recording(tmp_path)).decode()).tracks
    assert sound.kind == "Audio" and len(sound[0].markers) == 1
    assert b"No segment" not in segments_edl(recording(tmp_path))


OF_FACES = ("manipulated", "person", "efficientnet", "first frame", "frame scored")


def test_a_recording_is_described_as_sound(tmp_path: Path) -> None:
    """No export calls a voice manipulated, names the model of faces, or counts from a first frame."""
    analysis = recording(tmp_path, spans=((3.0, 8.5), (10.0, 10.4)))
    assert analysis.voice is not None
    first, second = analysis.voice.segments
    heard = analysis.voice.model_copy(
        update={"segments": (first, second.model_copy(update={"flagged": False, "windows": 1}))}
    )
    analysis = analysis.model_copy(update={"voice": heard})
    subtitles, edl = (make(analysis).decode() for make in (segments_webvtt, segments_edl))
    timeline = segments_otio(analysis).decode()
    for text in (subtitles, edl, timeline):
        assert [words for words in OF_FACES if words in text.replace("frame_rate_note", "")] == []
        assert "voice" in text and "start of the recording" in text
    assert "flagged as synthetic speech, and those it looked at and did not flag, marked" in subtitles
    assert "1 of 2 flagged, the others looked at, by Reelproof" in edl and "1 window scored" in edl
    facts = json.loads(timeline)["metadata"]["reelproof"]
    assert (facts["model"], facts["voice_model"], facts["voice_model_sha256"]) == (None, "voice", "c4" * 32)


def test_both_findings_of_a_video_are_described(tmp_path: Path) -> None:
    analysis = build(tmp_path, segments=1, duration=20.0).model_copy(update={"voice": voice()})
    subtitles, edl = (make(analysis).decode() for make in (segments_webvtt, segments_edl))
    assert "Segments of faces that Reelproof 0.1.0 flagged as manipulated.\n" in subtitles
    assert "Segments of the voice that Reelproof 0.1.0 flagged as synthetic speech.\n" in subtitles
    for text in (subtitles, edl):
        assert "Model: efficientnet_lite0_faces" in text and "Model of voices: voice" in text
    without = segments_webvtt(build(tmp_path)).decode()
    assert "Segments that Reelproof 0.1.0 flagged as manipulated.\n" in without and "oice" not in without


def test_provenance_names_the_models_of_both(tmp_path: Path) -> None:
    of_faces, of_voices = {"model", "verdict"}, {"voice_model", "voice_verdict"}
    video = build(tmp_path)
    for analysis, names in (
        (recording(tmp_path), of_voices),
        (video, of_faces),
        (video.model_copy(update={"voice": voice()}), of_faces | of_voices),
    ):
        out = io.BytesIO()
        segments_xlsx(analysis, out)
        rows = {row[0] for row in cells_of(out.getvalue(), 2)}
        assert rows & (of_faces | of_voices) == names
