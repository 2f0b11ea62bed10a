"""Every page in every state."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta

import pytest
from analyses import build, with_stability
from failure_words import texts_of
from made_results import finished, hand_in

from detector.models.loaded import load_model
from detector.schema.analysis import KEPT_WIDTH, MediaKind, Verdict
from detector.schema.causes.failures import FailureCode
from language.headlines import headline
from language.languages import LANGUAGES
from language.translation import gettext, speaking
from reports.annex import reader_view_of_model
from webapp.exhibits.library_search import PAGE_SIZE
from webapp.jobs import claims
from webapp.storage.data_folder import Folders
from webapp.storage.finding_columns import row_verdicts
from webapp.storage.tables import AnalysisRow, Milestone, now

pytestmark = pytest.mark.usefixtures("quick_reports")

NAME = "<script>alert(1)</script>\u202e4.mp4"


def test_the_front_page_is_a_form_that_needs_no_script(client):
    text = client.get("/").text
    assert 'method="post" action="/analyses" enctype="multipart/form-data"' in text
    assert 'name="file"' in text and "8.2 GB" in text
    assert '<a class="skip" href="#main">' in text


def test_health(client):
    assert client.get("/healthz").json == {"status": "ok"}


def test_help_states_the_limits(client):
    text = client.get("/help").text
    assert (
        "What it cannot tell" in text and "At this strength or a higher one, 12 of 375 unmanipulated" in text
    )


@pytest.mark.parametrize("code", LANGUAGES)
def test_help_uses_the_labels_of_the_pages(client, code):
    text = html.unescape(client.get("/help", headers={"Accept-Language": code}).text)
    steps = text[text.index('<ol class="steps">') : text.index("</ol>")]
    with speaking(code):
        for label in ("More", "Compare with a reference…", "Annotations", "Inconclusive"):
            assert gettext(label) in steps
    assert steps.count("<li>") == 6


def test_help_states_the_error_rates_of_scan_and_second_look_together(client):
    model = load_model().card.fused.as_model()
    text = html.unescape(client.get("/help").text)
    for still in (False, True):
        for error in reader_view_of_model(model, still).errors:
            assert error.words in text
    assert "<h4>Videos</h4>" in text and "<h4>Photographs</h4>" in text


def test_numbers_in_the_help_are_localized(client):
    text = client.get("/help", headers={"Accept-Language": "de"}).text
    assert ">Wert 0,93<" in text and ">verdeckt: 0,41<" in text
    assert ">score 0.93<" in client.get("/help", headers={"Accept-Language": "en"}).text


def test_an_empty_library_explains_itself(client, database):
    text = client.get("/analyses").text
    assert "Nothing here yet" in text and "sample is being prepared" in text
    with database.begin() as session:
        session.add(Milestone(name="sample added", reached=now()))
    assert "sample is being prepared" not in client.get("/analyses").text


def test_a_missing_sample_is_not_promised_forever(app, client):
    app.extensions["started"] -= timedelta(minutes=5)
    assert "sample is being prepared" not in client.get("/analyses").text


def test_the_library_pages_newest_first(app, client, database):
    ids = [hand_in(app, b"x", f"clip {number:02}.mp4").id for number in range(PAGE_SIZE + 3)]
    with database.begin() as session:
        for number, analysis_id in enumerate(ids):
            session.get_one(AnalysisRow, analysis_id).created = now() - timedelta(minutes=100 - number)
    first, second = client.get("/analyses").text, client.get("/analyses?page=2").text
    assert first.index(f"clip {PAGE_SIZE + 2:02}.mp4") < first.index("clip 03.mp4")
    assert "clip 02.mp4" not in first and "Page 1 of 2" in first and "?page=2" in first
    assert [f"clip {number:02}.mp4" in second for number in (2, 1, 0)] == [True] * 3
    for odd in ("99", "0", "-1", "x"):
        assert client.get(f"/analyses?page={odd}").status_code == 200


def test_the_library_shows_verdicts_states_and_pictures(app, client, database):
    done, failed = finished(app, segments=1), hand_in(app, b"f")
    finished(app, segments=0)
    claims.fail_job(database, claims.claim_analysis(database, failed.id), FailureCode.CRASHED.cause())
    claims.record_heartbeat(database, claims.claim_analysis(database, hand_in(app, b"r").id), "scoring", 0.42)
    text = client.get("/analyses").text
    for words in ("Strong signs of manipulation", "No manipulation found", "Failed", "Running, 42%", "0.97"):
        assert words in text
    picture = client.get(f"/analyses/{done.id}/thumbnail")
    assert picture.mimetype == "image/jpeg" and picture.data[:2] == b"\xff\xd8"
    assert client.get(f"/analyses/{failed.id}/thumbnail").status_code == 404


def test_a_queued_analysis(app, client):
    hand_in(app, b"1"), hand_in(app, b"2")
    queued = hand_in(app, b"3", "third.mp4")
    text = client.get(f"/analyses/{queued.id}").text
    assert "third.mp4" in text and "2 jobs ahead" in text
    assert '<noscript><meta http-equiv="refresh"' in text
    status = client.get(f"/api/v1/analyses/{queued.id}").json
    assert (status["state"], status["ahead"], status["progress"]) == ("queued", 2, 0.0)
    assert "analysis" not in status


def test_a_running_analysis(app, client, database):
    held = claims.claim_analysis(database, hand_in(app).id)
    claims.record_heartbeat(database, held, "finding faces", 0.25)
    assert "Finding faces" in client.get(f"/analyses/{held.job_id}").text
    status = client.get(f"/api/v1/analyses/{held.job_id}").json
    assert (status["state"], status["stage"], status["progress"]) == ("running", "finding faces", 0.25)
    assert status["started"].endswith("Z")


def test_a_failed_analysis_states_a_remedy(app, client, database):
    held = claims.claim_analysis(database, hand_in(app).id)
    claims.fail_job(database, held, FailureCode.CRASHED.cause())
    text = client.get(f"/analyses/{held.job_id}").text
    assert FailureCode.CRASHED.cause().text in text and "Upload another file" in text
    status = client.get(f"/api/v1/analyses/{held.job_id}").json
    assert (status["state"], status["error"], status["remedy"]) == (
        "failed",
        *texts_of(FailureCode.CRASHED.cause()),
    )
    assert client.get(f"/analyses/{held.job_id}/report.pdf").status_code == 404


def test_a_finished_analysis(app, client):
    row = finished(app, segments=2)
    text = client.get(f"/analyses/{row.id}").text
    for words in (
        "Strong signs of manipulation",
        "00:00:12.000 – 00:00:36.000",
        "Person A",
        "Heatmap confirmed",
        "Heatmap not confirmed",
        "Without the hottest 15% of the face",
        f"Kept frames are scaled to at most {KEPT_WIDTH} px wide.",
        "Everything in the picture that is not a face",
        "EfficientNet-Lite0 on aligned faces",
        row.exhibit.sha256,
        "Colour scale of the heatmaps",
        f"/analyses/{row.id}/overlays/A1-1-frame.png",
        f"/analyses/{row.id}/overlays/A1-1.png",
    ):
        assert words in text, words
    assert text.count('class="peak"') == 6
    for never in (">Real<", ">Fake<", "is real", "is fake"):
        assert never not in text


@pytest.mark.parametrize(
    "changes",
    [
        {"segments": 0},
        {"segments": 0, "persons": 0, "verdict": Verdict.INCONCLUSIVE},
        {"segments": 2, "kind": MediaKind.IMAGE, "file": "photo.png"},
        {"segments": 40, "persons": 1, "duration": 400.0},
    ],
    ids=["nothing found", "inconclusive", "still image", "many segments"],
)
def test_states_are_readable(app, client, changes):
    row = finished(app, **changes)
    text = client.get(f"/analyses/{row.id}").text
    assert f'<h2 id="verdict">{headline(row_verdicts(row))}</h2>' in text
    panel = text[text.index('class="banner-words"') : text.index('class="banner-figures"')]
    assert "What to do next" in panel and "section" not in panel[panel.index("What to do next") :]
    if changes["segments"] == 40:
        assert text.count('<details class="segment"') == 40
        opened = re.findall(r'<details class="segment"[^>]* open>', text)
        assert len(opened) == 1  # folded ones load no pictures
    if not changes["segments"]:
        assert "No face" in text
        banner = text[text.index('class="banner-figures"') : text.index('id="desk"')]
        assert "signs" not in banner


def test_downloads_use_the_language_of_the_page(app, client):
    """Buttons use the language of the page, the menu offers the others; the API's default is English."""
    address = f"/analyses/{finished(app).id}"
    for code, asked in (("de", "?language=de"), ("en", "")):
        text = client.get(address, headers={"Accept-Language": code}).text
        buttons, menu = text[text.index('id="pdf-report"') :].split("<details", 1)
        for file in ("report.pdf", "bundle.zip"):
            assert f'href="{address}/{file}{asked}"' in buttons
            linked = re.findall(rf'href="{address}/{re.escape(file)}\?language=(..)"', menu)
            assert sorted(linked) == sorted(LANGUAGES.keys() - {code})
    assert client.get(f"{address}/report.html?language=en").status_code == 200


