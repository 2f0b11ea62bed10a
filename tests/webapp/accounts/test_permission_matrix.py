"""Every route and every role, nobody included, against the tables of docs/routes.md.

They are made from the app's own routes, so that a new one is tested, and missing from the
document, the moment it exists.
"""

from __future__ import annotations

import re

import pytest
from access_table import purpose, table, words
from made_results import finished, hand_in
from people import account, signed_in, with_login
from sqlalchemy import delete
from werkzeug.routing import Rule

from detector.files import ROOT
from webapp.accounts.permissions import MEANINGS, PERMISSIONS, Audience, Permission, Requirement, Role
from webapp.accounts.visibility import SAMPLE_FILE
from webapp.storage.tables import AnalysisRow, SignInFailure

DOCUMENT, ROLES_DOCUMENT = ROOT / "docs" / "routes.md", ROOT / "docs" / "security.md"
ROLES = [str(role) for role in Role]
_BEGIN, _END = "<!-- access matrix -->", "<!-- end of the access matrix -->"


def expected(need: Requirement, role: str | None) -> str:
    """What the table says: ``yes``, ``sign in`` or ``no``."""
    if need.audience == Audience.ANYONE:
        return "yes"
    if role is None:
        return "sign in"
    return "yes" if need.permission is None or need.permission in PERMISSIONS[Role(role)] else "no"


def printed(app) -> str:
    """The table as the document has it: what each page needs."""
    routes = table(app)
    lines = ["| route | what it does | needs |", "|---|---|---|"]
    for method, address, endpoint, need in routes:
        if address.startswith("/api/"):
            continue  # docs/api.md lists the operations
        does = "" if endpoint == "static" else purpose(app, endpoint)
        lines.append(f"| `{method} {address}` | {does} | {words(need)} |")
    return "\n".join(lines)


def framed(text: str, matrix: str) -> str:
    """The document with another table in its place."""
    before, rest = text.split(_BEGIN)
    return f"{before}{_BEGIN}\n{matrix}\n{_END}{rest.split(_END)[1]}"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The app, clients, and hidden from all but administrators: a case, an analysis, one more to try on."""
    sent: list[str] = []
    app = with_login(tmp_path_factory.mktemp("matrix") / "data", sent)
    account(app, "owner", Role.EXAMINER)
    owner = signed_in(app, "owner")
    row, spare = finished(app), finished(app, file="spare.mp4")
    hand_in(app, b"sample", SAMPLE_FILE)  # asked for, it need not be made
    with app.extensions["database"].begin() as session:
        for analysis in (row, spare):
            session.get_one(AnalysisRow, analysis.id).owner_id = 1
    assert owner.post("/cases", data={"name": "Hidden"}).status_code == 303
    account(app, "spare", Role.READER)
    clients = {None: app.test_client()}
    for role in ROLES:
        account(app, f"the-{role}", Role(role))
    yield app, row, spare, clients, sent
    app.extensions["database"].close()


def address(rule: str, row, user: int) -> str:
    """A route's address, of things that exist and may not be seen."""
    values = {"analysis_id": row.id, "case_id": 1, "user_id": user, "session_id": "0" * 64}
    values |= {"name": "nothing-like-it", "number": 1, "token_id": 1, "webhook_id": 1, "upload_id": "0" * 32}
    return re.sub(r"<(?:[^:>]+:)?([^>]+)>", lambda match: str(values.get(match[1], "1")), rule)


def ask(app, client, method: str, path: str, headers=()):
    return client.open(path, method=method, headers=list(headers), buffered=True)


@pytest.mark.parametrize("role", [None, *ROLES])
def test_every_route_answers_as_the_table_says(lab, role, quick_reports):
    app, _row, spare, clients, _sent = lab
    with app.extensions["database"].begin() as session:
        session.execute(delete(SignInFailure))  # of the roles before, that the next need not wait
    wrong = []
    for method, rule, endpoint, need in table(app):
        if endpoint == "static":
            continue
        if role is not None and role not in clients:
            clients[role] = signed_in(app, f"the-{role}")
        path = address(rule, spare, user=2)
        answer = ask(app, clients[role], method, path)
        wanted = expected(need, role)
        if endpoint == "login.sign_out" or (method, rule) == ("POST", "/account/sessions/end"):
            clients.pop(role, None) if role else None
        if not fits(answer, wanted, rule):
            wrong.append((method, path, wanted, answer.status_code))
    assert wrong == []


