import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset, Features, Value

from rarecase.core.errors import ConfigError, GeneratorError
from rarecase.data import schema
from rarecase.data.taxonomy import Taxonomy
from rarecase.generate.writer import Writer
from rarecase.llm.endpoint import Endpoint
from rarecase.llm.replies import Replies, request_key
from rarecase.verify.policy import accepted

sys.path.append(str(Path(__file__).parents[1]))
from endpoint import Server  # it is a script beside the folders of tests
from small_model import closed_port

TAXONOMY = Taxonomy.default()
TEXTS = ["My knee clicks", "Fired by a text message", "The river is at the door", "First half marathon done"]
KEY = "sk-test-3f9a1c77"


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def replies(tmp_path):
    store = Replies(tmp_path / "replies.sqlite")
    yield store
    store.close()


@pytest.fixture(scope="module")
def seeds():
    features = Features(
        {
            "id": Value("string"),
            "text": Value("string"),
            "label": ClassLabel(names=list(TAXONOMY.names)),
            "round": Value("int32"),
            "strategy": Value("string"),
        }
    )
    rows = [
        {"id": f"p{i}", "text": text, "label": i + 1, "round": 2, "strategy": "cluster"}
        for i, text in enumerate(TEXTS)
    ]
    return Dataset.from_list(rows, features=features)


def endpoint(url, replies, **options):
    """A generator that asks for one variation in each request."""
    return Writer(Endpoint(url, "words", replies=replies, seed=0, **options), TAXONOMY, seed=0, template="small")


def pending(writer, seeds, k):
    """How many requests the writer would send."""
    return len(writer.model.replies.missing(writer.template.requests(seeds, k, writer.seed)))


def test_every_post_gets_k_variations_that_carry_its_label_and_provenance(seeds, replies):
    with Server() as server:
        table = endpoint(server.url, replies).generate(seeds, 3)
    assert table.features == schema.features(TAXONOMY.names)
    assert table["id"][:] == [f"p{i}-{j}" for i in range(4) for j in (1, 2, 3)]
    assert table["label"][:] == [label for label in seeds["label"][:] for _ in range(3)]
    assert table["parent_id"][:] == [f"p{i}" for i in range(4) for _ in range(3)]
    words = [sorted(text.split()) for text in table["text"][:]]
    assert words == [sorted(text.split()) for text in TEXTS for _ in range(3)]
    for column, value in {"origin": "generated", "round": 2, "strategy": "cluster", "generator": "words"}.items():
        assert set(table[column][:]) == {value}
    assert table["source"][:] == [None] * 12
    assert len(set(table["prompt_hash"][:])) == 1
    assert len(accepted(table, "strict")) == 12


def test_rows_are_identical_whatever_the_order_in_which_replies_come(seeds, tmp_path):
    tables = []
    for attempt, delay in enumerate((0.0, 0.05, 0.05)):
        with Server(delay=delay, vary=True) as server:
            generator = endpoint(server.url, Replies(tmp_path / f"{attempt}.sqlite"))
            tables.append(generator.generate(seeds, 5).to_list())
    assert tables[0] == tables[1] == tables[2]


def test_no_more_requests_are_in_flight_than_allowed(seeds, replies):
    with Server(delay=0.03) as server:
        endpoint(server.url, replies, concurrency=4).generate(seeds, 5)
    assert max(line["in_flight"] for line in server.lines) == 4
    assert len(server.asked) == 20


def test_no_stored_reply_is_asked_again_after_a_failure_in_the_middle(seeds, replies):
    with Server(delay=0.02, vary=True, fault="401", after=9) as broken, pytest.raises(GeneratorError):
        endpoint(broken.url, replies, concurrency=4).generate(seeds, 5)
    generator = endpoint("http://127.0.0.1:1/v1", replies)
    requests = generator.template.requests(seeds, 5, 0)
    stored = {request_key(r) for r in requests if replies.get(r) is not None}
    assert 6 <= len(stored) <= 9
    assert pending(generator, seeds, 5) == 20 - len(stored)
    with Server() as server:
        table = endpoint(server.url, replies).generate(seeds, 5)
        assert set(server.asked) == {request_key(r) for r in requests} - stored
        assert len(server.asked) == 20 - len(stored)
        assert endpoint(server.url, replies).generate(seeds, 5).to_list() == table.to_list()
        assert len(server.asked) == 20 - len(stored)
    assert pending(generator, seeds, 5) == 0
    assert len(table) == 20


def test_a_busy_server_gets_one_pause_from_all_workers_as_long_as_it_asks_for(seeds, replies):
    with Server(fault="429", times=4, retry_after="1") as server:
        assert len(endpoint(server.url, replies, concurrency=4).generate(seeds, 2)) == 8
    refused = [line["time"] for line in server.lines if line["status"] == 429]
    later = [line["time"] for line in server.lines if line["event"] == "arrival" and line["time"] > max(refused)]
    assert len(refused) == 4
    assert min(later) - min(refused) >= 1.0
    assert min(later) - max(refused) < 2.0


