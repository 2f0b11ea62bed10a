"""Pages of validations: a labelled case, figures, own thresholds, and reports that quote it."""

from __future__ import annotations

import zipfile

from keys import make_key
from labelled_cases import fill, labels_of, make, spoken_exhibits
from made_results import finished, hand_in
from people import Client, account, signed_in, with_login
from refused_forms import Page, again

from detector.schema.analysis import Analysis
from detector.schema.laboratory import Laboratory, Subject, Validation
from detector.schema.method import Parameters
from detector.validation.validated_model import validated_voice_model
from language.names import model_title
from reports.exports import spreadsheets
from reports.signing.keys import read_key
from verification.verify import verify
from webapp import create_app
from webapp.accounts.permissions import Role
from webapp.custody import custody_log
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, State


def test_create_and_quote_a_validation(app, shipped, tmp_path):
    case_id, rows = fill(app, shipped)
    client = app.test_client()
    page = client.get(f"/validations/new?case={case_id}").text
    assert "real-0.mp4,,,,,,,,,,," in page
    address = make(app, case_id)
    shown = client.get(address).text
    assert "all clips" in shown and "Only 6 manipulated clips were measured" in shown
    assert "No longer applies" not in shown
    validation = Validation.from_json(client.get(f"{address}/validation.json").data)
    assert len(validation.items) == 12 and validation.laboratory == "Lab"
    assert client.get(f"{address}/validation.pdf").data.startswith(b"%PDF-")
    assert "sandbox" in client.get(f"{address}/validation.html").headers["Content-Security-Policy"]
    assert client.get(f"{address}/measured.jsonl").status_code == 404
    table = client.get(f"{address}/files.xlsx")
    assert "files.xlsx" in shown and table.mimetype == spreadsheets.MIMETYPE and table.data[:2] == b"PK"

    assert client.post(f"{address}/thresholds", data={"by": "rate", "rate": "0"}).status_code == 303
    assert client.post(f"{address}/quote", data={"quoted": "yes"}).status_code == 303
    own = Laboratory.from_json(client.get(f"{address}/laboratory.json").data)
    assert own.thresholds[0].false_positive.events == 0
    report = client.get(f"/analyses/{rows[0].id}/report.html").text
    assert f"validation of {validation.created[:10]}" in report
    assert f"Flagged from {own.thresholds[0].threshold:g}, chosen by" in report
    with app.extensions["database"].begin() as session:
        acts = [e.details for e in custody_log.iter_entries(session) if "validation" in e.details]
    acts = [entry for entry in acts if "file" not in entry]
    assert [entry["what"] for entry in acts] == ["validation made", "own thresholds", "validation in reports"]
    assert acts[1]["thresholds"].startswith("video 0.2")

    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(client.get(f"/analyses/{rows[0].id}/bundle.zip").data)
    with zipfile.ZipFile(bundle) as packed:
        assert "laboratory.json" in packed.namelist()
    wrong = {entry.file.split("/")[0] for entry in verify(bundle).results.problems}
    assert not wrong & {"laboratory.json", "report.html", "report.pdf", "bundle.zip"}

    assert client.post(f"{address}/remove").status_code == 409, "reports quote it"
    client.post(f"{address}/quote", data={"quoted": ""})
    assert "validation of" not in client.get(f"/analyses/{rows[0].id}/report.html").text
    assert client.post(f"{address}/remove").status_code == 303
    assert client.get(address).status_code == 404
    assert not list(Folders.local(app.extensions["settings"].data).validations.iterdir())


