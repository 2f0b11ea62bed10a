"""What headers of uploads look like, for their check and their description."""

from __future__ import annotations

_PAIR = r"[A-Za-z0-9_.-]{1,60}( [A-Za-z0-9+/]{0,4000}={0,2})?"
METADATA = f"^{_PAIR}(,{_PAIR}){{0,9}}$"
LONGEST_METADATA = 8000
