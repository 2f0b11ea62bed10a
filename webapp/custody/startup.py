"""Check and initialise the custody log when the app starts: its key, its first entry, changed settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import URL, func, select
from sqlalchemy.orm import Session

from detector.version import __version__
from reports.custody.format import mac
from webapp.custody import custody_log
from webapp.custody import custody_log as custody_custody_log
from webapp.settings import DATABASE, SettingError, Settings
from webapp.storage import key_files
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.key_files import CustodyKeyError
from webapp.storage.tables import AnalysisRow, AnnotationRow, ComparisonRow, CustodyRow, Exhibit


class LostDatabaseError(SettingError):
    """There are files, and the database never knew of one; the message says what to do."""


def refuse_lost(session: Session, settings: Settings) -> None:
    """Raise :class:`LostDatabaseError` where a database never had the exhibits or results of its data folder.

    A new beginning would hide that, and a backup of it replace the ones that have the rows.

    What only a store has is not looked at: without rows nobody fetches it, and with them it was never lost.
    """
    folders = Folders.local(settings.data)
    kept = {
        folders.exhibits.name: folders.exhibits.glob("*/*"),
        folders.analyses.name: folders.analyses.glob("[!.]*/*"),
        folders.comparisons.name: folders.comparisons.glob("[!.]*/*"),
    }
    names = ", ".join(name for name, files in kept.items() if any(files))
    if not names or _knows_any(session):
        return
    database = settings.data / DATABASE if settings.postgresql is None else "that of REELPROOF_DATABASE"
    raise LostDatabaseError(
        f"There are files in {names} of {settings.data}, and the database ({database}) never knew of any: it "
        "was lost, or is another one. Put it back, or restore a backup into a new folder; a folder that a "
        "restore was interrupted in is to be removed and restored anew. To begin with nothing all the same, "
        f"move {names} away."
    )


def _knows_any(session: Session) -> bool:
    """Whether there are exhibits, analyses or comparisons, or were some that the log tells of."""
    known = (Exhibit.id, AnalysisRow.id, ComparisonRow.id)
    if any(session.scalar(select(column).limit(1)) is not None for column in known):
        return True
    told = select(CustodyRow.number).where(CustodyRow.exhibit.is_not(None)).limit(1)
    return session.scalar(told) is not None


def open_log(database: Database, settings: Settings) -> None:
    """Open the log, or begin it.

    Raises :class:`CustodyKeyError` without the right key, and for a log that was emptied: there is its key,
    and what it told of, but no entry. A new beginning would hide that. Raises
    :class:`~webapp.custody.startup.LostDatabaseError` where the whole database was lost.
    """
    with database.begin() as session:
        begun = custody_custody_log.head(session).count > 0
        if not begun:  # before a key is made, which would be in the way of the one to put back
            refuse_lost(session, settings)
    existed = settings.custody_key.exists()
    if not begun:
        key_files.create_key(settings.custody_key)
    with database.alone() as session:
        last = custody_custody_log.head(session)
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
        last = custody_custody_log.head(session)
    _refuse_other_key(last, settings)


def _refuse_other_key(last: custody_custody_log.Head, settings: Settings) -> None:
    file = settings.custody_key
    if last.count and mac(key_files.read_key(file), last.sha256) != last.mac:
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
    last = custody_custody_log.latest_settings(session)
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
    except SigningError:  # the start refuses it (webapp.custody.signing)
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
