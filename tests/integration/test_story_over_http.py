"""What a person does, over HTTP, on a running hub."""

from __future__ import annotations

import httpx

BASE = "/services/saturn"


def test_a_job_runs_with_parameters_and_its_log_is_kept(ada, until):
    ada.make(kind="job", name="greets", command="echo hello {{ who }}", parameters={"who": {"default": "world"}})
    run = ada.run("greets", parameters={"who": "Ben's; id"})
    assert (run["state"], run["exit_code"]) == ("succeeded", 0)
    assert ada.api("GET", f"/runs/{run['id']}/logs").text == "hello Ben's; id\n"
    assert until(lambda: ada.api("GET", f"/runs/{run['id']}").json()["environment"])


def test_a_failed_run_says_why(ada):
    ada.make(kind="job", name="fails", command="exit 3")
    run = ada.run("fails")
    assert (run["state"], run["reason"]) == ("failed", "The command ended with exit code 3.")


def test_steps_hand_files_on_and_stop_at_the_first_that_fails(ada):
    steps = [
        {"name": "one", "command": "echo 1 > made"},
        {"name": "two", "command": "cat made; exit 4", "needs": ["one"]},
        {"name": "three", "command": "true", "needs": ["two"]},
    ]
    ada.make(kind="job", name="steps", steps=steps)
    run = ada.run("steps")
    assert [each["state"] for each in run["steps"]] == ["succeeded", "failed", "skipped"]
    assert run["state"] == "failed"
    assert ada.api("GET", f"/runs/{run['id']}/logs").text == "1\n"


def test_a_run_that_is_cancelled_ends(ada, until):
    ada.make(kind="job", name="sleeps", command="sleep 300")
    run = ada.api("POST", "/jobs/ada/sleeps/runs", json={}).json()
    until(lambda: ada.api("GET", f"/runs/{run['id']}").json()["state"] == "running")
    ada.api("POST", f"/runs/{run['id']}/cancel")
    assert until(lambda: ada.api("GET", f"/runs/{run['id']}").json()["finished_at"])
    assert ada.api("GET", f"/runs/{run['id']}").json()["state"] == "cancelled"


def test_the_same_idempotency_key_makes_one_run(ada):
    ada.make(kind="job", name="once", command="true")
    made = [ada.api("POST", "/jobs/ada/once/runs", json={}, headers={"Idempotency-Key": "k"}).json()["id"] for _ in range(3)]
    assert len(set(made)) == 1


def test_a_schedule_says_when_it_runs_next(ada):
    ada.make(kind="job", name="nightly", command="true", schedules=[{"cron": "0 6 * * *", "timezone": "Europe/Paris"}])
    assert ada.api("GET", "/recipes/job/ada/nightly").json()["next_run_at"]


def test_all_problems_of_a_recipe_come_in_one_reply(ada):
    refused = ada.api("POST", "/recipes", json={"kind": "job", "name": "Bad Name", "colour": 1, "secrets": [{"name": "x"}]})
    assert refused.status_code == 400
    assert {each["path"] for each in refused.json()["error"]["details"]} == {"name", "colour", "secrets"}


def test_a_revision_that_moved_is_not_overwritten(ada):
    ada.make(kind="job", name="moves", command="true")
    change = {"kind": "job", "size": "small", "image": "local", "command": "false"}
    assert ada.api("PUT", "/recipes/job/ada/moves", json=change, headers={"If-Match": "1"}).json()["revision"] == 2
    assert ada.api("PUT", "/recipes/job/ada/moves", json={**change, "command": "true"}, headers={"If-Match": "1"}).status_code == 412


def test_what_is_anothers_does_not_exist(ada, eve):
    ada.make(kind="job", name="hers", command="true")
    run = ada.run("hers")
    for path in ("/recipes/job/ada/hers", "/jobs/ada/hers/runs", f"/runs/{run['id']}", f"/runs/{run['id']}/logs", f"/runs/{run['id']}/files"):
        assert eve.api("GET", path).status_code == 404, path
    assert eve.api("POST", f"/runs/{run['id']}/cancel").status_code == 404
    assert eve.api("POST", "/jobs/ada/hers/runs", json={}).status_code == 404
    assert eve.api("DELETE", "/recipes/job/ada/hers").status_code == 404
    assert eve.api("POST", "/recipes", json={"kind": "job", "name": "for-growth", "owner": "team:growth", "command": "true"}).json()["error"]["path"] == "owner"


def test_an_app_is_served_to_those_it_is_shared_with(hub, ada, until):
    ada.make(kind="app", name="files", command="python -m http.server $PORT --bind 127.0.0.1")
    ada.api("POST", "/apps/ada/files/deploy", json={})
    until(lambda: ada.api("GET", "/recipes/app/ada/files").json()["state"] == "serving")
    gateway, host = f"http://127.0.0.1:{hub.apps_port}/", {"Host": f"files.apps.localhost:{hub.apps_port}"}
    assert httpx.get(gateway, headers=host).status_code == 401
    token = ada.api("POST", "/apps/ada/files/tokens", json={"name": "ci"}).json()["token"]
    assert "Directory listing" in httpx.get(gateway, headers={**host, "Authorization": f"Bearer {token}"}).text
    assert ada.api("PUT", "/apps/ada/files/access", json={"who": "public"}).json()["who"] == "public"
    assert until(lambda: httpx.get(gateway, headers=host).status_code == 200)
    ada.api("POST", "/apps/ada/files/stop")
    until(lambda: ada.api("GET", "/recipes/app/ada/files").json()["state"] == "stopped")


def test_a_stopped_workspace_changes_its_size_and_keeps_its_files(ada, until):
    ada.make(kind="workspace", name="desk", tool="jupyterlab")
    ada.api("POST", "/workspaces/ada/desk/start")
    until(lambda: ada.api("GET", "/recipes/workspace/ada/desk").json()["state"] == "running")
    assert "JupyterLab" in ada.client.get("/user/ada/desk/lab").text
    digest = until(lambda: ada.api("GET", "/recipes/workspace/ada/desk").json()["environment"])
    assert ada.api("GET", f"/environments/{digest}").json()["record"]["python"]["jupyterlab"]
    ada.api("POST", "/workspaces/ada/desk/stop")
    until(lambda: ada.api("GET", "/recipes/workspace/ada/desk").json()["state"] == "stopped")
    posted = ada.client.post(f"{BASE}/workspaces/ada/desk/size", data={"_xsrf": ada.headers["X-XSRFToken"], "size": "medium"})
    assert posted.status_code == 200
    assert ada.api("GET", "/recipes/workspace/ada/desk").json()["size"] == "medium"
