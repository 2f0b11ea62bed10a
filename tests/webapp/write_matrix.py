"""Write the tables of docs/routes.md: ``make routes``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE / "accounts")]

if __name__ == "__main__":
    from people import with_login
    from test_permission_matrix import DOCUMENT, framed, printed

    with tempfile.TemporaryDirectory() as folder:
        app = with_login(Path(folder), [])
        text = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(framed(text, printed(app)), encoding="utf-8")
        app.extensions["database"].close()
