"""What the review desk works out by itself agrees with what Python says of the same thing."""

from __future__ import annotations

import hashlib
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analyses import build
from playwright.sync_api import Page
from reviewed_persons import reviewed_persons
from voices import voice

from detector.schema.analysis import Analysis, Parameters, Person, Score
from detector.schema.formatting import escape_directions, printable
from detector.schema.scores import logit_of
from detector.schema.voice import VoiceScores
from detector.segments.rules import find_in_person, find_in_pieces, find_whole
from detector.voice.findings import segment_runs
from language.formatting import probability, timecode
from reports.review.annotations import ANNOTATION, current
from webapp.downloads import desk_data
from webapp.exhibits.results import load_result, result_cache

pytestmark = pytest.mark.browser


# Of each kind that cannot be seen one that is named, and one that belongs where it stands.
UNSEEN = [
    *(
        f"a{char}b{char}"
        for char in map(chr, (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0))
    ),
    *(f"a{char}b" for char in map(chr, (*range(0x180B, 0x1810), 0x2D7F, 0x1107F, 0x16FE4, 0x1D159))),
    *(f"a{chr(code)} {chr(code + 0x10000 * 13 + 0x300)}" for code in range(0xFE00, 0xFE10)),
    "1\ufe0f\u20e3 1\ufe0f ❤\ufe0f ❤\ufe0f\ufe0f 葛\U000e0100 a\U000e0100 \u1820\u180b \u2d31\u2d7f",
]


def call(page: Page, module: str, code: str, given: object) -> Any:
    """Run ``code`` with ``m`` the module and ``given`` the argument."""
    return page.evaluate(
        f"async (given) => {{ const m = await import('/static/js/{module}'); {code} }}", given
    )


def document(analysis: Analysis, folder: Path) -> dict[str, Any]:
    (folder / "analysis.json").write_text(analysis.to_json())
    return desk_data.desk_document("a" * 32, load_result(folder))


def said(rng: random.Random, analysis: Analysis, count: int) -> list[dict[str, Any]]:
    """Annotations at random, some of which mean nothing."""
    moment = datetime(2026, 11, 20, 10, tzinfo=UTC)
    names = [person.id for person in analysis.persons] + ["C", "D"]
    out: list[dict[str, Any]] = []
    for _ in range(count):
        moment += timedelta(milliseconds=rng.choice([0, 1, 250, 90_000]))
        annotation: dict[str, Any] = {
            "id": f"{rng.getrandbits(128):032x}",
            "author": rng.choice(["Ann", "Ben"]),
            "made": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "kind": rng.choice(["segment", "exhibit", "span", "rename", "merge", "split", "withdrawal"]),
        }
        if rng.random() < 0.2:
            annotation["imported_by"] = rng.choice(["Ann", "Ben", "Carl"])
        who = rng.choice(names)
        annotation |= {
            "segment": {"segment": rng.choice(["A1", "B1"]), "verdict": "agree", "note": "ü"},
            "exhibit": {"verdict": rng.choice(["agree", "unsure"])},
            "span": {"start": rng.randrange(5000) / 1000, "end": 9.5, "verdict": "manipulated"},
            "rename": {"person": who, "name": f"Name {rng.randrange(9)}"},
            "merge": {"person": who, "into": rng.choice([n for n in names if n != who])},
            "split": {"person": who, "tracks": rng.sample(range(6), rng.randrange(1, 3))},
            "withdrawal": {"about": rng.choice(out)["id"] if out else "0" * 32},
        }[annotation["kind"]]
        out.append(annotation)
    return out


def test_names_are_made_safe_as_python_does(modules: Page) -> None:
    names = [
        "clip\u202e4pm.exe",
        "a\tb\nc\x1b[8m",
        "soft\xadhyphen",
        "tag\U000e0041",
        "line\u2028",
        "Ärger 😀.mp4",
        "می‌خواهم.mp4",
        "ع‌ل‌ی",
        "ශ්‍රී ලංකා",
        "രാജന്\u200d അത്\u200c.mp4 രാജന\u200d ന്\u200d\u200d ক্\u200d২",
        "👩🏽‍🔬 ❤️‍🔥 🙂‍↔️.jpg",
        "\u200cمی\u200c\u200dخ\u200d ۲\u200cس a\u200cb a\ufe0f\u200d😀 😀\u200d",
        "\u0600\u200cی\u0600",
        *UNSEEN,
    ]
    shown = call(modules, "formats.js", "return given.map(m.printable);", names)
    assert shown == [printable(name) for name in names]