def test_a_server_error_is_tried_again(seeds, replies):
    with Server(fault="500", times=1) as server:
        assert len(endpoint(server.url, replies).generate(seeds, 1)) == 4
    assert len(server.asked) == 5


def test_a_connection_lost_in_the_middle_of_a_reply_is_tried_again(seeds, replies):
    with Server(fault="drop", times=1) as server:
        assert len(endpoint(server.url, replies).generate(seeds, 1)) == 4
    assert len(server.asked) == 5


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"fault": "401"}, "rejects the key (401); set OPENAI_API_KEY"),
        ({"fault": "404"}, "has no model 'words', or no chat completions (404); check --generator-model"),
        ({"fault": "301"}, "redirects to another address (301); give the final address"),
        ({"fault": "html"}, "the reply is not JSON; --generator-url takes"),
        ({"fault": "no-choices"}, "the reply has no choices; --generator-url takes"),
        ({"fault": "429", "retry_after": "0"}, "still busy (429 after 7 tries); continue later"),
        ({"fault": "429", "retry_after": "3600"}, "still busy (429, asks to wait 3600 s); continue later"),
    ],
)
def test_an_error_is_one_line_with_the_address_and_the_way_out_and_without_key_and_posts(fault, says, seeds, replies):
    with Server(**fault) as server, pytest.raises(GeneratorError) as raised:
        endpoint(server.url, replies).generate(seeds, 2)
    message = str(raised.value)
    assert message.startswith(f"{server.url}: ")
    assert says in message
    assert "\n" not in message
    # A traceback shows the causes too.
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    for secret in (KEY, *TEXTS):
        assert secret not in message


def test_the_key_is_not_in_the_store(seeds, tmp_path):
    with Server() as server:
        endpoint(server.url, Replies(tmp_path / "replies.sqlite")).generate(seeds, 2)
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.iterdir())


def test_a_dead_address_is_known_within_ten_seconds(seeds, replies):
    generator = endpoint(f"http://127.0.0.1:{closed_port()}/v1", replies)
    for ask in (generator.model.check, lambda: generator.generate(seeds, 5)):
        begun = time.monotonic()
        with pytest.raises(GeneratorError, match="no answer; start the server there, or correct --generator-url"):
            ask()
        assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    ("fault", "says"), [("401", "rejects the key"), ("html", "is not JSON"), ("301", "redirects")]
)
def test_a_check_before_the_run_finds_what_is_wrong_and_sends_no_post(fault, says, replies):
    with Server(fault=fault) as server, pytest.raises(GeneratorError, match=says):
        endpoint(server.url, replies).model.check()
    with Server() as server:
        endpoint(server.url, replies).model.check()
        endpoint(server.url.replace("/v1", "/other"), replies).model.check()
        assert server.asked == []
    assert not replies.path.exists()


@pytest.mark.parametrize(
    ("fault", "failed"),
    [
        ("empty", ["not-empty"]),
        ("content_filter", ["not-empty", "refusal"]),
        ("too_long", ["not-empty", "whole"]),
        ("context_length_exceeded", ["not-empty", "whole"]),
    ],
)
def test_an_empty_reply_and_one_that_a_filter_or_the_context_forbids_is_marked_and_not_accepted_and_not_asked_again(
    seeds, replies, fault, failed
):
    with Server(fault=fault, times=1) as server:
        table = endpoint(server.url, replies, concurrency=1).generate(seeds, 2)
        assert len(server.asked) == 8
        endpoint(server.url, replies).generate(seeds, 2)
        assert len(server.asked) == 8
    assert table[0]["text"] == ""
    assert [check["check"] for check in table[0]["checks"] if check["passed"] is False] == failed
    assert accepted(table, "strict")["id"][:] == table["id"][1:]


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/v1",
        "http://127.0.0.1.example.com/v1",
        "http://localhost.example.com/v1",
        "http://10.0.0.1/v1",
        "http://[2001:db8::1]/v1",
    ],
)
def test_posts_leave_the_machine_only_for_the_host_that_was_named(url, replies):
    with pytest.raises(
        ConfigError, match=r"posts would leave this machine for \S+; add --send-to \S+ to allow this"
    ) as raised:
        endpoint(url, replies)
    host = str(raised.value).split("--send-to ")[1].split()[0]
    endpoint(url, replies, send_to=host)
    with pytest.raises(ConfigError, match="posts would leave this machine"):
        endpoint(url, replies, send_to="other.example.com")


