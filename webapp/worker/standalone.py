"""``python -m webapp.worker.standalone``: workers of a shared queue, without pages."""

from __future__ import annotations

import os
import sys

from sqlalchemy.exc import SQLAlchemyError

from webapp import logs
from webapp.custody import startup as custody_startup
from webapp.errors import UserError
from webapp.settings import SettingError, Settings, read_settings, warn_of_unknown_variables
from webapp.storage.data_folder import Folders
from webapp.storage.database import REVISION, connect, explain_unusable, refuse_newer
from webapp.worker.supervisor import Worker, record_signals, watch_worker


def main() -> int:
    """Run until told to stop. Return the exit status: 2 if it could not start."""
    os.umask(0o077)  # as the web process
    logs.configure(as_json=False)
    stop_signals = record_signals()
    warn_of_unknown_variables()
    try:
        settings = _checked(read_settings())
        logs.configure(as_json=settings.log_json)
        database = connect(settings)
        revision = database.revision()
        refuse_newer(revision)
        if revision == REVISION:
            custody_startup.check_key(database, settings)
        else:
            raise SettingError(
                f"The database's tables are at version {revision or 'none'}, this Reelproof needs "
                f"{REVISION}. Start python -m webapp of the same version once; it brings them up to date."
            )
    except (SettingError, UserError, OSError) as error:
        print(f"reelproof: {error}", file=sys.stderr)
        return 2
    except SQLAlchemyError as error:
        print(f"reelproof: {explain_unusable(settings, error)}", file=sys.stderr)
        return 2
    worker = Worker(settings)
    print(f"{settings.workers} worker(s) for the queues {', '.join(settings.queues)}", flush=True)
    try:
        worker.keep_running()
        watch_worker(worker, database, lambda: bool(stop_signals))
    finally:
        worker.stop_and_requeue(database)
        database.close()
    return 0


def _checked(settings: Settings) -> Settings:
    if not settings.shared:
        raise SettingError(
            "Workers on their own need a queue to share: set REELPROOF_BROKER and REELPROOF_DATABASE "
            "as on the machine that serves the pages."
        )
    if not settings.workers:
        raise SettingError("REELPROOF_WORKERS=0 leaves nothing to run. Set it to 1 or more.")
    folders = Folders.of(settings)
    folders.create()
    folders.store.check()
    if folders.store.elsewhere:
        folders.remove_abandoned()
    return settings


if __name__ == "__main__":
    sys.exit(main())
