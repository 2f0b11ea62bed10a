"""What the start of the app does for the custody log: its key, its first entry, changed settings."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from detector.version import __version__
from reports.custody.format import mac
from webapp.custody import log as custody_log
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
        begun = custody_log.head(session).count > 0
        if not begun:  # before a key is made, which would be in the way of the one to put back
            refuse_lost(session, settings)
    existed = settings.custody_key.exists()
    if not begun:
        key_files.create(settings.custody_key)
    check_key(database, settings)
    with database.alone() as session:
        if not custody_log.head(session).count:
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
    file = settings.custody_key
    with database.begin() as session:
        last = custody_log.head(session)
    if last.count and mac(key_files.read(file), last.sha256) != last.mac:
        raise CustodyKeyError(
            f"{file} is not the key the custody log was written with, or the log's last entry was changed. "
            "Put the right key back from a backup; `python -m webapp verify-log` says what fits."
        )


def _counts_before(session: Session) -> dict[str, int]:
    """How much there was before the log began."""
    tables = {"exhibits": Exhibit, "analyses": AnalysisRow, "judgements": AnnotationRow}
    return {name: session.scalar(select(func.count()).select_from(t)) or 0 for name, t in tables.items()}


def _note_settings(session: Session, settings: Settings) -> None:
    """Record the settings if one differs from the last start, or was not recorded then."""
    values = _values(settings)
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
    if before and added:  # by an older version: no change
        details["recorded from now on"] = ", ".join(added)
    custody_log.append(session, "configuration", details | values)


def _values(settings: Settings) -> dict[str, str | int]:
    """What changes who may do what, or what results rest on; secrets and what could hold one are left out."""
    return {
        "reelproof": __version__,
        "host": settings.host,
        "port": settings.port,
        "data": str(settings.data),
        "store": settings.store or "none",
        "allowed hosts": " ".join(settings.allowed_hosts),
        "workers": settings.workers,
        "time limit": settings.time_limit,
        "upload limit": settings.upload_limit,
        "spare": settings.spare,
        "custody key": str(settings.custody_key),
        "integrity hours": f"{settings.integrity_every.total_seconds() / 3600:g}"
        if settings.integrity_every
        else "off",
        "login": _on(settings.login),
        "proxy": settings.proxy or "none",
        "idle minutes": f"{settings.idle.total_seconds() / 60:g}",
        "session hours": f"{settings.longest_session.total_seconds() / 3600:g}",
        "quota": settings.quota or "none",
        "uploads at once": settings.uploads_at_once,
        "second factor": " ".join(sorted(settings.second_factor)) or "none",
        "single sign on issuer": settings.oidc_issuer or "none",
        "single sign on client": settings.oidc_client or "none",
        "single sign on claim": settings.oidc_claim or "none",
        "single sign on roles": ", ".join(f"{group}={role}" for group, role in settings.oidc_roles.items())
        or "none",
        "signing key": _signing_key(settings),
        "timestamps": _on(settings.timestamps),
        "webhooks": _on(settings.webhooks),
        "memory limit": settings.memory_limit,
        "processor limit": settings.cpu_limit,
        "temporary files limit": settings.temp_limit,
        "back end": settings.backend or "chosen by the engine",
    }


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
