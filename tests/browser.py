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
def opened(page: Path, width: int = 1400, *, script: bool = True, media: dict[str, str] | None = None) -> Iterator[Any]:
    """The driver of a browser that shows a page; at the end nothing may have been logged or asked of a network.

    Args:
        page: the file.
        width: of the window; below 600 it is a phone's.
        script: whether the scripts of the page run.
        media: `media` (`print`), and features by name, such as `prefers-color-scheme`.
    """
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
        window.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not script})
        if media:
            features = [{"name": name, "value": value} for name, value in media.items() if name != "media"]
            window.execute_cdp_cmd(
                "Emulation.setEmulatedMedia", {"media": media.get("media", ""), "features": features}
            )
        window.get(page.as_uri())
        yield window
        assert window.get_log("browser") == []
        asked = [json.loads(line["message"])["message"] for line in window.get_log("performance")]
        urls = [m["params"]["request"]["url"] for m in asked if m["method"] == "Network.requestWillBeSent"]
        assert [url for url in urls if not url.startswith(("file:", "data:"))] == []
    finally:
        window.quit()


_FAINT = """
const rgb = text => text.match(/[\\d.]+/g).map(Number);
const light = text => {
  const [r, g, b] = rgb(text).map(part => part / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = node => {
  for (let at = node; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if ((rgb(colour)[3] ?? 1) > 0) return colour;
  }
  return "rgb(255, 255, 255)";
};
const found = [];
for (const node of document.querySelectorAll("body *")) {
  const own = [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim());
  if (!own || !node.getClientRects().length || node.closest("svg, script, style")) continue;
  const [a, b] = [light(getComputedStyle(node).color), light(behind(node))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < 4.5) found.push([node.tagName, node.textContent.slice(0, 40), ratio]);
}
return found;
"""


def faint(window: Any) -> list[Any]:
    """Words on the page whose contrast with what is behind them is below 4.5 to 1 (WCAG AA): tag, words, ratio."""
    found: list[Any] = window.execute_script(_FAINT)
    return found


_CUT = """
const found = [];
for (const node of document.querySelectorAll("body *")) {
  const style = getComputedStyle(node);
  if (node.closest("svg") || !node.getClientRects().length) continue;
  const hidden = ["hidden", "clip"].includes(style.overflowX) || style.textOverflow === "ellipsis";
  if (hidden && node.scrollWidth > node.clientWidth + 1) found.push([node.tagName, node.textContent.slice(0, 40)]);
  const box = node.getBoundingClientRect();
  const scrolls = node.closest(".scroll, figure, pre");
  const leaf = !scrolls && node.childElementCount === 0;
  if (leaf && box.right > innerWidth + 1) found.push([node.tagName, node.textContent.slice(0, 40)]);
}
return found;
"""


def cut(window: Any) -> list[Any]:
    """What is cut off or reaches beyond the right edge without a place that scrolls: tag, words."""
    found: list[Any] = window.execute_script(_CUT)
    return found
