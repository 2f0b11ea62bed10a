"""Check and initialise the custody log when the app starts: its key, its first entry, changed settings."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlalchemy import URL, func, select
from sqlalchemy.orm import Session

from detector.version import __version__
from reports.custody.format import mac
from webapp.custody import custody_log
from webapp.settings import DATABASE, SettingError, Settings
from webapp.storage import key_files
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database
from webapp.storage.key_files import CustodyKeyError
from webapp.storage.tables import AnalysisRow, AnnotationRow, ComparisonRow, CustodyRow, Exhibit


class LostDatabaseError(SettingError):
    """The data folder has files, but the database never knew any of them."""


def refuse_lost(session: Session, settings: Settings) -> None:
    """Raise :class:`LostDatabaseError` if the database never had the files of its data folder.

    A new log would hide the loss, and a backup of the empty database would replace those that have the rows.
    Files that only a store has are ignored: without rows nobody fetches them.
    """
    folders = Folders.local(settings.data)
    files = {
        folders.exhibits.name: folders.exhibits.glob("*/*"),
        folders.analyses.name: folders.analyses.glob("[!.]*/*"),
        folders.comparisons.name: folders.comparisons.glob("[!.]*/*"),
    }
    names = ", ".join(name for name, paths in files.items() if any(paths))
    if not names or _has_known_any(session):
        return
    database = settings.data / DATABASE if settings.postgresql is None else "that of REELPROOF_DATABASE"
    raise LostDatabaseError(
        f"There are files in {names} of {settings.data}, and the database ({database}) never knew of any: it "
        "was lost, or is another one. Put it back, or restore a backup into a new folder; a folder that a "
        "restore was interrupted in is to be removed and restored anew. To begin with nothing all the same, "
        f"move {names} away."
    )


def _has_known_any(session: Session) -> bool:
    """Return whether there are exhibits, analyses or comparisons, or entries about deleted ones."""
    ids = (Exhibit.id, AnalysisRow.id, ComparisonRow.id)
    if any(session.scalar(select(column).limit(1)) is not None for column in ids):
        return True
    entries = select(CustodyRow.number).where(CustodyRow.exhibit.is_not(None)).limit(1)
    return session.scalar(entries) is not None


def open_log(database: Database, settings: Settings) -> None:
    """Open the log, or begin a new one.

    Raises :class:`CustodyKeyError` without the right key, and if the log was emptied: its key and the rows it
    described exist, but no entries; beginning a new log would hide that. Raises :class:`LostDatabaseError` if
    the whole database was lost.
    """
    with database.begin() as session:
        exists = custody_log.head(session).count > 0
        if not exists:  # before creating a key, which would be in the way of the one to put back
            refuse_lost(session, settings)
    key_existed = settings.custody_key.exists()
    if not exists:
        key_files.create_key(settings.custody_key)
    with database.alone() as session:
        last = custody_log.head(session)
        _refuse_other_key(last, settings)
        if not last.count:
            counts = _counts_before(session)
            if key_existed and any(counts.values()):
                rows = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
                raise CustodyKeyError(
                    f"The custody log is empty, although there are {rows} and its key "
                    f"{settings.custody_key}: its entries were removed. Put the database back from a backup. "
                    "To begin a new log all the same, move the key away: a new one is made, and the log says "
                    "what was there before it."
                )
            custody_log.append(session, "log begun", counts)
        _record_settings(session, settings)


def check_key(database: Database, settings: Settings) -> None:
    """Raise :class:`CustodyKeyError` unless the log was written with the configured key."""
    with database.begin() as session:
        last = custody_log.head(session)
    _refuse_other_key(last, settings)


def _refuse_other_key(last: custody_log.Head, settings: Settings) -> None:
    file = settings.custody_key
    if last.count and mac(key_files.read_key(file), last.sha256) != last.mac:
        raise CustodyKeyError(
            f"{file} is not the key the custody log was written with, or the log's last entry was changed. "
            "Put the right key back from a backup; `python -m webapp verify-log` says what fits."
        )


def _counts_before(session: Session) -> dict[str, int]:
    """Count the rows that existed before the log began."""
    tables = {"exhibits": Exhibit, "analyses": AnalysisRow, "judgements": AnnotationRow}
    counts = (select(func.count()).select_from(table).scalar_subquery() for table in tables.values())
    return dict(zip(tables, session.execute(select(*counts)).one(), strict=True))


def _record_settings(session: Session, settings: Settings) -> None:
    """Record the settings if one changed since the last start, or was not recorded then."""
    values = recorded_settings(settings)
    last = custody_log.latest_settings(session)
    before = last.details if last else {}
    changed = [name for name, value in values.items() if name in before and before[name] != value]
    added = [name for name in values if name not in before]
    if not changed and not added:
        return
    details: dict[str, str | int] = {
        "what": "settings",
        "changed": ", ".join(changed) if before else "first start",
    }
    if before and added:  # not recorded by an older version, so not a change
        details["recorded from now on"] = ", ".join(added)
    custody_log.append(session, "configuration", details | values)


def recorded_settings(settings: Settings) -> dict[str, str | int]:
    """Return the settings that affect results or permissions, by name in the log, without secrets."""
    return {"reelproof": __version__} | {name: value_of(settings) for name, value_of in _RECORDED.values()}


def _on(value: object) -> str:
    return "on" if value else "off"


def _signing_key(settings: Settings) -> str:
    """Return the SHA-256 of the certificate that signs bundles."""
    if settings.signing_key is None:
        return "none"
    from reports.signing.keys import SigningError, read_key

    try:
        return read_key(settings.signing_key, settings.signing_password_file).certificate_sha256
    except SigningError:  # refused later during the start (webapp.custody.signing)
        return "cannot be used"


def _database(settings: Settings) -> str:
    """Return where the rows are. Only safe parts of a URL are included: the rest may hold a password."""
    url = settings.postgresql
    if url is None:
        return "SQLite in the data folder"
    place = {name: value for name, value in url.query.items() if name in ("host", "port")}
    safe = URL.create("postgresql", url.username, None, url.host, url.port, url.database, place)
    return safe.render_as_string()


def _store_endpoint(settings: Settings) -> str:
    """Return scheme, host and port of the store's server; the rest of the URL may be a secret."""
    scheme, _, rest = (settings.store_endpoint or "").partition("://")
    return f"{scheme}://{re.split('[/?#]', rest.rpartition('@')[2])[0]}" if scheme else "none"


