"""`/beta/litellm_basic_guardrail_api`: what LiteLLM sends of a conversation, and what it does with the reply."""

import pytest
from guard_server import served

THREAT, SCAM, FEAR, FINE = "a 0.9 0 0 0.1", "b 0 0.8 0.1 0.1", "c 0 0 0.7 0.3", "d 0 0 0 1"
PATH = "/beta/litellm_basic_guardrail_api"


@pytest.fixture(scope="module")
def server():
    with served() as there:
        yield there


def said(server, texts=(), messages=(), **more):
    body = {"texts": [*texts], "structured_messages": [*messages], "images": None, "tools": None} | more
    status, found, _ = server.ask(PATH, body)
    assert status == 200
    return found


def of(role, content):
    return {"role": role, "content": content}


@pytest.mark.parametrize(
    ("text", "action", "reason"),
    [
        (THREAT, "BLOCKED", "Refused."),
        (FEAR, "BLOCKED", "Talk to somebody."),
        (SCAM, "NONE", None),
        (FINE, "NONE", None),
    ],
)
def test_route_and_block_stop_with_the_message_and_flag_passes(server, text, action, reason):
    found = said(server, [text], input_type="request")
    assert found["action"] == action
    assert found.get("blocked_reason") == reason
    assert "texts" not in found  # with which the request would be rewritten


def test_the_severest_of_several_texts_counts(server):
    assert said(server, [FINE, FEAR, THREAT])["blocked_reason"] == "Refused."


def test_only_the_last_block_of_the_user_counts(server):
    messages = [of("system", THREAT), of("user", FEAR), of("assistant", THREAT), of("user", FINE)]
    texts = [one["content"] for one in messages]
    assert said(server, texts, messages)["action"] == "NONE"
    assert said(server, texts, [*messages[:-1], of("user", THREAT), of("user", FINE)])["action"] == "BLOCKED"
    assert said(server, texts, [of("user", FEAR), of("assistant", "Oh."), of("tool", "4")])["action"] == "BLOCKED"


def test_the_text_parts_of_a_message_count(server):
    image = {"type": "image_url", "image_url": {"url": "x"}}
    content = [image, {"type": "text", "text": FINE}, {"type": "text", "text": FEAR}]
    assert said(server, [], [of("user", content)])["action"] == "BLOCKED"


def test_without_a_user_all_texts_count(server):
    assert said(server, [THREAT], [of("system", THREAT)])["action"] == "BLOCKED"
    assert said(server, [THREAT], None or [])["action"] == "BLOCKED"


def test_an_answer_of_a_model_is_judged_and_never_certified(server):
    found = said(server, [THREAT], [of("user", FINE)], input_type="response")
    assert found["action"] == "BLOCKED"
    assert found["certified"] is False


def test_nothing_to_judge_passes_and_is_not_certified(server):
    assert said(server) == {"action": "NONE", "certified": False}


@pytest.mark.parametrize(
    "body", [[], {"texts": "x"}, {"texts": [1]}, {"structured_messages": "x"}, {"structured_messages": [1]}]
)
def test_what_is_no_request_is_a_400(server, body):
    status, found, _ = server.ask(PATH, body)
    assert status == 400
    assert list(found) == ["error"]
