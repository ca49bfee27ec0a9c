"""
LiteLLM's proxy, as the registry has it, with the guardrails of the page before a model that is none: what passes, what
is stopped before the model is asked, and what happens when the guard is away, full, being loaded, or has another key.
"""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import yaml
from client_environments import CRY, FINE, FLAGGED, HELP, SETTINGS, SYSTEM, answers, environment, of_page
from endpoint import Server, listening
from guard_server import served
from hub_server.server import free_port

pytestmark = [pytest.mark.clients, pytest.mark.timeout(1800)]  # the first one installs
MASTER = "sk-of-the-proxy-0123456789abcdef0123456789abcdef"
BOTH = pytest.mark.parametrize("guardrail", ["generic", "moderation"])
NOWHERE = "http://127.0.0.1:9"


def of(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


@dataclass
class Reply:
    """Of the proxy: its status, what it says, and how often the model was asked for it."""

    status: int
    text: str
    asked: int


@dataclass
class Proxy:
    """Where it is, and the model behind it."""

    url: str
    model: Server

    def ask(self, guardrail: str, *messages: dict[str, str], stream: bool = False) -> Reply:
        """The reply to a conversation, under one of the guardrails."""
        before = len(self.model.asked)
        body = {"model": "my-model", "messages": messages, "guardrails": [guardrail], "stream": stream}
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {MASTER}"}
        request = urllib.request.Request(f"{self.url}/v1/chat/completions", json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=120) as reply:
                status, text = reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read().decode()
        return Reply(status, text, len(self.model.asked) - before)


@pytest.fixture(scope="module")
def proxy(guard, tmp_path_factory) -> Iterator[Proxy]:
    """The proxy, with the guardrails of the page, and the same for guards that cannot answer."""
    folder = tmp_path_factory.mktemp("proxy")
    with ExitStack() as stack:
        model = stack.enter_context(Server())
        full, loading = stack.enter_context(served()), stack.enter_context(served())
        full.batcher.first += round(3 * full.batcher.speed)
        loading.batcher.ready = False
        silent = stack.enter_context(listening(0)).getsockname()
        urls = {"": guard.url, "-away": NOWHERE, "-full": full.url, "-loading": loading.url}
        urls["-silent"] = f"http://{silent[0]}:{silent[1]}"
        config = yaml.safe_load(of_page("litellm.yaml", guard.url))
        config["model_list"][0]["litellm_params"]["api_base"] = model.url
        config["guardrails"] = [*guardrails(urls)]
        (folder / "litellm.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        port = free_port()
        command = [environment("litellm") / "litellm", "--config", "litellm.yaml", "--host", "127.0.0.1"]
        settings = {**SETTINGS, "LITELLM_MASTER_KEY": MASTER, "RARECASE_API_KEY": guard.key}
        log = stack.enter_context((folder / "log").open("wb"))
        process = stack.enter_context(
            subprocess.Popen([*command, "--port", str(port)], cwd=folder, env=settings, stdout=log, stderr=log)
        )
        stack.callback(process.terminate)
        url = f"http://127.0.0.1:{port}"
        while not answers(f"{url}/health/liveliness"):
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.5)
        yield Proxy(url, model)


def guardrails(urls: dict[str, str]) -> Iterator[dict[str, object]]:
    """Those of the page, none of them on unless a request names it: at each address, and changed in one thing."""

    def named(name: str, page: str, url: str, **changed: object) -> dict[str, object]:
        (one,) = yaml.safe_load(of_page(page, url))["guardrails"]
        changed |= {"default_on": False, "timeout": 1 if name.endswith("-silent") else 10}
        return {"guardrail_name": name, "litellm_params": one["litellm_params"] | changed}

    for state, url in urls.items():
        yield named(f"moderation{state}", "litellm-moderation.yaml", url)
        yield named(f"generic{state}", "litellm.yaml", url)
        yield named(f"open{state}", "litellm.yaml", url, unreachable_fallback="fail_open")
        yield named(f"careless{state}", "litellm.yaml", url, fail_on_error=False)
    yield named("moderation-wrong", "litellm-moderation.yaml", urls[""], api_key="wrong")
    yield named("generic-wrong", "litellm.yaml", urls[""], api_key="wrong")
    yield named("open-wrong", "litellm.yaml", urls[""], api_key="wrong", unreachable_fallback="fail_open")
    yield named("careless-wrong", "litellm.yaml", urls[""], api_key="wrong", fail_on_error=False)
    yield named("after", "litellm.yaml", urls[""], mode="post_call")


@BOTH
@pytest.mark.parametrize("stream", [False, True])
def test_a_cry_for_help_in_the_second_turn_is_stopped_before_the_model_is_asked(proxy, guardrail, stream):
    reply = proxy.ask(guardrail, of("user", FINE), of("assistant", "Miezi."), of("user", CRY), stream=stream)
    assert (reply.status, reply.asked) == (400, 0)
    assert (HELP if guardrail == "generic" else '"violated_categories":["self-harm"]') in reply.text


@BOTH
def test_what_is_said_before_does_not_count(proxy, guardrail):
    assert proxy.ask(guardrail, of("system", SYSTEM), of("user", FINE)).status == 200
    reply = proxy.ask(guardrail, of("system", SYSTEM), of("user", CRY), of("assistant", "Oh."), of("user", FINE))
    assert (reply.status, reply.asked) == (200, 1)
    assert proxy.ask(guardrail, of("user", SYSTEM)).status == 400  # a system prompt alone would be stopped


@BOTH
def test_an_answer_is_streamed(proxy, guardrail):
    reply = proxy.ask(guardrail, of("user", FINE), stream=True)
    assert (reply.status, reply.asked) == (200, 1)
    assert reply.text.count("data: ") > len(FINE.split())
    assert reply.text.rstrip().endswith("data: [DONE]")


def test_what_is_to_be_flagged_passes_through_the_generic_guardrail_alone(proxy):
    assert proxy.ask("generic", of("user", FLAGGED)).status == 200
    assert proxy.ask("moderation", of("user", FLAGGED)).status == 400


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_of_the_model_is_stopped_before_a_word_of_it_is_sent(proxy, stream):
    reply = proxy.ask("after", of("user", CRY), stream=stream)  # the model says the same words
    assert (reply.status, reply.asked) == (400, 1)
    assert HELP in reply.text
    assert "tonight" not in reply.text


@pytest.mark.parametrize(
    ("state", "statuses"),
    [
        ("away", {"moderation": 500, "generic": 500, "open": 200}),
        ("loading", {"moderation": 503, "generic": 500, "open": 200}),
        ("silent", {"moderation": 408, "generic": 500, "open": 200}),
        ("full", {"moderation": 429, "generic": 500, "open": 500}),
        ("wrong", {"moderation": 401, "generic": 500, "open": 500}),
    ],
)
def test_when_the_guard_cannot_answer_only_what_is_to_fail_open_passes(proxy, state, statuses):
    for name, status in {**statuses, "careless": 200}.items():
        reply = proxy.ask(f"{name}-{state}", of("user", FINE))
        assert (reply.status, reply.asked) == (status, int(status == 200))
