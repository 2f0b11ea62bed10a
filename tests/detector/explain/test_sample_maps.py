"""Heatmaps of the demonstration clip: confirmed, visible, and computed for any frame on request."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import Analysed

from detector.demo_clip import MANIPULATED
from detector.errors import MediaError, ModelError
from detector.explain import segment_maps
from detector.models.loaded import load_model
from detector.sandboxed_engine import segment_maps_confined
from detector.schema.analysis import MapMethod, MapNetwork, Question
from detector.schema.frame_maps import read_segment_maps


def test_every_map_of_the_sample_is_confirmed_and_visible(analysed_sample: Analysed) -> None:
    (segment,) = analysed_sample.analysis.segments
    assert len(segment.peaks) == 3 and all(peak.check and peak.check.confirmed for peak in segment.peaks)
    for peak in segment.peaks:
        first, gradient, change = peak.maps
        assert (first.method, first.overlay, first.map, first.heat, first.check) == (
            MapMethod.HIDDEN_PARTS,
            peak.overlay,
            peak.map,
            peak.heat,
            peak.check,
        )
        assert gradient.method is MapMethod.GRAD_CAM and gradient.check is not None
        assert gradient.check.drop_random == first.check.drop_random if first.check else False
        assert first.question is Question.ALTERED and MapNetwork.SECOND_LOOK in first.networks
        assert change.method is MapMethod.CHANGE and change.check is None
        for heatmap in peak.maps:
            assert heatmap.map is not None and heatmap.map in segment.pictures
            layer = cv2.imread(str(analysed_sample.folder / heatmap.map), cv2.IMREAD_UNCHANGED)
            lit = layer[..., :3].max(axis=2)[layer[..., 3] > 0]
            assert np.quantile(lit, 0.9) > 100, "not black"


def test_the_calm_frame_is_before_or_after_the_swap(analysed_sample: Analysed) -> None:
    (segment,) = analysed_sample.analysis.segments
    calm = segment.calm
    assert calm is not None and calm.frame in segment.pictures and calm.probability < 0.5
    assert not MANIPULATED[0] <= calm.time <= MANIPULATED[1]
    assert not segment.start <= calm.time <= segment.end
    assert calm.frame is not None and (analysed_sample.folder / calm.frame).exists()


def test_changes_lie_on_the_face(analysed_sample: Analysed) -> None:
    for peak in analysed_sample.analysis.segments[0].peaks:
        layer = cv2.imread(str(analysed_sample.folder / (peak.maps[2].map or "")), cv2.IMREAD_UNCHANGED)
        y, x = np.unravel_index(layer[..., :3].sum(axis=2).argmax(), layer.shape[:2])
        left, top, right, bottom = peak.box
        assert left < x < right and top < y < bottom


def test_frames_of_a_segment_are_explained_on_request(analysed_sample: Analysed, tmp_path: Path) -> None:
    analysis, exhibit = analysed_sample.analysis, analysed_sample.path
    (segment,) = analysis.segments
    time = segment.peaks[0].time
    short = segment.model_copy(update={"start": time - 0.05, "end": time + 0.05})
    scores = segment_maps.scores_inside(short, analysis.persons[0])
    assert 2 <= len(scores) <= 3 and time in [score.time for score in scores]
    out = tmp_path / "maps"
    out.mkdir()
    stages: list[str] = []
    analysis = analysis.model_copy(update={"segments": (short,)})
    segment_maps_confined(exhibit, analysis, "A1", out, lambda stage, share: stages.append(stage))
    listed = read_segment_maps(out)
    assert listed.segment == "A1" and [one.pts for one in listed.frames] == [score.pts for score in scores]
    assert [one.time for one in listed.frames] == pytest.approx([score.time for score in scores], abs=1e-3)
    assert max(one.heat for one in listed.frames) == 1.0 and stages[-1] == "explaining"
    assert set(stages) <= {"starting", "explaining"}
    for one, score in zip(listed.frames, scores, strict=True):
        head, layer = (cv2.imread(str(out / name), cv2.IMREAD_UNCHANGED) for name in (one.frame, one.map))
        assert head.shape == (320, 320, 3) and layer.shape == (320, 320, 4)
        left, top, right, bottom = one.part
        assert (
            left <= score.box[0]
            and score.box[2] <= right
            and right - left == pytest.approx(bottom - top, abs=0.02)
        )
        assert layer[..., 3].max() > 100, "not transparent throughout"


def test_frames_of_a_long_segment_are_thinned_evenly(
    analysed_sample: Analysed, monkeypatch: pytest.MonkeyPatch
) -> None:
    (segment,), person = analysed_sample.analysis.segments, analysed_sample.analysis.persons[0]
    whole = segment_maps.scores_inside(segment, person)
    monkeypatch.setattr(segment_maps, "MOST_FRAMES", 3)
    first, middle, last = segment_maps.scores_inside(segment, person)
    assert (first, last) == (whole[0], whole[-1])
    assert [first.time, last.time] == pytest.approx([segment.start, segment.end], abs=0.2)
    # Around the ends of a segment every frame is scored, so the middle one is not in the middle of its time.
    assert middle.time == pytest.approx(float(np.median([score.time for score in whole])), abs=0.2)


def test_other_exhibits_and_models_are_refused(analysed_sample: Analysed, tmp_path: Path) -> None:
    analysis, exhibit = analysed_sample.analysis, analysed_sample.path
    with pytest.raises(MediaError, match="no segment B7"):
        segment_maps.write_segment_maps(exhibit, analysis, "B7", tmp_path, load_model())
    with pytest.raises(MediaError, match="not the exhibit"):
        segment_maps.write_segment_maps(Path(__file__), analysis, "A1", tmp_path, load_model())
    with pytest.raises(ModelError, match="other weights"):
        segment_maps.write_segment_maps(exhibit, analysis, "A1", tmp_path, load_model("efficientnet-lstm"))
    assert not list(tmp_path.iterdir())
