"""The editors and dashboards themselves, in Chromium on a running hub: what only works when their websockets do."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
SECONDS = 90
IMAGES = Path(os.environ.get("SATURN_IMAGES", Path(__file__).parents[2] / ".images")).resolve()


@pytest.fixture
def chrome(hub: Any) -> Iterator[webdriver.Chrome]:
    """Ada, signed in."""
    if not Path("/usr/bin/chromium").exists():
        pytest.skip("chromium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    driver.set_window_size(1280, 900)
    driver.get(f"{site(hub)}/hub/login")
    driver.find_element(By.NAME, "username").send_keys("ada")
    driver.find_element(By.NAME, "password").send_keys(hub.passwords["ada"])
    driver.find_element(By.CSS_SELECTOR, "form [type=submit]").send_keys(Keys.ENTER)
    wait(driver, lambda: driver.find_element(By.CSS_SELECTOR, "body[data-base][data-xsrf]") and "/services/saturn" in urlsplit(driver.current_url).path)
    driver.xsrf = driver.find_element(By.TAG_NAME, "body").get_attribute("data-xsrf")  # type: ignore[attr-defined]
    yield driver
    driver.quit()


def site(hub: Any) -> str:
    """The address that the hub prints: apps send a browser there to sign in, and cookies of 127.0.0.1 are not those of localhost."""
    return f"http://localhost:{urlsplit(hub.url).port}"


def wait(driver: webdriver.Chrome, condition: Callable[[], Any], seconds: float = SECONDS) -> Any:
    return WebDriverWait(driver, seconds, poll_frequency=0.2, ignored_exceptions=(Exception,)).until(lambda _: condition())


def text(driver: webdriver.Chrome, selector: str = "body") -> str:
    return "\n".join(each.text for each in driver.find_elements(By.CSS_SELECTOR, selector))


def picture(driver: webdriver.Chrome, name: str) -> None:
    if folder := os.environ.get("SATURN_SCREENSHOTS"):
        driver.save_screenshot(f"{folder}/{name}-1280.png")


def ask(driver: webdriver.Chrome, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """The product's API, asked from its own page."""
    found = driver.execute_async_script(
        """const [token, method, path, body, done] = arguments;
        const headers = {"Content-Type": "application/json", "X-XSRFToken": token};
        fetch("/services/saturn/api/v1" + path, {method, headers, body: body === null ? undefined : body})
          .then(async answer => done({status: answer.status, text: await answer.text()}), error => done({status: 0, text: String(error)}));""",
        driver.xsrf,  # type: ignore[attr-defined]
        method,
        path,
        None if body is None else json.dumps(body),
    )
    assert 0 < found["status"] < 500, found
    return dict(json.loads(found["text"] or "{}"))


@pytest.fixture
def desk(chrome: webdriver.Chrome, hub: Any) -> str:
    """A running workspace of ada's, as its address."""
    ask(chrome, "POST", "/recipes", {"schema": 1, "kind": "workspace", "name": "tools", "size": "medium", "image": "local", "tool": "jupyterlab"})
    if ask(chrome, "GET", "/recipes/workspace/ada/tools")["state"] != "running":
        ask(chrome, "POST", "/workspaces/ada/tools/start")
    wait(chrome, lambda: ask(chrome, "GET", "/recipes/workspace/ada/tools")["state"] == "running")
    return f"{site(hub)}/user/ada/tools"


