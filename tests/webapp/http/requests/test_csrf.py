"""The token that every form brings along."""

from __future__ import annotations

import io
import re

from made_results import finished, hand_in
from people import account, signed_in

from webapp.accounts.permissions import Role


def test_forms_without_the_token_are_refused(app, sent):
    client = signed_in(app, "ada")
    right = client.environ_base.pop("HTTP_X_CSRF_TOKEN")
    part = {"file": (io.BytesIO(b"x"), "x.mp4")}
    assert client.post("/analyses", data=part).status_code == 403
    other = signed_in(app, "ada").environ_base["HTTP_X_CSRF_TOKEN"]
    assert other != right
    part = {"csrf_token": other, "file": (io.BytesIO(b"x"), "x.mp4")}
    assert client.post("/analyses", data=part).status_code == 403
    assert sent == []
    assert list((app.extensions["settings"].data / "incoming").iterdir()) == []
    assert client.post("/logout").status_code == 403
    assert client.post("/logout", data={"csrf_token": right}).status_code == 303


def test_scripts_bring_the_token_to_the_api(app, sent):
    """The session's cookie alone changes nothing, whatever the operation."""
    account(app, "root", Role.ADMINISTRATOR)
    client, row = signed_in(app, "root"), finished(app)
    right = client.environ_base.pop("HTTP_X_CSRF_TOKEN")
    address = f"/api/v1/analyses/{row.id}"
    said = {"kind": "exhibit", "verdict": "agree"}
    part = {"file": (io.BytesIO(b"x"), "x.mp4")}
    for answer in (
        client.post(f"{address}/annotations", json=said),
        client.post(f"{address}/retry"),
        client.post(f"{address}/segments/A1/heatmaps"),
        client.delete(address),
        client.post("/api/v1/analyses", data=part),
    ):
        assert answer.status_code == 403 and "nothing was saved" in answer.json["detail"]
    assert client.get(f"{address}/annotations").json["annotations"] == [] and sent == []
    headers = {"X-CSRF-Token": right}
    assert client.post(f"{address}/annotations", json=said, headers=headers).status_code == 201
    assert client.delete(address, headers=headers).status_code == 204


def test_a_script_whose_session_has_ended_is_told_to_sign_in(app):
    client = signed_in(app, "ada")
    address = f"/api/v1/analyses/{finished(app).id}"
    client.delete_cookie("reelproof")
    assert "Sign in in another tab" in client.delete(address).json["remedy"]
    client.environ_base.pop("HTTP_X_CSRF_TOKEN")
    assert "Authorization: Bearer" in client.delete(address).json["remedy"]


def test_every_form_of_every_page_has_the_token(app):
    account(app, "root", Role.ADMINISTRATOR)
    client = signed_in(app, "root")
    done, waiting = finished(app), hand_in(app)
    client.post("/cases", data={"name": "K"})
    paths = ["/", "/analyses", "/models", "/account", "/users", "/cases", "/cases/1", "/confirm"]
    paths += [f"/analyses/{waiting.id}", f"/analyses/{done.id}"]
    paths += [f"/analyses/{done.id}/{name}" for name in ("again", "delete", "assign")]
    for path in paths:
        text = client.get(path).text
        forms = [form.split("</form>")[0] for form in text.split("<form")[1:]]
        unsafe = [form for form in forms if 'method="post"' in form]
        assert unsafe, path
        for form in unsafe:
            assert re.search(r'name="csrf_token" value="[0-9a-f]{128}"', form), (path, form[:200])
