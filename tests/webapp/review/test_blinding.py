"""Every route as a blind second reviewer: nothing discloses what is hidden.

And with that of the first, who sees everything: nothing tells what the second says before both have judged.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from datetime import timedelta

import pytest
from access_table import table
from made_results import finished
from people import signed_in
from second_review_case import FILE, MACHINE, WORDS, Review, review
from sqlalchemy import select
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from reports.review.annotation_file import checksum, file_text
from reports.review.annotations import ANNOTATION
from reports.review.second_review import parse, statement_json
from webapp.accounts.request_guard import Rates
from webapp.downloads import kept_reports
from webapp.exhibits.results import load_result
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, AnnotationRow, KeyedRequest, ReviewStatement, State, now

# These would end the walker's session, change its password, or take half a minute.
_ENDS = ("/sample", "/logout", "/account/password", "/account/sessions", "/account/second-factor", "/login")
_FIGURES = (str(MACHINE), "88 %", "87.7", "0.88", '"segments": [{', "A1")


@pytest.fixture(params=["findings", "judgements"])
def blind(request, tmp_path, sent) -> Iterator[Review]:
    made = review(tmp_path / "data", sent, request.param)
    assert made.judge("ada", "inconclusive", WORDS, start="0:01", end="0:02", note=WORDS).status_code == 303
    yield made
    made.app.extensions["database"].close()


def content(response) -> str:
    """All content of a response: its headers and, for an archive, each file in it."""
    text = f"{response.headers}\n"
    if response.data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(response.data)) as archive:
            return text + "\n".join(archive.read(name).decode("latin-1") for name in archive.namelist())
    return text + response.data.decode("utf-8", "replace")


def addresses(made: Review) -> Iterator[tuple[str, str]]:
    """Every route with everything that can be requested of the exhibit under review."""
    row = made.row
    values = {"analysis_id": [row.id], "sha256": [row.exhibit.sha256], "case_id": [made.case]}
    values |= {"user_id": [made.users["ben"].id], "session_id": ["0" * 64], "number": [1]}
    values["name"] = ["csv", "A1-1.png", "A1-1-frame.png", "scores-csv", "overlays", "validation.html"]
    values["export_name"] = ["json", "csv", "overlays", "scores-csv"]
    rows = sorted(
        table(made.app), key=lambda route: (route[0] != "GET", "delete" in route[1] or route[0] == "DELETE")
    )
    for method, rule, _endpoint, _need in rows:
        if rule.startswith(_ENDS) and method != "GET" or rule == "/static/<path:filename>":
            continue
        fields = re.findall(r"<(?:[^:>]+:)?([^>]+)>", rule)
        many = next((field for field in fields if len(values.get(field, [1])) > 1), None)
        for choice in values[many] if many else [None]:
            yield (
                method,
                re.sub(
                    r"<(?:[^:>]+:)?([^>]+)>",
                    lambda match, choice=choice, many=many: str(
                        choice if match[1] == many else values.get(match[1], ["1" * 32])[0]
                    ),
                    rule,
                ),
            )


SEARCHES = (
    f"/analyses?q={FILE[:9]}",
    "/analyses?verdict=manipulated",
    "/analyses?reviewer=Ada",
    "/analyses?sort=probability",
    "/analyses?grouped=yes",
    f"/analyses?q={WORDS}",
    "/statistics?per=week",
    "/api/v1/analyses?verdict=manipulated",
    "/api/v1/analyses?reviewer=Ada",
)


def more_addresses(made: Review) -> tuple[str, ...]:
    row = made.row.id
    return (
        f"/analyses?like={row}",
        f"/api/v1/analyses?like={row}",
        f"/compare?a={row}&b={row}",
        f"/api/v1/analyses/{row}/desk?scores=all",
        f"/api/v1/analyses/{row}/desk/scores?start=0&end=9",
        f"/analyses/{row}/bundle.zip?video=no",
        f"/api/v1/analyses/{row}/bundle.zip?video=no",
        f"/api/v1/analyses/{row}/scores?limit=3",
        f"/analyses/{row}?known=1",
        f"/analyses/new?case={made.case}",
    )


def test_no_route_leaks(blind: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rates, "count", lambda *_: None)
    ben, row = blind.clients["ben"], blind.row
    hides_findings = ben.get(f"/analyses/{row.id}/analysis.json").status_code == 403
    seen: dict[str, int] = {}
    for method, address in [
        *(("GET", path) for path in (*SEARCHES, *more_addresses(blind))),
        *addresses(blind),
    ]:
        answer = ben.open(address, method=method)
        text = content(answer).replace(f'value="{WORDS}"', "")  # what was searched for stays in its field
        seen[f"{method} {address}"] = answer.status_code
        assert answer.status_code < 500 or answer.status_code == 503, (method, address, answer.text[:500])
        assert WORDS not in text or WORDS in address, (method, address)
        if hides_findings and (row.id in address or row.exhibit.sha256 in address or FILE in text):
            for figure in _FIGURES:
                assert figure not in text, (method, address, figure)
        assert method == "GET" or still_blind(blind), (method, address)
    assert still_blind(blind)
    own = f"/analyses/{row.id}"
    uncut = ("report.pdf", "report.html", "bundle.zip", "custody.json", "custody")
    asked = [f"GET {place}/{name}" for place in (own, f"/api/v1{own}") for name in uncut]
    assert {seen[path] for path in asked if path in seen} == {403}
    assert seen[f"GET /cases/{blind.case}/case.zip"] == 403
    assert seen[f"GET /api/v1/exhibits/{row.exhibit.sha256}/custody.json"] == (404 if hides_findings else 403)
    assert sum(status == 200 for status in seen.values()) > 25, "the walk reached too little"


def still_blind(made: Review) -> bool:
    return made.clients["ben"].get(f"/analyses/{made.row.id}/report.pdf").status_code == 403


def test_shown_and_hidden_parts(tmp_path, sent) -> None:
    made = review(tmp_path / "data", sent, "judgements")
    ben, row = made.clients["ben"], made.row.id
    assert ben.get(f"/analyses/{row}").status_code == 200
    assert ben.get(f"/api/v1/analyses/{row}/annotations").json["annotations"] == []
    made.judge("ada", "manipulated")  # before, it would be told to her
    answer = made.annotate("ben", note="mine")
    assert [annotation["note"] for annotation in answer.json["annotations"]] == ["mine"]
    assert "Ada" not in ben.get("/analyses").text.partition("Reviewer")[2].partition("</select>")[0]
    # Ada sees both, and whoever has judged does.
    assert len(made.clients["ada"].get(f"/api/v1/analyses/{row}/annotations").json["annotations"]) == 4
    made.judge("ben", "manipulated")
    assert len(ben.get(f"/api/v1/analyses/{row}/annotations").json["annotations"]) == 4
    assert ben.get(f"/analyses/{row}/custody").status_code == 200
    made.app.extensions["database"].close()


def test_other_analyses_of_the_exhibit_are_hidden(tmp_path, sent) -> None:
    made = review(tmp_path / "data", sent, "findings")
    ben, database = made.clients["ben"], made.app.extensions["database"]
    again = finished(made.app, {"probability": MACHINE}, file=FILE)
    with database.begin() as session:
        session.get_one(AnalysisRow, again.id).owner_id = made.users["ben"].id
    assert again.exhibit_id == made.row.exhibit_id
    assert ben.get(f"/analyses/{again.id}").location == made.page
    assert ben.get(f"/api/v1/analyses/{again.id}").status_code == 403
    assert FILE not in ben.get("/analyses").text
    assert FILE in made.clients["ada"].get("/analyses").text
    made.judge("ben", "manipulated")
    assert ben.get(f"/analyses/{again.id}").status_code == 200
    database.close()


def test_uploading_the_exhibit_again_discloses_nothing(tmp_path, sent) -> None:
    made = review(tmp_path / "data", sent, "findings")
    ben, database = made.clients["ben"], made.app.extensions["database"]
    exhibit = ben.get(f"{made.page}/exhibit").data
    tus, part = {"Tus-Resumable": "1.0.0"}, "application/offset+octet-stream"
    begun = ben.post("/api/v1/uploads", headers=tus | {"Upload-Length": str(len(exhibit))})
    place = begun.headers["Location"]
    ben.patch(place, data=exhibit, headers=tus | {"Upload-Offset": "0"}, content_type=part)

    def by_parts():
        return ben.post(f"{place}/analysis", json={})

    def by_form():
        form = {"file": (io.BytesIO(exhibit), "mine.mp4")}
        return ben.post("/api/v1/analyses", data=form, headers={"Idempotency-Key": "a-key"})

    for ask in (by_parts, by_form):
        first = ask()
        assert first.status_code == 202 and first.json["sha256"] == made.row.exhibit.sha256, first.text
        finding = made.row.summary
        with database.begin() as session:
            row = session.get_one(AnalysisRow, first.json["id"])
            row.state, row.verdict, row.probability = State.DONE, "manipulated", MACHINE
            row.summary = finding
            for kept in session.scalars(select(KeyedRequest)):  # as if it had been cut off
                kept.status, kept.started = None, now() - timedelta(hours=2)
        again = ask()
        assert again.status_code == 202 and again.json["id"] == first.json["id"]
        assert again.json["state"] == "done"
        disclosure = {
            name: again.json[name] for name in ("verdict", "probability", "kind", "answers", "declarations")
        }
        assert disclosure == dict.fromkeys(disclosure)
        made.clients["root"].delete(f"/api/v1/analyses/{first.json['id']}")
    made.judge("ben", "manipulated")
    assert by_form().status_code == 202
    database.close()


def test_the_second_reviewer_cannot_end_the_blinding(tmp_path, sent) -> None:
    made = review(tmp_path / "data", sent, "findings")
    ben, case = made.clients["ben"], made.case
    users = made.users
    others = {"first": users["ada"].id, "second": users["dora"].id, "blind": "judgements"}
    assert ben.post(f"/cases/{case}/reviewers", data=others).status_code == 403
    assert ben.post(f"/cases/{case}/members/{users['ben'].id}/remove").status_code == 409
    assert ben.post(f"/analyses/{made.row.id}/assign", data={"case": ""}).status_code == 403
    assert ben.post(f"/analyses/{made.row.id}/delete").status_code == 403
    root = made.clients["root"]
    assert (
        "second reviewer of an open case"
        in root.post(f"/users/{users['ben'].id}/role", data={"role": "administrator"}).text
    )
    assert still_blind(made)
    made.app.extensions["database"].close()


def test_tokens_are_blind_as_well(tmp_path, sent) -> None:
    made = review(tmp_path / "data", sent, "findings")
    token = re.search(
        r"rp_[A-Za-z0-9_-]{43}",
        made.clients["ben"].post("/account/tokens", data={"name": "mine", "scope": ["read", "export"]}).text,
    )
    assert token
    client = made.app.test_client()
    for address in ("", "/analysis.json", "/annotations", "/report.pdf", "/segments"):
        answer = client.get(
            f"/api/v1/analyses/{made.row.id}{address}", headers={"Authorization": f"Bearer {token[0]}"}
        )
        assert answer.status_code == 403 and f"/reviews/{made.row.id}" in answer.json["remedy"]
    assert (
        json.loads(client.get("/api/v1/analyses", headers={"Authorization": f"Bearer {token[0]}"}).data)[
            "items"
        ]
        == []
    )
    made.app.extensions["database"].close()


def test_a_new_session_is_still_blind(tmp_path, sent) -> None:
    made = review(tmp_path / "data", sent, "findings")
    again = signed_in(made.app, "ben")
    assert again.get(f"/api/v1/analyses/{made.row.id}/desk").status_code == 403
    made.app.extensions["database"].close()


BENS = "CANARY-OF-THE-SECOND"


def annotated_every_way(made: Review, row: AnalysisRow) -> Iterator[TestResponse]:
    """Responses to Ben, who annotates an analysis in every possible way."""
    ben, body = made.clients["ben"], {"kind": "exhibit", "verdict": "disagree", "note": BENS}
    kept = body | {"id": "5" * 32, "author": "Ben", "made": now().isoformat()}
    facts = {"analysis": row.id, "exhibit_sha256": row.exhibit.sha256}
    facts["analysis_sha256"] = load_result(
        Folders.local(made.app.extensions["settings"].data).result(row.id)
    ).sha256
    file = file_text([ANNOTATION.validate_python(kept)], **facts, saved=now()).encode()
    api = f"/api/v1/analyses/{row.id}"
    yield ben.post(f"{api}/annotations", json=body)
    yield ben.post(f"{api}/annotations", json={"kind": "rename", "person": "A", "name": BENS})
    for place in (f"/analyses/{row.id}", api):
        boundary, form = encode_multipart({"file": FileStorage(io.BytesIO(file), "x.json")})
        kind = f"multipart/form-data; boundary={boundary}"
        yield ben.post(f"{place}/annotations/import", data=form, content_type=kind)


@pytest.mark.parametrize("hidden", ["findings", "judgements"])
@pytest.mark.usefixtures("quick_reports")
def test_the_first_reviewer_cannot_read_the_second(tmp_path, sent, hidden, monkeypatch) -> None:
    monkeypatch.setattr(Rates, "count", lambda *_: None)
    made = review(tmp_path / "data", sent, hidden)
    row, ada, ben = made.row, made.clients["ada"], made.clients["ben"]
    database = made.app.extensions["database"]
    if hidden == "judgements":  # else they do not get there
        assert {entry.status_code for entry in annotated_every_way(made, row)} == {409}
    assert made.judge("ben", "inconclusive", BENS, start="0:01", end="0:02", note=BENS).status_code == 303
    for answer in annotated_every_way(made, row):
        assert answer.status_code == 409, answer.text
        assert "first reviewer has not judged it yet" in answer.text
    page = ben.get(f"/analyses/{row.id}").text
    assert "Annotate it after the first reviewer has submitted a judgement." in page and "/import" not in page
    assert "Change the case details" in page
    with database.begin() as session:
        assert set(session.scalars(select(AnnotationRow.author))) == {"Ada"}
    asked = [entry for method, entry in addresses(made) if method == "GET"]
    asked += [*SEARCHES, *more_addresses(made), f"/analyses?q={BENS}", "/analyses?reviewer=Ben"]
    seen: dict[str, int] = {}
    for address in asked:
        answer = ada.get(address)
        seen[address] = answer.status_code
        assert BENS not in content(answer).replace(f'value="{BENS}"', "") or BENS in address, address
    page = f"/analyses/{row.id}"
    shown = [f"{page}/{name}" for name in ("report.html", "bundle.zip", "custody.json")]
    for address in (*shown, f"/api/v1{page}/annotations", f"/api/v1{page}/desk"):
        assert seen[address] == 200, address
    assert seen[f"/cases/{made.case}/case.zip"] == 200
    elsewhere = finished(made.app, file=FILE)  # the same bytes, in no case
    with database.begin() as session:
        session.get_one(AnalysisRow, elsewhere.id).owner_id = made.users["ben"].id
    assert {entry.status_code for entry in annotated_every_way(made, elsewhere)} == {409}
    # Once both have judged, both are disclosed, and the second says what they like.
    assert made.judge("ada", "manipulated").status_code == 303
    assert {entry.status_code for entry in annotated_every_way(made, row)} <= {200, 201, 303}
    assert BENS in ada.get(f"/api/v1/analyses/{row.id}/annotations").text
    assert "Annotate it once" not in ben.get(f"/analyses/{row.id}").text
    database.close()


def test_custody_log_does_not_confirm_guesses_of_a_hidden_judgement(lab: Review) -> None:
    """Everything but the salt is in the log or can be guessed; once both have judged, the hash fits."""
    assert (
        lab.judge("ben", "manipulated", "The mouth does not fit the sound.", salt="0" * 32).status_code == 303
    )
    address = f"/api/v1/exhibits/{lab.row.exhibit.sha256}/custody.json"
    (entry,) = (
        entry
        for entry in lab.clients["ada"].get(address).json["entries"]
        if entry["action"] == "second review"
    )
    with lab.app.extensions["database"].begin() as session:
        judgement = json.loads(session.scalars(select(ReviewStatement.body)).one())
    salt = judgement.pop("salt")
    assert len(salt) == 32 and salt != "0" * 32
    for guess in (judgement, judgement | {"salt": None}, judgement | {"salt": "0" * 32}):
        assert checksum([guess]) != entry["details"]["sha256"]
    assert salt not in lab.clients["ada"].get(f"/api/v1/analyses/{lab.row.id}/review").text
    assert lab.judge("ada", "manipulated").status_code == 303
    disclosed = lab.clients["ada"].get(f"/api/v1/analyses/{lab.row.id}/review").json["review"]["statements"]
    (record,) = (statement for statement in disclosed if statement["part"] == "second")
    assert record["salt"] == salt
    assert checksum([statement_json(parse(record))]) == entry["details"]["sha256"]


def test_judgements_name_the_account_beside_the_person(lab: Review) -> None:
    """Names of two people may look alike; those of accounts are plain and unique."""
    assert lab.judge("ada", "manipulated").status_code == lab.judge("ben", "inconclusive").status_code == 303
    page = lab.clients["ada"].get(lab.page).text
    for display, name in (("Ada", "ada"), ("Ben", "ben")):
        assert f'<bdi>{display}</bdi> (<bdi class="exact">{name}</bdi>)' in page


# What differs each time: ids of requests, tokens, times, free space.
_VOLATILE = re.compile(
    r"X-Request-Id: .*|csrf_token\" value=\"\w+|csrf-token\" content=\"\w+|Set-Cookie: .*|data-room=\"\d+|"
    r"nonce[-=]\"?[\w+/=-]+|just now|\d+ (?:second|minute)s? ago|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*|"
    r"\d+ [A-Z][a-z]+ \d{4},? \d\d:\d\d(?::\d\d)?"
)
# Refused to the second reviewer (`test_no_route_leaks`), and each takes seconds to render.
_RENDERED = re.compile(r"report\.|bundle|\.zip|overlays|annotated|heatmaps|/docs$")


def snapshot(made: Review) -> dict[str, str]:
    """Return everything that Ben can read, by address, without what differs each time."""
    paths = [*SEARCHES, *more_addresses(made), *(path for method, path in addresses(made) if method == "GET")]
    seen = {}
    for path in dict.fromkeys(path for path in paths if not _RENDERED.search(path)):
        answer = made.clients["ben"].get(path)
        text = _VOLATILE.sub("", f"{answer.status}\n{content(answer)}")
        if not answer.headers.get("Content-Type", "").startswith("application/json"):
            text = re.sub(r"Content-Length: \d+|ETag: .*", "", text)  # of a page, with the time
        seen[path] = text
    return seen


def test_the_second_reviewer_does_not_see_when_others_act(
    tmp_path, sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status, headers (tags, sizes) and content of every address stay as they are."""
    monkeypatch.setattr(Rates, "count", lambda *_: None)
    monkeypatch.setattr("webapp.exhibits.uploads.sample.sample_missing", lambda _database: False)
    made = review(tmp_path / "data", sent, "judgements")  # otherwise most addresses are refused
    before, again = snapshot(made), snapshot(made)
    assert made.annotate("ada", note=WORDS).status_code == 201
    folders = Folders.local(tmp_path / "data")
    with kept_reports.hold_report_lock(folders, made.row.id, 0):  # as when the report is rendered anew
        after = snapshot(made)
    stable = [path for path in before if before[path] == again[path]]
    assert len(stable) > 100, sorted(before.keys() - set(stable))
    assert {path: after[path] for path in stable} == {path: before[path] for path in stable}
    made.app.extensions["database"].close()


@pytest.mark.parametrize("hidden", ["findings", "judgements"])
def test_the_second_reviewer_does_not_see_who_has_judged(tmp_path, sent, hidden: str) -> None:
    made = review(tmp_path / "data", sent, hidden)
    ben, row = made.clients["ben"], made.row.id
    places = (
        f"/api/v1/analyses/{row}/review",
        f"/cases/{made.case}",
        made.page,
        "/reviews",
        "/api/v1/reviews",
    )

    def seen() -> list[str]:
        return [_VOLATILE.sub("", ben.get(place).text) for place in places]

    before = seen()
    assert made.judge("ada", "inconclusive", WORDS).status_code == 303
    assert seen() == before
    if hidden == "judgements":
        assert "first reviewer has submitted" not in ben.get(f"/analyses/{row}").text
    made.judge("ben", "inconclusive")
    assert ben.get(places[0]).json["review"]["given"] == ["first", "second"]
    made.app.extensions["database"].close()
