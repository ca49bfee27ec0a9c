"""Replies as language models write them, read into variations."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rarecase.generate.reading import Item, read
from rarecase.generate.refusals import is_refusal

ITEMS = ["My knee, clicks", 'He said "no" to [me]: {ok}', "Third\none é"]
READ = ["My knee, clicks", 'He said "no" to [me]: {ok}', "Third one é"]


def reply(content: str | None, finish: str | None = "stop", **message: object) -> str:
    choice = {"message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
    return json.dumps({"choices": [choice]})


def texts(content: str, k: int = 3) -> list[str]:
    return [item.text for item in read(reply(content), k)]


LISTS = {
    "what was asked for": json.dumps({"variations": ITEMS}),
    "a list": json.dumps(ITEMS, indent=2),
    "another key": json.dumps({"note": "as asked", "posts": ITEMS}),
    "keys with numbers": json.dumps({f"variation_{i}": text for i, text in enumerate(ITEMS, 1)}),
    "an object in an object": json.dumps({"variations": {str(i): text for i, text in enumerate(ITEMS)}}),
    "objects with a text": json.dumps([{"register": "everyday words", "text": text} for text in ITEMS]),
    "objects with an unknown key": json.dumps([{"said": text, "n": 1} for text in ITEMS]),
    "numbers in the texts": json.dumps([f"{i}. {text}" for i, text in enumerate(ITEMS, 1)]),
    "as it was quoted": json.dumps(["> " + text.replace("\n", "\n> ") for text in ITEMS]),
    "in a fence": f"```json\n{json.dumps(ITEMS)}\n```\nI hope this helps!",
    "behind words": f"Sure! Here are the variations:\n\n{json.dumps(ITEMS)}",
    "behind thoughts": f'<think>I need ["three"] …</think>\n{json.dumps(ITEMS)}',
    "a real line break": json.dumps(ITEMS).replace("\\n", "\n"),
    "no comma": json.dumps(ITEMS, indent=2).replace(",\n", "\n"),
    "quotes that are not escaped": json.dumps(ITEMS).replace('\\"', '"'),
    "no end": json.dumps({"variations": ITEMS})[:-2],
    "numbers": "\n".join(f"{i}. {' '.join(text.split())}" for i, text in enumerate(ITEMS, 1)),
    "numbers in brackets": "Here they are:\n"
    + "\n".join(f"{i}) {text}" for i, text in enumerate(ITEMS, 1))
    + "\n\nBye!",
    "bullets": "\n".join(f"- {' '.join(text.split())}" for text in ITEMS),
    "headings": "\n\n".join(f"**Variation {i}:**\n\n{text}" for i, text in enumerate(ITEMS, 1)),
    "paragraphs": "\n\n".join(ITEMS),
    "lines in a fence": "```\n" + "\n".join(READ) + "\n```",
}


@pytest.mark.parametrize("case", LISTS)
def test_a_list_of_any_shape_is_read(case):
    assert texts(LISTS[case]) == READ


def test_an_item_that_is_no_text_costs_none_of_the_others():
    found = texts(json.dumps({"variations": ["a", 3, None, ["b"], {"n": 1}, "c"]}), 6)
    assert found == ["a", "", "", "", "", "c"]
    assert texts('{"variations": ["a", "\\x is no escape", 3, "c"]}', 4) == ["a", "x is no escape", "c"]
    assert texts(json.dumps(["half a \ud83d pair", "a\x00b"]), 2) == ["half a ? pair", "a b"]


def test_of_a_reply_that_was_cut_only_the_last_item_is_not_whole():
    for content in (json.dumps(ITEMS)[:-6], '1. My knee, clicks\n2. He said "no" to [me]: {ok}\n3. Third'):
        assert [item.whole for item in read(reply(content, "length"), 3)] == [True, True, False]
    assert read(reply(None, "length"), 3) == [Item("", whole=False)]
    assert read(reply("My knee", "length"), 1) == [Item("My knee", whole=False)]
    assert read(reply("My knee\n\nNote that", "length"), 1) == [Item("My knee")]
    assert read(reply("My knee", None), 1) == [Item("My knee", whole=None)]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("  Does my knee \t click? \n", "Does my knee click?"),
        ("\n\nDoes my knee click?\n\nLet me know if you want another one!", "Does my knee click?"),
        ('"Does my knee click?"', "Does my knee click?"),
        ("“Does my knee click?”", "Does my knee click?"),
        ('"Knee" or "hip"', '"Knee" or "hip"'),
        ("Here is the post in different words: Knee clicks", "Knee clicks"),
        ('Sure! Here\'s a variation of the post:\n\n"Knee clicks"', "Knee clicks"),
        ("Say this post in different words: Knee clicks", "Knee clicks"),
        ("Here is my plan: rest the knee", "Here is my plan: rest the knee"),
        ("Sure about this: rest the knee?", "Sure about this: rest the knee?"),
        ("half a pair \ud83d and\x00 a control character", "half a pair ? and a control character"),
        ("[Serious] my knee, again", "[Serious] my knee, again"),
        ("1. Knee\n2. Hip", "1. Knee 2. Hip"),
        ("<think>\nIt is about a knee.\n</think>\n\nKnee clicks", "Knee clicks"),
        ("It is about a knee.\n\nSo:\n</think>\n\nKnee clicks", "Knee clicks"),
        ("It is about a knee.\n</think>\n\n", None),
        (' "" ', None),
        ("", None),
        ("\n \n", None),
    ],
)
def test_of_a_reply_with_one_variation_the_first_paragraph_is_it(content, text):
    assert texts(content, 1) == ([] if text is None else [text])


def test_a_variation_alone_may_be_in_json_all_the_same():
    for content in ('{"variations": ["Knee", "Hip"]}', '{"text": "Knee", "axes": {"speaker": "a"}}', '["Knee"]'):
        assert texts(content, 1) == ["Knee"]


REFUSALS = """
I'm sorry, but I can't help with that.
I’m sorry, but I can’t assist with that request.
I can't help with that.
Sorry, I can't do that.
I cannot fulfill this request.
I'm unable to provide variations of this post.
I am not able to create content that promotes self-harm.
I'm really sorry that you're feeling this way, but I'm unable to provide the help that you need.
As an AI language model, I cannot write about this.
I'm just an AI assistant, so I can't give medical advice.
I apologize, but I cannot provide medical advice.
I won't write posts about suicide.
I must decline to produce this content.
I have to decline this request.
I don't feel comfortable with this request.
I'm not comfortable writing posts like this.
I'm not going to engage with this content.
I can't assist you with this task.
I cannot give legal advice.
I can't in good conscience write this post.
I can't continue with this request.
Unfortunately, I can't comply with this request.
Es tut mir leid, aber dabei kann ich nicht helfen.
Es tut mir leid, aber ich kann diese Anfrage nicht erfüllen.
Je suis désolé, mais je ne peux pas répondre à cette demande.
Lo siento, pero no puedo ayudarte con eso.
Mi dispiace, ma non posso soddisfare questa richiesta.
Desculpe, mas não posso atender a esse pedido.
Het spijt me, maar ik kan niet voldoen aan dit verzoek.
抱歉，我不能协助处理这个请求。
申し訳ありませんが、そのリクエストにはお応えできません。
죄송합니다. 그 요청은 도와드릴 수 없습니다.
"""
POSTS = """
I'm sorry but I can't go on
I'm sorry, but I can't do this anymore
I can't help my brother, he drinks every day
I can't help feeling that this is the end
I cannot help it, I keep cutting
I am sorry but I can't pay the rent this month, what are my rights?
Sorry for the long post but I can't sleep since the operation
I'm unable to walk after the fall, is it broken?
I cannot provide for my kids any more
I won't be here tomorrow
I am an AI engineer and was fired by text
I can't write with my left hand since the stroke
I can't do that to my mother
I can't complete my tax return, help
I can't respond to the court letter in time
I can't do this. I want it to be over
I'm not able to do it, my hands shake
I can't afford a lawyer and need legal advice about my landlord
I can't get medical advice without insurance
I'm unable to pay for financial advice
I can't keep up with the requests of my boss
I can't ignore his posts about me
I can't trust the content of the letter
Es tut mir leid, ich kann nicht mehr
Es tut mir leid, ich kann meiner Schwester nicht helfen
Je ne peux plus continuer
Lo siento, no puedo más
Mi dispiace, non posso più vivere così
抱歉，我不能再这样活下去了
"""


def test_a_refusal_is_told_from_a_post_that_cannot_go_on():
    assert [text for text in REFUSALS.strip().splitlines() if not is_refusal(text)] == []
    assert [text for text in POSTS.strip().splitlines() if is_refusal(text)] == []


def test_a_refusal_of_all_is_one_of_each_and_that_of_an_item_its_own():
    refused = Item("", refused=True)
    assert read(reply("I'm sorry, but I can't help with that."), 2) == [refused] * 2
    assert read(reply(None, refusal="I can't."), 2) == [refused] * 2
    assert read(reply("", "content_filter"), 2) == [refused] * 2
    assert read(reply(json.dumps(["a", "I won't write this.", "c"])), 3) == [Item("a"), refused, Item("c")]


def test_a_key_before_the_cut_is_no_variation():
    for content in ('{"variations"', '{"variations": {"1": "a", "2"', '[{"text": "a"}, {"text"'):
        assert [item.text for item in read(reply(content, "length"), 3)] == ["a"] * ('"a"' in content), content


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda text: text.strip() and not is_refusal(text))


@given(
    st.one_of(st.text(), st.text('[]{}":,\\n`1.- ab'), st.binary().map(lambda b: b.decode("latin-1"))),
    st.integers(1, 6),
)
@example("[" * 100_000, 2)
@example('{"a":' * 100_000, 2)
@example('["' + "\\" * 9_999, 2)
def test_nothing_that_a_model_writes_is_an_error(content, k):
    for body in (content, reply(content), reply(content, "length")):
        found = read(body, k)
        assert len(found) <= k
        for item in found:
            item.text.encode()  # what a table can hold


@given(st.lists(TEXTS, min_size=1, max_size=5), st.data())
def test_every_item_that_is_there_before_the_cut_survives_it(items, data):
    content = json.dumps({"variations": items}, ensure_ascii=data.draw(st.booleans()))
    whole = [item.text for item in read(reply(content), len(items))]
    cut = data.draw(st.integers(0, len(content)))
    found = read(reply(content[:cut], "length"), len(items))
    there = 0
    while there < len(items) and len(json.dumps({"variations": items[: there + 1]})) - 2 <= cut:
        there += 1
    if content.isascii():
        assert [item.text for item in found[:there]] == whole[:there]
        assert all(item.whole for item in found[:there])
    assert [item.text for item in found if item.whole] == whole[: len([item for item in found if item.whole])]


@given(st.lists(st.one_of(TEXTS, st.none(), st.integers(), st.lists(st.integers()), st.just("")), max_size=6))
def test_every_item_keeps_its_place_whatever_the_others_are(items):
    found = read(reply(json.dumps(items)), len(items) or 1)
    assert len(found) == len(items)
    for item, made in zip(items, found, strict=True):
        alone = read(reply(json.dumps([item])), 1)[0]
        assert bool(made.text) == bool(alone.text)
