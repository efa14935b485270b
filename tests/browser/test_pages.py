"""A person's way through the product, in Chromium against a running hub."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

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
SECONDS = 60


@pytest.fixture
def browser(hub) -> Iterator[webdriver.Chrome]:
    """Ada, signed in."""
    if not Path("/usr/bin/chromium").exists():
        pytest.skip("chromium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in FLAGS:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    driver.set_window_size(1280, 900)
    driver.get(f"{hub.url}/hub/login")
    driver.find_element(By.NAME, "username").send_keys("ada")
    driver.find_element(By.NAME, "password").send_keys(hub.passwords["ada"])
    driver.find_element(By.CSS_SELECTOR, "form [type=submit]").send_keys(Keys.ENTER)
    wait(driver, lambda: "Hello, ada" in text(driver))
    yield driver
    driver.quit()


def wait(driver: webdriver.Chrome, condition) -> None:
    WebDriverWait(driver, SECONDS, poll_frequency=0.2, ignored_exceptions=(Exception,)).until(lambda _: condition())


def text(driver: webdriver.Chrome) -> str:
    return driver.find_element(By.TAG_NAME, "body").text


def picture(driver: webdriver.Chrome, name: str) -> None:
    """A screenshot at both widths, where SATURN_SCREENSHOTS names a folder."""
    folder = os.environ.get("SATURN_SCREENSHOTS")
    for width in (1280, 390) if folder else ():
        driver.set_window_size(width, 900)
        driver.save_screenshot(f"{folder}/{name}-{width}.png")
    driver.set_window_size(1280, 900)


def errors(driver: webdriver.Chrome) -> list[str]:
    """What the browser's console complains of, a refused inline script among it."""
    return [each["message"] for each in driver.get_log("browser") if each["level"] == "SEVERE"]


def test_a_person_makes_a_job_and_reads_its_log_live(browser, hub):
    picture(browser, "home")
    browser.get(f"{hub.url}/services/saturn/new/job")
    picture(browser, "new-job")
    browser.find_element(By.NAME, "name").send_keys("seen")
    browser.find_element(By.NAME, "command").send_keys("echo the log is here; date > outputs/when.txt")
    browser.find_element(By.CSS_SELECTOR, "main form .btn-primary").send_keys(Keys.ENTER)
    wait(browser, lambda: "It has not run yet" in text(browser))
    browser.find_element(By.CSS_SELECTOR, "main form .btn-primary").send_keys(Keys.ENTER)
    wait(browser, lambda: "succeeded" in text(browser) and "the log is here" in text(browser) and "outputs/when.txt" in text(browser))
    picture(browser, "run")
    assert errors(browser) == []


def test_a_form_says_what_is_wrong_and_keeps_what_was_typed(browser, hub):
    browser.get(f"{hub.url}/services/saturn/new/workspace")
    picture(browser, "new-workspace")
    browser.find_element(By.NAME, "name").send_keys("Not A Name")
    browser.find_element(By.CSS_SELECTOR, "main form .btn-primary").send_keys(Keys.ENTER)
    wait(browser, lambda: "cannot be a name" in text(browser))
    assert browser.find_element(By.NAME, "name").get_attribute("value") == "Not A Name"


def test_a_page_that_is_not_there_says_so_in_words(browser, hub):
    browser.get(f"{hub.url}/services/saturn/jobs/eve/secret")
    assert "There is no job 'secret' of eve that you may see." in text(browser)


def test_jupyterlab_opens_from_a_workspace(browser, hub):
    browser.get(f"{hub.url}/services/saturn/new/workspace")
    browser.find_element(By.NAME, "name").send_keys("lab")
    browser.find_element(By.CSS_SELECTOR, "main form .btn-primary").send_keys(Keys.ENTER)
    wait(browser, lambda: "Open JupyterLab" in text(browser))
    picture(browser, "workspace")
    browser.get(f"{hub.url}/user/ada/lab/lab")
    wait(browser, lambda: browser.find_element(By.CSS_SELECTOR, ".jp-Launcher, .jp-LauncherCard"))
    assert "VS Code" in text(browser) or not (Path(os.environ.get("SATURN_IMAGES", ".images")) / "code-server" / "node_modules").is_dir()
    picture(browser, "jupyterlab")
