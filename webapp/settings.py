"""Every setting of the web app: one tuple of name, default and help, read from the environment.

A setting that is not listed in :data:`SETTINGS` does not exist; a test fails when one of
them is missing from the documentation.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import URL


class Setting(NamedTuple):
    """One setting: the environment variable, its default as text, and what it does."""

    name: str
    default: str
    help: str


SETTINGS = (
    Setting("PORT", "8000", "TCP port the web app listens on."),
    Setting(
        "REELPROOF_HOST",
        "127.0.0.1",
        "Address the web app listens on. Beyond loopback only with REELPROOF_LOGIN=on and an administrator.",
    ),
    Setting("REELPROOF_LOGIN", "off", "on: people sign in. off: one person on their own machine, no login."),
    Setting(
        "REELPROOF_DATA",
        "instance",
        "Folder of everything the web app keeps: database, exhibits, results. Created if missing.",
    ),
    Setting(
        "REELPROOF_ALLOWED_HOSTS",
        "",
        "Further host names the app answers to, separated by commas; loopback names always work. "
        "A request under any other name is refused, which stops DNS rebinding.",
    ),
    Setting("REELPROOF_IDLE_MINUTES", "60", "Minutes without a request after which somebody is signed out."),
    Setting("REELPROOF_SESSION_HOURS", "12", "Hours after which somebody has to sign in again in any case."),
    Setting(
        "REELPROOF_PROXY",
        "",
        "Address of a proxy before the app, such as 127.0.0.1. Its X-Forwarded-For, -Proto and -Host are "
        "believed, nobody else's; needed for https.",
    ),
    Setting("REELPROOF_WORKERS", "1", "Analyses that run at the same time."),
    Setting(
        "REELPROOF_TIME_LIMIT",
        "7200",
        "Seconds one analysis may take before it is stopped and marked failed.",
    ),
    Setting("REELPROOF_UPLOAD_LIMIT_MB", "8192", "Largest exhibit accepted, in MB of 1,000,000 bytes."),
    Setting(
        "REELPROOF_QUOTA_MB",
        "0",
        "With login on, what the exhibits one person handed in may take together, in MB; 0: no limit.",
    ),
    Setting("REELPROOF_UPLOADS_AT_ONCE", "4", "With login on, uploads one person may send at the same time."),
    Setting(
        "REELPROOF_SPARE_MB",
        "512",
        "Disk space uploads must leave free, in MB of 1,000,000 bytes.",
    ),
)

_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_MEGABYTE = 1_000_000


class SettingError(Exception):
    """A setting's value cannot be used; the message names it and says what would do."""


@dataclass(frozen=True)
class Settings:
    """The settings of one running app, checked and with units resolved."""

    port: int
    host: str  # as in a URL: an IPv6 address has brackets
    data: Path
    allowed_hosts: tuple[str, ...]
    workers: int
    time_limit: int
    upload_limit: int
    spare: int
    login: bool
    idle: timedelta
    longest_session: timedelta
    proxy: str  # its address; empty: there is none
    quota: int | None
    uploads_at_once: int

    @property
    def database_url(self) -> URL:
        """SQLite in the data folder. Built from its parts: the folder's name may hold any character."""
        return URL.create("sqlite", database=str(self.data / "reelproof.sqlite3"))


def read_settings(overrides: Mapping[str, object] | None = None) -> Settings:
    """Settings from the environment, with ``overrides`` (by the same names) on top.

    Raises :class:`SettingError` when a value cannot be used.
    """
    text = {setting.name: os.environ.get(setting.name) or setting.default for setting in SETTINGS}
    for name, value in (overrides or {}).items():
        if name in text:
            text[name] = str(value)
    data = Path(text["REELPROOF_DATA"]).absolute()
    host = text["REELPROOF_HOST"].strip().lower().strip("[]")
    host = f"[{host}]" if ":" in host else host
    extra = (name.strip().lower() for name in text["REELPROOF_ALLOWED_HOSTS"].split(","))
    return Settings(
        port=int(_number(text, "PORT", 0, 65535)),
        host=host,
        data=data,
        allowed_hosts=tuple(dict.fromkeys((*_LOOPBACK_NAMES, host, *filter(None, extra)))),
        workers=int(_number(text, "REELPROOF_WORKERS", 1, 64)),
        time_limit=int(_number(text, "REELPROOF_TIME_LIMIT", 1, 10_000_000)),
        upload_limit=int(_number(text, "REELPROOF_UPLOAD_LIMIT_MB", 0, 10_000_000) * _MEGABYTE),
        spare=int(_number(text, "REELPROOF_SPARE_MB", 0, 1_000_000_000) * _MEGABYTE),
        login=_switch(text, "REELPROOF_LOGIN"),
        idle=timedelta(minutes=_number(text, "REELPROOF_IDLE_MINUTES", 1, 10_000)),
        longest_session=timedelta(hours=_number(text, "REELPROOF_SESSION_HOURS", 0.1, 1000)),
        proxy=_address(text, "REELPROOF_PROXY"),
        quota=int(_number(text, "REELPROOF_QUOTA_MB", 0, 1_000_000_000) * _MEGABYTE) or None,
        uploads_at_once=int(_number(text, "REELPROOF_UPLOADS_AT_ONCE", 1, 1000)),
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def refuse_open_door(settings: Settings, administrators: int) -> None:
    """Raise :class:`SettingError` where strangers could come in, or nobody could manage who may."""
    if not settings.login and not is_loopback(settings.host):
        raise SettingError(
            f"REELPROOF_HOST={settings.host} would let other machines in, and anyone there could read every "
            "exhibit. Set REELPROOF_LOGIN=on so that people sign in, or use 127.0.0.1."
        )
    if settings.login and not administrators:
        raise SettingError(
            "REELPROOF_LOGIN=on, but there is no administrator yet. Make one on this machine: "
            "python -m webapp add-user NAME --role administrator"
        )


def _switch(text: Mapping[str, str], name: str) -> bool:
    value = text[name].strip().lower()
    if value not in ("on", "off"):
        raise SettingError(f"{name}={text[name]} is neither on nor off.")
    return value == "on"


def _address(text: Mapping[str, str], name: str) -> str:
    value = text[name].strip().strip("[]")
    try:
        return str(ipaddress.ip_address(value)) if value else ""
    except ValueError:
        raise SettingError(f"{name}={text[name]} is no network address, such as 127.0.0.1.") from None


def _number(text: Mapping[str, str], name: str, least: float, most: float) -> float:
    try:
        value = float(text[name])
    except ValueError:
        raise SettingError(f"{name}={text[name]} is not a number.") from None
    if not least <= value <= most:
        raise SettingError(f"{name}={text[name]} is outside {least:g} to {most:g}.")
    return value
