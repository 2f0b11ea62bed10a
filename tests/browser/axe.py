"""What axe-core says of a page, in either theme (WCAG 2.2 AA and its best practices), and whether it fits."""

from __future__ import annotations

from importlib.resources import files

from playwright.sync_api import Page

_AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
_OF_COLOURS = ("color-contrast", "link-in-text-block")


def complaints(page: Page, theme: str = "light", part: str = "html") -> list[str]:
    """What it finds in the elements of the selector ``part``.

    Of the dark theme, which is the same page in other colours, by the rules for colours.

    The context of ``page`` needs ``bypass_csp``: pages forbid scripts from elsewhere, and this is one.
    """
    options: dict[str, object] = {"resultTypes": ["violations"]}
    if theme == "dark":
        options["runOnly"] = {"type": "rule", "values": _OF_COLOURS}
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(_AXE)
    violations = page.evaluate("async (given) => (await axe.run(...given)).violations", [part, options])
    return [
        f"{violation['id']}: {violation['help']}\n  {node['html'][:200]}\n  {node['failureSummary']}"
        for violation in violations
        for node in violation["nodes"]
    ]


def complaints_in_both(page: Page, part: str = "html") -> list[str]:
    """What it finds in the light theme and in the dark one, of a page that is light and is so afterwards."""
    violations = complaints(page, part=part)
    page.emulate_media(color_scheme="dark")
    violations += complaints(page, "dark", part)
    page.emulate_media(color_scheme="light")
    return violations


def horizontal_overflow(page: Page) -> int:
    """Pixels by which a page is wider than its window; above 0 it scrolls sideways."""
    width: int = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return width
