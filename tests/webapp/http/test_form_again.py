"""A form that is refused comes again with all that was typed, and beside the field what is wrong with it."""

from __future__ import annotations

import io

import pytest
from made_cases import put
from made_results import finished
from people import PASSWORD, account, signed_in, with_login
from refused_forms import Page, again
from second_review_case import Review, review

from webapp.accounts.permissions import Role

pytestmark = pytest.mark.usefixtures("quick_reports")
HTML = {"Accept": "text/html"}


def test_case_details_are_shown_again(app, client):
    row = finished(app)
    address = f"/analyses/{row.id}/case"
    assert client.post(address, data={"organisation": "Lab 3", "shown_organisation": ""}).status_code == 303
    shown = {f"shown_{name}": text for name, text in (("organisation", "Lab 3"), ("examiner", ""))}
    form = shown | {"case_number": "x" * 201, "examiner": "Ann <A>", "organisation": "", "paper": "Letter"}
    answer = client.post(address, data=form, headers=HTML)
    assert answer.status_code == 400 and "Your entries are shown below" in answer.text
    page = again(answer, "case_number", "longer than 200", **form)
    assert page.links == ["#case_number"]
    refusal = client.post(address, data=form, headers={"Accept": "application/json"})
    assert refusal.status_code == 400 and refusal.json["remedy"] == "Go back, correct it and save again."
    assert client.post(address, data=form | {"case_number": "x"}).status_code == 303
    assert "Ann &lt;A&gt;" in client.get(f"/analyses/{row.id}").text


def test_case_details_whose_case_is_closed_meanwhile(app, client):
    place, row = client.post("/cases", data={"name": "K 1"}).location, finished(app)
    put(app, row.id, int(place.rpartition("/")[2]))
    form = {"examiner": "x" * 201, "organisation": "Lab 3"}
    address = f"/analyses/{row.id}/case"
    again(client.post(address, data=form), "examiner", "longer than", **form)
    assert client.post(f"{place}/close").status_code == 303
    answer = client.post(address, data=form)
    assert answer.status_code == 409 and "The case is closed" in answer.text
    assert "x" * 201 in answer.text and "Lab 3</textarea>" in answer.text and "<form" not in answer.text


def test_the_upload_form_is_shown_again(client):
    case = client.post("/cases", data={"name": "K 1"}).location.rpartition("/")[2]
    form = {"case": case, "priority": "high", "joint": "all", "also": ["reelproof"], "examiner": "Ann <A>"}
    wrong = (
        ({"examiner": "a\nb"}, b"bytes", 400, "examiner", "one line"),
        ({"joint": "majority", "also": []}, b"bytes", 400, "joint", "only one model is named"),
        ({}, b"", 400, "", ""),
        ({}, b"PK\x03\x04" + bytes(60), 415, "", ""),
    )
    for changes, content, status, field, words in wrong:
        data = form | {"also": []} | {"joint": "first"} | changes
        answer = client.post("/analyses", data=data | {"file": (io.BytesIO(content), "clip.mp4")})
        assert answer.status_code == status, answer.text
        kept = {name: data[name] for name in ("case", "priority", "joint")}
        page = again(answer, field, words, **kept) if field else Page(answer)
        assert ("choose the file again" in answer.text) == bool(field)
        assert page.values["priority"] == ["high"] and page.values["examiner"] == [data["examiner"]]
    answer = client.post("/analyses", data=form | {"examiner": "Ann"})
    again(answer, "file", "No file came with the form", examiner="Ann", also=["reelproof"], priority="high")


def test_the_form_of_another_analysis_is_shown_again(app, client):
    row = finished(app)
    form = {"joint": "majority", "sample_rate": "4", "minimum_face": "50"}
    page = again(
        client.post(f"/analyses/{row.id}/again", data=form), "joint", "only one model is named", **form
    )
    assert page.open == 1
    form = {"joint": "any", "also": ["other"], "sample_rate": "many"}
    answer = client.post(f"/analyses/{row.id}/again", data=form)
    assert answer.status_code == 400 and Page(answer).focus == "problem"
    assert "One setting cannot be used" in answer.text and Page(answer).values["joint"] == ["any"]
    again(client.post(f"/analyses/{row.id}/again", data={"model": "no"}), "model", "no model of this name")


def test_thresholds_of_alerts_are_shown_again(client):
    client.post("/operations", data={"queue": "5"})
    form = {"queue": "7", "disk": "much", "workers": ""}
    page = again(client.post("/operations", data=form), "disk", "“much” is not a whole number", **form)
    assert page.links == ["#disk"]
    assert '"5"' in client.get("/operations").text


@pytest.fixture
def lab(tmp_path, sent) -> Review:
    return review(tmp_path / "reviewed", sent)