@pytest.mark.parametrize("url", ["http://localhost:8080/v1", "http://127.0.0.2/v1", "http://[::1]:8080/v1"])
def test_loopback_needs_neither_permission_nor_key(url, replies, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    endpoint(url, replies)


@pytest.mark.parametrize(
    "url",
    ["", "localhost:8080", "ftp://localhost/v1", "http://local host/v1", "http://localhost:99999/v1", "http://[/v1"],
)
def test_what_is_no_address_is_told_what_one_looks_like(url, replies):
    with pytest.raises(ConfigError, match="is not an address; expected http://HOST:PORT/v1"):
        endpoint(url, replies)


@pytest.mark.parametrize("url", ["http://me:hunter2@localhost/v1", "http://localhost/v1?key=hunter2"])
def test_a_password_in_the_address_is_refused_and_not_shown(url, replies):
    with pytest.raises(ConfigError, match="a key in OPENAI_API_KEY") as raised:
        endpoint(url, replies)
    assert "hunter2" not in str(raised.value)


def test_a_key_is_asked_for_where_the_host_is_another(replies, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "")
    with pytest.raises(ConfigError, match="OPENAI_API_KEY is not set"):
        endpoint("https://api.example.com/v1", replies, send_to="api.example.com")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-3f9a\x7f1c")
    with pytest.raises(ConfigError, match="characters that are not allowed in a key") as raised:
        endpoint("https://api.example.com/v1", replies, send_to="api.example.com")
    assert "3f9a" not in str(raised.value)


@pytest.mark.parametrize("proxy", ["ftp://me:hunter2@proxy", "socks5://me:hunter2@proxy:1080", "http://me:hunter2@:x"])
def test_a_proxy_that_cannot_be_used_is_one_line_that_does_not_show_it(proxy, replies, monkeypatch):
    monkeypatch.setitem(sys.modules, "socksio", None)
    for name in ("NO_PROXY", "no_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(ConfigError, match=r"ALL_PROXY names no proxy that can be used; expected http://") as raised:
        endpoint("https://api.example.com/v1", replies, send_to="api.example.com")
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None
    endpoint("http://127.0.0.1:9/v1", replies)


def test_a_proxy_sees_nothing_that_is_meant_for_this_machine(seeds, replies, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Server() as server:
        assert len(endpoint(server.url, replies).generate(seeds, 1)) == 4


@pytest.fixture
def _interruptible():
    """Tests that run in the background ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_a_notebook_which_has_a_loop_of_its_own_gets_variations_and_stops_when_it_is_interrupted(seeds, replies):
    async def cell(work):
        return work()

    def interrupted():
        threading.Timer(1.0, signal.pthread_kill, [threading.get_ident(), signal.SIGINT]).start()
        with pytest.raises(KeyboardInterrupt):
            slow.generate(seeds, 2)

    # Not `asyncio.run`, which gives the signal a meaning of its own.
    with contextlib.closing(asyncio.new_event_loop()) as loop, Server() as server, Server(delay=30) as late:
        quick, slow = (endpoint(one.url, replies, concurrency=2) for one in (server, late))
        loop.run_until_complete(cell(quick.model.check))
        assert len(loop.run_until_complete(cell(lambda: quick.generate(seeds, 1)))) == 4
        begun = time.monotonic()
        loop.run_until_complete(cell(interrupted))
        assert time.monotonic() - begun < 10
        assert len(late.asked) == 2


def test_the_endpoint_of_the_tests_runs_on_its_own_and_logs_what_it_is_asked(seeds, replies, tmp_path):
    log = tmp_path / "requests.jsonl"
    script = Path(__file__).parents[1] / "endpoint.py"
    command = [sys.executable, str(script), "--port", "0", "--log", str(log), "--delay", "0.01"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            generator = endpoint(f"http://127.0.0.1:{int(process.stdout.readline())}/v1", replies)
            table = generator.generate(seeds, 1)
        finally:
            process.terminate()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    keys = {request_key(r) for r in generator.template.requests(seeds, 1, 0)}
    for event in ("arrival", "reply"):
        assert {line["request"] for line in lines if line["event"] == event} == keys
    assert len(table) == 4


def test_a_real_language_model_writes_variations_and_is_asked_nothing_the_second_time(language_model, replies):
    features = Features({"id": Value("string"), "text": Value("string"), "label": ClassLabel(names=TAXONOMY.names)})
    text = "Is it normal that my knee clicks?"
    post = Dataset.from_dict({"id": ["a"], "text": [text], "label": [1]}, features)
    generator = endpoint(language_model, replies, concurrency=1)
    generator.model.check()
    assert pending(generator, post, 2) == 2
    first = generator.generate(post, 2)
    assert len(accepted(first, "strict")) == 2
    # The same weights write other words on another machine; a tiny model may also lose the subject once.
    assert "knee" in " ".join(first["text"][:]).casefold()

    # Nothing listens at this address: a single request would be an error.
    moved = endpoint(f"http://127.0.0.1:{closed_port()}/v1", replies)
    assert pending(moved, post, 2) == 0
    assert moved.generate(post, 2).to_list() == first.to_list()
