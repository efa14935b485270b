"""Chromium, signed in as whom a test needs, and what every browser test asks of a page."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SECONDS = 90
IMAGES = Path(os.environ.get("SATURN_IMAGES", Path(__file__).parents[2] / ".images")).resolve()
AXE = IMAGES / "test" / "node_modules" / "axe-core" / "axe.min.js"


class Browser:
    """One person's browser on one hub."""

    def __init__(self, hub: Any, name: str) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in FLAGS:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
        # The address that the hub prints: apps send a browser there to sign in.
        self.site = f"http://localhost:{urlsplit(hub.url).port}"
        self.base = f"{self.site}/services/saturn"
        self.width(1280)
        self.sign_in(name, hub.passwords[name])

    def sign_in(self, name: str, password: str) -> None:
        self.driver.get(f"{self.site}/hub/login")
        self.find("[name=username]").send_keys(name)
        self.find("[name=password]").send_keys(password)
        self.picture("login")
        self.find("form [type=submit]").send_keys(Keys.ENTER)
        self.wait(lambda: f"Hello, {name}" in self.text())

    def go(self, path: str) -> None:
        self.driver.get(self.base + path)

    def find(self, selector: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def press(self, label: str, within: str = "main") -> None:
        """Press the button or link that says `label`, by the keyboard, as it stands when it is there."""
        xpath = f"//{within}//*[self::button or self::a][normalize-space(.)='{label}' and not(contains(@class, 'visually-hidden'))]"
        self.wait(lambda: [each.send_keys(Keys.ENTER) for each in self.driver.find_elements(By.XPATH, xpath)[:1]])

    def fill(self, selector: str, text: str) -> None:
        field = self.find(selector)
        field.clear()
        field.send_keys(text)

    def text(self, selector: str = "body") -> str:
        return "\n".join(each.text for each in self.all(selector))

    def wait(self, condition: Callable[[], Any], seconds: float = SECONDS) -> Any:
        return WebDriverWait(self.driver, seconds, poll_frequency=0.2, ignored_exceptions=(Exception,)).until(lambda _: condition())

    def width(self, pixels: int) -> None:
        """The width of what a page sees: a window cannot be as narrow as a phone."""
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": pixels, "height": 900, "deviceScaleFactor": 1, "mobile": False})

    def theme(self, name: str) -> None:
        self.driver.execute_script("localStorage.setItem('jupyterhub-bs-theme', arguments[0]); document.documentElement.dataset.bsTheme = arguments[0]", name)

    def picture(self, name: str) -> None:
        """Screenshots at both widths in both themes, where SATURN_SCREENSHOTS names a folder."""
        folder = os.environ.get("SATURN_SCREENSHOTS")
        for theme in ("dark", "light") if folder else ():
            self.theme(theme)
            for width in (390, 1280):
                self.width(width)
                self.driver.save_screenshot(f"{folder}/{name}-{width}-{theme}.png")

    def errors(self) -> list[str]:
        """What the console complains of, a refused inline script among it."""
        return [each["message"] for each in self.driver.get_log("browser") if each["level"] == "SEVERE"]

    def violations(self) -> list[str]:
        """What axe-core finds against WCAG 2.2 A and AA on this page, in each theme."""
        found = []
        self.driver.execute_script(AXE.read_text())
        for theme in ("light", "dark"):
            self.theme(theme)
            result = self.driver.execute_async_script(
                "const done = arguments[0]; axe.run({iframes: false, runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']}).then(done)"
            )
            found += [f"{theme}: {each['id']}: {node['html'][:160]}" for each in result["violations"] for node in each["nodes"]]
        self.theme("light")
        return found


@pytest.fixture(scope="module")
def open_browser(hub: Any) -> Iterator[Callable[[str], Browser]]:
    """A person's browser, signed in once for the tests of a file; all are closed at the end."""
    if not Path("/usr/bin/chromium").exists():
        pytest.skip("chromium is not installed")
    opened: dict[str, Browser] = {}

    def one(name: str) -> Browser:
        if name not in opened:
            opened[name] = Browser(hub, name)
        found = opened[name]
        found.go("/")
        found.width(1280)
        found.theme("light")
        found.errors()
        return found

    yield one
    for each in opened.values():
        each.driver.quit()


@pytest.fixture
def ada(open_browser: Callable[[str], Browser]) -> Browser:
    return open_browser("ada")
