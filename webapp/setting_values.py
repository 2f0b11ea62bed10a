"""Parse the values of settings, one function for each kind."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pydantic import PlainValidator, ValidationInfo
from pydantic_core import core_schema
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from detector.errors import ParameterError
from reports.untrusted_input import is_confidential
from webapp.url_allowlist import parse_url

ROLES = ("reader", "reviewer", "examiner", "administrator")
QUEUES = ("cpu", "gpu")
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_HOST_NAME = re.compile(r"[\w.-]*\w")
_ESCAPED = "in a password write / as %2F, ? as %3F, # as %23 and @ as %40"
_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]+(/[A-Za-z0-9_./-]+)?")


def whole(value: float) -> int:
    """Convert to an integer; refuse a fraction instead of cutting it off."""
    if value != int(value):
        raise ValueError(f"={value:.15g} is not a whole number.")
    return int(value)


@dataclass(frozen=True)
class Number:
    """A number from ``least`` to ``most`` in the setting's unit, converted to the field's value."""

    least: float
    most: float
    convert: Callable[[float], Any] = whole

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, core_schema.float_schema())

    def _checked(self, value: float) -> Any:
        if not self.least <= value <= self.most:
            raise ValueError(f"={value:.15g} is outside {self.least:g} to {self.most:g}.")
        return self.convert(value)


def in_bytes(megabytes: float) -> int:
    """Convert MB of 1,000,000 bytes."""
    return int(megabytes * 1_000_000)


def in_hours(hours: float) -> timedelta:
    """Convert hours."""
    return timedelta(hours=hours)


def either(yes: str, no: str) -> PlainValidator:
    """Validate one of two words; True for the first."""

    def read(text: str) -> bool:
        value = text.strip().lower()
        if value not in (yes, no):
            raise ValueError(f"={text} is neither {yes} nor {no}.")
        return value == yes

    return PlainValidator(read)


def host(text: str) -> str:
    """Validate a host and return it as in a URL, where IPv6 addresses have brackets."""
    host = text.strip().lower().strip("[]")
    if not (_is_ipv6(host) if ":" in host else host in ("", "*") or _HOST_NAME.fullmatch(host)):
        raise ValueError(f"={text} is not a host name or address, such as 127.0.0.1.")
    return f"[{host}]" if ":" in host else host


def address(text: str) -> str:
    """Validate a network address; may be empty."""
    value = text.strip().strip("[]")
    try:
        return str(ipaddress.ip_address(value)) if value else ""
    except ValueError:
        raise ValueError(f"={text} is not a network address, such as 127.0.0.1.") from None


def file(text: str) -> Path | None:
    """Return the absolute path of a file."""
    return Path(text).absolute() if text.strip() else None


def secret_file(text: str) -> Path | None:
    """Return the absolute path of an existing file."""
    path = file(text)
    if path is not None and not path.is_file():
        raise ValueError(f"={text}: there is no such file.")
    return path


def claim(text: str) -> str:
    """Validate the name of a claim."""
    if not text.strip():
        raise ValueError(" names no claim; leave it out for the usual one.")
    return text.strip()


def custody_key(text: str, info: ValidationInfo) -> Path:
    """Return the key's path, by default in the data folder."""
    return Path(text or info.data["data"] / "custody.key").absolute()


def allowed_hosts(text: str, info: ValidationInfo) -> tuple[str, ...]:
    """Validate host names; add those of loopback and the one listened on."""
    extra = [name for part in text.split(",") if (name := part.strip().lower())]
    for name in extra:
        if not (_HOST_NAME.fullmatch(name) or (name[0] + name[-1] == "[]" and _is_ipv6(name[1:-1]))):
            raise ValueError(
                f" holds {name}, which is not a host name. Write names such as reelproof.example, "
                "separated by commas, without https://, port or *."
            )
    return tuple(dict.fromkeys((*_LOOPBACK_NAMES, info.data.get("host", ""), *extra)))


def webhooks(text: str) -> tuple[str, ...]:
    """Validate addresses of webhooks."""
    for address in text.split():
        try:
            parse_url(address)
            if address.count("://") > 1:
                raise ValueError("more than one address")
            if address.endswith(","):
                raise ValueError("a comma at its end")
        except ValueError as problem:
            raise ValueError(
                f" holds {address}, which is not an address of a webhook: {problem}. "
                "Write addresses such as https://lab.example/hooks/, separated by spaces."
            ) from None
    return tuple(text.split())


