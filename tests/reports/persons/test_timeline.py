"""The timeline: what lies where, what is left out of it, and how large it may become."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from analyses import build
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from detector.files import ROOT
from detector.schema.analysis import Analysis, MediaKind, Score, Scores, Verdict
from language import translation
from reports import fonts
from reports.persons import timeline_scale as timeline_ticks
from reports.persons.timeline import ROOMY_LANES, draw_timeline
from reports.persons.timeline_scale import LEFT, RIGHT
from reports.render.html import TEMPLATES
from reports.report_view import report_view

SVG = "{http://www.w3.org/2000/svg}"


def figure(analysis: Analysis, folder: Path) -> tuple[str, ElementTree.Element]:
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    translation.install(environment)
    environment.globals["figure_fonts"] = fonts.FIGURES
    source = '{% from "macros/timeline.html" import timeline %}{{ timeline(view) }}'
    markup = environment.from_string(source).render(view=report_view(analysis, folder))
    svg = markup[markup.index("<svg") : markup.index("</svg>") + 6]
    return markup, ElementTree.fromstring(svg)


def positions(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]


def test_macro_is_accessible_and_obeys_a_strict_csp(tmp_path: Path) -> None:
    markup, svg = figure(build(tmp_path, kept=False), tmp_path)
    assert svg.get("role") == "img"
    named = (svg.get("aria-labelledby") or "").split()
    assert [element.get("id") for element in svg if element.tag in {f"{SVG}title", f"{SVG}desc"}] == named
    assert "style=" not in markup and "<script" not in markup and "url(" not in markup
    assert not re.search(r"\son\w+=", markup)
    assert "<table" in markup and '<th scope="row">Person A</th>' in markup


def test_every_segment_has_a_hatched_labelled_band(tmp_path: Path) -> None:
    markup, svg = figure(build(tmp_path, kept=False), tmp_path)
    bands = svg.findall(f".//{SVG}g[@class='timeline-band']")
    assert [band.get("data-segment") for band in bands] == ["A1", "A2", "B1"]
    for band in bands:
        hatch = band.find(f"{SVG}path[@class='timeline-hatch']")
        assert hatch is not None and hatch.get("d", "").count("M") > 5
    tags = [text.text for text in svg.iter(f"{SVG}text") if text.get("class") == "timeline-tag"]
    assert tags == ["A1", "A2", "B1"]


def test_bands_and_lines_are_at_their_times(tmp_path: Path) -> None:
    timeline = draw_timeline(build(tmp_path, kept=False))
    band = timeline.lanes[0].bands[0]
    assert band.x == pytest.approx(LEFT + (RIGHT - LEFT) * 6 / 60, abs=0.1)
    assert band.width == pytest.approx((RIGHT - LEFT) * 12 / 60, abs=0.1)
    lane = timeline.lanes[0]
    inside = [y for x, y in positions(lane.line) if band.x + 1 < x < band.x + band.width - 1]
    outside = [y for x, y in positions(lane.line) if x < band.x - 1]
    assert max(inside) < lane.enter < min(outside)  # y grows downwards


def test_line_breaks_where_the_face_is_lost_and_the_strips_say_why(tmp_path: Path) -> None:
    lost, whole = draw_timeline(build(tmp_path, kept=False)).lanes
    sample = (RIGHT - LEFT) / 60 / 8
    for lane in (lost, whole):
        for part in lane.line.split("M")[1:]:
            xs = [x for x, _ in positions("M" + part)]
            assert max(b - a for a, b in zip(xs, xs[1:], strict=False)) <= 2.5 * sample + 0.2
    assert whole.usable.count("M") == 2 and whole.unusable.count("M") == 1
    assert lost.usable.count("M") == 3


def test_ticks_are_round_and_few(tmp_path: Path) -> None:
    for duration in (0.4, 3.52, 5, 59, 600, 7200, 200_000):
        ticks = draw_timeline(build(tmp_path, kept=False, duration=duration, count=10)).ticks
        assert 2 <= len(ticks) <= 9
        assert ticks[0].label.startswith("00:00:00")
        labels = [tick.label for tick in ticks if tick.label]
        assert len(set(labels)) == len(labels) >= len(ticks) / 2
        ends = [timeline_ticks._extent(tick) for tick in ticks if tick.label]
        assert all(left[1] < right[0] for left, right in pairwise(ends)), duration
        places = [place for place, tick in enumerate(ticks) if tick.label]
        assert len({right - left for left, right in pairwise(places)}) == 1, duration


def test_fifty_thousand_scores_stay_small_and_lose_no_spike(tmp_path: Path) -> None:
    scores = Scores(
        Score(
            time=i / 8,
            pts=i,
            track=0,
            box=(0, 0, 9, 9),
            usable=True,
            logit=0.0,
            probability=value,
            smoothed=value,
        )
        for i in range(50_000)
        for value in [0.99 if i == 31_234 else 0.2]
    )
    analysis = build(tmp_path, persons=1, segments=0)
    person = analysis.persons[0].model_copy(update={"scores": scores})
    long = analysis.model_copy(
        update={"persons": (person,), "media": analysis.media.model_copy(update={"duration": 6250.0})}
    )
    lane = draw_timeline(long).lanes[0]
    assert len(lane.line) + len(lane.dots) < 40_000
    spike = lane.bottom - (lane.bottom - lane.top) * 0.99
    for path in (lane.line, lane.dots):
        x, y = min(positions(path), key=lambda point: point[1])
        assert y == pytest.approx(spike, abs=0.1)
        assert x == pytest.approx(LEFT + (RIGHT - LEFT) * 31_234 / 50_000, abs=2)


def test_unsteady_tracks_stay_bounded(tmp_path: Path) -> None:
    scores = Scores(
        Score(
            time=i / 8,
            pts=i,
            track=i,
            box=(0, 0, 9, 9),
            usable=i % 2 == 0,
            **({"logit": 0.0, "probability": 0.5, "smoothed": 0.5} if i % 2 == 0 else {}),
        )  # fmt: skip
        for i in range(20_000)
    )
    analysis = build(tmp_path, persons=1, segments=0, duration=2500.0)
    person = analysis.persons[0].model_copy(update={"scores": scores})
    lane = draw_timeline(analysis.model_copy(update={"persons": (person,)})).lanes[0]
    assert sum(map(len, (lane.line, lane.dots, lane.usable, lane.unusable))) < 60_000


def test_still_image_draws_bars_and_no_time(tmp_path: Path) -> None:
    markup, svg = figure(build(tmp_path, kind=MediaKind.IMAGE, kept=False), tmp_path)
    bars = [rect for rect in svg.iter(f"{SVG}rect") if rect.get("class") == "timeline-bar"]
    assert float(bars[0].get("width", 0)) == pytest.approx((RIGHT - LEFT) * 0.97, abs=0.1)
    assert "00:00" not in markup
    assert not svg.findall(f".//{SVG}g[@class='timeline-lane']/{SVG}path[@class='timeline-line']")


def test_no_person_and_no_usable_face_are_said(tmp_path: Path) -> None:
    markup, _ = figure(build(tmp_path, persons=0, segments=0), tmp_path)
    assert "no face was found" in markup
    markup, svg = figure(build(tmp_path, segments=0, verdict=Verdict.INCONCLUSIVE), tmp_path)
    assert "no usable face" in markup and "not judged" in markup
    assert not svg.findall(f".//{SVG}g[@class='timeline-lane']/{SVG}path[@class='timeline-line']")


@pytest.mark.parametrize("persons", [1, 6, 7, 20])
def test_lanes_never_overlap_and_stay_inside(tmp_path: Path, persons: int) -> None:
    made = build(tmp_path, persons=persons, segments=persons, kept=False, peaks=1, count=40)
    timeline = draw_timeline(made)
    for upper, lower in zip(timeline.lanes, timeline.lanes[1:], strict=False):
        assert upper.strip < lower.top
    assert timeline.lanes[-1].strip < timeline.axis < timeline.legend < timeline.height < 960
    assert all(
        band.x >= LEFT and band.x + band.width <= RIGHT for lane in timeline.lanes for band in lane.bands
    )


def test_omitted_labels_are_mentioned(tmp_path: Path) -> None:
    analysis = build(tmp_path, persons=1, segments=150, kept=False, peaks=1)
    markup, svg = figure(analysis, tmp_path)
    tags = [text for text in svg.iter(f"{SVG}text") if text.get("class") == "timeline-tag"]
    assert 5 < len(tags) < 100
    assert "labels are omitted" in markup
    assert len(svg.findall(f".//{SVG}g[@class='timeline-band']")) == 150


def test_the_review_desk_has_the_same_ruler_and_lane_limit() -> None:
    scripts = ROOT / "static" / "js" / "review"
    drawing, timeline = (
        (scripts / name).read_text(encoding="utf-8") for name in ("timeline_drawing.js", "timeline.js")
    )
    steps = re.search(r"^const STEPS = (\[.*\]);", drawing, re.MULTILINE)
    roomy = re.search(r"^export const ROOMY = (\d+);", timeline, re.MULTILINE)
    assert steps and tuple(json.loads(steps[1])) == timeline_ticks.STEPS
    assert roomy and int(roomy[1]) == ROOMY_LANES
