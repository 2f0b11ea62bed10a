"""The Chromium that tests, screenshots and benchmarks drive."""

from __future__ import annotations

import shutil

# Debian's headless shell is the same engine without the browser's own pages and processes around it, which
# take more processor time than the pages that are tested.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