def bucket(text: str) -> str | None:
    """Validate the URL of a bucket."""
    store = text.strip().rstrip("/")
    if store and not _BUCKET.fullmatch(store):
        raise ValueError(" must be like s3://bucket/prefix; to keep all in the data folder, leave it out.")
    return store or None


def endpoint(text: str) -> str | None:
    """Validate the URL of an object store."""
    endpoint = text.strip().rstrip("/")
    if endpoint and not _has_host(endpoint):
        raise ValueError(" must be like https://store.example:9000.")
    return endpoint or None


def postgresql(text: str) -> URL | None:
    """Validate the URL of a PostgreSQL database and set its driver."""
    if not text.strip():
        return None
    try:
        url = make_url(text.strip())
        if "@" in (url.host or ""):  # an unescaped @ of a password
            raise ArgumentError
    except (ArgumentError, ValueError):  # ValueError for a port
        raise ValueError(f" is no URL such as postgresql://user@host:5432/name; {_ESCAPED}.") from None
    if url.get_backend_name() != "postgresql" or not url.database:
        raise ValueError(" must be like postgresql://user@host/name; for SQLite, leave it out.")
    return url.set(drivername="postgresql+psycopg")


def redis(text: str) -> str | None:
    """Validate the URL of a Redis server."""
    broker = text.strip()
    if broker and not broker.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError(" must be like redis://host:6379/0; for one machine, leave it out.")
    if broker and not broker.startswith("unix://") and not _is_redis_url(broker):
        raise ValueError(f" is no URL such as redis://:password@host:6379/0; {_ESCAPED}.")
    return broker or None


def _is_redis_url(url: str) -> bool:
    # A password with unescaped characters ends up in path, query or fragment.
    if (parts := _split(url)) is None:
        return False
    return re.fullmatch(r"/?\d*", parts.path) is not None and "@" not in parts.query and not parts.fragment


def _has_host(url: str) -> bool:
    parts = _split(url)
    return parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)


def _split(url: str) -> SplitResult | None:
    """Split a URL; None if it is invalid, also by its port."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (raises for one that is no number)
    except ValueError:
        return None
    return parts


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def roles(text: str) -> frozenset[str]:
    """Validate names of roles, or ``all``."""
    names = {name.strip().lower() for name in text.split(",") if name.strip()}
    if names == {"all"}:
        return frozenset(ROLES)
    if not names <= set(ROLES) or (text and not names):  # commas alone
        raise ValueError(f"={text} must name roles out of {', '.join(ROLES)}, or be all.")
    return frozenset(names)


def issuer(text: str) -> str | None:
    """Validate the issuer of an OpenID Connect provider: by https, or on this machine."""
    url = text.strip()
    if not url:
        return None
    try:
        parse_url(url)
    except ValueError as problem:
        raise ValueError(f"={url} is no issuer: {problem}.") from None
    if not is_confidential(url):
        raise ValueError(f"={url} must begin with https://.")
    if "?" in url:
        raise ValueError(f"={url} is no issuer: it has a query.")
    return url


def time_authority(text: str) -> str | None:
    """Validate the URL of a timestamp authority, by https or on this machine."""
    url = text.strip()
    if not url:
        return None
    try:
        parse_url(url)
    except ValueError:  # the value is not repeated: before an @ may be a password
        raise ValueError(" must be like https://tsa.example/timestamps, without a user.") from None
    if not is_confidential(url):
        raise ValueError(f"={url} must begin with https://.")
    return url


def role_mapping(text: str) -> dict[str, str]:
    """Parse the roles of groups."""
    mapping: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        group, _, role = (part.strip() for part in pair.rpartition("="))
        if not group or role not in ROLES:
            raise ValueError(f" holds {pair}, which is not GROUP=role with a role of {', '.join(ROLES)}.")
        if mapping.setdefault(group, role) != role:
            raise ValueError(f" gives the group {group} two roles. Name each group once.")
    return mapping


def queues(text: str) -> tuple[str, ...]:
    """Validate names of queues."""
    queues = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not queues or not set(queues) <= set(QUEUES):
        raise ValueError(f"={text} must name one or more of {', '.join(QUEUES)}.")
    return queues


def backend(name: str) -> str:
    """Validate the name of a back end, so that a wrong one is reported before the first analysis."""
    from detector.backends import selection as backends

    try:
        return backends.require_backend(name) if name else ""
    except ParameterError as error:
        raise ValueError(f": {error}") from None
