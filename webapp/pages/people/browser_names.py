"""Which browser on which system a session belongs to, in the names that its owner knows."""

from __future__ import annotations

# By what stands in the header User-Agent. Most browsers name others as well: the first that fits counts.
_BROWSERS = {
    "Edg/": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
_SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


def browser_name(agent: str) -> str:
    """Browser and system, such as “Firefox, Windows”; what it calls itself where it is none of these."""
    browser, system = (_first(names, agent) for names in (_BROWSERS, _SYSTEMS))
    return ", ".join(filter(None, (browser, system))) if browser else agent


def _first(names: dict[str, str], agent: str) -> str:
    return next((name for mark, name in names.items() if mark in agent), "")
