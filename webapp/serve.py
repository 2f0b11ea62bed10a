"""``reelproof serve``: serve the pages and run the worker until Ctrl-C or SIGTERM."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Collection
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from reports.untrusted_input import is_loopback
from webapp import create_app, logs
from webapp.accounts import users
from webapp.custody import integrity, signing
from webapp.errors import UserError
from webapp.exhibits import deletion, older_rows
from webapp.exhibits.uploads.sample import sample_missing
from webapp.installed_models import service as model_service
from webapp.jobs import queue as job_queue
from webapp.jobs import recovery
from webapp.server import listen
from webapp.settings import (
    SettingError,
    Settings,
    read_settings,
    refuse_unprotected,
    warn_of_unknown_variables,
)
from webapp.storage.data_folder import Folders, lock_data_folder
from webapp.storage.database import Database, explain_unusable
from webapp.validations import store as stored_validations
from webapp.worker.supervisor import Worker, record_signals, watch, webhook_sender

log = logging.getLogger(__name__)


def main() -> int:
    """Run until told to stop. Return the exit status: 2 if it could not start."""
    os.umask(0o077)  # files of this process and its children are for this user alone
    logs.configure(as_json=False)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a short queue of requests is normal
    stop_signals = record_signals()
    warn_of_unknown_variables()
    try:
        settings = read_settings()
        logs.configure(as_json=settings.log_json)
        folders = Folders.of(settings)
        folders.create()
        lock = lock_data_folder(settings.data)
        folders.store.check()
        model_service.fetch_all_models(folders)
        app = create_app()
        refuse_unprotected(settings, _administrators(app))
        signing.check_signing_key(settings)
        server = listen(app, settings)
    except (SettingError, UserError, OSError) as error:
        print(f"reelproof: {error}", file=sys.stderr)
        return 2
    except SQLAlchemyError as error:
        print(f"reelproof: {explain_unusable(settings, error)}", file=sys.stderr)
        return 2
    try:
        _run(app, server, settings, stop_signals)
    finally:
        lock.close()
    return 0


def _run(app: Any, server: Any, settings: Settings, stop_signals: Collection[int]) -> None:
    """Serve pages and watch the workers until ``stop_signals`` holds a signal."""
    folders = Folders.of(settings)
    database, send = app.extensions["database"], app.extensions["send"]
    worker, sender = Worker(settings), webhook_sender(settings)
    with database.hold():
        folders.remove_leftovers(alone=not settings.shared)
        deletion.finish_deletions(database, folders)
        stored_validations.finish_interrupted_changes(database, folders)
        if not settings.shared:  # with one, others may run; the sweep finds those that do not
            recovery.requeue_running(database, count_attempt=True)
        threading.Thread(target=server.run, name="pages", daemon=True).start()
        arguments = (database, settings, threading.Event())
        threading.Thread(
            target=integrity.keep_checking, args=arguments, name="integrity", daemon=True
        ).start()
        for fill in older_rows.BACKFILLS:
            threading.Thread(target=fill, args=(database, folders), name="older rows", daemon=True).start()
        _warn_of_openness(settings, database)
        # Flushed: scripts read the address from a pipe.
        address = f"http://{settings.host}:{server.effective_port}"
        print(f"Reelproof is at {address}  (Ctrl-C stops it)", flush=True)
        try:
            worker.keep_running()
            resend(settings, app)
            watch(worker, sender, database, settings, send, lambda: bool(stop_signals))
        finally:
            # Page threads are daemons and end with the process; closing the server under them would only
            # cause errors in those that are answering.
            print("Reelproof stops.", flush=True)
            sender.stop()
            worker.stop_and_requeue(database)


def _warn_of_openness(settings: Settings, database: Database) -> None:
    """Warn on stderr of unencrypted connections, and of accounts without login."""
    if not is_loopback(settings.host) and not settings.proxy:
        print(
            "reelproof: without https, passwords and exhibits can be read on the way. Put a proxy with a "
            "certificate in front and set REELPROOF_PROXY: docs/security.md",
            file=sys.stderr,
        )
    if not settings.login and (accounts := _accounts(database)):
        print(
            f"reelproof: REELPROOF_LOGIN is off although there are accounts ({accounts}): whoever "
            "reaches this address may do everything, unnamed. Set REELPROOF_LOGIN=on so that people "
            "sign in.",
            file=sys.stderr,
        )


def _administrators(app: Any) -> int:
    with app.extensions["database"].begin() as session:
        return users.count_administrators(session)


def _accounts(database: Database) -> int:
    with database.begin() as session:
        return len(users.list_users(session))


def resend(settings: Settings, app: Any) -> None:
    """Send every queued job to the emptied embedded broker, and request the sample and missing fingerprints.

    Never raises: if the broker takes no messages yet, the sweep sends the jobs again.
    """
    from webapp.jobs import broker

    database = app.extensions["database"]
    sender = broker.Sender(settings, database)
    try:
        if not settings.shared:
            broker.discard_messages(settings)
            for job_id in job_queue.all_messages(database):
                sender(job_id)
        if sample_missing(database):
            sender.app.send_task(broker.SAMPLE)
        sender.app.send_task(broker.FINGERPRINTS)
    except Exception as error:
        log.warning("the broker takes no messages yet; jobs that wait are sent again: %s", error)
