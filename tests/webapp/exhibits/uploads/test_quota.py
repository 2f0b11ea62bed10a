"""Quotas of accounts."""

from __future__ import annotations

import io

from people import account, sign_in, signed_in, with_login
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from webapp.accounts.permissions import Role
from webapp.accounts.users import find
from webapp.http.uploads import UploadLimit
from webapp.storage.tables import AnalysisRow, CaseMember, CaseRow


def test_quota(tmp_path, sent, monkeypatch):
    app = with_login(tmp_path / "data", sent, REELPROOF_QUOTA_MB="1")
    account(app, "ada", Role.EXAMINER)
    client = signed_in(app, "ada")

    def hand_in(content: bytes, client=client):
        boundary, body = encode_multipart({"file": FileStorage(io.BytesIO(content), "a.mp4")})
        return client.post("/analyses", data=body, content_type=f"multipart/form-data; boundary={boundary}")

    assert hand_in(b"a" * 600_000).status_code == 303
    answer = hand_in(b"b" * 600_000)
    assert answer.status_code == 413
    assert "of 1 MB for all your exhibits, 0.6 MB are used and 0.4 MB are left" in answer.text
    assert "No room in your quota" in answer.text and "too large" not in answer.text
    assert "Delete analyses you no longer need" in answer.text and "accepts" not in answer.text
    assert hand_in(b"b" * 296_250).status_code == 303
    assert hand_in(b"b" * 300_000).status_code == 413  # each file counts on its way in
    # Two that are let in at once, each while the other has not arrived: the second is looked at again.
    monkeypatch.setattr("webapp.analyses.pages.upload_limit", lambda *_: UploadLimit(1, 1_000_000))
    assert hand_in(b"c" * 300_000).status_code == 413
    assert hand_in(b"a" * 600_000).status_code == 303, "one's own exhibit counts once"
    # A colleague's exhibit counts as one's own once it is analysed again.
    account(app, "bob", Role.ADMINISTRATOR)
    seen = hand_in(b"d" * 300_000, signed_in(app, "bob")).location.split("?")[0]
    with app.extensions["database"].begin() as session:
        row = session.get_one(AnalysisRow, seen.rsplit("/", 1)[1])
        case = CaseRow(name="K", description="", created=row.created, created_by="bob")
        session.add(case)
        session.flush()
        row.case_id = case.id
        session.add(CaseMember(case_id=case.id, user_id=find(session, "ada").id))
    answer = client.post(f"{seen}/again")
    assert answer.status_code == 413 and "0.9 MB are used and 0.1 MB are left" in answer.text
    monkeypatch.undo()
    assert sign_in(client, "nobody").status_code == 401
    app.extensions["database"].close()
