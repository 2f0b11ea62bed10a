"""What is wrong with the ids and headings of a page."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

_ID = re.compile(r'\sid="([^"]*)"')
_NAMED = re.compile(r'\s(?:for|list|aria-(?:labelledby|describedby|controls))="([^"]*)"')

# Made by the script that shows what it names.
_SCRIPTED = {"inspector-title"}
_HEADING = re.compile(r"<h([1-6])[ >]")


def problems(html: str) -> list[str]:
    """Ids that stand more than once, those that are named and stand nowhere, and headings out of order."""
    ids = Counter(_ID.findall(html))
    named = {name for value in _NAMED.findall(html) for name in value.split()}
    levels = [int(level) for level in _HEADING.findall(html)]
    ordered = levels[:1] == [1] and levels.count(1) == 1
    ordered &= all(below <= above + 1 for above, below in pairwise(levels))
    return [
        *(f"twice: {name}" for name, count in ids.items() if count > 1),
        *(f"nowhere: {name}" for name in sorted(named - set(ids) - _SCRIPTED)),
        *([] if ordered else [f"headings: {levels}"]),
    ]
