"""Copies and parts on pages and in the API: what is shown, and to whom."""

from __future__ import annotations

import re

import pytest
from made_comparisons import compared, queued
from made_copies import PART, match_of, matched
from made_results import finished, hand_in
from made_rows import say
from people import account, signed_in, with_login

from detector.fingerprint.index import MOST_ALIKE, MOST_FOUND
from detector.fingerprint.match import Piece, View
from language import translation
from webapp.accounts.permissions import Role
from webapp.exhibits.copies import describe_changes
from webapp.jobs import states
from webapp.storage.tables import AnalysisRow, State, User


@pytest.fixture
def original(app) -> AnalysisRow:
    return finished(app, file="original.mp4", segments=0)


@pytest.fixture
def copy(app, original) -> AnalysisRow:
    row = finished(app, file="copy.mp4", segments=0)
    matched(app, row, original, mirrored=True)
    return row


def test_page_of_a_copy_shows_earlier_findings(app, client, original, copy):
    say(app.extensions["database"], original.id, verdict="disagree", note="It is a film scene.")
    page = client.get(f"/analyses/{copy.id}").text
    assert "This, or a part of it, was examined before" in page
    assert "original.mp4" in page and f"/analyses/{original.id}" in page
    assert "shows the same from beginning to end" in page
    assert "Mirrored: left and right are exchanged; 640 × 360 pixels instead of 1280 × 720" in page
    assert "<bdi>Ada</bdi>: disagree" in page
    page = client.get(f"/analyses/{copy.id}/copies").text
    assert "It is a film scene." in page and "<bdi>Ada</bdi>: <strong>disagree</strong>" in page


def test_authors_are_shown_in_the_users_language_as_unverified(app, client, original, copy):
    database = app.extensions["database"]
    say(database, original.id, verdict="disagree", author="Ada Admin", imported_by="Eve")
    say(database, original.id, verdict="unsure", author="Ada Admin")
    say(database, original.id, verdict="manipulated", author="Ben", kind="span", start=1.0, end=2.0)
    page = client.get(f"/analyses/{copy.id}").text
    for words in ("<bdi>Ada Admin</bdi> (not verified): disagree", "<bdi>Ada Admin</bdi>: unsure"):
        assert words in page
    german = {"Accept-Language": "de"}
    page = client.get(f"/analyses/{copy.id}", headers=german).text
    for words in ("<bdi>Ada Admin</bdi> (nicht bestätigt): Ablehnung", "<bdi>Ben</bdi>: manipuliert"):
        assert words in page
    listed = client.get(f"/analyses/{copy.id}/copies", headers=german).text
    assert "<bdi>Ada Admin</bdi>: <strong>unsicher</strong>" in listed
    assert "<bdi>Ada Admin</bdi> (nicht bestätigt): <strong>Ablehnung</strong>" in listed


def test_page_of_the_original_shows_the_copy(client, original, copy):
    page = client.get(f"/analyses/{original.id}").text
    assert "Other exhibits show the same" in page and "copy.mp4" in page
    assert "1280 × 720 pixels instead of 640 × 360" in page


def test_partial_copy_shows_its_times(app, client, original):
    row = finished(app, file="part.mp4", segments=0)
    matched(app, row, original, pieces=(PART,), other_share=0.08)
    here, there = (client.get(f"/analyses/{analysis.id}").text for analysis in (row, original))
    assert "shows a part of it" in here
    text = re.sub(r"<[^>]*>", "", client.get(f"/analyses/{row.id}/copies").text)
    assert "00:00:00.000 – 00:00:05.000 here is 00:01:01.500 – 00:01:06.500 there." in text
    assert "contains all of it" in there


@pytest.mark.parametrize(
    ("share", "words", "back"),
    [
        (0.83, "shows mostly the same", "shows mostly the same"),
        (1.0, "shows a part of it", "contains all of it"),
        (0.7, "has parts in common with it", "has parts in common with it"),
    ],
)
def test_different_ending_is_noticed(app, client, original, share, words, back):
    """Nothing is called the same to its end, hidden behind another, or told without times that is not."""
    row = finished(app, file="other end.mp4", segments=0)
    matched(app, row, original, share=share, other_share=min(share, 0.83))
    for analysis, relation in ((row, words), (original, back)):
        text = re.sub(r"<[^>]*>", "", client.get(f"/analyses/{analysis.id}/copies").text)
        assert relation in text and "from beginning to end" not in text
        assert "00:00:00.000 – 00:00:08.000 here is 00:00:00.000 – 00:00:08.000 there." in text
    grouped = client.get("/analyses?grouped=yes").text
    assert all(f'data-id="{analysis.id}"' in grouped for analysis in (row, original))


