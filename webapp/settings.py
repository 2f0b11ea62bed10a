"""Every setting of the web app: one tuple of name, default and help, read from the environment.

A setting that is not listed in :data:`SETTINGS` does not exist; a test fails when one of
them is missing from the documentation.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from detector.errors import ParameterError
from detector.sandbox.limits import Limits


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
        "REELPROOF_STORE",
        "",
        "URL of a bucket, s3://bucket/prefix, that keeps exhibits and results for machines that share no "
        "folder; without one, the data folder keeps all.",
    ),
    Setting(
        "REELPROOF_STORE_ENDPOINT",
        "",
        "Address of the S3-compatible server that has the bucket, such as https://store.example:9000; "
        "without one, as the AWS_ variables say.",
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
    Setting(
        "REELPROOF_WEBHOOKS",
        "",
        "Addresses that webhooks may lie below, separated by spaces, such as https://lab.example/hooks/. "
        "None: nothing is sent anywhere.",
    ),
    Setting("REELPROOF_LOG", "text", "json: the log as one JSON object a line, requests included."),
    Setting(
        "REELPROOF_WORKERS", "1", "Analyses that run at the same time; 0: pages only, workers run elsewhere."
    ),
    Setting(
        "REELPROOF_DATABASE",
        "",
        "URL of a PostgreSQL database, as postgresql://user@host/name; "
        "without one, SQLite in the data folder.",
    ),
    Setting(
        "REELPROOF_BROKER",
        "",
        "URL of a Redis server that carries ids to workers on several machines; "
        "without one, a folder in the data folder.",
    ),
    Setting(
        "REELPROOF_QUEUES",
        "cpu,gpu",
        "Queues this machine's workers take analyses from, separated by commas: cpu, gpu or both.",
    ),
    Setting(
        "REELPROOF_GPU_FROM_MB",
        "",
        "Exhibits of at least this size, in MB of 1,000,000 bytes, go to the queue gpu; without it none do.",
    ),
    Setting(
        "REELPROOF_BACKEND",
        "",
        "What runs networks: openvino, onnxruntime, torch. Empty: torch on a GPU, else the fastest present.",
    ),
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
    Setting(
        "REELPROOF_CUSTODY_KEY",
        "",
        "File with the key of the custody log, 32 bytes, made once if missing. "
        "Without this setting it is custody.key in the data folder.",
    ),
    Setting(
        "REELPROOF_SIGNING_KEY",
        "",
        "PKCS#12 file (.p12) that bundles are signed with: their report and their manifest. Empty: none are.",
    ),
    Setting(
        "REELPROOF_SIGNING_PASSWORD_FILE",
        "",
        "File whose first line is the password of REELPROOF_SIGNING_KEY.",
    ),
    Setting(
        "REELPROOF_INTEGRITY_HOURS",
        "24",
        "Hours between two checks that kept exhibits still have the bytes that were handed in; 0: none.",
    ),
)

QUEUES = ("cpu", "gpu")
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_MEGABYTE = 1_000_000
_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]+(/[A-Za-z0-9_./-]+)?")


class SettingError(Exception):
    """A setting's value cannot be used; the message names it and says what would do."""


@dataclass(frozen=True)
class Settings:
    """The settings of one running app, checked and with units resolved."""

    port: int
    host: str  # as in a URL: an IPv6 address has brackets
    data: Path
    store: str | None
    store_endpoint: str | None
    allowed_hosts: tuple[str, ...]
    workers: int
    time_limit: int
    memory_limit: int
    cpu_limit: int
    temp_limit: int
    upload_limit: int
    spare: int
    login: bool
    webhooks: tuple[str, ...]
    log_json: bool
    idle: timedelta
    longest_session: timedelta
    proxy: str  # its address; empty: there is none
    quota: int | None
    uploads_at_once: int
    postgresql: URL | None
    broker: str | None
    queues: tuple[str, ...]
    gpu_from: int | None
    custody_key: Path
    signing_key: Path | None
    signing_password: Path | None  # a file
    integrity_every: timedelta | None  # None: exhibits are not checked on a schedule

    @property
    def limits(self) -> Limits:
        """What one analysis may use."""
        return Limits(
            memory=self.memory_limit, cpu=self.cpu_limit, wall=self.time_limit, written=self.temp_limit
        )

    @property
    def database_url(self) -> URL:
        """PostgreSQL or, without it, SQLite in the data folder.

        The latter is built from its parts: the folder's name may hold any character.
        """
        return self.postgresql or URL.create("sqlite", database=str(self.data / "reelproof.sqlite3"))

    @property
    def shared(self) -> bool:
        """Whether workers of other processes and machines may share the queue."""
        return self.broker is not None


