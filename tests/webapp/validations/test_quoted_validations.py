"""The quoted validation is the logged one: forged choices, failed writes, crashes."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from labelled_cases import fill, make
from sqlalchemy import delete, event
from sqlalchemy.exc import OperationalError

from cli.web import main as cli
from detector.files import write_atomically
from detector.models.model_files import MODELS_FOLDER
from detector.schema.laboratory import Laboratory
from detector.validation.validated_model import validated_model
from webapp import create_app
from webapp.custody import custody_log
from webapp.downloads import quoted_extract
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow, Choice, now
from webapp.validations import creation
from webapp.validations import store as stored_validations


@pytest.fixture(scope="module")
def made_before(tmp_path_factory, shipped) -> tuple[Path, list[AnalysisRow], str]:
    """A data folder with a validation, the analyses it is made of, and its address."""
    data = tmp_path_factory.mktemp("validated") / "data"
    app = create_app({"TESTING": True, "REELPROOF_DATA": data, "SEND": lambda _id: None})
    case_id, rows = fill(app, shipped)
    address = make(app, case_id)
    app.extensions["database"].close()
    return data, rows, address


@pytest.fixture
def validated(made_before, tmp_path) -> tuple[list[AnalysisRow], str]:
    """Analyses and address of a validation; tests ask for it before the app, which finds it there."""
    data, rows, address = made_before
    shutil.copytree(data, tmp_path / "data")
    return rows, address


def own_threshold(app) -> bool | None:
    """Whether what reports quote has thresholds of the laboratory's own; None: they quote nothing."""
    with app.extensions["database"].begin() as session:
        text = quoted_extract.read_quoted_extract(session, Folders.local(app.extensions["settings"].data))
    return None if text is None else bool(Laboratory.from_json(text).thresholds)


def extracts(place: Path) -> int:
    return len(list(place.glob("laboratory*")))


class Killed(BaseException):
    """The process ends here: nothing behind it is done, and what is written stays."""


def killed(*_arguments: object) -> None:
    raise Killed


def test_changed_model_or_file_is_noticed(validated, app, monkeypatch):
    rows, address = validated
    client = app.test_client()
    client.post(f"{address}/quote", data={"quoted": "yes"})
    other = validated_model(MODELS_FOLDER / "efficientnet-lstm.json")
    with monkeypatch.context() as patched:
        patched.setattr(stored_validations, "validated_model", lambda _card, _parameters: other)
        assert "No longer applies: it was made with other weights" in client.get(address).text
        assert "No longer applies" in client.get("/validations").text
    place = Folders.local(app.extensions["settings"].data).validations / address.rsplit("/", 1)[1]
    text = (place / "laboratory.json").read_text()
    (place / "laboratory.json").write_text(text.replace('"title": "Reference"', '"title": "Something"'))
    answer = client.get(f"/analyses/{rows[0].id}/report.html")
    assert answer.status_code == 500 and "not the one that was chosen" in answer.text


def test_unlogged_choice_is_rejected(validated, app, monkeypatch, quick_reports, capsys):
    """A validation that was put in, and a choice of it in the database: the log has none of either."""
    rows, address = validated
    client, database, other = app.test_client(), app.extensions["database"], "ab" * 16
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
        output = capsys.readouterr().out
        assert "that reports quote is not the one that the custody log holds" in output
        if value is not None:
            assert f"Validation {other}: the custody log does not say that it was made." in output
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


def test_failed_transaction_does_not_change_thresholds(validated, app, monkeypatch, quick_reports):
    """Reports quote the validation as before, and thresholds can be set again."""
    rows, address = validated
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


@pytest.mark.parametrize("quoted", [True, False])
def test_crash_while_thresholds_are_written(validated, app, monkeypatch, quick_reports, quoted):
    """Reports quote what the rows say, and the next start puts it in place."""
    rows, address = validated
    client, folders = app.test_client(), Folders.local(app.extensions["settings"].data)
    if quoted:
        client.post(f"{address}/quote", data={"quoted": "yes"})
    place = folders.validations / address.rsplit("/", 1)[1]
    before, report = (place / "laboratory.json").read_bytes(), f"/analyses/{rows[0].id}/report.html"
    with monkeypatch.context() as patched:
        patched.setattr(stored_validations, "_move_into_place", killed)
        with pytest.raises(Killed):
            client.post(f"{address}/thresholds", data={"by": "rate", "rate": "0"})
    assert (place / "laboratory.json").read_bytes() == before and extracts(place) == 2
    assert client.get(report).status_code == 200
    assert own_threshold(app) is (True if quoted else None)
    monkeypatch.setenv("REELPROOF_DATA", str(folders.data))
    assert cli.run(["verify-log"]) == 0
    stored_validations.finish_interrupted_changes(app.extensions["database"], folders)
    assert (place / "laboratory.json").read_bytes() != before and extracts(place) == 1
    assert Laboratory.from_json((place / "laboratory.json").read_bytes()).thresholds
    client.post(f"{address}/quote", data={"quoted": "yes"})
    assert client.get(report).status_code == 200 and own_threshold(app)


def test_crash_while_a_validation_is_removed(app, shipped, monkeypatch, capsys):
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
    stored_validations.finish_interrupted_changes(app.extensions["database"], folders)
    assert list(folders.validations.iterdir()) == [] and cli.run(["verify-log"]) == 0


def test_crash_while_a_validation_is_created(app, shipped, monkeypatch, capsys):
    """Of one that the log does not hold nothing is there; what was put in is not quoted."""
    case_id = fill(app, shipped, 1)[0]
    client, folders = app.test_client(), Folders.local(app.extensions["settings"].data)
    monkeypatch.setenv("REELPROOF_DATA", str(folders.data))
    with monkeypatch.context() as patched:
        patched.setattr(creation, "publish_folder", killed)
        with pytest.raises(Killed):
            make(app, case_id)
    assert list(folders.validations.iterdir()) == [] and cli.run(["verify-log"]) == 0
    with app.extensions["database"].begin() as session:
        acts = [entry.details.get("what") for entry in custody_log.iter_entries(session)]
    assert "validation made" not in acts
    publish = creation.publish_folder

    def then_killed(aside: Path, place: Path) -> None:
        publish(aside, place)
        shutil.copytree(place, aside)  # so that what comes after a kill cannot take it back
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(creation, "publish_folder", then_killed)
        with pytest.raises(Killed):
            make(app, case_id)
    (left,) = folders.validations.iterdir()
    app.testing = False
    assert client.post(f"/validations/{left.name}/quote", data={"quoted": "yes"}).status_code == 500
    assert cli.run(["verify-log"]) == 1 and "does not say that it was made" in capsys.readouterr().out
    assert client.post(f"/validations/{left.name}/remove").status_code == 303
    assert cli.run(["verify-log"]) == 0
