"""What the start of the app does for the custody log: its key, its first entry, changed settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import URL, func, select
from sqlalchemy.orm import Session

from detector.version import __version__
from reports.custody.format import mac
from webapp.custody import log as custody_log
from webapp.custody import log_queries
from webapp.custody.lost_database import refuse_lost
from webapp.settings import Settings
from webapp.storage import key_files
from webapp.storage.database import Database
from webapp.storage.key_files import CustodyKeyError
from webapp.storage.tables import AnalysisRow, AnnotationRow, Exhibit


def begin(database: Database, settings: Settings) -> None:
    """Open the log, or begin it.

    Raises :class:`CustodyKeyError` without the right key, and for a log that was emptied: there is its key,
    and what it told of, but no entry. A new beginning would hide that. Raises
    :class:`~webapp.custody.lost_database.LostDatabaseError` where the whole database was lost.
    """
    with database.begin() as session:
        begun = log_queries.head(session).count > 0
        if not begun:  # before a key is made, which would be in the way of the one to put back
            refuse_lost(session, settings)
    existed = settings.custody_key.exists()
    if not begun:
        key_files.create(settings.custody_key)
    with database.alone() as session:
        last = log_queries.head(session)
        _refuse_other_key(last, settings)
        if not last.count:
            there = _counts_before(session)
            if existed and any(there.values()):
                raise _emptied(settings.custody_key, there)
            custody_log.append(session, "log begun", there)
        _note_settings(session, settings)


def _emptied(key: Path, there: dict[str, int]) -> CustodyKeyError:
    rows = ", ".join(f"{count:,} {name}" for name, count in there.items() if count)
    return CustodyKeyError(
        f"The custody log is empty, although there are {rows} and its key {key}: its entries were removed. "
        "Put the database back from a backup. To begin a new log all the same, move the key away: a new one "
        "is made, and the log says what was there before it."
    )


def check_key(database: Database, settings: Settings) -> None:
    """Raise :class:`CustodyKeyError` unless the key is the one that the log was written with."""
    with database.begin() as session:
        last = log_queries.head(session)
    _refuse_other_key(last, settings)


def _refuse_other_key(last: log_queries.Head, settings: Settings) -> None:
    file = settings.custody_key
    if last.count and mac(key_files.read(file), last.sha256) != last.mac:
        raise CustodyKeyError(
            f"{file} is not the key the custody log was written with, or the log's last entry was changed. "
            "Put the right key back from a backup; `python -m webapp verify-log` says what fits."
        )


def _counts_before(session: Session) -> dict[str, int]:
    """How much there was before the log began."""
    tables = {"exhibits": Exhibit, "analyses": AnalysisRow, "judgements": AnnotationRow}
    counts = (select(func.count()).select_from(table).scalar_subquery() for table in tables.values())
    return dict(zip(tables, session.execute(select(*counts)).one(), strict=True))


def _note_settings(session: Session, settings: Settings) -> None:
    """Record the settings if one differs from the last start, or was not recorded then."""
    values = _values(settings)
    last = log_queries.latest_settings(session)
    before = last.details if last else {}
    changed = [name for name, value in values.items() if name in before and before[name] != value]
    added = [name for name in values if name not in before]
    if not changed and not added:
        return
    details: dict[str, str | int] = {
        "what": "settings",
        "changed": ", ".join(changed) if before else "first start",
    }
    if before and added:  # by an older version: no change
        details["recorded from now on"] = ", ".join(added)
    custody_log.append(session, "configuration", details | values)


def _values(settings: Settings) -> dict[str, str | int]:
    """What changes who may do what, or what results rest on; secrets and what could hold one are left out."""
    return {"reelproof": __version__} | {name: told(settings) for name, told in _RECORDED.values()}


def _on(value: object) -> str:
    return "on" if value else "off"


def _signing_key(settings: Settings) -> str:
    """SHA-256 of the certificate that bundles are signed with."""
    if settings.signing_key is None:
        return "none"
    from reports.signing.keys import SigningError, read_key

    try:
        return read_key(settings.signing_key, settings.signing_password_file).certificate_sha256
    except SigningError:  # the start refuses it (webapp.downloads.signing)
        return "cannot be used"


def _database(settings: Settings) -> str:
    """Where the rows are; of a URL what leads there, since the rest may hold a password."""
    url = settings.postgresql
    if url is None:
        return "SQLite in the data folder"
    place = {name: value for name, value in url.query.items() if name in ("host", "port")}
    named = URL.create("postgresql", url.username, None, url.host, url.port, url.database, place)
    return named.render_as_string()


def _store_endpoint(settings: Settings) -> str:
    """Scheme, host and port of the store's server; what stands before or behind them may be a secret."""
    scheme, _, rest = (settings.store_endpoint or "").partition("://")
    return f"{scheme}://{re.split('[/?#]', rest.rpartition('@')[2])[0]}" if scheme else "none"


