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
