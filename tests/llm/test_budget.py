"""Limits in dollars, tokens and requests; the ledger; prices."""

import json
import re
import sqlite3
import sys
from collections import Counter
from pathlib import Path

import pytest

from rarecase.core.errors import ConfigError, DataError, GeneratorError
from rarecase.llm.budget import Limits
from rarecase.llm.endpoint import Endpoint
from rarecase.llm.ledger import Ledger, Totals, upper_bounds
from rarecase.llm.prices import SHIPPED, Prices, price_of
from rarecase.llm.replies import Replies, request_key

sys.path.append(str(Path(__file__).parents[1]))
from endpoint import Server  # it is a script beside the folders of tests
from hostile_server import HostileServer, answer

PRICES = str(Path(__file__).with_name("prices.yaml"))
COST = (100 * 200 + 10 * 800) / 1e6  # of one reply below


def requests(number):
    return [
        {
            "model": "words",
            "messages": [{"role": "user", "content": f"post {i}"}],
            "temperature": 0.4,
            "seed": 0,
            "max_tokens": 50,
        }
        for i in range(number)
    ]


def reply(prompt=100, completion=10, **more):
    usage = {"prompt_tokens": prompt, "completion_tokens": completion}
    return json.dumps({"choices": [{"message": {"content": "words"}}], "usage": usage, **more}).encode()


@pytest.fixture
def replies(tmp_path):
    store = Replies(tmp_path / "replies.sqlite")
    yield store
    store.close()


def ask(server, replies, number, limits=None, concurrency=4):
    address = f"{server.address}/v1"
    model = Endpoint(
        address, "words", replies=replies, seed=0, concurrency=concurrency, limits=limits, prices=PRICES, deadline=5.0
    )
    model.ask(requests(number))


def test_each_request_is_in_the_ledger_with_what_it_cost(replies):
    with HostileServer(lambda line: answer(reply())) as server:
        ask(server, replies, 6)
    totals = Ledger(replies).totals()
    assert totals == Totals(6, 6, 600, 60, pytest.approx(6 * COST))
    assert Ledger(replies).by_request()[request_key(requests(1)[0])] == Totals(1, 1, 100, 10, pytest.approx(COST))


def test_a_request_that_the_server_gave_up_is_tried_again_and_may_have_cost_its_upper_bound(replies):
    answers = iter([answer(b"", "408 Request Timeout")])
    with HostileServer(lambda line: next(answers, answer(reply()))) as server:
        ask(server, replies, 1)
    assert replies.missing(requests(1)) == []
    prompt, completion = upper_bounds(requests(1)[0])
    totals = Ledger(replies).totals()
    assert (totals.requests, totals.prompt, totals.completion) == (2, prompt + 100, completion + 10)


def test_a_reply_that_counts_no_tokens_costs_its_upper_bound_and_one_that_was_turned_away_nothing(replies):
    answers = iter(
        [answer(b"", "429 Busy", "Retry-After: 0"), answer(reply(usage=None)), [b"HTTP/1.1 200 OK\r\n", b""]]
    )
    with HostileServer(lambda line: next(answers, answer(reply()))) as server:
        ask(server, replies, 2, concurrency=1)
    prompt, completion = upper_bounds(requests(1)[0])
    assert prompt > 100
    # Of the answer that was lost nobody knows what it cost.
    tokens = 2 * prompt + 100, 2 * completion + 10
    expected = Totals(4, 3, *tokens, pytest.approx((tokens[0] * 200 + tokens[1] * 800) / 1e6))
    assert Ledger(replies).totals() == expected


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (
            Limits(requests=5),
            r"--max-requests 5: 5 are spent, and the next request may take 1; with all 5 th",
        ),
        (
            Limits(tokens=800),
            r"--max-tokens 800: \d+ are spent, and the next request may take 328; .* continue with a hi",
        ),
        (
            Limits(cost=0.2),
            r"--max-cost \$0\.2000: \$0\.\d+ are spent, .*would be about \$0\.2\d+: continue with a higher",
        ),
    ],
)
def test_a_limit_stops_before_it_is_crossed_and_a_higher_one_goes_on(limits, says, replies):
    with HostileServer(lambda line: answer(reply())) as server:
        with pytest.raises(GeneratorError, match=says):
            ask(server, replies, 10, limits)
        spent = Ledger(replies).totals()
        assert 3 <= spent.answered == spent.requests < 10
        assert limits.requests is None or spent.requests <= limits.requests
        assert limits.tokens is None or spent.prompt + spent.completion <= limits.tokens
        assert limits.cost is None or spent.cost <= limits.cost
        ask(server, replies, 10, Limits(10.0, 10_000, 100))
    assert Ledger(replies).totals().requests == 10
    assert max(Counter(server.heard).values()) <= 10


