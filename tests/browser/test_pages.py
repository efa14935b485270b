"""Each page alone: its keyboard, its words where something is wrong, and what axe-core says of it."""

from __future__ import annotations

import pytest
from browser.conftest import AXE
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

PLACES = ["/", "/workspaces", "/jobs", "/apps", "/gallery", "/search?q=churn", "/jobs?state=problem", "/environments/compare"]
FORMS = ["/new/workspace", "/new/job", "/new/app", "/new/job?as=yaml", "/jobs/ada/churn/edit"]
THINGS = ["/workspaces/ada/churn", "/jobs/ada/churn", "/apps/ada/dashboard", "/jobs/ada/churn/delete", "/nothing-here", "/admin"]


def named(path: str) -> str:
    return path.strip("/").replace("/", "-").replace("?", "-").replace("=", "-") or "home"


@pytest.mark.parametrize("path", [*PLACES, *FORMS, *THINGS])
def test_a_page_is_clean_for_axe_and_for_the_console(ada, path):
    if not AXE.exists():
        pytest.skip("axe-core is not installed")
    ada.go(path)
    ada.picture(named(path))
    assert ada.violations() == []
    # Of a refused or missing page the console tells the status itself.
    assert [each for each in ada.errors() if "the server responded with a status of 40" not in each] == []


@pytest.mark.parametrize("path", ["/admin", "/people"])
def test_an_admins_page_is_clean_too(open_browser, path):
    if not AXE.exists():
        pytest.skip("axe-core is not installed")
    admin = open_browser("admin")
    admin.go(path)
    admin.picture(named(path) + "-as-admin")
    assert admin.violations() == []
    assert admin.errors() == []


def test_the_keyboard_reaches_everything(ada):
    ada.go("/jobs")
    keys = ActionChains(ada.driver)
    keys.send_keys(Keys.TAB).perform()
    assert ada.driver.switch_to.active_element.text == "Skip to the page"
    ada.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert ada.driver.execute_script("return document.activeElement.id") == "main"
    ActionChains(ada.driver).send_keys("/").perform()
    assert ada.driver.execute_script("return document.activeElement.id") == "search"
    ada.driver.switch_to.active_element.send_keys("churn", Keys.ENTER)
    ada.wait(lambda: "“churn”" in ada.text("h1"))
    ActionChains(ada.driver).send_keys("g", "h").perform()
    ada.wait(lambda: "Hello, ada" in ada.text())
    ada.go("/jobs")
    ActionChains(ada.driver).send_keys("n").perform()
    ada.wait(lambda: ada.text("h1") == "New job")


def test_on_a_phone_the_navigation_folds_and_no_page_is_wider_than_the_screen(ada):
    ada.width(390)
    for path in [*PLACES, *FORMS, *THINGS]:
        ada.go(path)
        assert ada.driver.execute_script("return document.documentElement.scrollWidth") <= 390, path
    ada.go("/")
    assert not ada.find("#places").is_displayed()
    ada.find("#fold").send_keys(Keys.ENTER)
    assert ada.find("#places").is_displayed()


def test_a_form_says_what_is_wrong_before_the_click_and_keeps_what_was_typed(ada):
    ada.go("/new/job")
    ada.fill("#name", "churn")
    ada.wait(lambda: "ada already has a job called 'churn'." in ada.text("#name-wrong"))
    ada.fill("#cron", "0 6 * *")
    ada.wait(lambda: "five fields" in ada.text("#cron-wrong"))
    ada.fill("#cron", "0 6 * * 1-5")
    ada.fill("#timezone", "Europe/Paris")
    ada.fill("#command", "date")
    ada.wait(lambda: "At 06:00, Monday through Friday, Europe/Paris." in ada.text("#schedule-words"))
    assert "an hour while it runs" in ada.text("#costs")
    ada.press("YAML")
    ada.wait(lambda: "timezone: Europe/Paris" in ada.find("#yaml").get_attribute("value"))
    ada.press("Form")
    ada.wait(lambda: ada.find("#cron").get_attribute("value") == "0 6 * * 1-5")
    ada.press("Make the job")
    ada.wait(lambda: "This cannot be saved yet:" in ada.text())
    assert ada.find("#name").get_attribute("value") == "churn"


def test_the_first_view_of_the_home_page_weighs_at_most_300_kilobytes(ada):
    ada.driver.execute_cdp_cmd("Network.enable", {})
    ada.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    ada.go("/")
    ada.wait(lambda: ada.driver.execute_script("return document.readyState") == "complete")
    sizes = ada.driver.execute_script(
        "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        ".filter(each => each.initiatorType !== 'eventsource').map(each => [each.name, each.transferSize])"
    )
    assert len(sizes) > 5
    assert sum(size for _, size in sizes) <= 300_000, sizes
