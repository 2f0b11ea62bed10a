"""Animated heatmaps: requested, followed, kept and removed."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from analyses import model
from flask import Flask
from flask.testing import FlaskClient
from made_heatmaps import FRAMES, StandIn, standing_in
from made_results import finished
from people import account, signed_in, with_login
from PIL import Image
from waiting import until

from detector.models.model_files import DEFAULT_MODEL
from detector.schema.analysis import MediaKind
from webapp.accounts.permissions import Role
from webapp.storage.data_folder import Folders
from webapp.storage.tables import AnalysisRow


def state(client: FlaskClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return str(answer.json["state"])


@pytest.fixture
def row(app: Flask) -> AnalysisRow:
    return finished(app, {"model": model().model_copy(update={"name": DEFAULT_MODEL})}, persons=1, segments=1)


def test_they_are_computed_once_and_served(client: FlaskClient, row: AnalysisRow) -> None:
    address = f"/api/v1/analyses/{row.id}/segments/A1/heatmaps"
    assert state(client, address) == "absent"
    with standing_in(6.0) as stand_in:
        answer = client.post(address)
        assert answer.status_code == 202 and answer.json["state"] in ("waiting", "computing")
        until(lambda: state(client, address) == "computing", "it never started")
        until(lambda: client.get(address).json["progress"] == 0.4, "it reports no progress")
        assert client.post(address).status_code == 202  # a second request joins the first
        stand_in.go_on.set()
        until(lambda: state(client, address) == "done", "it never ended")
        assert client.post(address).json["state"] == "done" and stand_in.runs == 1
    frames = client.get(address).json["frames"]
    assert [frame["time"] for frame in frames] == [6.0 + number / 8 for number in range(FRAMES)]
    for kind, format_ in (("frame", "JPEG"), ("map", "PNG")):
        picture = client.get(frames[1][kind])
        assert picture.status_code == 200
        with Image.open(io.BytesIO(picture.data)) as image:
            assert image.format == format_ and image.size == (320, 320)


def test_nothing_but_listed_pictures_is_served(client: FlaskClient, row: AnalysisRow) -> None:
    address = f"/api/v1/analyses/{row.id}/segments/A1/heatmaps"
    assert client.get(f"{address}/000.png").status_code == 404
    with standing_in(6.0) as stand_in:
        stand_in.go_on.set()
        client.post(address)
        until(lambda: state(client, address) == "done", "it never ended")
    for name in ("maps.json", "099.png", "..%2F..%2Freelproof.sqlite3"):
        assert client.get(f"{address}/{name}").status_code == 404
    for segment in ("B7", "..", "A1%2F..%2FA1"):
        assert client.get(f"/api/v1/analyses/{row.id}/segments/{segment}/heatmaps").status_code == 404
        assert client.post(f"/api/v1/analyses/{row.id}/segments/{segment}/heatmaps").status_code == 404


def test_changed_ones_are_not_served(client: FlaskClient, row: AnalysisRow, folders: Folders) -> None:
    """Neither a picture, nor a list with another probability, nor those of another segment in their place."""
    address, place = f"/api/v1/analyses/{row.id}/segments/A1/heatmaps", folders.heatmaps_of(row.id) / "A1"
    with standing_in(6.0) as stand_in:
        stand_in.go_on.set()

        def compute() -> None:
            assert client.post(address).status_code == 202
            until(lambda: state(client, address) == "done", "it never ended")

        compute()
        (place / "001.png").write_bytes((place / "002.png").read_bytes())
        answer = client.get(f"{address}/001.png")
        assert answer.status_code == 500 and "changed after they were computed" in answer.json["detail"]
        assert client.get(f"{address}/002.png").status_code == 200
        compute()  # they are computed again, since a file was changed
        assert client.get(f"{address}/001.png").status_code == 200
        index = place / "maps.json"
        index.write_text(index.read_text().replace('"probability":0.5,', '"probability":0.1,'))
        answer = client.get(address)
        assert answer.json["state"] == "failed" and "changed after they were computed" in answer.json["error"]
        assert client.get(f"{address}/002.png").status_code == 500
        compute()
        assert client.get(address).json["frames"][0]["probability"] == 0.5 and stand_in.runs == 3
        (place / "macs.json").unlink()  # as if all were made anew, without the key
        assert state(client, address) == "absent" and client.get(f"{address}/002.png").status_code == 404


def test_a_photograph_has_none(app: Flask, client: FlaskClient) -> None:
    photo = finished(app, kind=MediaKind.IMAGE, persons=1, segments=1)
    answer = client.post(f"/api/v1/analyses/{photo.id}/segments/A1/heatmaps")
    assert answer.status_code == 404 and "animated" in answer.json["detail"]


def test_a_failure_is_told_and_may_be_tried_again(client: FlaskClient, row: AnalysisRow) -> None:
    address = f"/api/v1/analyses/{row.id}/segments/A1/heatmaps"
    with standing_in(6.0) as stand_in:
        stand_in.error = "There was not enough memory."
        stand_in.go_on.set()
        client.post(address)
        until(lambda: state(client, address) == "failed", "it did not fail")
        assert client.get(address).json["error"] == "There was not enough memory."
        stand_in.error = ""
        client.post(address)
        until(lambda: state(client, address) == "done", "it was not tried again")


def test_they_are_cancelled_and_what_exists_is_shown(
    client: FlaskClient, row: AnalysisRow, folders: Folders
) -> None:
    address = f"/api/v1/analyses/{row.id}/segments/A1/heatmaps"
    with standing_in(6.0) as stand_in:
        stand_in.part = 2
        client.post(address)
        until(lambda: len(client.get(address).json["frames"]) == 2, "no part was shown")
        answer = client.get(address).json
        assert answer["state"] == "computing" and client.get(answer["frames"][1]["map"]).status_code == 200
        assert client.post(address.replace("/heatmaps", "/cancel-heatmaps")).status_code == 200
        until(lambda: state(client, address) == "cancelled", "it was not cancelled")
        answer = client.get(address).json
        assert len(answer["frames"]) == 2 and client.get(answer["frames"][1]["frame"]).status_code == 200
        assert [path.name for path in folders.heatmaps_of(row.id).iterdir()] == ["A1"]
        stand_in.go_on.set()
        client.post(address)
        until(lambda: state(client, address) == "done", "it was not computed after that")
    assert len(client.get(address).json["frames"]) == FRAMES


def test_after_a_failure_what_exists_is_shown(client: FlaskClient, row: AnalysisRow) -> None:
    address = f"/api/v1/analyses/{row.id}/segments/A1/heatmaps"
    with standing_in(6.0) as stand_in:
        stand_in.part, stand_in.error = 3, "There was not enough memory."
        stand_in.go_on.set()
        client.post(address)
        until(lambda: state(client, address) == "failed", "it did not fail")
        answer = client.get(address).json
        assert (answer["error"], len(answer["frames"])) == ("There was not enough memory.", 3)
        assert client.get(answer["frames"][2]["map"]).status_code == 200


def test_an_account_has_two_at_most(tmp_path: Path, sent: list[str]) -> None:
    app = with_login(tmp_path / "data", sent)
    for name in ("ada", "bea"):
        account(app, name, Role.ADMINISTRATOR)
    named = {"model": model().model_copy(update={"name": DEFAULT_MODEL})}
    row = finished(app, named, persons=1, segments=4)
    addresses = [f"/api/v1/analyses/{row.id}/segments/A{number}/heatmaps" for number in range(1, 5)]
    ada, bea = (signed_in(app, name) for name in ("ada", "bea"))
    with standing_in(6.0) as stand_in:
        assert [ada.post(address).status_code for address in addresses[:3]] == [202, 202, 503]
        assert bea.post(addresses[2]).status_code == 202
        assert ada.post(addresses[1].replace("/heatmaps", "/cancel-heatmaps")).status_code == 200
        until(lambda: state(ada, addresses[1]) == "cancelled", "one that waits was not cancelled")
        assert ada.post(addresses[3]).status_code == 202
        stand_in.go_on.set()
        for at in (0, 2, 3):
            until(lambda at=at: state(bea, addresses[at]) == "done", "it was not computed")  # type: ignore[misc]
    app.extensions["database"].close()


def test_the_process_says_why_it_failed(client: FlaskClient, row: AnalysisRow, folders: Folders) -> None:
    """The analysis is made up: the confined process finds that its model is another one."""
    address = f"/api/v1/analyses/{row.id}/segments/A1/heatmaps"
    assert client.post(address).status_code == 202
    until(lambda: state(client, address) == "failed", "it did not fail")
    assert "other weights" in client.get(address).json["error"]
    assert not list(folders.heatmaps_of(row.id).iterdir())


def test_they_go_with_the_analysis(
    client: FlaskClient, row: AnalysisRow, folders: Folders, app: Flask
) -> None:
    address = f"/api/v1/analyses/{row.id}/segments/A1/heatmaps"

    def computed(stand_in: StandIn) -> None:
        stand_in.go_on.set()
        client.post(address)
        until(lambda: state(client, address) == "done", "it never ended")

    with standing_in(6.0) as stand_in:
        computed(stand_in)
        leftover = folders.heatmaps_of(row.id) / ".A1.killed"
        leftover.mkdir()
        folders.remove_leftovers()
        assert [path.name for path in folders.heatmaps_of(row.id).iterdir()] == ["A1"]
        assert client.delete(f"/api/v1/analyses/{row.id}").status_code in (200, 204)
        assert not folders.heatmaps_of(row.id).exists()
        assert client.get(address).status_code == 410
