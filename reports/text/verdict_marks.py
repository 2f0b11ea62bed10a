"""How verdicts and conclusions are marked: by a name that is a class of style sheets, and that of an icon."""

from __future__ import annotations

MARKS = {
    "manipulated": "manipulated",
    "no manipulation found": "not-found",
    "inconclusive": "inconclusive",
}
