"""Segments of the voice in every export of segments."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import opentimelineio as otio
from analyses import build
from voices import recording, voice

from reports.exports.editing import segments_edl, segments_otio
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


def test_a_recording_has_a_track_of_sound_alone(tmp_path: Path) -> None:
    (sound,) = otio.adapters.read_from_string(segments_otio(recording(tmp_path)).decode()).tracks
    assert sound.kind == "Audio" and len(sound[0].markers) == 1
    assert b"No segment" not in segments_edl(recording(tmp_path))