def test_reading_directions_are_escaped_as_python_does(modules: Page) -> None:
    texts = [f"a{chr(code)}b\n\u200f" for code in (*range(0x2028, 0x2030), *range(0x2064, 0x206B))]
    shown = call(modules, "formats.js", "return given.map(m.escapeDirections);", texts)
    assert shown == [escape_directions(text) for text in texts]
    made = "return given.map((text) => m.el('p', { title: text }, text).outerHTML);"
    assert "\u202e" not in "".join(call(modules, "dom.js", made, texts))


def test_probabilities_read_alike(modules: Page) -> None:
    """In reports and on the desk, just below thresholds and at halves too."""
    rng = random.Random(4)
    near = [edge + step for edge in (0.01, 0.4, 0.65, 0.99) for step in (-0.005, -0.0001, 0.0, 0.0001)]
    values = [0.0, 1.0, *near, *(n / 200 for n in range(201)), *(rng.random() for _ in range(2000))]
    shown = call(modules, "formats.js", "return given.map(m.probability);", values)
    assert shown == [probability(value) for value in values]
    own = (0.2, 0.725)
    near = [edge + step for edge in own for step in (-0.005, -0.0001, 0.0, 0.0001)]
    shown = call(
        modules, "formats.js", f"return given.map((each) => m.probability(each, {own[0]}, {own[1]}));", near
    )
    assert shown == [probability(value, *own) for value in near]


def test_what_stands_and_who_is_who(modules: Page, tmp_path: Path) -> None:
    analysis = build(tmp_path, persons=3, segments=3, duration=20.0)
    data = document(analysis, tmp_path)
    assert any(len(person.tracks) > 1 for person in analysis.persons), "or nothing could be split"
    rng = random.Random(5)
    cases = []
    for _ in range(60):
        annotations = said(rng, analysis, rng.randrange(1, 14))
        parsed = [ANNOTATION.validate_python(a) for a in annotations]
        rng.shuffle(annotations)
        cases.append((annotations, parsed))
    shown = call(
        modules,
        "review/data.js",
        "const s = await import('/static/js/review/annotations.js');"
        "return given.cases.map((said) => [s.current(said).map((a) => a.id), "
        "m.reviewedPersons(m.prepare(structuredClone(given.data)), said)"
        ".map((f) => [f.id, f.name, [...f.tracks].sort((a, b) => a - b), f.scores.time.length])]);",
        {"data": data, "cases": [annotations for annotations, _ in cases]},
    )
    changed = 0
    for got, (_, parsed) in zip(shown, cases, strict=True):
        expected = reviewed_persons(analysis, parsed)
        assert got[0] == [a.id for a in current(parsed)]
        assert [row[:3] for row in got[1]] == [[f.id, f.name, list(f.tracks)] for f in expected]
        for face, row in zip(expected, got[1], strict=True):
            assert row[3] == sum(s.track in face.tracks for p in analysis.persons for s in p.scores)
        changed += {f.id for f in expected} != {p.id for p in analysis.persons}
    assert changed > 10, "merges and splits must have happened"


def scored(values: np.ndarray, times: np.ndarray, tracks: np.ndarray) -> Person:
    return Person(
        id="A",
        median_box=(0, 0, 90, 90),
        screen_time=1.0,
        tracks=tuple(sorted(set(tracks.tolist()))),
        usable_frames=len(values),
        probability=0.5,
        scores=tuple(
            Score(
                time=t, pts=i, track=k, box=(0, 0, 90, 90), usable=True, logit=0.0, probability=v, smoothed=v
            )
            for i, (t, v, k) in enumerate(zip(times.tolist(), values.tolist(), tracks.tolist(), strict=True))
        ),
    )