def _check_backend(name: str) -> None:
    """The engine reads the name itself; a wrong one is said now and not with the first analysis."""
    if not name:
        return
    from detector.backends import selection as backends

    try:
        backends.require(name)
    except ParameterError as error:
        raise SettingError(f"REELPROOF_BACKEND: {error}") from None


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
    _check_backend(text["REELPROOF_BACKEND"])
    hours = _number(text, "REELPROOF_INTEGRITY_HOURS", 0, 100_000)
    extra = (name.strip().lower() for name in text["REELPROOF_ALLOWED_HOSTS"].split(","))
    return Settings(
        port=int(_number(text, "PORT", 0, 65535)),
        host=host,
        data=data,
        store=_bucket(text),
        store_endpoint=_endpoint(text),
        allowed_hosts=tuple(dict.fromkeys((*_LOOPBACK_NAMES, host, *filter(None, extra)))),
        workers=int(_number(text, "REELPROOF_WORKERS", 0, 64)),
        time_limit=int(_number(text, "REELPROOF_TIME_LIMIT", 1, 10_000_000)),
        memory_limit=int(_number(text, "REELPROOF_MEMORY_LIMIT_MB", 1500, 10_000_000) * _MEGABYTE),
        cpu_limit=int(_number(text, "REELPROOF_CPU_LIMIT", 1, 100_000_000)),
        temp_limit=int(_number(text, "REELPROOF_TEMP_LIMIT_MB", 1, 10_000_000) * _MEGABYTE),
        upload_limit=int(_number(text, "REELPROOF_UPLOAD_LIMIT_MB", 0, 10_000_000) * _MEGABYTE),
        spare=int(_number(text, "REELPROOF_SPARE_MB", 0, 1_000_000_000) * _MEGABYTE),
        login=_switch(text, "REELPROOF_LOGIN"),
        webhooks=_addresses(text, "REELPROOF_WEBHOOKS"),
        log_json=_log(text),
        idle=timedelta(minutes=_number(text, "REELPROOF_IDLE_MINUTES", 1, 10_000)),
        longest_session=timedelta(hours=_number(text, "REELPROOF_SESSION_HOURS", 0.1, 1000)),
        proxy=_address(text, "REELPROOF_PROXY"),
        quota=int(_number(text, "REELPROOF_QUOTA_MB", 0, 1_000_000_000) * _MEGABYTE) or None,
        uploads_at_once=int(_number(text, "REELPROOF_UPLOADS_AT_ONCE", 1, 1000)),
        postgresql=_postgresql(text["REELPROOF_DATABASE"].strip()),
        broker=_redis(text),
        queues=_queues(text["REELPROOF_QUEUES"]),
        gpu_from=int(_number(text, "REELPROOF_GPU_FROM_MB", 0, 10_000_000) * _MEGABYTE)
        if text["REELPROOF_GPU_FROM_MB"].strip()
        else None,
        custody_key=Path(text["REELPROOF_CUSTODY_KEY"] or data / "custody.key").absolute(),
        signing_key=_path(text["REELPROOF_SIGNING_KEY"]),
        signing_password=_path(text["REELPROOF_SIGNING_PASSWORD_FILE"]),
        integrity_every=timedelta(hours=hours) if hours else None,
    )


def _path(text: str) -> Path | None:
    return Path(text).absolute() if text.strip() else None


def _postgresql(text: str) -> URL | None:
    if not text:
        return None
    try:
        url = make_url(text)
    except ArgumentError:
        raise SettingError("REELPROOF_DATABASE is no URL such as postgresql://user@host/name.") from None
    if url.get_backend_name() != "postgresql" or not url.database:
        raise SettingError(
            "REELPROOF_DATABASE must be like postgresql://user@host/name; for SQLite, leave it out."
        )
    return url.set(drivername="postgresql+psycopg")


def _redis(text: Mapping[str, str]) -> str | None:
    broker = text["REELPROOF_BROKER"].strip()
    if not broker:
        return None
    if not broker.startswith(("redis://", "rediss://", "unix://")):
        raise SettingError(
            "REELPROOF_BROKER must be like redis://host:6379/0; for one machine, leave it out."
        )
    if not text["REELPROOF_DATABASE"].strip():
        raise SettingError(
            "REELPROOF_BROKER needs REELPROOF_DATABASE beside it: workers on several machines "
            "cannot share a SQLite file."
        )
    return broker


def _bucket(text: Mapping[str, str]) -> str | None:
    store = text["REELPROOF_STORE"].strip().rstrip("/")
    if store and not _BUCKET.fullmatch(store):
        raise SettingError(
            "REELPROOF_STORE must be like s3://bucket/prefix; to keep all in the data folder, leave it out."
        )
    return store or None


def _endpoint(text: Mapping[str, str]) -> str | None:
    endpoint = text["REELPROOF_STORE_ENDPOINT"].strip().rstrip("/")
    if endpoint and not endpoint.startswith(("http://", "https://")):
        raise SettingError("REELPROOF_STORE_ENDPOINT must be like https://store.example:9000.")
    return endpoint or None


def _queues(text: str) -> tuple[str, ...]:
    queues = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not queues or not set(queues) <= set(QUEUES):
        raise SettingError(f"REELPROOF_QUEUES={text} must name one or more of {', '.join(QUEUES)}.")
    return queues


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


def _addresses(text: Mapping[str, str], name: str) -> tuple[str, ...]:
    from webapp.url_allowlist import place

    for address in text[name].split():
        try:
            place(address)
        except ValueError as problem:
            raise SettingError(
                f"{name} holds {address}, which is no address to send to: {problem}. "
                "Write addresses such as https://lab.example/hooks/, separated by spaces."
            ) from None
    return tuple(text[name].split())


def _log(text: Mapping[str, str]) -> bool:
    value = text["REELPROOF_LOG"].strip().lower()
    if value not in ("text", "json"):
        raise SettingError(f"REELPROOF_LOG={text['REELPROOF_LOG']} is neither text nor json.")
    return value == "json"


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
