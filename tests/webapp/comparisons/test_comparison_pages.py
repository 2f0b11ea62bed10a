"""Comparisons with a reference on pages and in the API: choosing, waiting, results."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from made_comparisons import compared, comparison_rows, queued
from made_copies import matched
from made_results import finished, hand_in
from voices import recording

from detector.schema.analysis import MediaKind
from webapp.custody.job_records import COMPARISON_FILE, COMPARISON_SUMS_FILE
from webapp.downloads import reports as report_downloads
from webapp.exhibits.media import playback
from webapp.exhibits.media.playback import Playback
from webapp.jobs import claims
from webapp.jobs import claims as jobs_claims
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, ComparisonRow, State

HTML = {"Accept": "text/html"}


class TestChoosing:
    def test_each_other_exhibit_is_offered_once(self, app, client, pair):
        text = client.get(f"/analyses/{pair[0].id}/compare").text
        assert text.count('type="radio"') == 1 and "original.mp4" in text
        assert "altered.mp4" not in text.split("<legend>")[1]

    def test_references_can_be_searched(self, client, pair):
        assert "Nothing fits." in client.get(f"/analyses/{pair[0].id}/compare?q=nowhere").text
        assert "original.mp4" in client.get(f"/analyses/{pair[0].id}/compare?q=origin").text

    def test_copies_come_first_and_failed_exhibits_are_not_offered(self, app, client, pair):
        matched(app, pair[0], pair[1])
        finished(app, file="newer.mp4", segments=0)
        broken = hand_in(app, b"broken", "broken.mp4")
        with app.extensions["database"].begin() as session:
            session.get_one(AnalysisRow, broken.id).state = State.FAILED
        offered = client.get(f"/analyses/{pair[0].id}/compare").text.split("<legend>")[1]
        assert offered.index("original.mp4") < offered.index("newer.mp4")
        assert offered.count("shows the same, or a part of it") == 1
        assert "broken.mp4" not in offered

    def test_photos_are_not_offered_for_a_video(self, app, client, pair):
        photo = finished(app, kind=MediaKind.IMAGE, file="photo.png", segments=0)
        offered = client.get(f"/analyses/{pair[0].id}/compare").text
        assert "original.mp4" in offered and "photo.png" not in offered and "with other videos" in offered
        assert "original.mp4" in client.get(f"/analyses/{photo.id}/compare").text

    def test_sound_is_neither_offered_nor_accepted(self, app, client, pair, tmp_path):
        made = recording(tmp_path)
        fields = {name: getattr(made, name) for name in ("voice", "verdict", "persons", "segments", "media")}
        sound = finished(app, fields, file="message.opus", segments=0)
        with app.extensions["database"].begin() as session:
            session.get_one(AnalysisRow, sound.id).sound_only = True
        assert "message.opus" not in client.get(f"/analyses/{pair[0].id}/compare").text
        for exhibit, reference in ((pair[0], sound), (sound, pair[0])):
            asked = {"reference": reference.id}
            answer = client.post(f"/analyses/{exhibit.id}/compare", data=asked, headers=HTML)
            assert answer.status_code == 400 and "message.opus has no picture" in answer.text

    def test_photo_is_rejected_as_reference_of_a_video(self, app, client, pair):
        photo = finished(app, kind=MediaKind.IMAGE, file="photo.png", segments=0)
        # What was asked of first need not have a result itself.
        again = client.post(f"/analyses/{pair[0].id}/again").location.rsplit("/", 1)[1]
        for analysis in (pair[0].id, again):
            answer = client.post(f"/analyses/{analysis}/compare", data={"reference": photo.id}, headers=HTML)
            assert (
                answer.status_code == 400 and "photo.png is a photo and altered.mp4 is a video" in answer.text
            )
        answer = client.post(
            f"/api/v1/exhibits/{pair[0].exhibit.sha256}/comparisons", json={"reference": photo.exhibit.sha256}
        )
        assert answer.status_code == 400 and "cannot be compared with a photo" in answer.json["detail"]
        assert not comparison_rows(app)
        assert client.post(f"/analyses/{photo.id}/compare", data={"reference": pair[0].id}).status_code == 303

    def test_exhibit_page_offers_a_comparison(self, client, pair):
        assert f'href="/analyses/{pair[0].id}/compare"' in client.get(f"/analyses/{pair[0].id}").text

    def test_start_a_comparison(self, app, client, pair, sent):
        answer = client.post(f"/analyses/{pair[0].id}/compare", data={"reference": pair[1].id})
        (row,) = comparison_rows(app)
        assert answer.status_code == 303 and answer.location == f"/comparisons/{row.id}"
        assert (row.file, row.reference_file, row.asked_by) == ("altered.mp4", "original.mp4", "local user")
        page = client.get(answer.location, headers={"Accept-Language": "es"}).text
        assert "usuario local" in page and "local user" not in page
        assert sent == [row.id]

    def test_invalid_comparisons_are_rejected(self, app, client, pair):
        address = f"/analyses/{pair[0].id}/compare"
        assert client.post(address, headers=HTML).status_code == 400
        same = client.post(address, data={"reference": pair[0].id}, headers=HTML)
        assert same.status_code == 400 and "same bytes" in same.text
        assert client.post(address, data={"reference": "0" * 32}).status_code == 404
        assert comparison_rows(app) == []


class TestWaiting:
    def test_progress_page(self, app, client, pair):
        database = app.extensions["database"]
        hand_in(app, b"first")
        row = queued(app, *pair)
        assert "1 job ahead" in client.get(f"/comparisons/{row.id}").text
        with database.begin() as session:
            session.get_one(ComparisonRow, row.id).created = pair[0].created
        held = jobs_claims.claim_comparison(database, row.id)
        claims.record_heartbeat(database, held, "comparing faces and surroundings", 0.6)
        text = client.get(f"/comparisons/{row.id}").text
        assert "Comparing faces and surroundings" in text and "60%" in text
        status = client.get(f"/api/v1/comparisons/{row.id}").json
        assert (status["state"], status["progress"]) == ("running", 0.6)
        assert client.post(f"/comparisons/{row.id}/cancel").status_code == 303
        text = client.get(f"/comparisons/{row.id}").text
        assert "The comparison was cancelled" in text and "Compare again" in text
        assert client.get(f"/comparisons/{row.id}/comparison.json").status_code == 409

    def test_failed_comparison_shows_reason_and_remedy(self, app, client, pair):
        row = queued(app, *pair)
        with app.extensions["database"].begin() as session:
            comparison = session.get_one(ComparisonRow, row.id)
            comparison.state, comparison.error, comparison.remedy = State.FAILED, "It broke.", "Mend it."
            comparison.finished = comparison.created
        text = client.get(f"/comparisons/{row.id}").text
        assert "It broke." in text and "Mend it." in text and "Compare again" in text

    def test_ended_comparison_cannot_be_cancelled(self, client, done):
        assert client.post(f"/comparisons/{done.id}/cancel").status_code == 409


class TestResult:
    def test_result_page(self, client, done, pair):
        text = client.get(f"/comparisons/{done.id}").text
        assert "One face differs from the reference" in text
        assert "Nothing in the comparison says which of the two files is the original" in text
        assert "00:00:02.000" in text and "0.97" in text and 'data-seek="2.0"' in text
        assert pair[1].exhibit.sha256 in text
        assert f"/comparisons/{done.id}/pictures/A1-1.png" in text
        assert f"/comparisons/{done.id}/pictures/A1-1-overlay.png" in text  # for the script
        assert 'viewBox="328 0 320 180"' in text  # the reference's half of the picture side by side

    def test_result_page_of_unrelated_clips(self, app, client, pair):
        row = compared(app, *pair, related=False)
        text = client.get(f"/comparisons/{row.id}").text
        assert "the two files are unrelated" in text and 'id="controls"' not in text
        assert "It does not say that the exhibit is authentic" in text

    @pytest.mark.parametrize(
        ("without", "kind", "title", "short"),
        [
            (
                ("segments", "gaps"),
                "not-found",
                "No difference beyond the effects of re-encoding",
                "no face differs",
            ),
            (("segments", "gaps", "persons"), "inconclusive", "No face could be compared", "no face could"),
            (("segments",), "inconclusive", "Part of the exhibit was not found", "a stretch is in one of"),
        ],
    )
    def test_page_only_mentions_compared_faces(self, app, client, pair, without, kind, title, short):
        row = compared(app, *pair, without=without)
        text = client.get(f"/comparisons/{row.id}").text
        assert f"banner-{kind}" in text and f'<h2 id="found">{title}' in text
        assert ("No face differs from the reference by more" in text) == ("persons" not in without)
        assert short in client.get(f"/analyses/{pair[0].id}").text

    def test_comparison_without_stored_outcome(self, app, client, pair):
        row = compared(app, *pair, without=("segments", "persons"))
        with app.extensions["database"].begin() as session:
            session.get_one(ComparisonRow, row.id).outcome = None
        text = client.get(f"/analyses/{pair[0].id}").text
        assert "no difference of a face found" in text and "no face differs" not in text

    def test_a_photo_against_a_photo_has_no_times(self, app, client):
        both = tuple(finished(app, file=f"{name}.jpg", kind=MediaKind.IMAGE) for name in "ab")
        text = client.get(f"/comparisons/{compared(app, *both, still=True).id}").text
        assert "One face differs" in text and 'id="controls"' not in text and "time-map" not in text
        assert "Reference from" not in text

    def test_a_photo_against_the_video_it_is_a_still_of(self, app, client):
        """The video stands where the photo was found in it."""
        photo, video = finished(app, file="a.jpg", kind=MediaKind.IMAGE), finished(app, file="b.mp4")
        row = compared(app, photo, video, still=True, found_at=3.5)
        folders = Folders.local(app.extensions["settings"].data)
        decided = Playback("preview", "video/mp4", 0.25, 320, 180, "")
        folders.preview(video.exhibit.sha256).write_bytes(b"plays")
        playback.save_playback(folders, video.exhibit.sha256, decided)
        text = client.get(f"/comparisons/{row.id}").text
        assert f"/analyses/{video.id}/media#t=3.75" in text
        assert "Reference from" in text and 'id="controls"' not in text

    def test_pictures_and_result_are_sent_unchanged(self, app, client, done):
        folder = Folders.local(app.extensions["settings"].data).comparison(done.id)
        picture = client.get(f"/comparisons/{done.id}/pictures/A1-1.png")
        assert picture.mimetype == "image/png"
        assert picture.data == (folder / "pictures" / "A1-1.png").read_bytes()
        assert (
            client.get(f"/comparisons/{done.id}/comparison.json").data
            == (folder / COMPARISON_FILE).read_bytes()
        )
        assert client.get(f"/comparisons/{done.id}/pictures/{COMPARISON_FILE}").status_code == 404
        (folder / COMPARISON_FILE).write_text("{}")
        altered = client.get(f"/comparisons/{done.id}", headers=HTML)
        assert altered.status_code == 500 and "was changed since it was made" in altered.text

    def test_both_exhibits_list_the_comparison(self, client, done, pair):
        assert "1 segment differs" in client.get(f"/analyses/{pair[0].id}").text
        assert "reference of" in client.get(f"/analyses/{pair[1].id}").text

    def test_custody_page_shows_comparisons(self, client, done, pair):
        text = client.get(f"/analyses/{pair[0].id}/custody").text
        assert "Comparison finished" in text and pair[1].exhibit.sha256 in text


class TestHandedOut:
    def test_bundle_contains_the_comparison(self, app, client, done, pair, quick_reports):
        answer = client.get(f"/analyses/{pair[0].id}/bundle.zip?video=no")
        with zipfile.ZipFile(io.BytesIO(answer.data)) as bundle:
            below = f"comparisons/{done.id}"
            names = {name for name in bundle.namelist() if name.startswith("comparisons/")}
            page = bundle.read("index.html").decode()
        pictures = {f"{below}/pictures/A1-1{kind}.png" for kind in ("", "-difference", "-overlay")}
        assert names == {f"{below}/{COMPARISON_FILE}", f"{below}/{COMPARISON_SUMS_FILE}", *pictures}
        assert "Comparison with a reference: One face differs from the reference" in page
        assert f'href="{below}/pictures/A1-1.png"' in page and f'href="{below}/{COMPARISON_FILE}"' in page

    def test_report_contains_the_newest_comparison_per_reference(self, app, client, pair, monkeypatch):
        given: list[dict[str, object]] = []

        def stand_in(_analysis, asked, known, place):
            given.append(asked)
            place.mkdir(parents=True)
            (place / "custody.json").write_bytes(known)
            (place / "report.html").write_text("page")

        monkeypatch.setattr(report_downloads, "_render", stand_in)
        address = f"/analyses/{pair[0].id}/report.html"
        assert client.get(address).status_code == 200
        compared(app, *pair)
        newest, other = compared(app, *pair), compared(app, pair[0], finished(app, file="third.mp4"))
        queued(app, *pair)
        assert client.get(address).status_code == 200
        client.get(address)
        assert [document["comparisons"] for document in given] == [[], [newest.id, other.id]]

    def test_altered_comparison_is_not_sent(self, app, client, done, pair, quick_reports):
        folder = Folders.local(app.extensions["settings"].data).comparison(done.id)
        (folder / "pictures" / "A1-1.png").write_bytes(b"another")
        for name in ("report.pdf", "bundle.zip?video=no"):
            answer = client.get(f"/analyses/{pair[0].id}/{name}", headers=HTML)
            assert answer.status_code == 500 and "A1-1.png of this comparison" in answer.text


class TestApi:
    def test_from_start_to_result(self, app, client, pair):
        first, second = (row.exhibit.sha256 for row in pair)
        address = f"/api/v1/exhibits/{first}/comparisons"
        key = {"Idempotency-Key": "once"}
        made = client.post(address, json={"reference": second}, headers=key)
        again = client.post(address, json={"reference": second}, headers=key)
        assert made.status_code == 202 and again.json["id"] == made.json["id"]
        assert made.location == f"/api/v1/comparisons/{made.json['id']}"
        assert client.get(made.location).json["state"] == "queued"
        assert client.post(f"{made.location}/cancel").json["state"] == "cancelled"
        done = compared(app, *pair)
        listed = client.get(address).json["comparisons"]
        assert [comparison["id"] for comparison in listed] == [done.id, made.json["id"]]
        assert (listed[0]["related"], listed[0]["segments"]) == (True, 1)
        assert [comparison["outcome"] for comparison in listed] == ["faces differ", None]
        result = client.get(f"/api/v1/comparisons/{done.id}/comparison.json")
        assert result.json["exhibit"]["sha256"] == first
        assert client.get(f"/api/v1/comparisons/{done.id}/pictures/A1-1.png").mimetype == "image/png"
        assert client.get(f"/api/v1/comparisons/{made.json['id']}/comparison.json").status_code == 409

    def test_unknown_reference_answers_400(self, client, pair):
        address = f"/api/v1/exhibits/{pair[0].exhibit.sha256}/comparisons"
        assert client.post(address, json={"reference": "0" * 64}).status_code == 400
        missing = address.replace(pair[0].exhibit.sha256, "0" * 64)
        assert client.get(missing).status_code == 404


def test_status_is_json(client, done):
    assert json.loads(client.get(f"/api/v1/comparisons/{done.id}").data)["related"] is True