def test_exploring_follows_the_engines_rules(modules: Page, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    base = build(tmp_path, persons=1, segments=0, duration=20.0)
    total = in_pieces = whole = 0
    for _ in range(25):
        steps = rng.choice([0.125, 0.125, 0.125, 0.4, 1.1], 140)
        times = np.round(np.cumsum(steps), 4)
        walk = np.clip(0.5 + np.cumsum(rng.normal(0, 0.12, 140)) % 1 - 0.5, 0.01, 0.99).round(4)
        tracks = np.repeat([0, 1, *range(2, 22)], [50, 50] + [2] * 20)
        enter = float(np.round(rng.uniform(0.3, 0.95), 2))
        parameters = Parameters(enter_threshold=enter, exit_threshold=min(0.5, enter))
        analysis = base.model_copy(update={"persons": (scored(walk, times, tracks),)})
        got = call(
            modules,
            "review/explore.js",
            "const d = await import('/static/js/review/data.js'); const p = d.prepare(given.data);"
            "return m.wouldFlag(p.scores.get('A'), given.data.rules, given.enter);",
            {"data": document(analysis, tmp_path), "enter": enter},
        )
        result_cache.clear()
        own = [np.flatnonzero(tracks == track) for track in np.unique(tracks)]
        in_pieces += len(find_in_pieces(times, walk, own, parameters))
        logits = np.log(walk / (1 - walk))
        opens = logit_of(enter)
        whole += sum(len(find_whole(times, logits, track, opens, parameters)) for track in own)
        intervals = find_in_person(times, walk, logits, own, opens, parameters, still=False)
        expected = [[times[i.first], times[i.last]] for i in intervals]
        assert len(got) == len(expected), enter
        assert np.array(got).ravel() == pytest.approx(np.array(expected).ravel()), enter
        total += len(expected)
    assert total > 40 and in_pieces > 5 and whole > 2


def test_exploring_voices_follows_the_engines_rules(modules: Page, tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    base = build(tmp_path, persons=1, segments=0, duration=90.0)
    step, total, merged = 0.25, 0, 0  # less than the engine's, so that gaps are short enough to be closed
    for _ in range(25):
        times = 2 + step * np.cumsum(rng.choice([1, 1, 1, 1, 2, 3, 4], 60))
        smooth = np.clip(rng.beta(0.6, 0.6, 60), 0.01, 0.99).round(4)
        enter, leave = float(np.round(rng.uniform(0.1, 0.95), 2)), 0.7
        scores = VoiceScores(
            window=3.0,
            step=step,
            enter=0.85,
            leave=leave,
            time=tuple(times.tolist()),
            logit=(0.0,) * 60,
            probability=(0.5,) * 60,
            smoothed=tuple(smooth.tolist()),
        )
        analysis = base.model_copy(update={"voice": voice(spans=(), scores=scores)})
        analysis = analysis.model_copy(
            update={"media": analysis.media.model_copy(update={"has_sound": True})}
        )
        got = call(
            modules,
            "review/explore.js",
            "return m.wouldHear(given.lane, given.enter);",
            {"lane": document(analysis, tmp_path)["voice"]["lanes"][0], "enter": enter},
        )
        result_cache.clear()
        runs = segment_runs(times, smooth, enter, min(leave, enter))
        expected = [[times[run.first] - step / 2, times[run.last] + step / 2] for run in runs]
        assert len(got) == len(expected), enter
        assert np.array(got).ravel() == pytest.approx(np.array(expected).ravel()), enter
        total += len(expected)
        merged += sum((smooth[run.first : run.last + 1] < min(leave, enter)).any() for run in runs)
    assert total > 40 and merged > 5


def test_checksums_of_annotations(modules: Page, tmp_path: Path) -> None:
    analysis = build(tmp_path, persons=2, segments=2, duration=20.0)
    annotations = said(random.Random(8), analysis, 40)
    annotations[0] |= {"note": 'Quotes " \\ and\nlines, ümläute, 漢字, 🎞, \u2028 and <tags>'}
    text = json.dumps(annotations, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    got = call(
        modules,
        "review/checksum.js",
        "const text = m.canonical(given); return [text, await m.fingerprint(text)];",
        annotations,
    )
    assert got == [text, hashlib.sha256(text.encode()).hexdigest()]


def test_times(modules: Page) -> None:
    values = [0, 0.0004, 0.9996, 3.76, 59.9995, 61.5, 3599.9999, 7325.25, 86400.001]
    long = call(modules, "formats.js", "return given.map(m.timecode);", values)
    assert long == [timecode(v) for v in values]
    values = [0, 2.5, 59.9996, 61.0396, 3600]
    short = call(modules, "formats.js", "return given.map(m.shortTimecode);", values)
    assert short == ["0:00.000", "0:02.500", "1:00.000", "1:01.040", "60:00.000"]
    texts = ["00:00:03.760", "1:02", "12.5", " 01:00:00 ", "", "a", "1:-2", "1:2:3:4"]
    seconds = call(modules, "review/annotation_panel.js", "return given.map(m.seconds).map(String);", texts)
    assert seconds == ["3.76", "62", "12.5", "3600", "NaN", "NaN", "NaN", "NaN"]