@pytest.mark.parametrize("kind", (MediaKind.VIDEO, MediaKind.IMAGE))
def test_unconfirmed_faces_are_not_counted_as_flagged(app, client, tmp_path, kind):
    changes = {"kind": kind, "segments": 2, "verdict": Verdict.INCONCLUSIVE, "file": f"a.{kind.value}"}
    tabs = []
    for stability in ({"A": 0.6, "B": 0.6}, {"A": 0.6, "B": 1.0}):
        persons = with_stability(build(tmp_path, kept=False, **changes), **stability).persons
        row = finished(app, {"persons": persons}, **changes)
        text = client.get(f"/analyses/{row.id}").text
        match = re.search(
            r'id="tab-segments"[^>]*>(.*?)</button>.*<h2 id="segments">(.*?)</h2>', text, re.DOTALL
        )
        tabs.append([re.sub("<.*?>", "", part) for part in match.groups()])
    assert tabs[0] == ["Looked at, not flagged 2"] * 2
    image = kind is MediaKind.IMAGE
    assert tabs[1] == (["Flagged 1", "Flagged faces 1"] if image else ["Segments 2"] * 2)
    assert "Grey with a dashed frame" in text


@pytest.mark.parametrize(
    ("file", "mimetype", "attached"),
    [
        ("report.pdf", "application/pdf", True),
        ("report.html", "text/html", False),
        ("analysis.json", "application/json", True),
        ("manifest.json", "application/json", True),
    ],
)
def test_a_download_has_the_stored_bytes_and_is_named_after_the_exhibit(
    app, client, file, mimetype, attached
):
    row = finished(app, file="Interview – Teil 2.mp4")
    answer = client.get(f"/analyses/{row.id}/{file}")
    assert answer.status_code == 200 and answer.mimetype == mimetype
    stored = Folders.local(app.extensions["settings"].data).result(row.id) / file
    assert answer.data == stored.read_bytes()
    disposition = answer.headers["Content-Disposition"]
    stem, _, suffix = file.partition(".")
    assert disposition.startswith("attachment" if attached else "inline")
    assert f"reelproof-Interview-Teil-2-{row.exhibit.sha256[:8]}-{stem}.{suffix}" in disposition