def test_second_reviews_are_shown_again(lab: Review) -> None:
    ada, cleo = lab.clients["ada"], lab.clients["cleo"]
    typed = {"start": "1", "end": "0:01", "note": "the jaw"}
    page = Page(
        lab.judge("ada", "manipulated", "What <I> saw.", start=["1", "3"], end=["2", "2"], note=["", "jaw"])
    )
    assert page.wrong["end-2"] == "A stretch ends before it starts." and page.links == ["#end-2"]
    assert page.values["reasons"] == ["What <I> saw."] and page.values["start"][:2] == ["1", "3"]
    page = Page(lab.judge("ada", "manipulated", start=["", "x"], end=["", "2"], note=["", "jaw"]))
    assert "“x” is not a time" in page.wrong["start-1"] and page.links == ["#start-1"]
    page = Page(lab.judge("ada", "manipulated", **typed | {"end": "1:00:00"}))
    assert page.wrong["end-1"] == "A stretch ends after the exhibit does."
    again(
        lab.judge("ada", "real"), "conclusion", "The conclusion must be one of", reasons="As is plain to see."
    )
    lab.judge("ada", "manipulated")
    lab.judge("ben", "inconclusive")
    long = "word " * 900
    page = again(ada.post(f"{lab.page}/messages", data={"text": long}), "text", "", text=long)
    assert page.values["reasons"] == [""] and "conclusion" not in page.values
    form = {"conclusion": "inconclusive", "reasons": long}
    for client, act in ((ada, "proposal"), (cleo, "decision")):
        page = again(client.post(f"{lab.page}/{act}", data=form), "reasons", "", **form)
        assert page.links == ["#why"] and page.values["text"] == [""]


def test_second_reviews_whose_case_is_closed_meanwhile(lab: Review) -> None:
    wrong = {"start": "x", "end": "2", "note": "the jaw"}
    assert lab.judge("ben", "manipulated", "What I saw.", **wrong).status_code == 400
    close = {"with_open_reviews": "yes"}
    assert lab.clients["ada"].post(f"/cases/{lab.case}/close", data=close).status_code == 303
    answer = lab.judge("ben", "manipulated", "What I saw.", **wrong)
    assert answer.status_code == 409 and "The case is closed" in answer.text
    assert "What I saw.</textarea>" in answer.text and "the jaw</textarea>" in answer.text


def test_reviewers_are_shown_again(lab: Review) -> None:
    ids = {name: str(user.id) for name, user in lab.users.items()}
    page = again(
        lab.name(second="", blind="judgements"), "second", "needs two", first=ids["ada"], third=ids["cleo"]
    )
    assert page.values["blind"] == ["judgements"] and page.links == ["#second-reviewer"] and page.open == 1
    answer = lab.name(second=ids["dora"], third=ids["dora"])
    assert answer.status_code == 400 and "must be different people" in answer.text
    assert Page(answer).values["second"] == Page(answer).values["third"] == [ids["dora"]]
    again(lab.name(blind="all"), "blind", "does not say what is hidden", first=ids["ada"])
    answer = lab.name(first=ids["ben"], second=ids["ada"])  # who has seen it
    assert answer.status_code == 409 and Page(answer).values["second"] == [ids["ada"]]
    assert lab.clients["ada"].post(f"/cases/{lab.case}/close", data={"with_open_reviews": "yes"})
    answer = lab.name(second="")
    assert answer.status_code == 409 and "The case is closed" in answer.text


def test_forms_of_accounts_are_shown_again(tmp_path, sent):
    app = with_login(tmp_path / "data", sent)
    account(app, "root", Role.ADMINISTRATOR)
    root = signed_in(app, "root")
    form = {"name": "a b", "display": "Ann <A>", "role": "examiner"}
    page = again(
        root.post("/users", data=form), "name", "cannot be a user name", name="a b", display="Ann <A>"
    )
    assert page.values["role"][-1] == "examiner" and page.links == ["#name"]
    again(
        root.post("/users", data=form | {"name": "ann", "display": "Root"}),
        "display",
        "There is a person called",
    )
    page = Page(root.post("/users/1/role", data={"role": "reader"}))
    assert page.focus == "problem" and page.values["name"] == [""]
    form = {"name": "CI", "scope": [], "expires": "soon"}
    again(root.post("/account/tokens", data=form), "expires", "is not a date", name="CI", expires="soon")
    again(root.post("/account/tokens", data=form | {"expires": ""}), "scope", "needs scopes", name="CI")
    form = {"name": "", "scope": ["read", "annotate"], "expires": ""}
    page = again(root.post("/account/tokens", data=form), "name", "needs a name", scope=form["scope"])
    assert root.post("/account/tokens", data=form | {"name": "CI"}).status_code == 200
    form = {"old": PASSWORD, "new": "short", "again": "other", "tokens": "revoke"}
    page = again(root.post("/account/password", data=form), "again", "differ", tokens="revoke")
    assert page.values["old"] == page.values["new"] == page.values["again"] == [""]
    again(root.post("/account/password", data=form | {"again": "short"}), "new", "")
    again(root.post("/account/password", data=form | {"old": "no"}), "old", "not your password")
    app.extensions["database"].close()
