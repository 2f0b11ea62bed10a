"""``python -m webapp.worker.standalone`` around the engine of ``fake_worker``."""

from __future__ import annotations

import sys
from pathlib import Path

from webapp.worker import standalone, supervisor

if __name__ == "__main__":
    supervisor.WORKER = [str(Path(__file__).with_name("fake_worker.py"))]
    sys.exit(standalone.main())
