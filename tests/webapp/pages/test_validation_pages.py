"""Validations in the browser: a labelled case, its figures, own thresholds, and reports that quote it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import zipfile
from pathlib import Path

import pytest
from keys import make_key
from made_results import finished, hand_in
from people import Client, account, signed_in, with_login
from sqlalchemy import delete, event
from sqlalchemy.exc import OperationalError

from detector.files import write_atomically
from detector.models.card_files import DEFAULT, MODELS
from detector.schema.analysis import Analysis
from detector.schema.laboratory.quoted import Laboratory
from detector.schema.laboratory.validation import Validation
from detector.schema.method.parameters import Parameters
from detector.schema.model import Model
from detector.validation.model_used import validated_model
from reports.signing.keys import read_key
from reports.verification.verify import verify
from webapp import create_app
from webapp.cli import main as cli
from webapp.custody import log as custody_log
from webapp.security.access.permissions import Role
from webapp.services.validations import making
from webapp.services.validations import stored as stored_validations
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, Choice, State, now


@pytest.fixture(scope="module")
def shipped() -> Model:
    """The default model as an analysis names it."""
    used = validated_model(MODELS / f"{DEFAULT}.json")
    card = json.loads((MODELS / f"{DEFAULT}.json").read_bytes())
    told = {name: getattr(used, name) for name in ("name", "title", "architecture", "sha256", "temperature")}
    return Model(
        **told,
        segment=used.segment,
        exhibit=used.exhibit,
        second_look=used.second_look,
        figures={},
        domain=card["domain"],
        limits=(),
    )


def fill(app, shipped: Model, count: int = 6) -> tuple[int, list[AnalysisRow]]:
    """A case with finished analyses, whose names say what they are."""
    client = app.test_client()
    made = client.post("/cases", data={"name": "Reference material"})
    case_id = int(made.headers["Location"].rsplit("/", 1)[1])
    rows = []
    for number in range(count):
        for label, probability in (("real", 0.1 + 0.02 * number), ("manipulated", 0.9 - 0.05 * number)):
            fields = {"model": shipped, "parameters": Parameters(), "probability": probability}
            rows.append(finished(app, fields, file=f"{label}-{number}.mp4", duration=4.0 + len(rows)))
    with app.extensions["database"].begin() as session:
        for row in rows:
            session.get_one(AnalysisRow, row.id).case_id = case_id
    return case_id, rows


def labelled(text: str) -> str:
    """The table of the form with the labels that names say."""
    rows = list(csv.DictReader(io.StringIO(text)))
    out = io.StringIO()
    writer = csv.DictWriter(out, making.COLUMNS)
    writer.writeheader()
    writer.writerows(row | {"label": row["file"].split("-")[0]} for row in rows)
    return out.getvalue()


def make(app, case_id: int) -> str:
    client = app.test_client()
    with app.extensions["database"].begin() as session:
        from webapp.queries import cases

        case = cases.find(session, cases_principal(), case_id)
        table = making.empty_table(making.offered(cases.analyses(session, case)))
    form = {"case": str(case_id), "title": "Reference", "laboratory": "Lab", "table": labelled(table)}
    answer = client.post("/validations", data=form)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def cases_principal():
    from webapp.security.access.permissions import LOCAL

    return LOCAL


def test_a_labelled_case_becomes_a_validation_that_reports_quote(app, shipped, tmp_path):
    case_id, rows = fill(app, shipped)
    client = app.test_client()
    page = client.get(f"/validations/new?case={case_id}").text
    assert "real-0.mp4,,,,,,," in page
    address = make(app, case_id)
    shown = client.get(address).text
    assert "all clips" in shown and "Only 6 manipulated clips were measured" in shown
    assert "No longer applies" not in shown
    found = Validation.from_json(client.get(f"{address}/validation.json").data)
    assert len(found.items) == 12 and found.laboratory == "Lab"
    assert client.get(f"{address}/validation.pdf").data.startswith(b"%PDF-")
    assert "sandbox" in client.get(f"{address}/validation.html").headers["Content-Security-Policy"]
    assert client.get(f"{address}/measured.jsonl").status_code == 404

    assert client.post(f"{address}/thresholds", data={"by": "rate", "rate": "0"}).status_code == 303
    assert client.post(f"{address}/quote", data={"quoted": "yes"}).status_code == 303
    own = Laboratory.from_json(client.get(f"{address}/laboratory.json").data)
    assert own.thresholds[0].false_positive.events == 0
    report = client.get(f"/analyses/{rows[0].id}/report.html").text
    assert f"validation of {found.created[:10]}" in report
    assert f"From {own.thresholds[0].threshold:g}, chosen by a measured false positive rate" in report
    with app.extensions["database"].begin() as session:
        said = [e.details for e in custody_log.entries(session) if "validation" in e.details]
    said = [each for each in said if "file" not in each]
    assert [each["what"] for each in said] == ["validation made", "own thresholds", "validation in reports"]
    assert said[1]["thresholds"].startswith("video 0.2")

    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(client.get(f"/analyses/{rows[0].id}/bundle.zip").data)
    with zipfile.ZipFile(bundle) as packed:
        assert "laboratory.json" in packed.namelist()
    wrong = {each.file.split("/")[0] for each in verify(bundle).results.problems}
    assert not wrong & {"laboratory.json", "report.html", "report.pdf", "bundle.zip"}

    assert client.post(f"{address}/remove").status_code == 409, "reports quote it"
    client.post(f"{address}/quote", data={"quoted": ""})
    assert "validation of" not in client.get(f"/analyses/{rows[0].id}/report.html").text
    assert client.post(f"{address}/remove").status_code == 303
    assert client.get(address).status_code == 404
    assert not list(Folders.local(app.extensions["settings"].data).validations.iterdir())


def test_exhibits_of_the_same_name_are_independent_files(app, shipped):
    """Unless they are said to be of one group: clips named by a camera say nothing of each other."""
    case_id, _ = fill(app, shipped, 0)
    rows = []
    for number in range(4):
        fields = {"model": shipped, "parameters": Parameters(), "probability": 0.2 + 0.2 * number}
        rows.append(finished(app, fields, file="IMG_0001.mp4", duration=4.0 + number))
    with app.extensions["database"].begin() as session:
        for row in rows:
            session.get_one(AnalysisRow, row.id).case_id = case_id
    labels = "".join(f"{row.exhibit.sha256},{n % 2}\n" for n, row in enumerate(rows))
    form = {"case": str(case_id), "title": "Reference", "table": f"file,label\n{labels}"}
    client = app.test_client()
    answer = client.post("/validations", data=form)
    assert answer.status_code == 303, answer.text
    found = Validation.from_json(client.get(f"{answer.headers['Location']}/validation.json").data)
    assert len({each.group for each in found.items}) == 4
    assert "group" not in found.labelled


def test_cases_are_listed_with_the_exhibits_that_can_be_labelled(app, shipped):
    """Not with every analysis: some exhibits have two, and some analyses were cancelled."""
    _, rows = fill(app, shipped, 2)
    with app.extensions["database"].begin() as session:
        session.get_one(AnalysisRow, rows[0].id).state = State.CANCELLED
        session.get_one(AnalysisRow, rows[1].id).exhibit_id = rows[2].exhibit_id
    assert "Reference material (2)" in app.test_client().get("/validations").text


def test_versions_are_those_that_made_the_analyses(app, shipped):
    """Not those of the pages, which may be newer; with several none is named."""
    case_id, rows = fill(app, shipped, 2)
    client, folders = app.test_client(), Folders.local(app.extensions["settings"].data)
    made = Analysis.from_json((folders.result(rows[0].id) / "analysis.json").read_bytes()).software
    found = Validation.from_json(client.get(f"{make(app, case_id)}/validation.json").data)
    assert (found.versions.source_sha256, found.versions.libraries) == (made.source_sha256, made.libraries)
    assert found.remarks == ()
    other = made.model_copy(update={"source_sha256": "b" * 64, "created": "2099-01-01T00:00:00Z"})
    fields = {"model": shipped, "parameters": Parameters(), "probability": 0.3, "software": other}
    row = finished(app, fields, file="real-9.mp4", duration=99.0)
    with app.extensions["database"].begin() as session:
        session.get_one(AnalysisRow, row.id).case_id = case_id
    found = Validation.from_json(client.get(f"{make(app, case_id)}/validation.json").data)
    assert found.versions.source_sha256 is None
    assert found.remarks[0].startswith("The analyses were made by 2 versions of the program")


def test_what_is_wrong_with_labels_is_told_and_the_table_kept(app, shipped):
    case_id, _ = fill(app, shipped, 1)
    table = "file,label\nreal-0.mp4,real\nno.mp4,manipulated\n"
    form = {"case": str(case_id), "title": "Reference", "table": table}
    answer = app.test_client().post("/validations", data=form)
    assert answer.status_code == 400
    assert "no.mp4 is no exhibit here" in answer.text and "real-0.mp4,real" in answer.text
    folders = Folders.local(app.extensions["settings"].data)
    assert not list(folders.validations.iterdir())
    answer = app.test_client().post("/validations", data=form | {"table": "file,label\nreal-0.mp4,real\n"})
    assert "one label only" in answer.text


def test_an_exhibit_that_could_not_be_analysed_is_not_left_out(app, shipped):
    case_id, rows = fill(app, shipped)
    again, broken = hand_in(app, b"again"), hand_in(app, b"broken")
    with app.extensions["database"].begin() as session:
        for row, name in ((again, "again"), (broken, "manipulated-broken.mp4")):
            found = session.get_one(AnalysisRow, row.id)
            found.case_id, found.state, found.error, found.file = (
                case_id,
                State.FAILED,
                "The file is damaged.",
                name,
            )
        # Of an exhibit with a finished analysis that one counts, whatever failed later.
        session.get_one(AnalysisRow, again.id).exhibit_id = session.get_one(
            AnalysisRow, rows[0].id
        ).exhibit_id
    client = app.test_client()
    page = client.get(f"/validations/new?case={case_id}").text
    assert "13 exhibits were analysed" in page and "1 of them could not be analysed" in page
    address = make(app, case_id)
    found = Validation.from_json(client.get(f"{address}/validation.json").data)
    assert [(each.file, each.error) for each in found.items if each.error] == [
        ("manipulated-broken.mp4", "The file is damaged.")
    ]
    assert "1 of 13 files could not be analysed and is in none of the figures." in found.limits
    alone = "file,label\nmanipulated-broken.mp4,manipulated\n"
    answer = client.post("/validations", data={"case": str(case_id), "title": "Reference", "table": alone})
    assert answer.status_code == 400 and "Correct the labels" in answer.text


def test_a_changed_model_or_file_is_noticed(app, shipped, monkeypatch):
    case_id, rows = fill(app, shipped)
    address = make(app, case_id)
    client = app.test_client()
    client.post(f"{address}/quote", data={"quoted": "yes"})
    other = validated_model(MODELS / "reelproof-2.json")
    with monkeypatch.context() as patched:
        patched.setattr(stored_validations, "validated_model", lambda _card, _parameters: other)
        assert "No longer applies: it was made with other weights" in client.get(address).text
        assert "No longer applies" in client.get("/validations").text
    place = Folders.local(app.extensions["settings"].data).validations / address.rsplit("/", 1)[1]
    text = (place / "laboratory.json").read_text()
    (place / "laboratory.json").write_text(text.replace('"title": "Reference"', '"title": "Something"'))
    answer = client.get(f"/analyses/{rows[0].id}/report.html")
    assert answer.status_code == 500 and "not the one that was chosen" in answer.text


def test_a_choice_that_nobody_made_is_refused(app, shipped, monkeypatch, quick_reports, capsys):
    """A validation that was put in, and a choice of it in the database: the log has none of either."""
    case_id, rows = fill(app, shipped)
    client, database = app.test_client(), app.extensions["database"]
    address, other = make(app, case_id), "ab" * 16
    places = Folders.local(app.extensions["settings"].data)
    extract = (places.validation(address.rsplit("/", 1)[1]) / "laboratory.json").read_bytes()
    report = f"/analyses/{rows[0].id}/report.html"
    monkeypatch.setenv("REELPROOF_DATA", str(app.extensions["settings"].data))

    def refused(value: str | None) -> None:
        if value is not None:
            shutil.copytree(places.validation(address.rsplit("/", 1)[1]), places.validation(other))
        with database.begin() as session:
            session.execute(delete(Choice).where(Choice.name == "validation"))
            if value is not None:
                session.add(Choice(name="validation", value=value, made=now()))
        answer = client.get(report)
        assert answer.status_code == 500 and "not the one that the custody log holds" in answer.text
        assert cli.run(["verify-log"]) == 1
        told = capsys.readouterr().out
        assert "that reports quote is not the one that the custody log holds" in told
        if value is not None:
            assert f"Validation {other}: the custody log does not say that it was made." in told
            app.testing = False
            assert client.post(f"/validations/{other}/quote", data={"quoted": "yes"}).status_code == 500
            shutil.rmtree(places.validation(other))

    forged = f"{other} {hashlib.sha256(extract).hexdigest()}"
    refused(forged)
    client.post(f"{address}/quote", data={"quoted": "yes"})
    assert client.get(report).status_code == 200 and cli.run(["verify-log"]) == 0
    for act in ({"by": "rate", "rate": "0"}, {"by": "none"}):
        assert client.post(f"{address}/thresholds", data=act).status_code == 303
        assert client.get(report).status_code == 200 and cli.run(["verify-log"]) == 0
    refused(forged)
    refused(None)
    client.post(f"{address}/quote", data={"quoted": ""})
    assert client.get(report).status_code == 200 and cli.run(["verify-log"]) == 0


def test_thresholds_whose_rows_cannot_be_written_change_nothing(app, shipped, monkeypatch, quick_reports):
    """Reports quote the validation as before, and thresholds can be set again."""
    case_id, rows = fill(app, shipped)
    address = make(app, case_id)
    client, engine = app.test_client(), app.extensions["database"].engine
    client.post(f"{address}/quote", data={"quoted": "yes"})
    place = Folders.local(app.extensions["settings"].data).validations / address.rsplit("/", 1)[1]
    before = (place / "laboratory.json").read_bytes()

    def fail(_connection) -> None:
        event.remove(engine, "commit", fail)
        raise OperationalError("COMMIT", {}, Exception("the disk is full"))

    def write(path: Path, text: bytes) -> None:
        write_atomically(path, text)
        event.listen(engine, "commit", fail)

    app.testing = False
    with monkeypatch.context() as patched:
        patched.setattr(stored_validations, "write_atomically", write)
        assert client.post(f"{address}/thresholds", data={"by": "rate", "rate": "0"}).status_code == 503
    assert (place / "laboratory.json").read_bytes() == before and extracts(place) == 2
    assert client.get(f"/analyses/{rows[0].id}/report.html").status_code == 200
    assert client.post(f"{address}/thresholds", data={"by": "rate", "rate": "0.1"}).status_code == 303
    assert (place / "laboratory.json").read_bytes() != before and extracts(place) == 1
    assert client.get(f"/analyses/{rows[0].id}/report.html").status_code == 200


def own_threshold(app) -> bool | None:
    """Whether what reports quote has thresholds of the laboratory's own; None: they quote nothing."""
    with app.extensions["database"].begin() as session:
        text = stored_validations.in_reports(session, Folders.local(app.extensions["settings"].data))
    return None if text is None else bool(Laboratory.from_json(text).thresholds)


