"""Reelproof as installed by the wheel; this folder has its packages (``detector``, ``webapp``, …).

Importing this puts the folder first in ``sys.path``, so that the commands find these packages even if another
distribution has one of the same name.
"""

import sys
from pathlib import Path

_FOLDER = str(Path(__file__).resolve().parent)
sys.path[:] = [_FOLDER, *(path for path in sys.path if path != _FOLDER)]


def command() -> int:
    """Run ``reelproof``: all commands."""
    from cli.main import main

    return main()


def reports_command() -> int | None:
    """Run ``reelproof-reports``: render and verify reports."""
    from cli.reports.main import main

    return main()


def web_command() -> int | None:
    """Run ``reelproof-web``: the web app, or one of its commands."""
    from cli.web.main import main

    return main()


def worker_command() -> int | None:
    """Run ``reelproof-worker``: workers of a shared queue."""
    from webapp.worker.standalone import main

    return main()