def fits(answer, wanted: str, rule: str) -> bool:
    to_login = answer.status_code == 303 and answer.location.startswith("/login")
    program = rule.endswith(".json") or rule.startswith("/api/")
    if wanted == "sign in":
        # A form's page says that nothing was saved, and leads to the sign-in too.
        led = to_login or (answer.status_code == 401 and 'href="/login' in answer.text)
        return answer.status_code == 401 if program else led
    if wanted == "no":
        return answer.status_code == 403
    # What comes then depends on what was asked for: the point is that nobody was turned away.
    if rule in ("/login", "/login/code", "/login/provider/return", "/confirm"):
        return answer.status_code in (200, 302, 303, 401)  # an empty form is a wrong password
    own_way_out = rule in ("/logout", "/account/sessions/end")
    return answer.status_code not in (401, 403) and (own_way_out or not to_login)


def _of_one_analysis(app):
    return [row for row in table(app) if "<analysis_id>" in row[1] and "/api/" not in row[1]]


@pytest.mark.parametrize("role", [role for role in ROLES if role != Role.ADMINISTRATOR])
def test_invisible_objects_answer_404(lab, role):
    """Where the role allows the kind of thing, another's analysis is answered as one that never was."""
    app, row, _spare, _clients, sent = lab
    client, seen, before = signed_in(app, f"the-{role}"), 0, list(sent)
    for method, rule, _endpoint, need in _of_one_analysis(app):
        if expected(need, role) != "yes":
            continue
        hidden = ask(app, client, method, address(rule, row, 1))
        path = address(rule, row, 1).replace(row.id, "0" * 32)
        missing = ask(app, client, method, path)
        # The token of forms looks different in each answer.
        texts = [re.sub("[0-9a-f]{128}", "token", answer.text) for answer in (hidden, missing)]
        assert (hidden.status_code, texts[0]) == (404, texts[1]), (method, rule, hidden.status_code)
        assert row.file not in hidden.text
        seen += 1
    assert seen > 10
    assert client.get("/cases/1").status_code == 404
    assert client.get(f"/compare?a={row.id}&b={'0' * 32}").status_code == 404
    for path in ("/", "/analyses", "/analyses?q=interview", "/statistics", "/cases", f"/analyses?q={row.id}"):
        text = client.get(path).text
        assert "interview.mp4" not in text and "Hidden" not in text and row.exhibit.sha256[:12] not in text, (
            path
        )
    assert sent == before
    with app.extensions["database"].begin() as session:
        assert session.get_one(AnalysisRow, row.id).state == "done"


@pytest.mark.parametrize("role", ROLES)
def test_unsafe_requests_without_form_token_are_refused(lab, role):
    """Every unsafe route refuses a form that does not bring its session's token."""
    app, row, _spare, _clients, sent = lab
    client, before = signed_in(app, f"the-{role}"), list(sent)
    del client.environ_base["HTTP_X_CSRF_TOKEN"]
    for method, rule, _endpoint, need in table(app):
        if method == "GET":
            continue
        answer = client.open(
            address(rule, row, 1), method=method, data={"x": "y"}, content_type="multipart/form-data"
        )
        # Where files are brought the form is read last; whether the analysis is there is seen before.
        wanted = (403, 404) if need.takes_files else (403,)
        assert answer.status_code in wanted, (method, rule, answer.status_code)
    assert sent == before
    assert client.get("/account").status_code == 200


def test_the_document_has_the_tables(lab):
    app, *_ = lab
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == framed(text, printed(app)), "run: make routes"


def test_the_document_has_the_permissions_of_each_role(lab):
    text = ROLES_DOCUMENT.read_text(encoding="utf-8")
    for role, permissions in PERMISSIONS.items():
        row = f"| {role} | {', '.join(sorted(permissions))} |"
        assert row in text, row


@pytest.mark.parametrize("permission", Permission)
def test_the_document_says_what_pages_say_of_a_permission(permission):
    """Word for word; after a semicolon it may say more."""
    lines = ROLES_DOCUMENT.read_text(encoding="utf-8").splitlines()
    (row,) = (line for line in lines if line.startswith(f"| {permission} | "))
    meaning = row.removeprefix(f"| {permission} | ").removesuffix(" |")
    assert meaning.partition("; ")[0] == MEANINGS[permission]


def test_a_route_without_requirement_would_be_found(lab):
    app, *_ = lab
    app.url_map.add(Rule("/forgotten", endpoint="forgotten", methods={"GET"}))
    app.view_functions["forgotten"] = lambda: "secret"
    assert [row[1] for row in table(app) if row[3] is None] == ["/forgotten"]