def test_recordings_are_labelled_by_their_voices(app, shipped, tmp_path):
    """Beside faces of other exhibits; a report of a recording quotes what was measured of voices alone."""
    case_id, _ = fill(app, shipped, 1)
    spoken = spoken_exhibits(app, shipped, case_id, tmp_path)
    client = app.test_client()
    page = client.get(f"/validations/new?case={case_id}").text
    assert "human-0.opus,,,,,,,,,,," in page and "voice,voice_generator,voice_segments" in page
    faces = "manipulated-0.mp4,manipulated,\nreal-0.mp4,real,\n"
    form = {
        "case": str(case_id),
        "title": "Reference",
        "table": f"file,label,voice\n{faces}{labels_of(spoken)}",
    }
    answer = client.post("/validations", data=form)
    assert answer.status_code == 303, answer.text
    address = answer.headers["Location"]
    shown = client.get(address).text
    assert "all voices" in shown and "Synth." in shown and "No longer applies" not in shown
    titles = f"{model_title(shipped.title)}; {validated_voice_model().title}"
    assert titles in shown and titles in client.get("/validations").text
    made = Validation.from_json(client.get(f"{address}/validation.json").data)
    assert [level.kind for level in made.levels if not level.attribute] == [Subject.VIDEO, Subject.VOICE]
    assert made.voice_model == validated_voice_model() and made.files == 6
    client.post(f"{address}/thresholds", data={"by": "rate", "rate": "0"})
    client.post(f"{address}/quote", data={"quoted": "yes"})
    report = client.get(f"/analyses/{spoken[1].id}/report.html").text
    assert f"validation of {made.created[:10]}" in report and "all voices" in report
    assert "all clips" not in report and "threshold for voices" in report.replace("&#39;", "'")


def test_voices_that_were_not_examined_cannot_be_labelled(app, shipped, tmp_path):
    case_id, _ = fill(app, shipped, 1)
    spoken = spoken_exhibits(app, shipped, case_id, tmp_path)
    form = {"case": str(case_id), "title": "Reference"}
    for table, why in (
        ("real-0.mp4,,human\nmanipulated-0.mp4,,synthetic\n", "its sound was not examined"),
        (f"{spoken[0].file},real,\nmanipulated-0.mp4,fake,\n", "is sound without picture"),
    ):
        answer = app.test_client().post("/validations", data=form | {"table": f"file,label,voice\n{table}"})
        assert answer.status_code == 400 and why in answer.text


def test_exhibits_with_the_same_name_are_independent(app, shipped):
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
    validation = Validation.from_json(client.get(f"{answer.headers['Location']}/validation.json").data)
    assert len({item.group for item in validation.items}) == 4
    assert "group" not in validation.labelled


def test_cases_are_listed_with_their_labelable_exhibits(app, shipped):
    """Not with every analysis: some exhibits have two, and some analyses were cancelled."""
    _, rows = fill(app, shipped, 2)
    with app.extensions["database"].begin() as session:
        session.get_one(AnalysisRow, rows[0].id).state = State.CANCELLED
        session.get_one(AnalysisRow, rows[1].id).exhibit_id = rows[2].exhibit_id
    assert "Reference material (2)" in app.test_client().get("/validations").text


def test_versions_come_from_the_analyses(app, shipped):
    """Not those of the pages, which may be newer; with several none is named."""
    case_id, rows = fill(app, shipped, 2)
    client, folders = app.test_client(), Folders.local(app.extensions["settings"].data)
    made = Analysis.from_json((folders.result(rows[0].id) / "analysis.json").read_bytes()).software
    validation = Validation.from_json(client.get(f"{make(app, case_id)}/validation.json").data)
    assert (validation.versions.source_sha256, validation.versions.libraries) == (
        made.source_sha256,
        made.libraries,
    )
    assert validation.remarks == ()
    other = made.model_copy(update={"source_sha256": "b" * 64, "created": "2099-01-01T00:00:00Z"})
    fields = {"model": shipped, "parameters": Parameters(), "probability": 0.3, "software": other}
    row = finished(app, fields, file="real-9.mp4", duration=99.0)
    with app.extensions["database"].begin() as session:
        session.get_one(AnalysisRow, row.id).case_id = case_id
    validation = Validation.from_json(client.get(f"{make(app, case_id)}/validation.json").data)
    assert validation.versions.source_sha256 is None
    assert validation.remarks[0].startswith("The analyses were made by 2 versions of the program")