def extracts(place: Path) -> int:
    return len(list(place.glob("laboratory*")))


class Killed(BaseException):
    """The process ends here: nothing behind it is done, and what is written stays."""


def killed(*_arguments: object) -> None:
    raise Killed


@pytest.mark.parametrize("quoted", [True, False])
def test_a_crash_while_thresholds_are_put_in_place(app, shipped, monkeypatch, quick_reports, quoted):
    """Reports quote what the rows say, and the next start puts it in place."""
    case_id, rows = fill(app, shipped)
    address = make(app, case_id)
    client, folders = app.test_client(), Folders.local(app.extensions["settings"].data)
    if quoted:
        client.post(f"{address}/quote", data={"quoted": "yes"})
    place = folders.validations / address.rsplit("/", 1)[1]
    before, report = (place / "laboratory.json").read_bytes(), f"/analyses/{rows[0].id}/report.html"
    with monkeypatch.context() as patched:
        patched.setattr(stored_validations, "_put_in_place", killed)
        with pytest.raises(Killed):
            client.post(f"{address}/thresholds", data={"by": "rate", "rate": "0"})
    assert (place / "laboratory.json").read_bytes() == before and extracts(place) == 2
    assert client.get(report).status_code == 200
    assert own_threshold(app) is (True if quoted else None)
    monkeypatch.setenv("REELPROOF_DATA", str(folders.data))
    assert cli.run(["verify-log"]) == 0
    stored_validations.finish_interrupted(app.extensions["database"], folders)
    assert (place / "laboratory.json").read_bytes() != before and extracts(place) == 1
    assert Laboratory.from_json((place / "laboratory.json").read_bytes()).thresholds
    client.post(f"{address}/quote", data={"quoted": "yes"})
    assert client.get(report).status_code == 200 and own_threshold(app)


