"""Second reviews: naming, judgements, resolution, and the log."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from made_results import finished
from made_rows import change
from second_review_case import FILE, WORDS, Review
from sqlalchemy import select
from statements import counted

from cli.web import main as cli
from webapp.casework import blinding
from webapp.custody import custody_log
from webapp.custody.audit import Audit
from webapp.storage.tables import AnalysisRow, AnnotationRow, CaseReview, ReviewStatement, State, now

pytestmark = pytest.mark.usefixtures("quick_reports")


def entries(made: Review, action: str) -> list[dict[str, str | int]]:
    with made.app.extensions["database"].begin() as session:
        return [entry.details for entry in custody_log.iter_entries(session) if entry.action == action]


def waiting(made: Review, name: str) -> str:
    return made.clients[name].get("/reviews").text


def test_voices_are_judged_blind_and_apart_from_the_faces(lab: Review) -> None:
    ada, ben, cleo = (lab.clients[name] for name in ("ada", "ben", "cleo"))
    page = ben.get(lab.page).text
    assert "Conclusion on the voices" in page and 'name="voice" value="" checked' in page
    assert lab.judge("ben", "manipulated", voice="no synthetic speech found").status_code == 303
    assert "o synthetic speech found" in ben.get(lab.page).text.partition("Your judgement")[2]
    hers = ada.get(lab.page).text.replace('value="no synthetic speech found"', "")
    assert hers.count("o synthetic speech found") == 1, "the label of the choice, not what Ben chose"
    assert lab.judge("ada", "manipulated", voice="synthetic speech found").status_code == 303
    both = cleo.get(lab.page).text
    differing = both.partition("Where they differ")[2].partition("</table>")[0]
    assert "Conclusion on the voices" in differing and "No synthetic speech found" in differing
    refused = {"conclusion": "manipulated", "reasons": "x", "voice": "human"}
    assert cleo.post(f"{lab.page}/decision", data=refused).status_code == 400
    form = {"conclusion": "manipulated", "reasons": "Breathing.", "voice": "synthetic speech found"}
    assert cleo.post(f"{lab.page}/decision", data=form).status_code == 303
    outcome = ada.get(lab.page).text.partition('id="outcome"')[2].partition("</section>")[0]
    assert "Synthetic speech found" in outcome


def test_a_blind_review_to_the_third_reviewers_decision(lab: Review) -> None:
    ada, ben, cleo = (lab.clients[name] for name in ("ada", "ben", "cleo"))
    assert "Give your judgement" in waiting(lab, "ada") and "Give your judgement" in waiting(lab, "ben")
    assert "Nothing waits for you" in waiting(lab, "cleo")
    assert '<span class="nav-count">1' in ben.get("/").text
    case = f"/cases/{lab.case}"
    assert "Export the case" in ada.get(case).text
    assert "once no findings in it are hidden from you" in ben.get(case).text
    assert "Export the case" not in ben.get(case).text
    assert lab.judge("ben", "manipulated", start="0:01", end="0:02.5", note="the mouth").status_code == 303
    own = ben.get(lab.page).text
    assert "the mouth" in own and "Nothing waits for you" in waiting(lab, "ben")
    # The first knows that it is in, and not what it says.
    text = ada.get(lab.page).text
    assert "the second reviewer has submitted one." in text and "the mouth" not in text
    assert lab.judge("ada", "no manipulation found", WORDS).status_code == 303
    both = cleo.get(lab.page).text
    assert "the mouth" in both and WORDS in both and "Where they differ" in both
    assert "Decide a difference" in waiting(lab, "cleo") and "Nothing waits" in waiting(lab, "ada")
    assert ada.post(f"{lab.page}/messages", data={"text": "Look at 0:02 again."}).status_code == 303
    assert (
        ada.post(f"{lab.page}/decision", data={"conclusion": "manipulated", "reasons": "x"}).status_code
        == 403
    )
    form = {"conclusion": "manipulated", "reasons": "Teeth do not fit the lips."}
    assert cleo.post(f"{lab.page}/decision", data=form).status_code == 303
    ended = ada.get(lab.page).text
    assert "Teeth do not fit" in ended and "decided as third reviewer" in ended
    assert "Nothing waits for you" in waiting(lab, "cleo")
    assert ada.post(f"{lab.page}/messages", data={"text": "late"}).status_code == 409
    assert "Conclusion of the third reviewer</h2>" in ended and "Joint conclusion" not in ended
    case = ada.get(f"/cases/{lab.case}").text
    assert '<th scope="col">Conclusion</th>' in case and "Joint conclusion" not in case
    kinds = [details["kind"] for details in entries(lab, "second review")]
    assert kinds == ["judgement", "judgement", "message", "decision"]
    assert all("conclusion" not in entry for entry in entries(lab, "second review")[:2])
    assert entries(lab, "second review")[0]["hidden until then"] == "findings"
    assert entries(lab, "reviewers named")[0]["first"] == "ada"


def test_a_conversation_that_ends_in_an_accepted_proposal(lab: Review) -> None:
    assert lab.name(third="").status_code == 303
    lab.judge("ada", "manipulated")
    lab.judge("ben", "inconclusive")
    assert "Resolve a difference" in waiting(lab, "ada") and "Resolve a difference" in waiting(lab, "ben")
    form = {"conclusion": "inconclusive", "reasons": "Too dark."}
    assert lab.clients["ada"].post(f"{lab.page}/proposal", data=form).status_code == 303
    assert "Nothing waits for you" in waiting(lab, "ada") and "Answer a proposal" in waiting(lab, "ben")
    with lab.app.extensions["database"].begin() as session:
        proposal = session.scalars(select(ReviewStatement).where(ReviewStatement.kind == "proposal")).one().id
    for name, status in (("ada", 409), ("dora", 403), ("ben", 303)):
        if name == "dora":
            lab.clients["root"].post(f"/cases/{lab.case}/members", data={"user": lab.users["dora"].id})
        answer = lab.clients[name].post(f"{lab.page}/acceptance", data={"proposal": proposal})
        assert answer.status_code == status, name
    text = lab.clients["dora"].get(lab.page).text
    assert "agreed on it in the discussion" in text and "Joint conclusion</h2>" in text
    assert "Nothing waits for you" in waiting(lab, "ben")


def test_agreement_needs_no_resolution(lab: Review) -> None:
    lab.judge("ada", "manipulated")
    lab.judge("ben", "manipulated")
    assert "Both independently reached the same conclusion" in lab.clients["cleo"].get(lab.page).text
    assert "Nothing waits for you" in waiting(lab, "cleo")
    assert lab.judge("ben", "inconclusive").status_code == 409


def test_dependent_agreement_is_labelled(lab: Review, monkeypatch) -> None:
    lab.judge("ben", "manipulated")
    with monkeypatch.context() as earlier:
        earlier.setattr(blinding, "would_unblind_first", lambda *_: False)
        assert lab.annotate("ben").status_code == 201
    lab.judge("ada", "manipulated")
    for page in (lab.page, f"/analyses/{lab.row.id}"):
        text = lab.clients["cleo"].get(page).text
        assert "could read the annotations of the second beforehand" in text and "each alone" not in text, (
            page
        )


def test_disjoint_stretches_are_a_difference(lab: Review) -> None:
    lab.judge("ada", "manipulated", start="0", end="1", note="")
    lab.judge("ben", "manipulated", start="0:02", end="0:03", note="")
    assert "nothing marked" in lab.clients["cleo"].get(lab.page).text.lower()
    assert "Decide a difference" in waiting(lab, "cleo")


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"reasons": " "}, "The text of the reasons is missing"),
        ({"conclusion": "real"}, "The conclusion must be one of"),
        ({"start": "x", "end": "2", "note": ""}, "is not a time"),
        ({"start": "3", "end": "2", "note": ""}, "ends before it starts"),
        ({"start": "1", "end": "9:00", "note": ""}, "ends after the exhibit does"),
        (
            {"conclusion": "no manipulation found", "start": "1", "end": "2", "note": ""},
            "cannot mark manipulated intervals",
        ),
        ({"start": ["1"] * 101, "end": ["2"] * 101, "note": [""] * 101}, "more than 100 stretches"),
    ],
)
def test_invalid_judgements_are_returned_for_correction(lab: Review, form, words) -> None:
    answer = lab.judge("ben", **({"conclusion": "manipulated", "reasons": "Kept."} | form))
    assert answer.status_code == 400 and words in answer.text
    assert "Kept." in answer.text or form.get("reasons") == " "
    assert lab.judge("ben", "manipulated").status_code == 303


def test_eligible_reviewers(lab: Review) -> None:
    users = {name: user.id for name, user in lab.users.items()}
    assert lab.name(second=users["root"]).status_code == 400  # sees everything
    assert lab.name(second=users["ada"]).status_code == 400  # twice
    assert lab.name(first=users["ben"], second=users["ada"]).status_code == 409  # handed it in
    assert lab.name(second="").status_code == 400
    assert lab.name(blind="nothing").status_code == 400
    lab.judge("ada", "manipulated")
    assert lab.name(first=users["dora"]).status_code == 409  # has judged
    assert lab.name(blind="judgements").status_code == 409
    assert lab.name(third=users["dora"]).status_code == 303
    assert lab.name(first="", second="", third="").status_code == 409


def test_naming_takes_constant_queries(lab: Review, monkeypatch) -> None:
    database, asked = lab.app.extensions["database"], []
    for number in (2, 6):
        for index in range(number):
            row = finished(lab.app, file=f"{number} {index}.mp4")
            with database.begin() as session:
                kept = session.get_one(AnalysisRow, row.id)
                kept.owner_id, kept.case_id = lab.users["ada"].id, lab.case
        with counted(database) as statements:
            assert lab.name(blind="judgements").status_code == 303
        asked.append(len(statements))
    named = entries(lab, "reviewers named")
    assert len(named) == (1 + 1) + (1 + 3) + (1 + 9)
    assert asked[0] == asked[1] < 40
    monkeypatch.setenv("REELPROOF_DATA", str(lab.app.extensions["settings"].data))
    assert cli.run(["verify-log"]) == 0


@pytest.mark.parametrize("how", ["handed in", "annotated"])
def test_naming_discloses_nothing_from_elsewhere(lab: Review, how: str) -> None:
    """Dora has the same file in her own case, under another name."""
    owner = lab.users["dora" if how == "handed in" else "root"].id
    elsewhere = analysed_again(lab, case_id=None, owner_id=owner)
    with lab.app.extensions["database"].begin() as session:
        session.get_one(AnalysisRow, elsewhere.id).file = "informant 7.mp4"
        if how == "annotated":
            values = {"id": "0" * 32, "kind": "exhibit", "author": "Dora", "made": now(), "body": "{}"}
            session.add(AnnotationRow(analysis_id=elsewhere.id, **values))
    ada, dora = lab.clients["ada"], lab.users["dora"]
    other = int(ada.post("/cases", data={"name": "K 2"}).location.rpartition("/")[2])
    form = {"first": lab.users["ada"].id, "second": dora.id, "blind": "findings"}
    assert ada.post(f"/cases/{other}/reviewers", data=form).status_code == 303  # nothing is in it yet
    named = {"first": "ada", "second": "dora", "blind": "findings"}
    for refused in (
        ada.post(f"/cases/{lab.case}/reviewers", data=form),
        ada.put(f"/api/v1/cases/{lab.case}/reviewers", json=named),
        ada.post(f"/analyses/{lab.row.id}/assign", data={"case": other}),
    ):
        assert refused.status_code == 409, refused.text
        assert f"Dora cannot review “{FILE}” blind." in (refused.json or {}).get("detail", refused.text)
        assert not any(word in refused.text for word in ("informant", "uploaded it", "annotated"))


def test_a_review_without_judgements_can_be_ended(lab: Review) -> None:
    assert lab.name(first="", second="", third="").status_code == 303
    assert lab.clients["ben"].get(f"/analyses/{lab.row.id}").status_code == 200
    assert lab.clients["ben"].get(lab.page).status_code == 404
    assert entries(lab, "reviewers named")[-1]["named"] == "nobody"


def test_analyses_that_break_blinding_are_kept_out_of_the_case(lab: Review) -> None:
    other = finished(lab.app, file="other.mp4")
    with lab.app.extensions["database"].begin() as session:
        session.get_one(AnalysisRow, other.id).owner_id = lab.users["ben"].id
    answer = lab.clients["root"].post(f"/analyses/{other.id}/assign", data={"case": lab.case})
    assert answer.status_code == 409 and "second reviewer of this case" in answer.text
    lab.judge("ada", "manipulated")
    answer = lab.clients["ada"].post(f"/analyses/{lab.row.id}/assign", data={"case": ""})
    assert answer.status_code == 409 and "has begun" in answer.text


def test_closed_cases_accept_no_judgement(lab: Review) -> None:
    ada, close = lab.clients["ada"], f"/cases/{lab.case}/close"
    assert "Close it although 1 second review is open" in ada.get(f"/cases/{lab.case}").text
    refused = ada.post(close)
    assert refused.status_code == 409 and "1 second review in this case is not finished." in refused.text
    assert "was closed" not in lab.clients["ben"].get(lab.page).text
    assert ada.post(close, data={"with_open_reviews": "yes"}).status_code == 303
    assert "nothing in it can be added or changed" in lab.clients["ben"].get(lab.page).text
    assert lab.judge("ben", "manipulated").status_code == 409
    assert "Nothing waits for you" in waiting(lab, "ben")
    assert lab.clients["ben"].get(f"/api/v1/analyses/{lab.row.id}/desk").status_code == 403


def analysed_again(made: Review, **changes: object) -> AnalysisRow:
    """A newer analysis of the exhibit under review, in its case."""
    database, again = made.app.extensions["database"], finished(made.app, file=FILE)
    values = {"case_id": made.case, "owner_id": made.users["ada"].id, "created": now() + timedelta(hours=1)}
    change(database, again.id, **(values | changes))
    return again


def test_judgements_survive_another_analysis(lab: Review) -> None:
    opened = lab.page
    again = analysed_again(lab)
    ben = lab.clients["ben"]
    refused = lab.judge("ben", "manipulated", "Kept.", start="x", end="2", note="the jaw")
    assert refused.status_code == 400 and "Kept." in refused.text and "the jaw" in refused.text
    answer = lab.judge("ben", "manipulated", start="1", end="2", note="")
    assert answer.status_code == 303 and answer.location == f"/reviews/{again.id}"
    assert "Your judgement" in ben.get(answer.location).text
    assert ben.get(opened).location == answer.location
    assert lab.judge("ada", "inconclusive").location == answer.location
    reply = ben.post(f"{opened}/messages", data={"text": "Look at the jaw."})
    assert reply.location == f"{answer.location}#conversation"
    assert "Look at the jaw." in ben.get(answer.location).text
    analysed_again(lab, created=now() + timedelta(hours=2))  # what was said stays with what it was said of
    assert "Look at the jaw." in ben.get(answer.location).text


def test_links_to_blind_reviews_lead_to_the_reviewed_analysis(lab: Review) -> None:
    again, ben = analysed_again(lab), lab.clients["ben"]
    page = f"/reviews/{again.id}"
    assert ben.get(page).status_code == 200 and page in waiting(lab, "ben")
    for analysis in (lab.row.id, again.id):
        assert ben.get(f"/analyses/{analysis}").location == page
        refused = ben.get(f"/analyses/{analysis}/custody")
        assert refused.status_code == 403 and f'href="{page}"' in refused.text
    assert page in ben.get(f"/compare?a={lab.row.id}&b={again.id}").text
    assert page in ben.get(f"/cases/{lab.case}/case.zip").text


def test_a_review_before_the_analysis_is_not_an_error(lab: Review) -> None:
    change(lab.app.extensions["database"], lab.row.id, state=State.RUNNING)
    refused = lab.clients["ben"].get(f"/analyses/{lab.row.id}")
    assert refused.status_code == 403 and "when its analysis is finished" in refused.text
    review = lab.clients["ben"].get(lab.page)
    assert review.status_code == 404 and "It begins when an analysis of it is done." in review.text
    assert "Name a first" not in review.text


def test_reviewers_of_two_cases_are_led_to_the_open_review(lab: Review) -> None:
    """About a file in two cases with the same second reviewer."""
    root, users = lab.clients["root"], lab.users
    other = int(root.post("/cases", data={"name": "K 2"}).location.rpartition("/")[2])
    again = analysed_again(lab, case_id=other)
    form = {"first": users["ada"].id, "second": users["ben"].id, "blind": "findings"}
    assert root.post(f"/cases/{other}/reviewers", data=form).status_code == 303
    assert lab.judge("ben", "manipulated").status_code == 303
    assert lab.clients["ben"].get(f"/analyses/{lab.row.id}").location == f"/reviews/{again.id}"


def test_refused_forms_keep_their_text(lab: Review) -> None:
    ben, cleo = lab.clients["ben"], lab.clients["cleo"]
    lab.judge("ada", "inconclusive")
    for client, act, form, status in (
        (cleo, "judgement", {"conclusion": "manipulated", "reasons": "What I saw."}, 403),
        (ben, "messages", {"text": "What I saw."}, 409),
        (ben, "proposal", {"conclusion": "manipulated", "reasons": "What I saw."}, 409),
        (cleo, "decision", {"conclusion": "manipulated", "reasons": "What I saw."}, 409),
    ):
        answer = client.post(f"{lab.page}/{act}", data=form)
        assert answer.status_code == status and "What I saw.</textarea>" in answer.text, act
        assert "Copy what you wrote first." in answer.text
    purge(lab)
    answer = lab.judge("ben", "manipulated", "What I saw.", start="1", end="2", note="And where.")
    assert answer.status_code == 410
    assert "What I saw.</textarea>" in answer.text and "And where.</textarea>" in answer.text


def test_naming_is_advised_only_to_those_who_may(lab: Review) -> None:
    assert lab.name(first="", second="", third="").status_code == 303
    assert "Name a first and a second reviewer" in lab.clients["ada"].get(lab.page).text
    text = lab.clients["cleo"].get(lab.page).text
    assert "Name a first" not in text and "Users who may arrange cases can name reviewers." in text


def test_blind_reviewers_can_download_the_exhibit(lab: Review) -> None:
    answer = lab.clients["ben"].get(f"{lab.page}/exhibit")
    assert answer.status_code == 200 and FILE in answer.headers["Content-Disposition"]
    assert entries(lab, "export")[-1]["file"] == "exhibit"


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("statement", "Analysis {row}: A part of the second review differs from the custody log."),
        ("naming", "Case {case}: who reviews it is not what the custody log holds."),
        ("removal", "Case {case}: the custody log names its reviewers, and the database does not."),
    ],
)
def test_altered_rows_are_not_shown(lab: Review, what: str, message: str) -> None:
    lab.judge("ada", "manipulated")
    with lab.app.extensions["database"].begin() as session:
        if what == "statement":
            row = session.scalars(select(ReviewStatement)).one()
            row.body = json.dumps(json.loads(row.body) | {"conclusion": "inconclusive"})
        elif what == "naming":
            session.scalars(select(CaseReview)).one().blind = "judgements"
        else:
            session.delete(session.scalars(select(CaseReview)).one())
    of_exhibit = f"/analyses/{lab.row.id}"
    for page in (lab.page, of_exhibit, f"{of_exhibit}/report.html", f"{of_exhibit}/bundle.zip?video=no"):
        assert lab.clients["ada"].get(page).status_code == 500, page
    # Nor does who is blind no longer, without the row that says so, see it.
    assert what != "removal" or lab.clients["ben"].get(of_exhibit).status_code == 500
    audit = Audit()
    with lab.app.extensions["database"].snapshot() as session:
        list(audit.observe(custody_log.iter_rows(session)))
        problems = list(audit.problems(session))
    assert problems == [message.format(row=lab.row.id, case=lab.case)]


def purge(made: Review) -> None:
    """Delete the case with everything in it."""
    for act in ("close", "purge"):
        answer = made.clients["root"].post(f"/cases/{made.case}/{act}", data={"with_open_reviews": "yes"})
        assert answer.status_code == 303


def offers(made: Review, name: str) -> list[str]:
    """Actions on the analysis under review that its review can prevent."""
    client = made.clients[name]
    pages = client.get(f"/analyses/{made.row.id}").text, client.get("/analyses").text
    return [act for act in ("assign", "delete") for page in pages if f"/analyses/{made.row.id}/{act}" in page]


def test_reviewed_analyses_are_deleted_only_with_their_case(lab: Review) -> None:
    again = analysed_again(lab, created=now() - timedelta(hours=1))
    assert offers(lab, "ada") == ["assign", "assign", "delete", "delete"]
    assert lab.judge("ada", "manipulated").status_code == lab.judge("ben", "inconclusive").status_code == 303
    for name in ("ada", "ben", "root"):
        client, address = lab.clients[name], f"/analyses/{lab.row.id}"
        assert offers(lab, name) == []
        for ask, act in ((client.get, "delete"), (client.post, "delete"), (client.get, "assign")):
            refused = ask(f"{address}/{act}")
            assert refused.status_code == 409 and "second review of this analysis has begun" in refused.text
        assert client.delete(f"/api/v1{address}").status_code == 409
    assert lab.judge("ben", "manipulated").status_code == 409  # it is in, and stays
    assert lab.clients["ben"].delete(f"/api/v1/analyses/{again.id}").status_code == 204  # nobody judged that
    purge(lab)
    with lab.app.extensions["database"].begin() as session:
        assert session.scalars(select(ReviewStatement)).all() == []