def test_invalid_labels_are_explained_and_kept(app, shipped):
    case_id, _ = fill(app, shipped, 1)
    table = "file,label\nreal-0.mp4,real\nno.mp4,manipulated\n"
    form = {"case": str(case_id), "title": "Reference", "table": table}
    answer = app.test_client().post("/validations", data=form)
    assert answer.status_code == 400
    assert "no.mp4 is not an exhibit here" in answer.text and "real-0.mp4,real" in answer.text
    folders = Folders.local(app.extensions["settings"].data)
    assert not list(folders.validations.iterdir())
    answer = app.test_client().post("/validations", data=form | {"table": "file,label\nreal-0.mp4,real\n"})
    assert "one label only" in answer.text


def test_failed_exhibit_is_not_left_out(app, shipped):
    case_id, rows = fill(app, shipped)
    again, broken = hand_in(app, b"again"), hand_in(app, b"broken")
    with app.extensions["database"].begin() as session:
        for row, name in ((again, "again"), (broken, "manipulated-broken.mp4")):
            record = session.get_one(AnalysisRow, row.id)
            record.case_id, record.state, record.error, record.file = (
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
    record = Validation.from_json(client.get(f"{address}/validation.json").data)
    assert [(item.file, item.error) for item in record.items if item.error] == [
        ("manipulated-broken.mp4", "The file is damaged.")
    ]
    assert "1 of 13 files could not be analysed and is in none of the figures." in record.limits
    alone = "file,label\nmanipulated-broken.mp4,manipulated\n"
    answer = client.post("/validations", data={"case": str(case_id), "title": "Reference", "table": alone})
    assert answer.status_code == 400 and "Correct the labels" in answer.text


def test_configured_key_signs_validations(tmp_path, sent, shipped):
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


def test_only_administrators_see_validations(tmp_path, sent):
    app = with_login(tmp_path / "data", sent)
    for name, role in (("ada", Role.ADMINISTRATOR), ("eve", Role.EXAMINER)):
        account(app, name, role)
    assert signed_in(app, "ada").get("/validations").status_code == 200
    assert signed_in(app, "eve").get("/validations").status_code == 403
    app.extensions["database"].close()


def test_invalid_number_is_named_in_the_users_language(client):
    for by, english, german in (("rate", "The rate", "Rate"), ("cost", "The cost", "Kosten")):
        for code, words in (("en", f"{english} is not a number."), ("de", f"{german}: Das ist keine Zahl.")):
            form, headers = {"by": by, by: "much"}, {"Accept-Language": code, "Accept": "application/json"}
            answer = client.post(f"/validations/{'0' * 32}/thresholds", data=form, headers=headers)
            assert answer.status_code == 400 and words in answer.json["error"]


def test_rejected_forms_keep_entered_values(app, shipped):
    case_id, _ = fill(app, shipped)
    address, client = make(app, case_id), app.test_client()
    form = {"by": "cost", "cost": "much", "share": "12"}
    page = Page(client.post(f"{address}/thresholds", data=form))
    assert page.values["cost"] == ["much"] and page.values["share"] == ["12"] and page.values["rate"] == ["1"]
    assert "not a number" in page.wrong["cost"] and page.links == ["#cost"]
    for form, field in (
        ({"by": "rate", "rate": "100"}, "rate"),
        ({"by": "cost", "cost": "-1", "share": "5"}, "cost"),
    ):
        answer = client.post(f"{address}/thresholds", data=form)
        assert answer.status_code == 400
        again(answer, field, "ive ", **{name: form[name] for name in form if name != "by"})
    form = {
        "case": str(case_id),
        "title": " ",
        "laboratory": "Lab",
        "table": "file,label\n",
        "language": "de",
    }
    page = again(
        client.post("/validations", data=form), "title", "needs a name", **form | {"case": str(case_id)}
    )
    form |= {"title": "Reference"}
    again(client.post("/validations", data=form), "table", "", **form)