@pytest.mark.parametrize(
    "file", ["report.pdf", "report.html", "analysis.json", "manifest.json", "overlays/A1-1.png"]
)
def test_unfinished_results_are_not_served(app, client, database, file):
    queued = hand_in(app)
    answer = client.get(f"/analyses/{queued.id}/{file}")
    assert answer.status_code == 409 and "not finished" in (answer.json or {}).get("error", answer.text)
    folder = Folders.local(app.extensions["settings"].data).result(queued.id)
    (folder / "overlays").mkdir(parents=True)
    (folder / file).write_text("half")
    assert client.get(f"/analyses/{queued.id}/{file}").status_code == 409


def test_only_pictures_of_the_analysis_are_served(app, client):
    row = finished(app)
    folder = Folders.local(app.extensions["settings"].data).result(row.id)
    (folder / "overlays" / "other.png").write_bytes(b"not named")
    assert client.get(f"/analyses/{row.id}/overlays/A1-1.png").mimetype == "image/png"
    for name in ("other.png", "../analysis.json", "..%2fanalysis.json", "%2e%2e/analysis.json", "A1-1.PNG"):
        assert client.get(f"/analyses/{row.id}/overlays/{name}").status_code == 404, name


@pytest.mark.parametrize("path", ["", "/report.pdf", "/report.html", "/analysis.json", "/thumbnail"])
@pytest.mark.parametrize("analysis_id", ["0" * 32, "nothing", "%00", "..", "<script>"])
def test_unknown_ids(client, analysis_id, path):
    answer = client.get(f"/analyses/{analysis_id}{path}")
    assert answer.status_code == 404
    assert answer.is_json == path.endswith(".json")
    assert "<script>" not in answer.text.replace("<script>alert", "")


