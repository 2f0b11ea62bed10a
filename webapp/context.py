"""Settings, data folder and database of the current app. Each needs an application context."""

from __future__ import annotations

from flask import current_app

from webapp.settings import Settings
from webapp.storage.data_folder import Folders
from webapp.storage.database import Database


def settings() -> Settings:
    """Its settings."""
    found: Settings = current_app.extensions["settings"]
    return found


def folders() -> Folders:
    """Its data folder, with its store."""
    return Folders.of(settings())


def database() -> Database:
    """Its database."""
    found: Database = current_app.extensions["database"]
    return found