def _roles(settings: Settings) -> str:
    """Groups of single sign-on and their roles."""
    return ", ".join(f"{group}={role}" for group, role in settings.oidc_roles.items()) or "none"


# Every field of Settings is in one of these two. First those that are recorded, each with its name in the
# log, which stays as it is since the next start compares by it, and with what the log says.
_RECORDED: dict[str, tuple[str, Callable[[Settings], str | int]]] = {
    "host": ("host", lambda its: its.host),
    "port": ("port", lambda its: its.port),
    "data": ("data", lambda its: str(its.data)),
    "postgresql": ("database", _database),
    "store": ("store", lambda its: its.store or "none"),
    "store_endpoint": ("store endpoint", _store_endpoint),
    "allowed_hosts": ("allowed hosts", lambda its: " ".join(its.allowed_hosts)),
    "workers": ("workers", lambda its: its.workers),
    "time_limit": ("time limit", lambda its: its.time_limit),
    "upload_limit": ("upload limit", lambda its: its.upload_limit),
    "spare": ("spare", lambda its: its.spare),
    "custody_key": ("custody key", lambda its: str(its.custody_key)),
    "integrity_every": (
        "integrity hours",
        lambda its: f"{its.integrity_every.total_seconds() / 3600:g}" if its.integrity_every else "off",
    ),
    "login": ("login", lambda its: _on(its.login)),
    "proxy": ("proxy", lambda its: its.proxy or "none"),
    "idle": ("idle minutes", lambda its: f"{its.idle.total_seconds() / 60:g}"),
    "longest_session": ("session hours", lambda its: f"{its.longest_session.total_seconds() / 3600:g}"),
    "quota": ("quota", lambda its: its.quota or "none"),
    "uploads_at_once": ("uploads at once", lambda its: its.uploads_at_once),
    "second_factor": ("second factor", lambda its: " ".join(sorted(its.second_factor)) or "none"),
    "oidc_issuer": ("single sign on issuer", lambda its: its.oidc_issuer or "none"),
    "oidc_client": ("single sign on client", lambda its: its.oidc_client or "none"),
    "oidc_claim": ("single sign on claim", lambda its: its.oidc_claim or "none"),
    "oidc_roles": ("single sign on roles", _roles),
    "signing_key": ("signing key", _signing_key),
    "timestamps": ("timestamps", lambda its: _on(its.timestamps)),
    "webhooks": ("webhooks", lambda its: _on(its.webhooks)),
    "memory_limit": ("memory limit", lambda its: its.memory_limit),
    "cpu_limit": ("processor limit", lambda its: its.cpu_limit),
    "temp_limit": ("temporary files limit", lambda its: its.temp_limit),
    "backend": ("back end", lambda its: its.backend or "chosen by the engine"),
}
# Those that are not, and why.
_NOT_RECORDED = {
    "broker": "it carries ids alone: what is analysed, and for whom, stands in the database",
    "queues": "which machine analyses: each analysis records its worker, device and back end",
    "gpu_from": "likewise",
    "ready_seconds": "how soon an analysis begins, not what it finds",
    "oidc_secret_file": "proves this app to the provider: who may sign in hangs on issuer, client and roles",
    "signing_password_file": "opens the signing key, whose certificate is recorded",
    "log_json": "the form of the log of the process, which is another than this one",
}
