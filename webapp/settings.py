"""All settings of the web app: :class:`Settings` is the one table of names, defaults and meanings."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL

from detector.process.signals import PARENT_VARIABLE
from detector.sandbox.kernel import Limits
from reports.untrusted_input import is_loopback
from webapp import setting_values as values
from webapp.setting_values import QUEUES, Number, either, in_bytes, in_hours

DATABASE = "reelproof.sqlite3"  # in the data folder, with what SQLite keeps beside it

# Variables that processes of the app set for their children (webapp.worker.supervisor), and those of tests.
_NO_SETTINGS = frozenset({PARENT_VARIABLE, "REELPROOF_STARTED_BY"})
_TEST_PREFIX = "REELPROOF_TEST_"


class SettingError(Exception):
    """A setting's value is invalid; the message names the setting and a valid value."""


def _setting(name: str, default: str, meaning: str) -> Any:
    """Declare a row of the table: environment variable, default as text, and meaning (Markdown)."""
    return Field(default, validation_alias=name, description=meaning)


class Settings(BaseSettings):
    """The settings of one running app, validated and converted.

    The order matters: ``allowed_hosts`` reads ``host``, ``custody_key`` reads ``data``.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        case_sensitive=True,
        env_ignore_empty=True,
        enable_decoding=False,
        extra="ignore",
        arbitrary_types_allowed=True,
    )

    port: Annotated[int, Number(0, 65535)] = _setting(
        "PORT", "8000", "TCP port the web app listens on; 0 picks a free one"
    )
    # as in a URL: an IPv6 address has brackets
    host: Annotated[str, PlainValidator(values.host)] = _setting(
        "REELPROOF_HOST",
        "127.0.0.1",
        "listening address; beyond loopback only with login on and an administrator",
    )
    login: Annotated[bool, either("on", "off")] = _setting(
        "REELPROOF_LOGIN", "off", "`on`: people sign in; `off`: one person on their own machine, no login"
    )
    idle: Annotated[timedelta, Number(1, 10_000, lambda minutes: timedelta(minutes=minutes))] = _setting(
        "REELPROOF_IDLE_MINUTES", "60", "minutes without a request after which a session ends"
    )
    longest_session: Annotated[timedelta, Number(0.1, 1000, in_hours)] = _setting(
        "REELPROOF_SESSION_HOURS", "12", "hours after which a session ends in any case"
    )
    second_factor: Annotated[frozenset[str], PlainValidator(values.roles)] = _setting(
        "REELPROOF_SECOND_FACTOR",
        "",
        "with login on, roles that need a [second factor](security.md#second-factor) to sign in with a "
        "password, separated by commas, or `all`; others may set one up",
    )
    oidc_issuer: Annotated[str | None, PlainValidator(values.issuer)] = _setting(
        "REELPROOF_OIDC_ISSUER",
        "",
        "with login on, issuer of an OpenID Connect provider for "
        "[single sign-on](security.md#single-sign-on), `https://login.example/realms/lab`; nothing is "
        "requested from it before a person signs in or out there",
    )
    oidc_client: Annotated[str, PlainValidator(str.strip)] = _setting(
        "REELPROOF_OIDC_CLIENT", "", "client id that the provider gave to this Reelproof"
    )
    oidc_secret_file: Annotated[Path | None, PlainValidator(values.secret_file)] = _setting(
        "REELPROOF_OIDC_SECRET_FILE", "", "file with the client's secret; without it a public client"
    )
    oidc_claim: Annotated[str, PlainValidator(values.claim)] = _setting(
        "REELPROOF_OIDC_CLAIM", "groups", "claim of the ID token that names a person's groups"
    )
    oidc_roles: Annotated[dict[str, str], PlainValidator(values.role_mapping)] = _setting(
        "REELPROOF_OIDC_ROLES",
        "",
        "who may sign in there, and as what: `GROUP=role`, separated by commas; `*` is everyone. The highest "
        "role counts, and who has none is refused",
    )
    proxy: Annotated[str, PlainValidator(values.address)] = _setting(
        "REELPROOF_PROXY",
        "",
        "address of the proxy that terminates TLS, such as `127.0.0.1`; its `X-Forwarded-For`, `-Proto` and "
        "`-Host` are accepted, no others",
    )
    quota: Annotated[
        int | None, Number(0, 1_000_000_000, lambda mb: max(in_bytes(mb), 1) if mb else None)
    ] = _setting(
        "REELPROOF_QUOTA_MB",
        "0",
        "with login on, total size of the exhibits that one person may upload, in MB of 1,000,000 bytes; "
        "0: no limit",
    )
    uploads_at_once: Annotated[int, Number(1, 1000)] = _setting(
        "REELPROOF_UPLOADS_AT_ONCE", "4", "with login on, uploads one person may send at the same time"
    )
    data: Annotated[Path, PlainValidator(lambda text: Path(text).absolute())] = _setting(
        "REELPROOF_DATA",
        "instance",
        "folder of everything the web app keeps: database, exhibits, results; created if missing",
    )
    store: Annotated[str | None, PlainValidator(values.bucket)] = _setting(
        "REELPROOF_STORE",
        "",
        "bucket of an S3-compatible server that keeps exhibits and results for machines that share no "
        "folder, `s3://bucket/prefix`; the data folder is a cache then "
        "([steps](deployment.md#files-in-an-s3-compatible-store))",
    )
    store_endpoint: Annotated[str | None, PlainValidator(values.endpoint)] = _setting(
        "REELPROOF_STORE_ENDPOINT",
        "",
        "address of that server, `https://store.example:9000`; without one, as the `AWS_` variables say",
    )
    allowed_hosts: Annotated[tuple[str, ...], PlainValidator(values.allowed_hosts)] = _setting(
        "REELPROOF_ALLOWED_HOSTS",
        "",
        "further host names answered to, separated by commas; loopback names always work. A request under "
        "any other name is refused, which stops DNS rebinding",
    )
    webhooks: Annotated[tuple[str, ...], PlainValidator(values.webhooks)] = _setting(
        "REELPROOF_WEBHOOKS",
        "",
        "addresses that webhooks may lie below, separated by spaces, such as `https://lab.example/hooks/`; "
        "without it nothing is sent anywhere",
    )
    log_json: Annotated[bool, either("json", "text")] = _setting(
        "REELPROOF_LOG",
        "text",
        "`json`: the log as one JSON object a line, requests and finished jobs included",
    )
    workers: Annotated[int, Number(0, 64)] = _setting(
        "REELPROOF_WORKERS", "1", "analyses that run at the same time; 0: pages only, workers run elsewhere"
    )
    ready_seconds: Annotated[int, Number(0, 1_000_000)] = _setting(
        "REELPROOF_READY_SECONDS",
        "300",
        "seconds for which each worker keeps a process with the networks loaded for the next analysis, which "
        "then is done two seconds sooner, with a finding up to five; it holds 0.5 GB, with what heatmaps "
        "need (where 4 GB are free) 1.2 GB; not started where less than 2 GB are free. 0: none",
    )
    postgresql: Annotated[URL | None, PlainValidator(values.postgresql)] = _setting(
        "REELPROOF_DATABASE",
        "",
        "URL of a PostgreSQL database, `postgresql://user@host/name`; without one, SQLite in the data folder",
    )
    broker: Annotated[str | None, PlainValidator(values.redis)] = _setting(
        "REELPROOF_BROKER",
        "",
        "URL of a Redis server that carries ids to workers on several machines, `redis://host:6379/0`; needs "
        "`REELPROOF_DATABASE`; without one, a folder in the data folder",
    )
    queues: Annotated[tuple[str, ...], PlainValidator(values.queues)] = _setting(
        "REELPROOF_QUEUES",
        ",".join(QUEUES),
        "queues this machine's workers take analyses from, separated by commas: `cpu`, `gpu` or both",
    )
    gpu_from: Annotated[
        Annotated[int, Number(0, 10_000_000, in_bytes)] | None,
        BeforeValidator(lambda text: text.strip() or None),
    ] = _setting(
        "REELPROOF_GPU_FROM_MB",
        "",
        "exhibits of at least this size go to the queue `gpu`, in MB of 1,000,000 bytes; without it none do",
    )
    backend: Annotated[str, AfterValidator(values.backend)] = _setting(
        "REELPROOF_BACKEND",
        "",
        "what runs networks: `openvino`, `onnxruntime` or `torch`; without it torch on a GPU, else the "
        "fastest present. `openvino-bf16` is faster and rounds scores "
        "([figures](performance.md#back-ends)). `--backend` does the same for one command",
    )
    sound: Annotated[bool, either("on", "off")] = _setting(
        "REELPROOF_SOUND",
        "on",
        "`off`: the sound of new analyses is not examined, unless the person who starts one asks for it",
    )
    time_limit: Annotated[int, Number(1, 10_000_000)] = _setting(
        "REELPROOF_TIME_LIMIT",
        "7200",
        "seconds one analysis may take before it is stopped and marked failed",
    )
    memory_limit: Annotated[int, Number(1500, 10_000_000, in_bytes)] = _setting(
        "REELPROOF_MEMORY_LIMIT_MB",
        "4096",
        "memory one analysis may take, in MB of 1,000,000 bytes; the program itself takes some 1,000 of it",
    )
    cpu_limit: Annotated[int, Number(1, 100_000_000)] = _setting(
        "REELPROOF_CPU_LIMIT", "14400", "seconds of processor time one analysis may take, all cores together"
    )
    temp_limit: Annotated[int, Number(1, 10_000_000, in_bytes)] = _setting(
        "REELPROOF_TEMP_LIMIT_MB",
        "4096",
        "disk space one analysis may fill with its result and temporary files, in MB of 1,000,000 bytes",
    )
    upload_limit: Annotated[int, Number(0.001, 10_000_000, in_bytes)] = _setting(
        "REELPROOF_UPLOAD_LIMIT_MB", "8192", "largest exhibit accepted, in MB of 1,000,000 bytes"
    )
    spare: Annotated[int, Number(0, 1_000_000_000, in_bytes)] = _setting(
        "REELPROOF_SPARE_MB",
        "512",
        "disk space uploads must leave free, in MB of 1,000,000 bytes; an upload needs twice its size while "
        "it arrives",
    )
    custody_key: Annotated[Path, PlainValidator(values.custody_key)] = _setting(
        "REELPROOF_CUSTODY_KEY",
        "",
        "file with the key of the [custody log](custody.md), 32 bytes; made once if missing, never "
        "overwritten. Keep a copy of it apart from the database. Without this setting it is `custody.key` in "
        "the data folder",
    )
    signing_key: Annotated[Path | None, PlainValidator(values.file)] = _setting(
        "REELPROOF_SIGNING_KEY",
        "",
        "PKCS#12 file (`.p12`) that bundles are [signed](evidence.md#signatures) with: their PDF and their "
        "manifest; without it none are",
    )
    signing_password_file: Annotated[Path | None, PlainValidator(values.secret_file)] = _setting(
        "REELPROOF_SIGNING_PASSWORD_FILE", "", "file whose first line is that key's password"
    )
    timestamps: Annotated[str | None, PlainValidator(values.time_authority)] = _setting(
        "REELPROOF_TIMESTAMP_URL",
        "",
        "address of a timestamp authority (RFC 3161), whose [timestamps](evidence.md#trusted-time) signed "
        "bundles and `export-log` hold; without it none is asked",
    )
    # None: nothing is deleted by itself
    retention: Annotated[
        timedelta | None, Number(0, 36_500, lambda days: timedelta(days=values.whole(days)) if days else None)
    ] = _setting(
        "REELPROOF_RETENTION_DAYS",
        "0",
        "days after which an analysis that is in no case is deleted, and a closed case purged "
        "([rules](deployment.md#retention)); open cases are kept. 0: nothing is deleted by itself",
    )
    # None: exhibits are not checked on a schedule
    integrity_every: Annotated[
        timedelta | None, Number(0, 100_000, lambda hours: in_hours(hours) if hours else None)
    ] = _setting(
        "REELPROOF_INTEGRITY_HOURS",
        "24",
        "hours between two checks that stored exhibits still have the bytes that were uploaded; 0: none",
    )

    @model_validator(mode="after")
    def _broker_needs_database(self) -> Self:
        if self.broker and not self.postgresql:
            raise ValueError(
                "REELPROOF_BROKER needs REELPROOF_DATABASE beside it: workers on several machines "
                "cannot share a SQLite file."
            )
        return self

    @model_validator(mode="after")
    def _provider_needs_client_and_roles(self) -> Self:
        if self.oidc_issuer and not (self.oidc_client and self.oidc_roles):
            raise ValueError(
                "REELPROOF_OIDC_ISSUER needs REELPROOF_OIDC_CLIENT and REELPROOF_OIDC_ROLES beside it: "
                "who this is, and who may sign in."
            )
        return self

    @model_validator(mode="after")
    def _endpoint_needs_store(self) -> Self:
        if self.store_endpoint and not self.store:
            raise ValueError(
                "REELPROOF_STORE_ENDPOINT needs REELPROOF_STORE beside it: which bucket of that server."
            )
        return self

    @property
    def limits(self) -> Limits:
        """The limits of one analysis."""
        return Limits(
            memory=self.memory_limit, cpu=self.cpu_limit, wall=self.time_limit, written=self.temp_limit
        )

    @property
    def database_url(self) -> URL:
        """PostgreSQL or, without it, SQLite in the data folder."""
        # Built from its parts: the name of the folder may contain any character.
        return self.postgresql or URL.create("sqlite", database=str(self.data / DATABASE))

    @property
    def shared(self) -> bool:
        """Whether workers of other machines may share the queue."""
        return self.broker is not None


class Setting(NamedTuple):
    """One row of the table as text."""

    name: str
    default: str
    meaning: str


SETTINGS = tuple(
    Setting(str(field.validation_alias), field.default, field.description or "")
    for field in Settings.model_fields.values()
)


def read_settings(overrides: Mapping[str, object] | None = None) -> Settings:
    """Read the settings from the environment; ``overrides``, by the same names, take precedence.

    Raises :class:`SettingError` for an invalid value.
    """
    known = {setting.name for setting in SETTINGS}
    texts: dict[str, Any] = {name: str(value) for name, value in (overrides or {}).items() if name in known}
    try:
        return Settings(**texts)
    except ValidationError as invalid:
        raise SettingError(" ".join(_format_error(error) for error in invalid.errors())) from None


def unknown_variables(environment: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each variable that is named like a setting but is none."""
    known = {setting.name for setting in SETTINGS}
    for name in sorted(environment):
        is_known = name in known or name in _NO_SETTINGS or name.startswith(_TEST_PREFIX)
        if is_known or not name.upper().startswith("REELPROOF_"):
            continue
        matches = difflib.get_close_matches(name.upper(), known, 1)
        hint = f"did you mean {matches[0]}?" if matches else "docs/settings.md lists all."
        yield f"{name} is not a setting and has no effect; {hint}"


def warn_of_unknown_variables() -> None:
    """Print a warning for each unknown variable in the environment."""
    for sentence in unknown_variables(os.environ):
        print(f"reelproof: {sentence}", file=sys.stderr)


def _format_error(error: ErrorDetails) -> str:
    name = "".join(map(str, error["loc"][:1]))
    if error["type"] == "value_error":
        return f"{name}{error['ctx']['error']}"
    return f"{name}={error['input']} is not a number."


def refuse_unprotected(settings: Settings, administrators: int) -> None:
    """Raise :class:`SettingError` if strangers would have access, or no account could manage accounts."""
    if not settings.login and not is_loopback(settings.host):
        raise SettingError(
            f"REELPROOF_HOST={settings.host} would let other machines in, and anyone there could read every "
            "exhibit. Set REELPROOF_LOGIN=on so that people sign in, or use 127.0.0.1."
        )
    if settings.login and not administrators:
        raise SettingError(
            f"REELPROOF_LOGIN=on, but there is no administrator yet in the data folder {settings.data}. Make "
            "one on this machine, as the user that runs Reelproof and with the same settings: "
            "python -m webapp add-user NAME --role administrator"
        )
