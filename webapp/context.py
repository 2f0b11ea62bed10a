"""Settings, data folder and database of the current app. Each needs an application context."""

from __future__ import annotations

from flask import current_app

from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database


def settings() -> Settings:
    """Return the app's settings."""
    value: Settings = current_app.extensions["settings"]
    return value


def folders() -> Folders:
    """Return the app's data folder, with its object store."""
    return Folders.of(settings())


def database() -> Database:
    """Return the app's database."""
    value: Database = current_app.extensions["database"]
    return value