def test_errors_are_explained_as_page_and_json(client):
    assert "There is no page at this address" in client.get("/nowhere").text
    assert client.get("/nowhere", headers={"Accept": "application/json"}).json["error"]
    answer = client.delete("/")
    assert answer.status_code == 405 and "GET" in answer.headers["Allow"]


def test_unexpected_errors_are_shown_as_a_page(app, client, monkeypatch, caplog):
    app.testing = False
    monkeypatch.setattr("webapp.analyses.library.library_search.find_page", lambda *_: 1 / 0)
    answer = client.get("/analyses")
    assert answer.status_code == 500
    assert "did not expect" in answer.text and "ZeroDivision" not in answer.text
    assert "ZeroDivisionError" in caplog.text


def test_unexpected_errors_are_logged_with_the_route_only(app, client, monkeypatch, caplog):
    app.testing = False
    monkeypatch.setattr("webapp.exhibits.queries.get_or_404", lambda *_args, **_more: 1 / 0)
    assert client.get("/analyses/a%0ab").status_code == 500
    assert "GET /analyses/<analysis_id> failed" in caplog.text and "a\nb" not in caplog.text


def test_hostile_names_are_shown_as_text(app, client, database):
    done = finished(app, file=NAME)
    failed = hand_in(app, b"f", NAME)
    claims.fail_job(database, claims.claim_analysis(database, failed.id), FailureCode.CRASHED.cause())
    queued = hand_in(app, b"q", NAME)
    for path in ("/", "/analyses", *(f"/analyses/{row.id}" for row in (done, failed, queued))):
        text = client.get(path).text
        assert "<script>alert" not in text and "\u202e" not in text
        assert "&lt;script&gt;alert(1)" in text and "\\u202e4.mp4" in text


def test_other_analyses_of_the_same_exhibit_are_linked(app, client):
    row = finished(app)
    again = hand_in(app, repr([]).encode())
    text = client.get(f"/analyses/{row.id}").text
    assert "Same exhibit, other analyses" in text and f"/analyses/{again.id}" in text


def test_the_library_survives_a_restart(app, sent):
    from webapp import create_app

    row = finished(app)
    again = create_app({"REELPROOF_DATA": app.extensions["settings"].data, "SEND": sent.append})
    assert row.id in again.test_client().get("/analyses").text
    again.extensions["database"].close()


@pytest.mark.parametrize("kind", (MediaKind.VIDEO, MediaKind.IMAGE))
def test_the_desk_does_not_call_itself_a_report(app, client, kind):
    row = finished(app, kind=kind, verdict=Verdict.NOT_FOUND, segments=0)
    shown = (
        client.get(f"/analyses/{row.id}").text,
        json.dumps(client.get(f"/api/v1/analyses/{row.id}/desk").json),
    )
    assert all("of this analysis" in text and "this report" not in text for text in shown)
