"""`/v1/moderations`, asked by OpenAI's own client and by hand."""

import asyncio
import threading

import openai
import pytest
from by_word import OWN, ByWord
from guard_server import served

from rarecase.data.taxonomy import Category, Taxonomy
from rarecase.guard.guard import Guard
from rarecase.serve.moderations import CATEGORIES

THREAT, SCAM, FEAR, FINE = "a 0.9 0 0 0.1", "b 0 0.8 0.1 0.1", "c 0 0 0.7 0.3", "d 0 0 0 1"


@pytest.fixture(scope="module")
def server():
    with served(key="sk-right") as there:
        yield there


def client(server, **how):
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.key or "none", **how)


def test_openais_client_reads_a_result_for_each_text(server):
    found = client(server).moderations.create(model="omni-moderation-latest", input=[THREAT, FINE, FEAR])
    assert found.id.startswith("modr-")
    assert found.model == "guard@1"
    assert [one.flagged for one in found.results] == [True, False, True]
    first = found.results[0].model_dump(by_alias=True)
    for key in ("categories", "category_scores", "category_applied_input_types"):
        assert set(CATEGORIES) <= set(first[key])
        assert None not in first[key].values()
    assert first["categories"]["threat"] is True
    assert first["categories"]["scam"] is False
    assert first["category_scores"]["threat"] == pytest.approx(0.9)
    assert "fine" not in first["categories"]
    assert first["action"] == "block"
    assert first["message"] == "Refused."


def test_the_client_that_does_not_wait_reads_the_same(server):
    async def ask():
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=server.key) as found:
            return await asyncio.gather(*[found.moderations.create(input=text) for text in (THREAT, FINE) * 8])

    assert [one.results[0].flagged for one in asyncio.run(ask())] == [True, False] * 8


def test_what_no_class_maps_to_is_false_and_named(server):
    status, found, _ = server.ask("/v1/moderations", {"input": THREAT, "model": "openai/omni"})
    assert status == 200
    assert found["unscored"] == list(CATEGORIES)
    [result] = found["results"]
    assert [result["category_scores"][name] for name in CATEGORIES] == [0.0] * 13
    assert [result["category_applied_input_types"][name] for name in CATEGORIES] == [[]] * 13
    assert result["category_applied_input_types"]["scam"] == ["text"]


def test_classes_are_scored_as_the_categories_that_they_map_to():
    classes = {"threat": "violence", "scam": "illicit", "fear": "illicit"}
    mapped = tuple(Category(one.name, action=one.action, openai=classes.get(one.name, "")) for one in OWN.classes)
    with served(Guard(ByWord(), Taxonomy(mapped))) as server:
        _, found, _ = server.ask("/v1/moderations", {"input": "x 0.1 0.6 0.2 0.1"})
    [result] = found["results"]
    assert result["categories"]["illicit"] is True
    assert result["category_scores"]["illicit"] == pytest.approx(0.6)
    assert result["categories"]["violence"] is False
    assert result["category_scores"]["violence"] == pytest.approx(0.1)
    assert "violence" not in found["unscored"]
    assert len(found["unscored"]) == 11


def test_unscored_are_those_that_are_false_and_zero_in_every_result():
    class Named(ByWord):
        names = ("self-harm", "scam", "fear", "sexual")

    own = (Category("self-harm", openai="self-harm/intent"), Category("scam"), Category("fear"))
    with served(Guard(Named(), Taxonomy((*own, Category("sexual", action="allow"))))) as server:
        _, found, _ = server.ask("/v1/moderations", {"input": "x 0.9 0 0 0.1"})
    [result] = found["results"]
    scored = {name for name in CATEGORIES if result["category_applied_input_types"][name]}
    assert scored == {"self-harm", "self-harm/intent"} == set(CATEGORIES) - set(found["unscored"])


def test_text_parts_are_one_result_and_an_image_is_refused(server):
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": THREAT}]
    assert len(client(server).moderations.create(input=parts).results) == 1
    image = [*parts, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    with pytest.raises(openai.BadRequestError, match="no image"):
        client(server).moderations.create(input=image)


@pytest.mark.parametrize(
    "body", [{}, {"input": []}, {"input": 3}, {"input": [1]}, [], "x", {"input": [{"type": "text"}]}]
)
def test_what_is_no_input_is_a_400_in_openais_shape(server, body):
    status, found, _ = server.ask("/v1/moderations", body)
    assert status == 400
    assert set(found["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/models", "/v1/moderations/", "/v1/chat/completions"])
def test_nothing_below_v1_is_a_404_after_which_a_client_asks_the_vendor(server, path):
    for method in ("GET", "POST"):
        status, found, _ = server.ask(path, b"{}" if method == "POST" else None, method)
        assert status == 400
        assert found["error"]["type"] == "invalid_request_error"


def test_a_wrong_key_is_one_for_the_client_too(server):
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="sk-wrong").moderations.create(input="x")


def test_the_client_asks_again_when_there_is_room():
    with served() as there:
        batcher = there.batcher
        batcher.first += (busy := round(3 * batcher.speed))  # three seconds of work, which nobody does
        with pytest.raises(openai.RateLimitError) as refused:
            client(there, max_retries=0).moderations.create(input="x")
        headers = refused.value.response.headers
        assert 1 <= int(headers["retry-after"]) <= 120
        assert 0 < float(headers["retry-after-ms"]) <= 2000
        timer = threading.Timer(0.3, lambda: setattr(batcher, "first", batcher.first - busy))
        timer.start()
        assert client(there, max_retries=1).moderations.create(input=THREAT).results[0].flagged
        timer.join()
