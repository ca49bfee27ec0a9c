"""`rarecase generate preview` shows what would be sent, and sends nothing."""

import json

import pytest
import small
from endpoint import Server
from hostile_server import HostileServer, silent

from rarecase.cli.main import command
from rarecase.llm.ledger import Ledger
from rarecase.llm.replies import Replies


@pytest.fixture
def previewed(tmp_path, capsys):
    """What a preview says of these settings; the server must get nothing at all."""
    sets = small.write(tmp_path)

    def previewed(*flags: object) -> str:
        with HostileServer(lambda request: silent()) as server:
            model = ["--generator", "openai", "--generator-url", f"{server.address}/v1", "--generator-model", "words"]
            before = sorted(tmp_path.rglob("*"))
            assert command(["generate", "preview", *sets, *model, *map(str, flags)]) == 0
            assert server.heard == []
            assert sorted(tmp_path.rglob("*")) == before
        return capsys.readouterr().out

    return previewed


def test_it_shows_the_requests_for_three_posts_and_the_figures_of_the_run(previewed):
    said = previewed("--budget", 20, "--variations", 3)
    texts = small.table("bootstrap")["text"][:]
    for text in texts[:3]:
        assert f"> {text}\n" in said
    assert texts[3] not in said
    assert said.count("=== assistant\n") == 3  # what is shown of the task, once in each request
    *_, requests, tokens, cost = said.splitlines()
    assert requests == "requests  20 + at most 60 for variations that replies lack"
    assert tokens.startswith("tokens    at most ")
    assert cost == "cost      at most $0.00"  # of a server on this machine


def test_it_says_what_the_tokens_cost_at_most(previewed, tmp_path):
    (tmp_path / "prices.yaml").write_text("models: {words: {prompt: 1000, completion: 2000}}")
    found = json.loads(previewed("--format", "json", "--prices", tmp_path / "prices.yaml"))
    assert found["cost"] == pytest.approx((found["tokens_sent"] + 2 * found["tokens_written"]) / 1000)


def test_the_requests_are_those_that_a_run_sends(previewed, tmp_path):
    flags = ["--budget", "4", "--batch", "4", "--variations", "2", "--annotator", "gold", "--strategy", "random"]
    found = json.loads(previewed("--format", "json", *flags))
    assert len(found["shown"]) == 3
    first = found["shown"][0]
    assert sorted(first) == ["max_tokens", "messages", "model", "response_format", "seed", "temperature"]
    assert (found["requests"], found["more_requests"]) == (4, 8)
    assert found["tokens_written"] >= 4 * 2 * 64
    assert found["tokens_sent"] >= 4 * len(str(first["messages"]))
    with Server() as server:
        model = ["--generator", "openai", "--generator-url", server.url, "--generator-model", "words"]
        sets = [
            part for name in ("pool", "bootstrap", "dev", "test") for part in (f"--{name}", tmp_path / f"{name}.csv")
        ]
        assert command(["run", *map(str, sets), *model, *flags, "--out", str(tmp_path / "out")]) == 0
        assert len(server.asked) == found["requests"]


def test_at_most_is_with_what_replies_lack_and_what_the_judge_is_asked(previewed, tmp_path):
    flags = ["--budget", "4", "--batch", "4", "--variations", "2", "--annotator", "gold", "--strategy", "random"]
    alone = json.loads(previewed("--format", "json", *flags))
    found = json.loads(previewed("--format", "json", "--judge", *flags))
    said = previewed("--judge", *flags)
    judged = f"at most {found['judge_requests']} for the class of variations"
    assert f"requests  4 + at most 8 for variations that replies lack + {judged}\n" in said
    assert alone["tokens_written"] > 4 * 2 * 2 * 64  # the first replies, and each again alone
    assert found["tokens_written"] > alone["tokens_written"]
    assert found["tokens_sent"] >= alone["tokens_sent"] + alone["tokens_written"]  # what is written, the judge reads
    with Server(fault="empty", only="response_format") as server:  # so that each variation is asked for alone
        model = ["--generator", "openai", "--generator-url", server.url, "--generator-model", "words", "--judge"]
        sets = [
            part for name in ("pool", "bootstrap", "dev", "test") for part in (f"--{name}", tmp_path / f"{name}.csv")
        ]
        assert command(["run", *map(str, sets), *model, *flags, "--out", str(tmp_path / "out")]) == 0
        most = [found[name] for name in ("requests", "more_requests", "judge_requests")]
        assert len(server.asked) > alone["requests"] + alone["more_requests"]
        assert len(server.asked) <= sum(most)
    totals = Ledger(Replies(tmp_path / "out" / "replies.sqlite")).totals()  # by bytes: the server counts no tokens
    assert alone["tokens_sent"] < totals.prompt <= found["tokens_sent"]
    assert totals.completion <= found["tokens_written"]