def test_a_crash_while_a_validation_is_removed(app, shipped, monkeypatch, capsys):
    """It is not quoted any more, the check names it, and the next start removes it."""
    address = make(app, fill(app, shipped, 1)[0])
    client, folders = app.test_client(), Folders.local(app.extensions["settings"].data)
    monkeypatch.setenv("REELPROOF_DATA", str(folders.data))
    with monkeypatch.context() as patched:
        patched.setattr(stored_validations, "_remove_files", killed)
        with pytest.raises(Killed):
            client.post(f"{address}/remove")
    app.testing = False
    assert client.post(f"{address}/quote", data={"quoted": "yes"}).status_code == 500
    assert cli.run(["verify-log"]) == 1 and "says that it was removed" in capsys.readouterr().out
    stored_validations.finish_interrupted(app.extensions["database"], folders)
    assert list(folders.validations.iterdir()) == [] and cli.run(["verify-log"]) == 0


def test_a_crash_while_a_validation_is_made(app, shipped, monkeypatch, capsys):
    """Of one that the log does not hold nothing is there; what was put in is not quoted."""
    case_id = fill(app, shipped, 1)[0]
    client, folders = app.test_client(), Folders.local(app.extensions["settings"].data)
    monkeypatch.setenv("REELPROOF_DATA", str(folders.data))
    with monkeypatch.context() as patched:
        patched.setattr(making, "publish", killed)
        with pytest.raises(Killed):
            make(app, case_id)
    assert list(folders.validations.iterdir()) == [] and cli.run(["verify-log"]) == 0
    with app.extensions["database"].begin() as session:
        said = [entry.details.get("what") for entry in custody_log.entries(session)]
    assert "validation made" not in said
    publish = making.publish

    def then_killed(aside: Path, place: Path) -> None:
        publish(aside, place)
        shutil.copytree(place, aside)  # so that what comes after a kill cannot take it back
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(making, "publish", then_killed)
        with pytest.raises(Killed):
            make(app, case_id)
    (left,) = folders.validations.iterdir()
    app.testing = False
    assert client.post(f"/validations/{left.name}/quote", data={"quoted": "yes"}).status_code == 500
    assert cli.run(["verify-log"]) == 1 and "does not say that it was made" in capsys.readouterr().out
    assert client.post(f"/validations/{left.name}/remove").status_code == 303
    assert cli.run(["verify-log"]) == 0