def test_a_request_waits_for_room_until_those_before_it_are_settled(replies):
    """All upper bounds together are beyond the limit, what is charged is not."""
    bound = sum(upper_bounds(requests(1)[0]))
    with HostileServer(lambda line: answer(reply(10, 5))) as server:
        ask(server, replies, 20, Limits(tokens=300 + 2 * bound), concurrency=16)
    assert Ledger(replies).totals().requests == 20


def test_an_entry_is_on_the_disk_before_its_request_leaves(replies):
    entries = []

    def say(line):
        with sqlite3.connect(replies.path) as other:
            entries.append(other.execute("SELECT COUNT(*), COALESCE(SUM(answered), 0) FROM ledger").fetchone())
        return answer(reply())

    with HostileServer(say) as server:
        ask(server, replies, 8, concurrency=2)
    assert all(entered >= place for place, (entered, _) in enumerate(entries, 1))


def test_what_was_entered_and_not_sent_is_taken_back_when_the_work_ends(replies):
    with Server(fault="401", delay=0.05) as server, pytest.raises(GeneratorError, match="rejects the key"):
        Endpoint(server.url, "words", replies=replies, seed=0, concurrency=2).ask(requests(20))
    assert Ledger(replies).totals().requests <= len(server.asked) <= 2


def test_what_all_will_cost_is_told_after_a_tenth(replies, capsys):
    with HostileServer(lambda line: answer(reply())) as server:
        ask(server, replies, 100)
    told = re.search(r"so far \$([\d.]+), with all 100 requests about \$([\d.]+)", capsys.readouterr().err)
    assert told
    assert float(told[1]) == pytest.approx(10 * COST, rel=0.5)
    assert float(told[2]) == pytest.approx(100 * COST, rel=0.15)


def test_a_price_that_no_table_has_is_asked_for_where_dollars_are_limited(replies, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    there = {"replies": replies, "seed": 0, "send_to": "example.com"}
    with pytest.raises(ConfigError, match=r"--max-cost needs the price of 'words'; give it with --prices FILE"):
        Endpoint("https://example.com/v1", "words", limits=Limits(cost=1.0), **there)
    Endpoint("https://example.com/v1", "words", limits=Limits(cost=1.0), prices=PRICES, **there)
    Endpoint("https://example.com/v1", "gpt-4o-mini", limits=Limits(cost=1.0), **there)
    Endpoint("https://example.com/v1", "words", **there)
    Endpoint("http://127.0.0.1:1/v1", "words", replies=replies, seed=0, limits=Limits(cost=1.0))
    for content in ("models: {words: {prompt: 1}}", "models: {words: {prompt: -1, completion: 1}}", "[1]", "a: {"):
        own = tmp_path / "own.yaml"
        own.write_text(content)
        with pytest.raises(DataError, match=r"own\.yaml"):
            Endpoint("https://example.com/v1", "words", prices=str(own), **there)


def test_a_price_of_ones_own_comes_before_the_shipped_and_a_server_here_is_free():
    assert Prices.read(SHIPPED).checked
    assert price_of("gpt-4o-mini", PRICES, is_here=False) == Prices.read(SHIPPED).models["gpt-4o-mini"]
    assert price_of("words", None, is_here=False) is None
    assert price_of("words", None, is_here=True).of(10, 10) == 0.0
    assert price_of("words", PRICES, is_here=True).of(10, 10) > 0


def test_where_the_price_is_not_known_no_cost_is(replies, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with HostileServer(lambda line: answer(reply())) as proxy:
        monkeypatch.setenv("http_proxy", proxy.address)
        Endpoint("http://example.com/v1", "words", replies=replies, seed=0, send_to="example.com").ask(requests(2))
    assert Ledger(replies).totals() == Totals(2, 2, 200, 20, None)


def test_a_store_of_before_has_no_entries_and_gets_them(replies):
    with sqlite3.connect(replies.path) as old:
        old.execute("CREATE TABLE replies (request TEXT PRIMARY KEY, address TEXT NOT NULL, reply TEXT NOT NULL)")
    assert Ledger(replies).totals() == Totals()