@pytest.mark.parametrize(
    ("end", "share", "words", "back"),
    [
        (4.0, 0.889, "shows a part of it", "contains all of it"),  # of 4.24 s, the last picture beyond a cut
        (4.0, 0.8, "has parts in common with it", "has parts in common with it"),  # a second is not in it
    ],
)
def test_one_picture_of_a_short_clip_beyond_a_cut(app, client, original, end, share, words, back):
    """A shot of an edited video, whose first or last picture of the fingerprint shows the next shot there."""
    row = finished(app, file="shot.mp4", segments=0)
    piece = Piece(start=0.0, end=end, other_start=3.5, other_end=3.5 + end)
    matched(app, row, original, pieces=(piece,), share=share, other_share=0.32)
    for analysis, relation in ((row, words), (original, back)):
        assert relation in client.get(f"/analyses/{analysis.id}/copies").text


def test_page_without_copies_shows_no_notice(client, original):
    page = client.get(f"/analyses/{original.id}").text
    assert "examined before" not in page and "Other exhibits" not in page
    assert "No other exhibit that you may see" in client.get(f"/analyses/{original.id}/copies").text


def test_waiting_and_failed_analyses_show_copies(app, client, original):
    row = hand_in(app, b"waits", "waits.mp4")
    assert "Not known yet" in client.get(f"/analyses/{row.id}/copies").text
    assert 'id="copies-found"' in client.get(f"/analyses/{row.id}").text
    matched(app, row, original)
    assert client.get(f"/api/v1/analyses/{row.id}").json["copies"] == 1
    assert "was examined before" in client.get(f"/analyses/{row.id}").text
    client.post(f"/analyses/{row.id}/cancel")
    assert "was examined before" in client.get(f"/analyses/{row.id}").text


def test_identical_files_are_listed_once(app, client, original, copy):
    assert "bit for bit" not in client.get(f"/analyses/{copy.id}").text
    with app.extensions["database"].begin() as session:
        exhibit = session.get_one(AnalysisRow, original.id).exhibit
        for _ in range(2):
            states.create_analysis(session, exhibit, "original again.mp4", None)
    for address in (f"/analyses/{copy.id}", f"/analyses/{copy.id}/copies"):
        page = client.get(address).text
        assert "original.mp4" in page and "original again.mp4" not in page
        assert "analysed 3 times</span>" in page
        assert "listed once, by its latest analysis. The one here was analysed 3 times." in page
    (entry,) = client.get(f"/api/v1/exhibits/{copy.exhibit.sha256}/copies").json["copies"]
    assert entry["analyses"] == 3


def test_page_states_the_number_of_candidates(client, copy):
    page = client.get(f"/analyses/{copy.id}/copies").text
    assert f"the {MOST_FOUND} that look most like it, or with up to {MOST_ALIKE} that look nearly" in page


def test_page_of_copies_offers_a_comparison(client, original, copy):
    page = client.get(f"/analyses/{copy.id}/copies").text
    assert "Compare the two" in page and f'value="{original.id}"' in page


def test_page_says_that_faces_were_not_compared(app, client, original, copy):
    for address in (f"/analyses/{copy.id}", f"/analyses/{copy.id}/copies"):
        page = client.get(address).text
        assert "Faces are not compared here." in page and "Compare the two" in page, address
    comparison = compared(app, copy, original)
    assert comparison.segments
    queued(app, copy, original)  # the newest finished one counts
    for row in (copy, original):
        for address in (f"/analyses/{row.id}", f"/analyses/{row.id}/copies"):
            page = client.get(address).text
            section = page.partition('class="copy-list"')[2]
            assert f'<a href="/comparisons/{comparison.id}">Compared with each other</a>' in section, address
            assert f"<strong>{comparison.segments} segment" in section, address
            assert "Faces are not compared here." not in page and "Compare the two" not in page, address


