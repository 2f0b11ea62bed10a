"""Every combination of verdicts on faces and voices has one headline and one colour wherever it is shown."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import NamedTuple

import pytest
from combinations import FINDINGS, NO_PICTURE, TABLE, UNHEARD, Combination, analysis_of
from contradictions import denials
from flask import Flask
from made_results import finish, hand_in
from made_webhooks import hook
from pdf_text import pdf_text
from werkzeug.test import TestResponse

from cli.engine.analyze import _print_analysis
from detector.schema.analysis import Analysis, Verdict
from detector.schema.measurements import Bars
from detector.schema.strength import LIMITS, MaterialKind, Strength, strength_of
from detector.schema.summary import Verdicts, summarise, verdicts_of
from detector.schema.voice import VoiceVerdict
from language.headlines import headline
from language.translation import speaking
from reports.render.html import render_html
from reports.render.pdf import render_pdf
from reports.report_view import ReportInputs, report_view
from reports.wording.lengths import FULL, SUMMARY
from reports.wording.verdict_sentence import mark_of
from webapp import create_app
from webapp.analyses.statistics import overview
from webapp.exhibits.uploads import exhibits
from webapp.storage.data_folder import Folders
from webapp.storage.finding_columns import row_verdicts
from webapp.storage.tables import AnalysisRow, Delivery, now
from webapp.webhooks import messages

OUTCOMES = {"?": "open", "0": "nothing found"}  # of other filters: a finding
FILTERS = {
    "any": {"F", "V", "FV"},
    "faces": {"F", "FV"},
    "voices": {"V", "FV"},
    "open": {"?"},
    "nothing": {"0"},
}


class Library(NamedTuple):
    """An app with a finished analysis of every combination, and their rows."""

    app: Flask
    rows: dict[Combination, AnalysisRow]
    analyses: dict[Combination, Analysis]

    def get(self, address: str) -> TestResponse:
        return self.app.test_client().get(address)

    def matching(self, search: str) -> set[str]:
        """The combinations of all pages of the library for these parameters."""
        listed: list[str] = []
        for number in range(1, len(TABLE)):
            page = self.get(f"/analyses?page={number}&{search}").text
            listed += [str(name) for name, row in self.rows.items() if f'data-id="{row.id}"' in page]
            if f"page={number + 1}" not in page:
                break
        assert len(listed) == len(set(listed))
        return set(listed)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("outcomes") / "data"
    settings = {"TESTING": True, "REELPROOF_DATA": folder, "SEND": lambda _: None}
    app = create_app(settings | {"REELPROOF_WEBHOOKS": "https://example.org/"})
    hook(app, "https://example.org/", events=["analysis.done"])
    rows, analyses = {}, {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exhibits, "is_accepted", lambda _head: True)
        for combination in TABLE:
            row = hand_in(app, str(combination).encode(), combination.file)
            result = Folders.local(folder).result(row.id)
            result.mkdir()
            analysis = analysis_of(combination, result)
            same = {"sha256": row.exhibit.sha256, "bytes": row.exhibit.bytes}
            media = analysis.media.model_copy(update=same)
            analyses[combination] = analysis.model_copy(update={"media": media})
            rows[combination] = finish(app, row, analyses[combination])
    yield Library(app, rows, analyses)
    app.extensions["database"].close()


_UNREAD = re.compile(
    r"<(style|script|svg|template)\b.*?</\1>"
    r'|<details class="how">.*?</details>'
    r"|<section[^>]*\bhidden\b.*?</section>",
    re.DOTALL,
)


def words_of(page: str, analysis: Analysis) -> str:
    """What a page of a result says, without the folded help and what the cards of models say."""
    main = _UNREAD.sub("", page[page.index("<main") : page.index("</main>")])
    text = unescape(re.sub(r"<[^>]*>", "\n", main)).replace(analysis.media.file, "")
    for limit in (*analysis.model.limits, *(analysis.voice.model.limits if analysis.voice else ())):
        text = text.replace(limit, "")
    return text


def test_pages_and_rows(library: Library) -> None:
    listed = "".join(library.get(f"/analyses?page={number}").text for number in range(1, 5))
    cells = {part[: part.find("</tr>")] for part in listed.split("<tr ")}
    for name, (filters, mark, words) in TABLE.items():
        row = library.rows[name]
        (cell,) = [part for part in cells if f'data-id="{row.id}"' in part]
        assert f'class="verdict verdict-{mark}"' in cell and f"<span>{words}</span>" in cell, name
        page = library.get(f"/analyses/{row.id}").text
        assert f'<h2 id="verdict">{words}</h2>' in page, name
        assert f'class="banner banner-{mark}"' in page, name
        assert not [*denials(name, words_of(page, library.analyses[name]))], name
        status = library.get(f"/api/v1/analyses/{row.id}").json
        assert (status["outcome"], status["headline"]) == (OUTCOMES.get(filters, "finding"), words), name
        assert status["strength"] == (name.faces if name.faces in FINDINGS else None), name
        of_voice = (status["voice"] or {}).get("strength")
        assert of_voice == (name.voices if name.voices in FINDINGS else None), name


def test_filters(library: Library) -> None:
    for name, members in FILTERS.items():
        expected = {str(one) for one, (filters, _, _) in TABLE.items() if filters in members}
        assert library.matching(f"finding={name}") == expected, name
    inconclusive = library.get("/api/v1/analyses?verdict=inconclusive&limit=200").json["items"]
    assert {item["id"] for item in inconclusive} == {
        library.rows[name].id
        for name, analysis in library.analyses.items()
        if name.faces != NO_PICTURE and analysis.verdict is Verdict.INCONCLUSIVE
    }


def test_webhooks_and_statistics(library: Library) -> None:
    database = library.app.extensions["database"]
    with database.begin() as session:
        while messages.queue_ended_jobs(session, now() - timedelta(hours=1)):
            pass
        bodies = [json.loads(sent.body) for sent in session.query(Delivery)]
        counts = overview(session)
    said = {body["analysis"]: (body["outcome"], body["headline"]) for body in bodies}
    assert len(said) == len(bodies) == len(TABLE)
    for name, (filters, _, words) in TABLE.items():
        assert said[library.rows[name].id] == (OUTCOMES.get(filters, "finding"), words), name
    filters = Counter(row.filters for row in TABLE.values())
    assert counts.verdicts.parts["manipulated"] == filters["F"] + filters["FV"]
    assert counts.voices.parts["synthetic speech found"] == filters["V"] + filters["FV"]
    assert sum(counts.verdicts.parts.values()) == sum(name.faces != NO_PICTURE for name in TABLE)
    assert sum(counts.voices.parts.values()) == sum(name.voices != UNHEARD for name in TABLE)


def test_reports_and_lines(library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, (filters, mark, words) in TABLE.items():
        analysis = library.analyses[name]
        for length in (SUMMARY, FULL):
            view = report_view(analysis, tmp_path, ReportInputs(length=length))
            html = render_html(view, {picture.key: b"" for picture in view.pictures}, ())
            (box,) = [part for part in html.split("<div ") if part.startswith('class="verdict ')]
            assert box.startswith(f'class="verdict verdict-{mark}"'), name
            assert f'<p class="verdict-word">{words}</p>' in box, name
        _print_analysis(analysis, None)
        assert capsys.readouterr().out.splitlines()[0] == f"{name.file}: {words}"
        line = summarise(analysis)  # of `score`
        assert line["outcome"] == OUTCOMES.get(filters, "finding"), name
        strengths = line["strength"], (line["voice"] or {}).get("strength")
        assert strengths == tuple(one if one in FINDINGS else None for one in name[1:]), name


def test_a_pdf(library: Library, tmp_path: Path) -> None:
    name = Combination("video", "unjudged", "nothing")
    view = report_view(library.analyses[name], tmp_path, ReportInputs(length=SUMMARY))
    words = " ".join(pdf_text(render_pdf(view, {})).split())
    assert TABLE[name].headline in words


def test_rows_of_earlier_versions_are_graded_by_their_score(library: Library) -> None:
    """Summaries of 0.2 have no strength."""
    for name in (
        Combination("video", "weak", "strong"),
        Combination("photo", "moderate", UNHEARD),
        Combination("sound", NO_PICTURE, "weak"),
    ):
        with library.app.extensions["database"].begin() as session:
            row = session.get_one(AnalysisRow, library.rows[name].id)
            summary = json.loads(row.summary)
            summary.pop("strength")
            (summary["voice"] or {}).pop("strength", None)
            row.summary = json.dumps(summary)
            assert headline(row_verdicts(row)) == TABLE[name].headline
            session.rollback()


def test_a_changed_outcome_is_refused(library: Library) -> None:
    """A filter must not hide a finding from somebody who lists findings."""
    row_id = library.rows[Combination("video", "weak", UNHEARD)].id

    def change(outcome: str) -> None:
        with library.app.extensions["database"].begin() as session:
            session.get_one(AnalysisRow, row_id).outcome = outcome

    change("nothing found")
    answer = library.get(f"/analyses/{row_id}")
    change("finding")
    assert answer.status_code == 500 and "does not follow from the verdicts" in answer.text


@pytest.mark.parametrize(
    ("changes", "faceless"),
    [
        ({}, True),
        ({"faces_found": 3, "faces_unusable": 3}, False),
        ({"faces_discarded": 1}, False),
        ({"bars": Bars(width=404, height=720, frames=160, faces=5)}, False),
        ({"frames_from_damaged": 161}, False),
    ],
)
def test_only_an_exhibit_without_any_detection_is_faceless(
    tmp_path: Path, changes: dict[str, object], faceless: bool
) -> None:
    """Whatever may be a face and was not judged leaves the verdict open, beside a human voice as well."""
    analysis = analysis_of(Combination("video", "faceless", "nothing"), tmp_path)
    coverage = analysis.coverage.model_copy(update=changes)
    verdicts = verdicts_of(analysis.model_copy(update={"coverage": coverage}))
    assert verdicts.no_face is faceless
    assert verdicts.outcome == ("nothing found" if faceless else "open")


def test_a_finding_of_unknown_strength_is_not_graded() -> None:
    verdicts = Verdicts(Verdict.MANIPULATED, VoiceVerdict.SYNTHETIC)
    assert headline(verdicts) == "Signs of face manipulation; signs of a synthetic voice"
    assert mark_of(verdicts) == "moderate"


@pytest.mark.parametrize("kind", MaterialKind)
def test_a_strength_begins_at_its_limit_as_printed(kind: MaterialKind) -> None:
    weak, moderate, strong = Strength
    second, third = LIMITS[kind]
    assert strength_of(third - 0.004, kind) is strong and strength_of(third - 0.006, kind) is moderate
    assert strength_of(second - 0.004, kind) is moderate and strength_of(second - 0.006, kind) is weak
    assert strength_of(0.0, kind) is weak and strength_of(1.0, kind) is strong


def test_german_keeps_the_capital_of_a_noun_in_the_second_place() -> None:
    with speaking("de"):
        words = headline(Verdicts(Verdict.MANIPULATED, VoiceVerdict.SYNTHETIC))
        assert words.endswith("; Anzeichen einer synthetischen Stimme")
        words = headline(Verdicts(Verdict.INCONCLUSIVE, VoiceVerdict.NOT_FOUND))
        assert "; keine " in words
