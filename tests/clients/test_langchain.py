"""LangChain's middleware, as the page sets it up, before an agent with a model that is none."""

import pytest
from client_environments import CRY, FINE, FLAGGED, of_page, printed

pytestmark = [pytest.mark.clients, pytest.mark.timeout(1800)]  # the first one installs


@pytest.fixture
def asked(tmp_path):
    """Asks the agent, and gives what it said to each text; `invoke` and `ainvoke` have to do the same."""

    def ask(url, key, texts, answer="Miezi."):
        (tmp_path / "guarded.py").write_text(of_page("guarded.py", url), encoding="utf-8")
        given = {"PAGE": str(tmp_path), "ANSWER": answer, "RARECASE_API_KEY": key}
        found = printed("langchain", "langchain_agent.py", url, key, texts, **given)
        assert found["turns"] == found["async"]
        return found["turns"]

    return ask


def test_what_is_flagged_ends_before_the_model_is_asked(guard, asked):
    cry, fine, landlord = asked(guard.url, guard.key, [CRY, FINE, FLAGGED])
    assert cry["asked"] == landlord["asked"] == 0
    assert "(self harm, self-harm)" in cry["said"][0]  # OpenAI's client has its own categories twice
    assert "(legal-advice)" in landlord["said"][0]
    assert fine == {"said": ["Miezi."], "asked": 1}


def test_a_flagged_answer_of_the_model_is_followed_by_the_message(guard, asked):
    (turn,) = asked(guard.url, guard.key, [FINE], answer=CRY)
    assert turn["asked"] == 1
    first, last = turn["said"]
    assert first == CRY
    assert "(self harm, self-harm)" in last


def test_without_a_guard_nothing_passes(guard, asked):
    for url, key, error in (
        ("http://127.0.0.1:9", "x", "APIConnectionError"),
        (guard.url, "wrong", "AuthenticationError"),
    ):
        assert asked(url, key, [FINE]) == [{"error": error, "asked": 0}]
