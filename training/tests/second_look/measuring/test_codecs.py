"""What encoding by other codecs adds to unmanipulated clips, and how it comes onto the card."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import av
import pytest
from clips import numbered, write_clip

from detector.models.card import SecondLookCard
from detector.models.loaded import load_model
from detector.models.model_files import MODELS_FOLDER
from detector.schema.analysis import Verdict
from training.second_look.measuring import codecs
from training.second_look.measuring.codecs import Encoded, measure_codecs, update_codecs


def encoded(file: str, codec: str, altered: float | None, fake: bool = False) -> Encoded:
    return Encoded(file, codec, fake, Verdict.NOT_FOUND, altered)


def test_what_is_added_is_the_mean_over_unmanipulated_clips() -> None:
    measurements = [
        encoded("a", "as it is", -2.0),
        encoded("a", "hevc", -1.0),
        encoded("b", "as it is", 0.0),
        encoded("b", "hevc", 0.5),
        encoded("c", "as it is", None),
        encoded("c", "hevc", 3.0),
        encoded("d", "as it is", 0.0, fake=True),
        encoded("d", "hevc", 5.0, fake=True),
    ]
    assert codecs._added(measurements, "hevc") == pytest.approx(0.75)
    assert codecs._added(measurements, "av1") == 0, "nothing was measured"


def test_clips_are_encoded_and_results_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write_clip(tmp_path / "clip.mp4", map(numbered, range(8)))
    for folder, label in (("clips", "fake"), ("videos", "real")):
        (tmp_path / folder).mkdir()
        with (tmp_path / folder / "labels.csv").open("w") as file:
            csv.writer(file).writerows([["file", "role", "label"], [f"{folder}.mp4", "develop", label]])
        shutil.copy(clip, tmp_path / folder / f"{folder}.mp4")
    seen: list[str] = []

    def told(file: str, codec: str, fake: bool, analysis: str, _: SecondLookCard) -> Encoded:
        seen.append(analysis)
        return encoded(file, codec, float(len(seen)), fake)

    def codec_of(path: Path, model: object, explain: bool) -> str:
        with av.open(str(path)) as container:
            return container.streams.video[0].codec_context.codec.canonical_name

    monkeypatch.setattr(codecs, "_measure", told)
    monkeypatch.setattr(codecs, "analyze", codec_of)
    model = load_model("reelproof")
    lines: list[str] = []
    added = measure_codecs(tmp_path, model, tmp_path / "kept", 1, False, lines.append)
    assert seen == ["h264", "hevc", "av1", "vp9", "h264"], "the last one was HEVC before"
    assert added == {"hevc": 1.0, "av1": 2.0, "vp9": 3.0}
    assert lines[1].startswith("hevc: of 0 manipulated ones")
    assert measure_codecs(tmp_path, model, tmp_path / "kept", 1, False, lines.append) == added
    measure_codecs(tmp_path, model, tmp_path / "kept", 1, True, lines.append)
    assert len(seen) == 10, "manipulated ones when asked for, others not again"


def test_it_comes_onto_the_card_to_a_tenth(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    shutil.copytree(MODELS_FOLDER, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    for name in ("reelproof", "second-look/reelproof"):
        shutil.copy(MODELS_FOLDER / f"{name}.safetensors", folder / f"{name}.safetensors")
    path = update_codecs(str(folder / "reelproof.json"), {"hevc": 0.777, "av1": -0.2})
    after = SecondLookCard.model_validate_json(path.with_suffix(".json").read_bytes())
    assert after.codecs == {"hevc": 0.8, "av1": 0.0}