# Every field of Settings is in one of these two tables; a test checks it. Recorded settings have a name in
# the log, which must not change because the next start compares by it, and a function for the value.
_RECORDED: dict[str, tuple[str, Callable[[Settings], str | int]]] = {
    "host": ("host", lambda s: s.host),
    "port": ("port", lambda s: s.port),
    "data": ("data", lambda s: str(s.data)),
    "postgresql": ("database", _database),
    "store": ("store", lambda s: s.store or "none"),
    "store_endpoint": ("store endpoint", _store_endpoint),
    "allowed_hosts": ("allowed hosts", lambda s: " ".join(s.allowed_hosts)),
    "workers": ("workers", lambda s: s.workers),
    "time_limit": ("time limit", lambda s: s.time_limit),
    "upload_limit": ("upload limit", lambda s: s.upload_limit),
    "spare": ("spare", lambda s: s.spare),
    "custody_key": ("custody key", lambda s: str(s.custody_key)),
    "integrity_every": (
        "integrity hours",
        lambda s: f"{s.integrity_every.total_seconds() / 3600:g}" if s.integrity_every else "off",
    ),
    "retention": ("retention days", lambda s: s.retention.days if s.retention else "off"),
    "login": ("login", lambda s: _on(s.login)),
    "proxy": ("proxy", lambda s: s.proxy or "none"),
    "idle": ("idle minutes", lambda s: f"{s.idle.total_seconds() / 60:g}"),
    "longest_session": ("session hours", lambda s: f"{s.longest_session.total_seconds() / 3600:g}"),
    "quota": ("quota", lambda s: s.quota or "none"),
    "uploads_at_once": ("uploads at once", lambda s: s.uploads_at_once),
    "second_factor": ("second factor", lambda s: " ".join(sorted(s.second_factor)) or "none"),
    "oidc_issuer": ("single sign on issuer", lambda s: s.oidc_issuer or "none"),
    "oidc_client": ("single sign on client", lambda s: s.oidc_client or "none"),
    "oidc_claim": ("single sign on claim", lambda s: s.oidc_claim or "none"),
    "oidc_roles": (
        "single sign on roles",
        lambda s: ", ".join(f"{group}={role}" for group, role in s.oidc_roles.items()) or "none",
    ),
    "signing_key": ("signing key", _signing_key),
    "timestamps": ("timestamps", lambda s: _on(s.timestamps)),
    "webhooks": ("webhooks", lambda s: _on(s.webhooks)),
    "memory_limit": ("memory limit", lambda s: s.memory_limit),
    "cpu_limit": ("processor limit", lambda s: s.cpu_limit),
    "temp_limit": ("temporary files limit", lambda s: s.temp_limit),
    "backend": ("back end", lambda s: s.backend or "chosen by the engine"),
    "sound": ("sound", lambda s: _on(s.sound)),
}
# The others, with the reason why they are not recorded.
_NOT_RECORDED = {
    "broker": "carries only ids: the database decides what is analysed, and for whom",
    "queues": "which machine analyses: each analysis records its worker, device and back end",
    "gpu_from": "likewise",
    "ready_seconds": "affects when an analysis begins, not its result",
    "oidc_secret_file": "authenticates this app to the provider; issuer, client and roles decide on users",
    "signing_password_file": "opens the signing key, whose certificate is recorded",
    "log_json": "the format of the process's own log, not of the custody log",
}