def notebook(cell: str, kernel: str, language: str) -> str:
    """A notebook of one cell that has not run."""
    cells = [{"cell_type": "code", "id": "a", "execution_count": None, "metadata": {}, "outputs": [], "source": cell}]
    spec = {"name": kernel, "display_name": kernel, "language": language}
    return json.dumps({"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5})


def put(driver: webdriver.Chrome, desk: str, name: str, content: str) -> None:
    """Write a file of the workspace through Jupyter's own API, from its page."""
    status = driver.execute_async_script(
        """const [url, content, done] = arguments;
        const token = document.cookie.split("; ").filter(each => each.startsWith("_xsrf=")).map(each => each.slice(6))[0] || "";
        const body = JSON.stringify({type: "file", format: "text", content});
        fetch(url, {method: "PUT", headers: {"X-XSRFToken": token, "Content-Type": "application/json"}, body})
          .then(answer => done(answer.status), error => done(String(error)));""",
        f"{desk}/api/contents/{name}",
        content,
    )
    assert status in (200, 201), status


@pytest.mark.parametrize(
    ("kernel", "language", "cell", "said"),
    [("python3", "python", "print(6 * 7, 'in', __import__('sys').platform)", "42 in linux"), ("ir", "R", "cat(6 * 7, 'in', R.version$language)", "42 in R")],
)
def test_jupyterlab_runs_a_cell(chrome, desk, kernel, language, cell, said):
    chrome.get(f"{desk}/lab?reset")
    wait(chrome, lambda: chrome.find_element(By.CSS_SELECTOR, ".jp-LauncherCard"))
    put(chrome, desk, f"{language}.ipynb", notebook(cell, kernel, language))
    chrome.get(f"{desk}/lab/tree/{language}.ipynb?reset")
    # The page says "idle" also before its kernel is there, and would ask which one to run the cell in.
    wait(chrome, lambda: [each for each in json.loads(fetched(chrome, f"{desk}/api/kernels")) if (each["name"], each["execution_state"]) == (kernel, "idle")])
    wait(chrome, lambda: chrome.find_element(By.CSS_SELECTOR, ".jp-Notebook-ExecutionIndicator").get_attribute("data-status") == "idle")
    wait(chrome, lambda: chrome.find_element(By.CSS_SELECTOR, ".jp-Notebook .jp-Cell .cm-content").click() is None)
    webdriver.ActionChains(chrome).key_down(Keys.SHIFT).send_keys(Keys.ENTER).key_up(Keys.SHIFT).perform()
    wait(chrome, lambda: said in text(chrome, ".jp-OutputArea-output"))
    picture(chrome, f"jupyterlab-{language.lower()}")


def test_jupyterlabs_terminal_echoes(chrome, desk):
    chrome.get(f"{desk}/lab?reset")
    wait(chrome, lambda: chrome.find_element(By.CSS_SELECTOR, ".jp-LauncherCard[title*=terminal i], .jp-LauncherCard[data-category=Other]"))
    chrome.find_element(By.XPATH, "//*[contains(@class,'jp-LauncherCard')][.//*[text()='Terminal']]").click()
    screen = wait(chrome, lambda: chrome.find_element(By.CSS_SELECTOR, ".jp-Terminal textarea"))
    echoes(chrome, screen, f"{desk}/files/typed.txt")


def echoes(driver: webdriver.Chrome, screen: Any, url: str) -> None:
    """Type into a terminal until its shell has written a file: what is typed before the shell is there is lost, as for a person."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        screen.send_keys(f"echo $((6 * 7))-typed > ~/{url.rpartition('/')[2]}", Keys.ENTER)
        with contextlib.suppress(TimeoutException):
            wait(driver, lambda: fetched(driver, url) == "42-typed\n", 3)
            return
    raise AssertionError(f"the terminal does not echo: {text(driver)[-500:]}")


def fetched(driver: webdriver.Chrome, url: str) -> str:
    script = """const [url, done] = arguments;
        const token = document.cookie.split("; ").filter(each => each.startsWith("_xsrf=")).map(each => each.slice(6))[0] || "";
        fetch(url, {cache: "no-store", headers: {"X-XSRFToken": token}}).then(answer => answer.text()).then(done, error => done(String(error)));"""
    return str(driver.execute_async_script(script, url))


def test_vs_code_opens_the_folder_its_terminal_and_its_extension_host(chrome, desk):
    if not (IMAGES / "code-server" / ".installed.txt").exists():
        pytest.skip("code-server is not installed")
    chrome.get(f"{desk}/lab?reset")
    wait(chrome, lambda: chrome.find_element(By.CSS_SELECTOR, ".jp-LauncherCard"))
    put(chrome, desk, "opened.json", '{"a": 1,, }')
    chrome.get(f"{desk}/vscode/")
    wait(chrome, lambda: "opened.json" in text(chrome, ".explorer-folders-view"))
    picture(chrome, "vscode")
    # The JSON extension runs in the extension host and nowhere else: only there does the second comma become a problem.
    webdriver.ActionChains(chrome).double_click(
        next(each for each in chrome.find_elements(By.CSS_SELECTOR, ".explorer-folders-view .label-name") if each.text == "opened.json")
    ).perform()
    wait(chrome, lambda: chrome.find_element(By.CSS_SELECTOR, ".monaco-editor .squiggly-error"))
    assert [each for each in sockets(chrome) if "type=ExtensionHost" in each or "/vscode/" in each]
    webdriver.ActionChains(chrome).key_down(Keys.CONTROL).send_keys("`").key_up(Keys.CONTROL).perform()
    # VS Code asks before it runs anything in a folder that is new to it.
    wait(chrome, lambda: chrome.find_element(By.XPATH, "//*[contains(@class,'monaco-button')][contains(., 'Trust Folder')]").click() is None)
    screen = wait(chrome, lambda: chrome.find_element(By.CSS_SELECTOR, ".terminal-wrapper.active textarea, .terminal textarea"))
    wait(chrome, lambda: chrome.find_element(By.CSS_SELECTOR, ".terminal .xterm-screen"))
    echoes(chrome, screen, f"{desk}/files/code.txt")
    picture(chrome, "vscode-terminal")


def sockets(driver: webdriver.Chrome) -> list[str]:
    """The websockets that the page opened."""
    messages = [json.loads(each["message"])["message"] for each in driver.get_log("performance")]
    return [each["params"]["url"] for each in messages if each["method"] == "Network.webSocketCreated"]


def test_a_slider_of_the_dashboard_moves_its_figure(chrome, hub):
    wait(chrome, lambda: ask(chrome, "GET", "/recipes/app/ada/dashboard")["state"] == "serving")
    chrome.get(f"http://dashboard.apps.localhost:{hub.apps_port}/")
    wait(chrome, lambda: "0.6" in text(chrome, "[data-testid=stMetricValue]"))
    picture(chrome, "dashboard")
    slider = "[data-testid=stSlider] [role=slider], [data-testid=stSlider] input[type=range]"
    wait(chrome, lambda: chrome.find_element(By.CSS_SELECTOR, slider).send_keys(Keys.ARROW_RIGHT) is None)
    wait(chrome, lambda: "0.667" in text(chrome, "[data-testid=stMetricValue]"))