def test_library_finds_and_groups_copies(app, client, original, copy):
    other = finished(app, file="other.mp4", segments=0)
    part = finished(app, file="part.mp4", segments=0)
    matched(app, part, original, share=0.3, pieces=(PART,))
    every = client.get("/analyses").text
    assert "2 similar" in every and "1 similar" in every and f"like={original.id}" in every
    like = client.get(f"/analyses?like={original.id}").text
    for file, there in (("original.mp4", True), ("copy.mp4", True), ("part.mp4", True), ("other.mp4", False)):
        assert (f'title="{file}"' in like) == there
    grouped = client.get("/analyses?grouped=yes").text
    shown = [row for row in (original, copy, part, other) if f'data-id="{row.id}"' in grouped]
    assert shown == [copy, part, other]
    assert "is not here" in client.get(f"/analyses?like={'0' * 32}").text


@pytest.mark.parametrize("ended", [State.QUEUED, State.CANCELLED, State.FAILED])
def test_grouping_hides_no_finding_behind_an_analysis_without_one(app, client, ended):
    fake = finished(app, file="fake.mp4")
    assert client.post(f"/analyses/{fake.id}/again", data={}).status_code == 303
    with app.extensions["database"].begin() as session:
        (again,) = (row for row in session.query(AnalysisRow) if row.id != fake.id)
        again.state = ended
        again = again.id
    for asked in ("", "&verdict=manipulated"):
        grouped = client.get(f"/analyses?grouped=yes{asked}").text
        assert f'data-id="{fake.id}"' in grouped and f'data-id="{again}"' not in grouped, asked
        listed = client.get(f"/api/v1/analyses?grouped=true{asked}").json["items"]
        assert [item["id"] for item in listed] == [fake.id], asked
    grouped = client.get(f"/analyses?grouped=yes&state={ended}").text
    assert f'data-id="{again}"' in grouped and f'data-id="{fake.id}"' not in grouped


def test_grouping_hides_no_verdict_behind_another(app, client):
    """A fake matches the original that it was made from, and either may be analysed later."""
    fake = finished(app, file="fake.mp4")
    original = finished(app, file="original.mp4", segments=0)
    matched(app, original, fake)
    later = finished(app, file="fake copy.mp4", persons=2)
    matched(app, later, fake)
    matched(app, later, original)
    assert fake.verdict == later.verdict != original.verdict
    grouped = client.get("/analyses?grouped=yes").text
    shown = [row for row in (fake, original, later) if f'data-id="{row.id}"' in grouped]
    assert shown == [original, later]
    listed = client.get("/api/v1/analyses?grouped=true").json["items"]
    assert [item["id"] for item in listed] == [later.id, original.id]


def test_grouping_hides_nothing_behind_a_copy_that_the_search_leaves_out(app, client, original, copy):
    """The copy is newer; a page of what is called otherwise does not show it."""
    grouped = client.get("/analyses?grouped=yes&q=original").text
    assert f'data-id="{original.id}"' in grouped and f'data-id="{copy.id}"' not in grouped
    grouped = client.get(f"/analyses?grouped=yes&like={original.id}&q=mp4").text
    assert f'data-id="{copy.id}"' in grouped and f'data-id="{original.id}"' not in grouped


def test_api_lists_copies(client, original, copy):
    (entry,) = client.get(f"/api/v1/exhibits/{copy.exhibit.sha256}/copies").json["copies"]
    assert entry["exhibit"] == original.exhibit.sha256 and entry["analysis"] == original.id
    assert entry["match"]["mirrored"] and entry["relation"] == "shows the same from beginning to end"
    assert client.get(f"/api/v1/analyses/{copy.id}").json["copies"] == 1
    listed = client.get(f"/api/v1/analyses?like={copy.id}").json["items"]
    assert {item["id"] for item in listed} == {original.id, copy.id}
    grouped = client.get("/api/v1/analyses?grouped=true").json["items"]
    assert {item["id"] for item in grouped} == {copy.id}


@pytest.fixture
def people(tmp_path, sent):
    app = with_login(tmp_path / "data", sent)
    for name in ("ada", "bob"):
        account(app, name, Role.EXAMINER)
    yield app
    app.extensions["database"].close()


