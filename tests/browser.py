"""A real browser without a window, for pages that dlopt writes; tests are skipped where there is none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def opened(page: Path, width: int = 1400) -> Iterator[Any]:
    """The driver of a browser that shows a page; at the end nothing may have been logged or asked of a network."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (pip install 'dlopt[dev]')")
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("no browser: chromium and chromedriver are not on the path")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 600}
        window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        window.get(page.as_uri())
        yield window
        assert window.get_log("browser") == []
        asked = [json.loads(line["message"])["message"] for line in window.get_log("performance")]
        urls = [m["params"]["request"]["url"] for m in asked if m["method"] == "Network.requestWillBeSent"]
        assert [url for url in urls if not url.startswith(("file:", "data:"))] == []
    finally:
        window.quit()
