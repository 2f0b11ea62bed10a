"""The HTML report: every fact is in it, nothing outside is asked for, no text of others is markup."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from analyses import EXHIBIT_SHA256, MODEL_SHA256, Written, build, with_stability
from html_page import Page
from jinja2 import Environment, Template

from detector.schema.analysis import KEPT_WIDTH, MediaKind, Verdict
from reports.errors import ReportError
from reports.render.html import compile_templates, environment, render_html
from reports.report_view import report_view
from reports.wording.verdict_sentence import MARKS


def page(folder: Path, **choices: object) -> Page:
    analysis = build(folder, kept=False, **choices)  # type: ignore[arg-type]
    return Page(render_html(report_view(analysis, folder), {}))


def test_page_states_every_fact(written: Written) -> None:
    text = Page(written.html).text
    digest = hashlib.sha256((written.folder / "analysis.json").read_bytes()).hexdigest()
    for fact in (
        "interview_cut3.mp4",
        EXHIBIT_SHA256,
        MODEL_SHA256,
        digest,
        "manipulated",
        written.analysis.reason,
        "12.4 MB (12,412,345 bytes)",
        "MP4 or QuickTime",
        "h264",
        "1920 × 1080 px",
        "29.97 frames a second (30000/1001), constant",
        "1,798",
        "strong signs of manipulation",
        "00:00:06.000",
        "00:00:48.000",
        "this map should not be relied upon",
        "the map shows what the model used",
        "a colour scale of its own",
        f"Stored frames are at most {KEPT_WIDTH} px wide",
        "no usable face: blurred",
        "Sound is present, but was not examined.",
        "It does not prove manipulation.",
        "auc frames",
        "0.9312",
        written.analysis.model.domain,
        *written.analysis.model.limits,
        "smoothed score that opens a segment",
        "Signature",
    ):
        assert fact in text, fact


def test_page_refers_to_nothing_outside_itself(written: Written) -> None:
    document = Page(written.html)
    assert document.balanced and not document.open
    tags = {tag for tag, _ in document.elements}
    assert not tags & {"script", "link", "iframe", "object", "embed", "base", "form", "video", "audio"}
    for tag, attributes in document.elements:
        assert "style" not in attributes
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in {"src", "href", "srcset", "poster", "action", "data", "xlink:href"}:
                assert value.startswith(("data:image/jpeg;base64,", "#")), (tag, name, value[:60])
    pictures = [attributes for tag, attributes in document.elements if tag == "img"]
    assert len(pictures) == 30 and all(attributes["alt"] for attributes in pictures)
    style = re.search(r"<style>(.*?)</style>", written.html, re.S)
    assert style and "url(" not in style[1] and "@import" not in style[1]


def test_policy_allows_exactly_its_own_style(written: Written) -> None:
    document = Page(written.html)
    policy = next(
        a["content"] for tag, a in document.elements if a.get("http-equiv") == "Content-Security-Policy"
    )
    style = re.search(r"<style>(.*?)</style>", written.html, re.S)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy.startswith("default-src 'none';") and f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy and "script-src" not in policy


def test_internal_links_lead_somewhere(written: Written) -> None:
    document = Page(written.html)
    ids = [attributes["id"] for _, attributes in document.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in document.elements:
        if tag == "a":
            assert attributes["href"].removeprefix("#") in ids


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>.mp4", '"><img src=x onerror=alert(1)>.mp4', "a&b.mp4"]
)
def test_hostile_text_is_shown_as_text(tmp_path: Path, name: str) -> None:
    document = page(tmp_path, file=name)
    assert name in document.text
    assert not any(tag == "script" or "onerror" in attributes for tag, attributes in document.elements)


def test_names_in_other_scripts_are_kept_isolated_and_escaped(tmp_path: Path) -> None:
    document = page(tmp_path, file="مقابلة_映像.mp4")
    assert "مقابلة_映像.mp4" in document.text
    assert r"\u6620\u50cf.mp4" in document.text
    assert any(tag == "bdi" for tag, _ in document.elements)


@pytest.mark.parametrize(
    ("choices", "word"),
    [
        ({"segments": 1}, "strong signs of manipulation"),
        ({"segments": 0}, "no manipulation found"),
        ({"segments": 0, "verdict": Verdict.INCONCLUSIVE}, "inconclusive"),
        ({"segments": 2, "kind": MediaKind.IMAGE}, "signs of manipulation"),
    ],
)
def test_the_box_has_the_verdict_and_its_colour(
    tmp_path: Path, choices: dict[str, object], word: str
) -> None:
    document = page(tmp_path, **choices)
    verdicts = [
        attributes["class"]
        for _, attributes in document.elements
        if "verdict " in attributes.get("class", "")
    ]
    marks = {"strong signs of manipulation": "manipulated", "signs of manipulation": "moderate"} | MARKS
    assert verdicts == [f"verdict verdict-{marks[word]}"]
    assert word in document.text.lower()
    assert not re.search(r"\b(authentic|genuine|fake)\b", document.text.lower())


def test_still_image(tmp_path: Path) -> None:
    text = page(tmp_path, kind=MediaKind.IMAGE, segments=1).text
    assert "2 Flagged faces" in text and "Flagged face A1" in text
    assert f"taken from the photograph scaled to at most {KEPT_WIDTH} px wide" in text
    assert "00:00" not in text.replace("00:00:00 UTC", "")


def test_inconclusive(tmp_path: Path) -> None:
    text = page(tmp_path, segments=0, verdict=Verdict.INCONCLUSIVE, persons=1).text
    assert "inconclusive" in text and "no face was judged" in text


@pytest.mark.parametrize("verdict", [Verdict.NOT_FOUND, Verdict.INCONCLUSIVE])
def test_no_phrase_contradicts_the_verdict(tmp_path: Path, verdict: Verdict) -> None:
    analysis = build(tmp_path, segments=0)
    persons = tuple(person.model_copy(update={"probability": 0.99}) for person in analysis.persons)
    analysis = analysis.model_copy(update={"verdict": verdict, "persons": persons, "probability": 0.99})
    text = Page(render_html(report_view(analysis, tmp_path), {})).text
    figure = "Score of the faces, all usable frames of the highest-scoring person: 0.99."
    assert figure in text
    before_the_scale = text[: text.rindex("4 What the findings mean")]
    assert "signs of" not in before_the_scale and "not flagged" in before_the_scale


@pytest.mark.parametrize("kind", (MediaKind.VIDEO, MediaKind.IMAGE))
def test_unconfirmed_segments_are_not_shown_as_flagged(tmp_path: Path, kind: MediaKind) -> None:
    analysis = with_stability(build(tmp_path, kept=False, kind=kind, segments=2), A=0.6, B=0.6)
    analysis = analysis.model_copy(update={"verdict": Verdict.INCONCLUSIVE})
    html = render_html(report_view(analysis, tmp_path), {})
    text = Page(html).text
    assert "2 Looked at, not flagged" in text and "Looked at, not flagged: A1" in text
    for words in (
        "Flagged face",
        "All flagged",
        "Flagged segments",
        "flagged, with its label",
        "Not flagged.",
    ):
        assert words not in text
    assert 'class="timeline-hatch"' not in html and html.count('class="timeline-plain"') == 3  # with its key


def test_unflagged_segments_are_distinguished_from_flagged_ones(tmp_path: Path) -> None:
    analysis = with_stability(build(tmp_path, kept=False, segments=2), A=0.6)
    html = render_html(report_view(analysis, tmp_path), {})
    text = Page(html).text
    assert "2 Flagged segments" in text and "Flagged, and looked at but not flagged" in text
    assert "Looked at, not flagged: A1" in text and "Segment B1" in text
    assert html.count('class="timeline-hatch"') == html.count('class="timeline-plain"') == 2


def test_no_segment_is_said(tmp_path: Path) -> None:
    assert "No face was flagged." in page(tmp_path, segments=0).text


def test_all_templates_are_compiled_in_advance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment.cache_clear()
    compile_templates()
    load, late = environment().loader.load, []  # type: ignore[union-attr]

    def loaded(made: Environment, name: str, *others: Any) -> Template:
        late.append(name)
        return load(made, name, *others)

    monkeypatch.setattr(environment().loader, "load", loaded)
    page(tmp_path)
    assert late and all(name.startswith("macros/") for name in late)


def test_source_date_epoch_sets_the_metadata_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    document = page(tmp_path)
    created = next(a["content"] for _, a in document.elements if a.get("name") == "dcterms.created")
    assert created == "1970-01-01T00:00:00Z"
    assert "2025-11-20 08:41:02 UTC" in document.text
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "tomorrow")
    with pytest.raises(ReportError, match="SOURCE_DATE_EPOCH"):
        page(tmp_path)