def test_a_configured_key_signs(tmp_path, sent, shipped):
    key, password, _ = make_key(tmp_path)
    settings = {"REELPROOF_SIGNING_KEY": key, "REELPROOF_SIGNING_PASSWORD_FILE": password}
    app = create_app({"TESTING": True, "REELPROOF_DATA": tmp_path / "d", "SEND": sent.append} | settings)
    app.test_client_class = Client
    case_id, _ = fill(app, shipped, 1)
    address = make(app, case_id)
    client = app.test_client()
    assert client.get(f"{address}/validation.sig").status_code == 200
    report = tmp_path / "report.pdf"
    report.write_bytes(client.get(f"{address}/validation.pdf").data)
    app.extensions["database"].close()
    assert verify(report, [read_key(key, password).certificate]).results.problems == []


def test_only_administrators_see_them(tmp_path, sent):
    app = with_login(tmp_path / "data", sent)
    for name, role in (("ada", Role.ADMINISTRATOR), ("eve", Role.EXAMINER)):
        account(app, name, role)
    assert signed_in(app, "ada").get("/validations").status_code == 200
    assert signed_in(app, "eve").get("/validations").status_code == 403
    app.extensions["database"].close()


def test_a_field_that_is_no_number_is_named_in_the_readers_language(client):
    for by, english, german in (("rate", "The rate", "Rate"), ("cost", "The cost", "Kosten")):
        for code, words in (("en", f"{english} is no number."), ("de", f"{german}: Das ist keine Zahl.")):
            form, headers = {"by": by, by: "much"}, {"Accept-Language": code}
            answer = client.post(f"/validations/{'0' * 32}/thresholds", data=form, headers=headers)
            assert answer.status_code == 400 and words in answer.text
