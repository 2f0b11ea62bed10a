"""Files damaged in the store or the data folder, or missing in both: detected, reported, repaired."""

from __future__ import annotations

import io
import json
import lzma
import shutil
import tarfile
import zipfile

import pytest
from made_results import digest
from made_rows import row_of
from object_store_server import CONTENT, NAME, upload
from sqlalchemy import select

from webapp.custody import integrity
from webapp.custody.integrity import DamagedExhibit
from webapp.custody.job_records import AlteredRecord
from webapp.errors import DamagedFile
from webapp.exhibits.media import playback
from webapp.exhibits.uploads import exhibits
from webapp.jobs import failures
from webapp.storage.tables import AnalysisRow, CaseRow, CustodyRow, Exhibit, now
from webapp.worker import run_job


def test_flipped_byte_in_the_store_is_detected_and_repaired(app, client, bucket, folders, worker):
    analysis_id, database = upload(client), app.extensions["database"]
    flipped = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
    bucket.write(NAME, flipped)
    run_job.work(worker)
    failed = row_of(app, analysis_id)
    assert (failed.state, failed.error) == ("failed", failures.explain_failure(DamagedExhibit()).text)
    with database.begin() as session:
        exhibit = session.scalars(select(Exhibit)).one()
    assert integrity.check_exhibit(database, folders, exhibit).sha256 == digest(flipped)
    with database.begin() as session:
        assert session.get_one(Exhibit, exhibit.id).condition == "changed"
        acts = session.scalars(select(CustodyRow).order_by(CustodyRow.number)).all()
        assert json.loads(acts[-1].details)["sha256 found"] == digest(flipped)
    shutil.rmtree(folders.exhibits / digest(CONTENT)[:2])
    with pytest.raises(DamagedFile, match=digest(CONTENT)):
        folders.store.fetch(folders.exhibit(digest(CONTENT)), digest(CONTENT))
    assert not folders.exhibit(digest(CONTENT)).exists()
    upload(client)
    assert bucket.read(NAME) == CONTENT
    (aside,) = [name for name in bucket.names() if name.startswith(f"{NAME}.damaged.")]
    assert bucket.read(aside) == flipped
    with database.begin() as session:
        assert session.get_one(Exhibit, exhibit.id).condition == "fits"


def test_damaged_local_copy_is_replaced(app, client, folders):
    analysis_id, place = upload(client), folders.exhibit(digest(CONTENT))
    place.chmod(0o600)
    place.write_bytes(b"other bytes")
    run_job.work(app.extensions["settings"])
    assert row_of(app, analysis_id).state == "done"


def test_bundle_contains_the_original_exhibit(app, client, folders, quick_reports):
    analysis_id, place = upload(client), folders.exhibit(digest(CONTENT))
    run_job.work(app.extensions["settings"])
    playback.save_playback(folders, digest(CONTENT), playback.Playback("exhibit", "video/mp4", 0.0, 4, 4, ""))
    place.chmod(0o600)
    place.write_bytes(b"other bytes")
    bundle = client.get(f"/analyses/{analysis_id}/bundle.zip")
    with zipfile.ZipFile(io.BytesIO(bundle.data)) as files:
        assert files.read("media/exhibit.mp4") == CONTENT


@pytest.fixture
def exported(app, client, quick_reports):
    """What is sent of the exhibit: its file for a reviewer, and in its case's zip."""
    analysis_id, database = upload(client), app.extensions["database"]
    run_job.work(app.extensions["settings"])
    with database.begin() as session:
        case = CaseRow(name="K", description="", created=now(), created_by="Ann")
        session.add(case)
        session.flush()
        session.get_one(AnalysisRow, analysis_id).case_id = number = case.id

    def file() -> bytes:
        with app.test_request_context(), exhibits.send_exhibit(row_of(app, analysis_id)) as answer:
            answer.direct_passthrough = False
            return answer.get_data()

    def in_zip() -> bytes:
        whole = io.BytesIO(client.get(f"/cases/{number}/case.zip").data)
        with zipfile.ZipFile(whole) as archive:
            return archive.read(f"exhibits/{digest(CONTENT)}")

    return file, in_zip


def test_damaged_local_copy_of_intact_exhibit_is_not_reported(app, folders, exported):
    place = folders.exhibit(digest(CONTENT))
    for taken in exported:
        place.chmod(0o600)
        place.write_bytes(b"other bytes")
        assert taken() == place.read_bytes() == CONTENT
    with app.extensions["database"].begin() as session:
        acts = session.scalars(select(CustodyRow.action)).all()
    assert "integrity check" not in acts


@pytest.mark.parametrize("in_store", [b"damaged too", None])
def test_exhibit_without_intact_copy_is_not_sent(app, bucket, folders, exported, in_store):
    place = folders.exhibit(digest(CONTENT))
    place.chmod(0o600)
    place.write_bytes(b"other bytes")
    bucket.remove(NAME) if in_store is None else bucket.write(NAME, in_store)
    with pytest.raises(AlteredRecord):
        exported[0]()
    with app.extensions["database"].begin() as session:
        assert session.scalars(select(Exhibit)).one().condition == ("changed" if in_store else "missing")
        acts = session.scalars(select(CustodyRow.action).order_by(CustodyRow.number)).all()
    assert acts[-1] == "integrity check"


def test_damaged_result_is_reported(app, client, bucket, worker):
    analysis_id = upload(client)
    run_job.work(worker)
    name = f"lab/analyses/{analysis_id}.tar"
    changed = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(bucket.read(name))) as old,
        tarfile.open(fileobj=changed, mode="w") as new,
    ):
        for member in old.getmembers():
            content = old.extractfile(member).read().replace(b"manipulated", b"manipulater")
            new.addfile(member, io.BytesIO(content))
    other = upload(client, b"another clip")
    run_job.work(worker)  # whole, and of another exhibit
    for bytes_ in (
        bucket.read(f"lab/analyses/{other}.tar"),
        changed.getvalue(),
        lzma.compress(bucket.read(name)),
        b"no tar",
        bucket.read(name)[:5000],
    ):
        bucket.write(name, bytes_)
        answer = client.get(f"/analyses/{analysis_id}")
        assert answer.status_code == 500 and name in answer.text


def test_analysis_waits_for_its_inputs(app, client, bucket, worker):
    analysis_id = upload(client)
    bucket.empty()
    run_job.work(worker)
    assert row_of(app, analysis_id).error == "The exhibit is not in the store."
