"""Apps that start quickly: tables copied from a file that was migrated once, hashes of passwords cheap.

Migrations take a third of a second, one hash at its full cost a tenth: an app a test comes to minutes.
Tests of migrations, and those on PostgreSQL, have them for real. Templates, statements of SQL and rules of
addresses are compiled once a process, not once an app.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import URL, Engine, QueuePool, event
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from webapp.accounts.passwords import Cost, Passwords
from webapp.storage.database import Database

CHEAP = Cost(memory=8, passes=1, lanes=1)
# As they are in the product: taken here, before anything is replaced. An object may be made while another
# one is installed.
_migrate, _opened, _cost = Database.migrate, Database._create_engine, Passwords.__init__.__defaults__


class Templates(BytecodeCache):
    """Those compiled in this process, by name and text."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._compiled.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._compiled[bucket.key, bucket.checksum] = bucket.code


_compile_builder = Rule._compile_builder
_builders: dict[object, Callable[..., tuple[str, str]]] = {}


def _builder(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
    """What makes addresses of a rule: the same for the same rule of every app."""
    if rule.defaults:
        return _compile_builder(rule, append_unknown)
    key: Any = (append_unknown, *rule._trace)
    if key not in _builders:
        _builders[key] = _compile_builder(rule, append_unknown)
    return _builders[key]


_compile = Rule.compile
_compiled: dict[object, tuple[Any, ...]] = {}


def _compile_once(rule: Rule) -> None:
    """What a rule matches: likewise the same for every app."""
    key = (rule.map.host_matching, rule.host, rule.subdomain, rule.rule, rule.merge_slashes)  # type: ignore[union-attr]
    if rule.defaults or key not in _compiled:
        _compile(rule)
        if not rule.defaults:
            _compiled[key] = rule._parts, rule._trace, rule._converters, rule.arguments
        return
    rule._parts, rule._trace, rule._converters, rule.arguments = _compiled[key]
    rule._build = rule._compile_builder(False).__get__(rule, None)
    rule._build_unknown = rule._compile_builder(True).__get__(rule, None)


# Compiled statements of all databases: SQLAlchemy keeps them by dialect, of which each engine has its own.
_statements: LRUCache[Any, Any] = LRUCache(5000)


def _alike(dialect: SQLiteDialect, other: object) -> bool:
    return type(dialect) is type(other)


def _hash_of_kind(dialect: SQLiteDialect) -> int:
    return hash(type(dialect))


def _open_knowing(database: Database, **pool: Any) -> Engine:
    if database._is_sqlite:  # to open the file anew for each transaction is a quarter of an app's start
        pool = {"poolclass": QueuePool, "max_overflow": -1}
    engine = _opened(database, **pool)
    engine.update_execution_options(compiled_cache=_statements)
    if engine.url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _forgetful)
    return engine


def _forgetful(connection: Any, _record: object) -> None:
    """No test outlives a power cut: nothing waits for the disk."""
    connection.execute("PRAGMA synchronous=OFF")


class Quick:
    """From :meth:`install` to :meth:`remove`, new databases of SQLite are copies of ``folder``'s."""

    def __init__(self, folder: Path) -> None:
        self._template = folder / "migrated.sqlite3"
        self._templates = Templates()

    def install(self) -> None:
        def migrate(database: Database) -> None:
            place = Path(database.engine.url.database or "")
            if database.engine.url.get_backend_name() == "sqlite" and not place.exists():
                shutil.copy(self._made(), place)
                return
            _migrate(database)

        Database.migrate = migrate  # type: ignore[method-assign]
        Database._create_engine = _open_knowing  # type: ignore[method-assign]
        SQLiteDialect.__eq__ = _alike  # type: ignore[assignment]
        SQLiteDialect.__hash__ = _hash_of_kind  # type: ignore[assignment]
        Passwords.__init__.__defaults__ = (CHEAP,)  # type: ignore[attr-defined]
        Flask.jinja_options = {"bytecode_cache": self._templates}
        Rule._compile_builder = _builder  # type: ignore[method-assign]
        Rule.compile = _compile_once  # type: ignore[method-assign]

    def remove(self) -> None:
        Database.migrate = _migrate  # type: ignore[method-assign]
        Database._create_engine = _opened  # type: ignore[method-assign]
        SQLiteDialect.__eq__ = object.__eq__  # type: ignore[method-assign]
        SQLiteDialect.__hash__ = object.__hash__  # type: ignore[method-assign]
        Passwords.__init__.__defaults__ = _cost  # type: ignore[attr-defined]
        Flask.jinja_options = {}
        Rule._compile_builder = _compile_builder  # type: ignore[method-assign]
        Rule.compile = _compile  # type: ignore[method-assign]

    def _made(self) -> Path:
        if not self._template.exists():
            url = URL.create("sqlite", database=str(self._template))
            database = Database(url, {})
            _migrate(database)
            database.close()
        return self._template
