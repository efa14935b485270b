"""The seven points of the product's story, walked in a browser as a person does."""

from __future__ import annotations

from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select


def test_a_person_signs_in_and_sees_what_there_is(ada):
    assert all(word in ada.text() for word in ("churn", "dashboard", "At work now", "This month", "New workspace"))
    ada.picture("story-1-home")
    assert ada.errors() == []


def test_a_workspace_is_made_started_used_and_resized(ada):
    ada.go("/new/workspace")
    ada.picture("story-2-new-workspace")
    ada.fill("#name", "walk")
    ada.press("Make and start")
    ada.wait(lambda: "starting" in ada.text("#head") or "running" in ada.text("#head"))
    ada.picture("story-2-starting")
    ada.wait(lambda: "Open JupyterLab" in ada.text("#now") and "running" in ada.text("#head"))
    ada.picture("story-2-running")
    ada.press("Stop")
    ada.wait(lambda: "stopped" in ada.text("#head"))
    ada.wait(lambda: ada.find("input[name=size][value=medium]").is_enabled())
    ada.find("input[name=size][value=medium]").send_keys(Keys.SPACE)
    ada.press("Change the size")
    ada.wait(lambda: "medium" in ada.text("#head"))
    assert ada.errors() == []


def test_a_job_is_made_run_with_parameters_and_read(ada):
    ada.go("/new/job")
    ada.fill("#name", "walked")
    ada.fill("#command", "printf '\\033[32mgreen %s\\033[0m\\n' {{ who }}; printf 'name,score\\nann,1\\n' > outputs/table.csv")
    ada.press("Add a parameter")
    ada.fill("[name=parameter_name]", "who")
    ada.fill("[name=parameter_default]", "nobody")
    ada.fill("#cron", "0 6 * * 1-5")
    ada.press("Make the job")
    ada.wait(lambda: "It has not run yet" in ada.text() and "At 06:00, Monday through Friday" in ada.text())
    ada.fill("#run-now [name=parameter_who], main form [name=parameter_who]", "ann & co")
    ada.press("Run now")
    ada.wait(lambda: "succeeded" in ada.text("#head") and "green ann & co" in ada.text("pre.log"))
    assert ada.all("pre.log .a32")
    ada.fill(".log-bar input", "ANN")
    ada.wait(lambda: "1 found" in ada.text(".log-state"))
    ada.wait(lambda: "outputs/table.csv" in ada.text("#files"))
    ada.picture("story-4-run")
    ada.press("outputs/table.csv")
    ada.wait(lambda: ada.text("main table").split() == ["name", "score", "ann", "1"])
    ada.picture("story-4-file")
    ada.driver.back()
    ada.press("Run again as recorded")
    ada.wait(lambda: "succeeded" in ada.text("#head") and "the original" in ada.text())
    ada.picture("story-6-again")
    assert ada.errors() == []


def test_an_app_is_shared_with_a_person_and_refused_to_others(ada, open_browser):
    ada.go("/apps/ada/dashboard")
    ada.wait(lambda: "serving" in ada.text("#head"))
    ada.find("input[name=who][value=people]").send_keys(Keys.SPACE)
    ada.fill("[name=people]", "ben")
    ada.press("Save")
    # The page that comes back has it: what is chosen before that is not saved yet.
    ada.wait(lambda: ada.find("input[name=who][value=people][checked]"))
    ada.fill("main [name=name]", "nightly")
    ada.press("Make a token")
    ada.wait(lambda: "sat_app_" in ada.text())
    ada.picture("story-5-app")
    ben, eve = open_browser("ben"), open_browser("eve")
    assert "Shared with you" in ben.text()
    ben.go("/gallery")
    assert "dashboard" in ben.text("main")
    ben.picture("story-5-gallery")
    eve.go("/gallery")
    assert "dashboard" not in eve.text("main")
    eve.picture("story-5-gallery-empty")
    eve.go("/apps/ada/dashboard")
    assert "There is no app 'dashboard' of ada that you may see." in eve.text()


def test_what_a_run_ran_on_is_compared(ada):
    ada.go("/jobs/ada/churn")
    ada.press("Run now")
    ada.wait(lambda: "succeeded" in ada.text("#head"))
    ada.wait(lambda: ada.all("main a[href*='/environments/'] code"))
    ada.find("main a[href*='/environments/'] code").find_element("xpath", "..").send_keys(Keys.ENTER)
    ada.wait(lambda: "What ran on it" in ada.text())
    ada.picture("story-6-environment")
    assert "pandas" in ada.driver.page_source
    ada.go("/environments/compare")
    chosen = [Select(ada.find(f"select[name={each}]")) for each in ("a", "b")]
    assert len(chosen[0].options) > 1
    chosen[0].select_by_index(0)
    chosen[1].select_by_index(len(chosen[1].options) - 1)
    ada.press("Compare")
    ada.wait(lambda: "b=" in ada.driver.current_url)
    ada.picture("story-6-compare")
    assert ada.errors() == []


def test_an_admin_sees_everyones_work_stops_it_and_adds_a_person(open_browser):
    admin = open_browser("admin")
    admin.go("/admin")
    assert all(each in admin.text("main") for each in ("churn", "dashboard", "ada"))
    admin.picture("story-7-admin")
    admin.find("[aria-label='Stop dashboard of ada']").send_keys(Keys.ENTER)
    admin.wait(lambda: "stopped" in admin.text("#head"))
    admin.press("Deploy")
    admin.wait(lambda: "serving" in admin.text("#head"))
    admin.go("/people")
    admin.fill("#name", "walker")
    admin.find("main form .btn-primary").send_keys(Keys.ENTER)
    admin.wait(lambda: "The password of walker, shown this once" in admin.text() or "shown this once" in admin.text())
    admin.picture("story-7-people")
    assert admin.errors() == []
