"""Fixtures of the web app's tests: an app on a temporary data folder, with a broker that only notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import servers
from annotated_analyses import finished_earlier
from flask import Flask
from flask.testing import FlaskClient
from made_comparisons import compared
from made_results import finished
from people import Client
from quick_apps import Quick
from second_review_case import Review, review
from waiting import PATIENCE

from webapp import create_app
from webapp.accounts import sign_in
from webapp.downloads import kept_reports
from webapp.downloads import reports as report_downloads
from webapp.exhibits import results
from webapp.exhibits.uploads import exhibits
from webapp.http import in_turn
from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.tables import AnalysisRow, ComparisonRow, now


@pytest.fixture(scope="session", autouse=True)
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quick]:
    """Migrations and the full cost of passwords are left to the tests of them."""
    quick = Quick(tmp_path_factory.mktemp("template"))
    quick.install()
    yield quick
    quick.remove()


@pytest.fixture
def not_quick(quick: Quick) -> Iterator[None]:
    """For tests of migrations and of the cost of passwords."""
    quick.remove()
    yield
    quick.install()


@pytest.fixture(autouse=True)
def made_up_exhibits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests hand in bytes they made up, which are no media; ``real_kinds`` marks those about that."""
    if request.node.get_closest_marker("real_kinds") is None:
        monkeypatch.setattr(exhibits, "is_accepted", lambda _head: True)


@pytest.fixture(autouse=True)
def patient_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine reports take longer than a request waits for them."""
    monkeypatch.setattr(in_turn, "ANSWER_WITHIN", PATIENCE)


@pytest.fixture
def sent() -> list[str]:
    """Ids the app told the broker of."""
    return []


@pytest.fixture
def store() -> dict[str, str]:
    """Settings of the app's store: it has none, but in tests of stores."""
    return {}


@pytest.fixture
def app(tmp_path: Path, sent: list[str], store: dict[str, str]) -> Iterator[Flask]:
    app = create_app({"TESTING": True, "REELPROOF_DATA": tmp_path / "data", "SEND": sent.append} | store)
    app.test_client_class = Client
    yield app
    app.extensions["database"].close()
    results.result_cache.clear()
    results.picture_sums.cache_clear()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def settings(app: Flask) -> Settings:
    return app.extensions["settings"]


@pytest.fixture
def database(app: Flask) -> Database:
    return app.extensions["database"]


@pytest.fixture
def folders(app: Flask) -> Folders:
    return Folders.local(app.extensions["settings"].data)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[servers.PostgreSQL]:
    """That of :func:`postgresql`."""
    if missing := servers.missing():
        pytest.skip(f"not installed: {', '.join(missing)}; `make test` installs them")
    server = servers.PostgreSQL()
    yield server
    server.close()


@pytest.fixture(scope="module")
def postgresql(postgresql_server: servers.PostgreSQL) -> Iterator[servers.PostgreSQL]:
    """An empty database; a test that asks for it is skipped where Debian's server is not installed."""
    yield postgresql_server
    postgresql_server.empty()


@pytest.fixture
def quick_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports that are the stored ones, for tests of all else: setting one takes seconds."""

    def stand_in(analysis: Path, _given: object, known: bytes, place: Path) -> None:
        with kept_reports.unfinished_folder(known, place) as aside:
            for name in ("report.html", "report.pdf"):
                (aside / name).write_bytes((analysis.parent / name).read_bytes())

    monkeypatch.setattr(report_downloads, "_render", stand_in)


@pytest.fixture
def row(app: Flask) -> AnalysisRow:
    return finished_earlier(app)


@pytest.fixture
def address(row: AnalysisRow) -> str:
    """Of its annotations."""
    return f"/api/v1/analyses/{row.id}/annotations"


@pytest.fixture
def pair(app: Flask) -> tuple[AnalysisRow, AnalysisRow]:
    return finished(app, file="altered.mp4"), finished(app, file="original.mp4")


@pytest.fixture
def done(app: Flask, pair: tuple[AnalysisRow, AnalysisRow]) -> ComparisonRow:
    return compared(app, *pair)


@pytest.fixture
def lab(tmp_path, sent) -> Iterator[Review]:
    laboratory = review(tmp_path / "data", sent)
    yield laboratory
    laboratory.app.extensions["database"].close()


@pytest.fixture
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tries to sign in are made at one moment: on a busy machine the first wait would end meanwhile."""
    moment = now()
    monkeypatch.setattr(sign_in, "now", lambda: moment)
