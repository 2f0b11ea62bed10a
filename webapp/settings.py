"""Every setting of the web app: one tuple of name, default and help, read from the environment.

A setting that is not listed in :data:`SETTINGS` does not exist; a test fails when one of
them is missing from the documentation.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import URL

from detector.confinement.limits import Limits


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
        "Address the web app listens on. Only loopback addresses are accepted: there are no accounts yet.",
    ),
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
    Setting("REELPROOF_WORKERS", "1", "Analyses that run at the same time."),
    Setting(
        "REELPROOF_TIME_LIMIT",
        "7200",
        "Seconds one analysis may take before it is stopped and marked failed.",
    ),
    Setting(
        "REELPROOF_MEMORY_LIMIT_MB",
        "4096",
        "Memory one analysis may take, in MB of 1,000,000 bytes; the program itself takes some 1,000 of it.",
    ),
    Setting(
        "REELPROOF_CPU_LIMIT",
        "14400",
        "Seconds of processor time one analysis may take, all cores together.",
    ),
    Setting(
        "REELPROOF_TEMP_LIMIT_MB",
        "4096",
        "Disk space one analysis may fill with its result and temporary files, in MB of 1,000,000 bytes.",
    ),
    Setting("REELPROOF_UPLOAD_LIMIT_MB", "8192", "Largest exhibit accepted, in MB of 1,000,000 bytes."),
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
    memory_limit: int
    cpu_limit: int
    temp_limit: int
    upload_limit: int
    spare: int

    @property
    def limits(self) -> Limits:
        """What one analysis may use."""
        return Limits(
            memory=self.memory_limit, cpu=self.cpu_limit, wall=self.time_limit, written=self.temp_limit
        )

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
        memory_limit=int(_number(text, "REELPROOF_MEMORY_LIMIT_MB", 1500, 10_000_000) * _MEGABYTE),
        cpu_limit=int(_number(text, "REELPROOF_CPU_LIMIT", 1, 100_000_000)),
        temp_limit=int(_number(text, "REELPROOF_TEMP_LIMIT_MB", 1, 10_000_000) * _MEGABYTE),
        upload_limit=int(_number(text, "REELPROOF_UPLOAD_LIMIT_MB", 0, 10_000_000) * _MEGABYTE),
        spare=int(_number(text, "REELPROOF_SPARE_MB", 0, 1_000_000_000) * _MEGABYTE),
    )


def refuse_beyond_loopback(host: str) -> None:
    """Raise :class:`SettingError` unless ``host`` is this machine only.

    There are no accounts: whoever reaches the port sees every exhibit.
    """
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise SettingError(
            f"REELPROOF_HOST={host} would let other machines in, and Reelproof has no accounts yet: "
            "anyone could read every exhibit. Use 127.0.0.1, or an SSH tunnel to reach it from elsewhere."
        )


def _number(text: Mapping[str, str], name: str, least: float, most: float) -> float:
    try:
        value = float(text[name])
    except ValueError:
        raise SettingError(f"{name}={text[name]} is not a number.") from None
    if not least <= value <= most:
        raise SettingError(f"{name}={text[name]} is outside {least:g} to {most:g}.")
    return value
