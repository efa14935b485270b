"""The client of the HTTP API: what it makes of streams, refusals and lost connections."""

from __future__ import annotations

import subprocess
import sys

import httpx
import pytest

from saturn_hub.client import Client, ClientError, Event, events, key_path

# What a machine with the command line alone has; everything else of the server is kept from being imported.
BLOCKED = ["sqlalchemy", "jupyterhub", "tornado", "pydantic", "aiohttp", "jinja2", "alembic", "cronsim", "argon2", "traitlets"]


def client(answer) -> Client:
    return Client("http://hub", "secret", httpx.Client(transport=httpx.MockTransport(answer)))


def test_events_are_read_as_the_standard_says():
    lines = iter(["retry: 1000", "", ": still here", "", "id: 5", "data: one", "data: two", "", "event: end", "data:{}", ""])
    assert list(events(lines)) == [Event("message", "one\ntwo", "5"), Event("end", "{}", "5")]


def test_a_part_of_a_path_is_encoded_once():
    assert key_path("job", "team:growth", "a/b") == "/job/team%3Agrowth/a%2Fb"


def test_a_followed_log_goes_on_behind_the_last_that_came():
    asked = []

    def answer(request):
        asked.append(request.headers.get("Last-Event-ID"))
        body = 'id: 3\ndata: "one"\n\n' if len(asked) == 1 else 'id: 6\ndata: "two"\n\nevent: end\ndata: {}\n\n'
        return httpx.Response(200, text=body)

    assert [each.data for each in client(answer).follow("/runs/x/logs", follow=1)] == ['"one"', '"two"']
    assert asked == [None, "3"]


def test_a_refusal_has_the_words_of_the_hub():
    told = {"error": {"code": "name_taken", "message": "ada already has it.", "path": "name", "details": []}}
    with pytest.raises(ClientError) as refused:
        client(lambda request: httpx.Response(409, json=told)).post("/recipes")
    assert (refused.value.status, refused.value.code, refused.value.path, refused.value.message) == (409, "name_taken", "name", "ada already has it.")


@pytest.mark.parametrize("answer", [httpx.Response(502, text="<html>"), httpx.Response(200, text="<html>"), httpx.Response(302, headers={"Location": "/hub"})])
def test_what_is_no_answer_of_ours_is_said_plainly(answer):
    with pytest.raises(ClientError) as refused:
        client(lambda request: answer).get("/me")
    assert refused.value.code == "unreachable"
    assert "http://hub" in refused.value.message


def test_every_page_of_a_list_is_read():
    def answer(request):
        after = request.url.params.get("after")
        return httpx.Response(200, json={"items": [{"id": after or "first"}], "next": None if after else "second"})

    assert [each["id"] for each in client(answer).pages("/recipes")] == ["first", "second"]


def test_the_token_is_in_no_text_of_the_client():
    assert "secret" not in repr(client(lambda request: httpx.Response(200)))


def test_the_command_line_needs_nothing_of_the_server():
    code = f"""
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {BLOCKED!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Block())
import saturn_hub.client
from saturn_hub.cli import main
sys.argv = ['saturn', '--help']
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert "apply" in done.stdout
