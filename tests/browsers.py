"""The browser that the tests of pages use; `conftest.py` makes it a fixture of all."""

import importlib.util
import os
import shutil

import pytest

PATIENCE = 120_000  # milliseconds for what takes a moment where nothing else is busy
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-dev-shm-usage",
]


@pytest.fixture(scope="module")  # no longer: while it is open, nothing else in this thread may run an event loop
def browser():
    """Chromium; a test that needs one says what to install, and skips outside CI."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not os.environ.get("CI"):
        if not importlib.util.find_spec("playwright"):
            pytest.skip("needs playwright: pip install playwright")
        if not chromium:
            pytest.skip("needs a browser: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        running.on("context", lambda context: context.set_default_timeout(PATIENCE))
        yield running
        running.close()