def test_hidden_copies_are_not_shown(people):
    rows = {}
    for name, file in (("ada", "secret.mp4"), ("bob", "known.mp4")):
        row = finished(people, file=file, segments=0)
        with people.extensions["database"].begin() as session:
            who = session.connection().exec_driver_sql(f"SELECT id FROM users WHERE name = '{name}'").scalar()
            session.get_one(AnalysisRow, row.id).owner_id = who
        rows[name] = row
    matched(people, rows["bob"], rows["ada"])
    bob = signed_in(people, "bob")
    page = bob.get(f"/analyses/{rows['bob'].id}").text
    assert "secret.mp4" not in page and "examined before" not in page
    assert bob.get(f"/api/v1/analyses/{rows['bob'].id}").json["copies"] == 0
    assert "similar</a>" not in bob.get("/analyses").text
    assert bob.get(f"/api/v1/exhibits/{rows['bob'].exhibit.sha256}/copies").json["copies"] == []
    assert f'data-id="{rows["bob"].id}"' in bob.get("/analyses?grouped=yes").text
    assert "known.mp4" not in bob.get(f"/analyses?like={rows['ada'].id}").text
    account(people, "root", Role.ADMINISTRATOR)
    assert "secret.mp4" in signed_in(people, "root").get(f"/analyses/{rows['bob'].id}").text


@pytest.mark.parametrize("ended", [State.QUEUED, State.RUNNING, State.CANCELLED, State.FAILED, State.PAUSED])
def test_bytes_of_somebody_else_reveal_no_copies_until_they_are_analysed(people, ended):
    """Bob has a near copy of Ada's exhibit, and hands in its exact bytes to learn whether they are here."""
    hidden, near = (
        finished(people, file="secret.mp4", segments=0),
        finished(people, file="near.mp4", segments=0),
    )
    matched(people, near, hidden)
    with people.extensions["database"].begin() as session:
        ids = {user.name: user.id for user in session.query(User)}
        session.get_one(AnalysisRow, hidden.id).owner_id = ids["ada"]
        session.get_one(AnalysisRow, near.id).owner_id = ids["bob"]
        exhibit = session.get_one(AnalysisRow, hidden.id).exhibit
        probe = states.create_analysis(session, exhibit, "probe.mp4", None)
        probe.owner_id, probe.state = ids["bob"], ended
    bob = signed_in(people, "bob")
    assert bob.get(f"/api/v1/analyses/{probe.id}").json["copies"] == 0
    assert bob.get(f"/api/v1/analyses/{probe.id}").json["copies"] == 0
    for row, other in ((probe, near), (near, probe)):
        for address in (f"/analyses/{row.id}", f"/analyses/{row.id}/copies"):
            page = bob.get(address).text
            assert other.file not in page and "copy-list" not in page, address
        assert bob.get(f"/api/v1/exhibits/{row.exhibit.sha256}/copies").json["copies"] == []
        assert other.file not in bob.get(f"/analyses?like={row.id}").text
        listed = bob.get(f"/api/v1/analyses?like={row.id}").json["items"]
        assert [item["id"] for item in listed] == [row.id]
    assert "similar</a>" not in bob.get("/analyses").text
    grouped = bob.get("/analyses?grouped=yes").text
    assert all(f'data-id="{row.id}"' in grouped for row in (probe, near))
    choices = bob.get(f"/analyses/{near.id}/compare").text
    assert "shows the same" not in choices
    with people.extensions["database"].begin() as session:
        row = session.get_one(AnalysisRow, probe.id)
        row.state, row.verdict = State.DONE, "no manipulation found"
    assert bob.get(f"/api/v1/analyses/{near.id}").json["copies"] == 1
    assert "probe.mp4" in bob.get(f"/analyses/{near.id}/copies").text
    assert "shows the same" in bob.get(f"/analyses/{near.id}/compare").text


def test_photo_of_a_moment_of_a_video(app, client, original):
    row = finished(app, file="screenshot.png", segments=0)
    moment = Piece(start=0, end=0, other_start=12, other_end=12.5)
    matched(app, row, original, pieces=(moment,), other_share=0.1)
    page = client.get(f"/analyses/{row.id}/copies").text
    assert "This photo shows a moment of it" in page and "00:00:12.000" in page
    page = client.get(f"/analyses/{original.id}/copies").text
    assert "This video shows that photo’s picture at one moment" in page


def test_differences_are_described():
    part = View(left=0.1, top=0.1)
    for change, words in (
        ({"other": part}, "cropped: about 81% of the other’s picture"),
        ({"own": part}, "shows more around it: the other is about 81% of this picture"),
        ({"differs": "bottom"}, "differs at the bottom of the picture, as with a caption or a bar"),
        ({"differs": "part"}, "differs in a part of the picture: something was added, covered or replaced"),
        ({"other_size": (640, 360)}, "the pictures as wholes do not differ"),
    ):
        assert describe_changes(match_of(**change))[0] == words
    with translation.speaking("de"):
        assert "unten" in describe_changes(match_of(differs="bottom"))[0]
