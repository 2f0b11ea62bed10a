"""A hook of MkDocs: show the Sphinx roles of docstrings (``:class:`~a.b.C```) as code."""

from __future__ import annotations

import re
from typing import Any

_ROLE = re.compile(r":(?:class|func|meth|mod|attr|data|exc):<code>~?(?:[\w.]+\.)?(\w+)</code>")


def on_page_content(html: str, **_: Any) -> str:
    """Return ``html`` without the names of roles."""
    return _ROLE.sub(r"<code>\1</code>", html)
