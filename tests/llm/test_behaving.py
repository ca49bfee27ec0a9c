"""A client that behaves: the pace that a server takes, failures of one request beside those of all, other formats."""

import json
import sys
import threading
import time
from pathlib import Path

import pytest

from rarecase.core.errors import GeneratorError
from rarecase.llm.endpoint import Endpoint
from rarecase.llm.replies import Replies, request_key

sys.path.append(str(Path(__file__).parents[1]))
from endpoint import Server  # it is a script beside the folders of tests
from hostile_server import HostileServer, answer

REPLY = json.dumps({"choices": [{"message": {"content": "my knee clicks"}}]}).encode()


def requests(number, **more):
    options = {"model": "words", "temperature": 0.4, "max_tokens": 50, **more}
    return [{**options, "messages": [{"role": "user", "content": f"post {i}:"}]} for i in range(number)]


@pytest.fixture
def replies(tmp_path):
    store = Replies(tmp_path / "replies.sqlite")
    yield store
    store.close()


def test_a_server_that_allows_twenty_a_second_gets_nearly_that_and_refuses_few(replies):
    with Server(limit=20, delay=0.05) as server:
        begun = time.monotonic()
        Endpoint(server.url, "words", replies=replies, seed=0, concurrency=64).ask(requests(120))
        seconds = time.monotonic() - begun
    assert replies.missing(requests(120)) == []
    refused = [line["time"] for line in server.lines if line["status"] == 429]
    later = [moment for moment in refused if moment > server.lines[0]["time"] + 1]
    assert len(later) <= 5  # those before are how the limit is found
    assert seconds < 120 / 20 * 1.6


@pytest.mark.parametrize("header", ["Retry-After-Ms: 600", "Retry-After: 0.6"])
def test_a_pause_is_as_long_as_the_server_asks_for(header, replies):
    moments = []

    def say(line):
        moments.append(time.monotonic())
        return answer(REPLY) if len(moments) > 1 else answer(b"", "429 Busy", header)

    with HostileServer(say) as server:
        Endpoint(f"{server.address}/v1", "words", replies=replies, seed=0).ask(requests(1))
    assert 0.6 <= moments[1] - moments[0] < 1.5


@pytest.mark.parametrize("fault", ["500", "html", "no-choices", "drop"])
def test_a_request_that_always_fails_gets_a_reason_and_ends_nothing(fault, replies, capsys):
    asked = requests(12)
    with Server(fault=fault, only="post 3:") as server:
        Endpoint(server.url, "words", replies=replies, seed=0, concurrency=2).ask(asked)
    assert replies.missing(asked) == [asked[3]]
    assert replies.reason(asked[3])
    assert [replies.reason(request) for request in asked if request is not asked[3]] == [None] * 11
    assert f"1 of 12 requests stay without a reply ({replies.reason(asked[3])}: 1)" in capsys.readouterr().err

    with Server() as well:
        Endpoint(well.url, "words", replies=replies, seed=0).ask(asked)
    assert well.asked == [request_key(asked[3])]
    assert replies.reason(asked[3]) is None


def test_a_request_that_is_rejected_ends_nothing_where_others_are_answered(replies):
    asked = requests(8)
    with HostileServer(lambda line: answer(REPLY)) as server:
        Endpoint(f"{server.address}/v1", "words", replies=replies, seed=0).ask(asked[:4])
    with HostileServer(lambda line: answer(b"{}", "422 Bad")) as server:
        Endpoint(f"{server.address}/v1", "words", replies=replies, seed=0).ask(asked)
        assert [replies.reason(request) for request in asked[4:]] == ["422"] * 4
        with pytest.raises(GeneratorError, match=r"rejects the request \(422\)"):
            Endpoint(f"{server.address}/v1", "words", replies=replies, seed=0).ask(requests(2, seed=1))


def test_a_broken_reply_among_good_ones_is_asked_for_again(replies):
    answers = iter([answer(REPLY), answer(REPLY[:30]), [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", b""]])
    with HostileServer(lambda line: next(answers, answer(REPLY))) as server:
        Endpoint(f"{server.address}/v1", "words", replies=replies, seed=0, concurrency=1).ask(requests(4))
    assert replies.missing(requests(4)) == []
    assert len(server.heard) == 6


def test_a_server_that_takes_no_schema_is_asked_for_json_and_then_for_nothing(replies):
    schema = {"type": "json_schema", "json_schema": {"name": "variations", "schema": {"type": "object"}}}
    asked = requests(6, response_format=schema)
    with Server(fault="no-format") as server:
        model = Endpoint(server.url, "words", replies=replies, seed=0, concurrency=1)
        model.ask(asked)
        assert replies.missing(asked) == []  # each is stored under the request as it was made
        assert len(server.asked) == 8
        model.ask(requests(3, response_format=schema, seed=1))
        assert len(server.asked) == 11
    plain = [request_key({k: v for k, v in request.items() if k != "response_format"}) for request in asked]
    assert set(plain) <= set(server.asked)


def test_replies_are_on_the_disk_soon_and_many_at_a_time(replies):
    with Server(delay=0.1) as server:
        model = Endpoint(server.url, "words", replies=replies, seed=0, concurrency=4)
        asking = threading.Thread(target=model.ask, args=[requests(40)])
        asking.start()
        other, lag = Replies(replies.path), []
        while asking.is_alive():
            answered = sum(line["event"] == "reply" for line in server.lines)
            lag.append(answered - (len(requests(40)) - len(other.missing(requests(40)))))
            time.sleep(0.05)
        asking.join()
    assert lag
    assert max(lag) <= 16  # of a few groups, where the disk is slow; never all of them
    assert other.missing(requests(40)) == []
    other.close()


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_a_proxy_of_the_environment_is_used_for_other_hosts_and_gets_no_more_than_they_do(
    scheme, replies, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with HostileServer(lambda line: answer(REPLY)) as proxy:
        monkeypatch.setenv("http_proxy", scheme + proxy.address.removeprefix("http://"))
        model = Endpoint("http://example.com/v1", "words", replies=replies, seed=0, send_to="example.com")
        model.ask(requests(1))
    assert proxy.heard[0].splitlines()[0] == "POST http://example.com/v1/chat/completions HTTP/1.1"
