"""What tests do on the library's page."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Locator, Page


def item(page: Page, name: str) -> Locator:
    return page.locator(".queue-item").filter(has_text=name)


def row(page: Page, name: str) -> Locator:
    return page.locator("tr[data-analysis]").filter(has_text=name)


def hand_in(page: Page, address: str, files: list[Path]) -> None:
    page.goto(address)
    page.set_input_files("#file", files)
    page.get_by_role("button", name=re.compile("^Start")).click()