def test_a_template_of_ones_own_is_shown_filled_in_or_refused_with_its_line(previewed, tmp_path, capsys):
    mine = tmp_path / "mine.jinja"
    mine.write_text("=== system\nBe brief.\n=== user\n{{ label | upper }}: {{ post }}\n")
    said = previewed("--template", mine, "--variations", 2)
    assert said.count("=== system\nBe brief.\n=== user\n") == 6
    mine.write_text("=== user\n{{ post }}\n{{ lable }}\n")
    asked = ["--generator", "openai", "--generator-url", "http://127.0.0.1:9/v1", "--generator-model", "words"]
    for begin in (["generate", "preview"], ["run", "--out", str(tmp_path / "out")]):
        assert command([*begin, *small.write(tmp_path), *asked, "--template", str(mine)]) == 2
        assert (
            capsys.readouterr()
            .err.splitlines()[-1]
            .startswith(f"rarecase: --template {mine} line 3: unknown variable 'lable'; did you mean 'label'?")
        )


def test_of_contrasts_the_first_posts_of_other_classes_are_shown(previewed, tmp_path):
    config = tmp_path / "settings.yaml"
    config.write_text("template: contrast\ncontrast-to: legal-advice\n")
    found = json.loads(previewed("--config", config, "--format", "json"))
    assert len(found["shown"]) == 3
    assert all('that it is of the class "legal-advice"' in str(one["messages"]) for one in found["shown"])


def test_identifiers_in_posts_are_shown_as_they_would_leave_the_machine(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)  # nothing is sent
    sets = small.write(tmp_path)
    first = tmp_path / "bootstrap.csv"
    text = small.table("bootstrap")["text"][0]
    first.write_text(first.read_text().replace(text, f"{text} by mail to ann@example.org", 1))
    asked = ["--generator", "openai", "--generator-model", "words", "--generator-url"]
    assert command(["generate", "preview", *sets, *asked, "https://192.0.2.1/v1", "--send-to", "192.0.2.1"]) == 0
    assert f"> {text} by mail to [EMAIL-1]" in capsys.readouterr().out
    assert command(["generate", "preview", *sets, *asked, "http://127.0.0.1:9/v1"]) == 0
    assert f"> {text} by mail to ann@example.org" in capsys.readouterr().out


def test_the_longest_posts_are_those_that_are_longest_as_they_are_sent(tmp_path, capsys):
    sets = small.write(tmp_path)
    asked = ["--generator", "openai", "--generator-model", "words", "--generator-url", "https://192.0.2.1/v1"]

    def tokens():
        flags = [*asked, "--send-to", "192.0.2.1", "--budget", "1", "--format", "json"]
        assert command(["generate", "preview", *sets, *flags]) == 0
        found = json.loads(capsys.readouterr().out)
        return found["tokens_sent"], found["tokens_written"]

    before, pool = tokens(), tmp_path / "pool.csv"
    shortest = min(small.table("pool")["text"][:], key=len)
    pool.write_text(pool.read_text().replace(shortest, f"{shortest} https://example.org/{'a' * 5000}", 1))
    assert tokens() == before  # the link leaves as [LINK-1]


def test_without_a_language_model_there_is_nothing_to_show(tmp_path, capsys):
    assert command(["generate", "preview", *small.write(tmp_path)]) == 2
    assert "--generator none sends nothing" in capsys.readouterr().err
