import dataclasses

import pytest
from datasets import ClassLabel, Dataset, Features, Value

from rarecase.core.errors import DataError
from rarecase.data.taxonomy import Category, Taxonomy
from rarecase.generate.template import EXAMPLES, Template, variation

NAMES = list(Taxonomy.default().names)
TEMPLATE = Template(Taxonomy.default(), "words")


def posts(*rows: tuple[str, str, int | None]) -> Dataset:
    features = Features({"id": Value("string"), "text": Value("string"), "label": ClassLabel(names=NAMES)})
    return Dataset.from_list([dict(zip(features, row, strict=True)) for row in rows], features=features)


def test_the_prompt_names_the_class_its_definition_and_the_post():
    messages = TEMPLATE.request("Knee clicks, is that {normal}?", "medical-advice", seed=3)["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant"] * len(EXAMPLES) + ["user"]
    assert "medical-advice (Asks for what a medical professional should answer" in messages[0]["content"]
    assert messages[-1]["content"] == "Say this post in different words: Knee clicks, is that {normal}?"


def test_a_class_without_a_definition_is_named_alone():
    template = Template(Taxonomy((Category("rude"), Category("kind"))), "words")
    assert "of the class rude; " in template.request("Go away", "rude", seed=0)["messages"][0]["content"]


def test_each_variation_of_a_post_is_a_request_of_its_own_with_a_seed_that_its_id_decides():
    seeds = posts(("a", "Knee clicks", 1), ("b", "Fired by text", 2))
    requests = TEMPLATE.requests(seeds, 3, seed=0)
    assert len({r["seed"] for r in requests}) == 6
    assert TEMPLATE.requests(seeds.select([1, 0]), 3, seed=0) == requests[3:] + requests[:3]
    assert TEMPLATE.requests(seeds, 2, seed=0)[:2] == requests[:2]
    assert TEMPLATE.requests(seeds, 3, seed=1)[0]["seed"] != requests[0]["seed"]


def test_the_prompt_hash_follows_model_and_temperature_and_no_post():
    others = [dataclasses.replace(TEMPLATE, model="other"), dataclasses.replace(TEMPLATE, temperature=0.5)]
    assert len({TEMPLATE.prompt_hash, *(t.prompt_hash for t in others)}) == 3
    assert TEMPLATE.prompt_hash == Template(Taxonomy.default(), "words").prompt_hash


def test_a_post_without_a_label_is_named_by_its_id_and_not_by_its_text():
    with pytest.raises(DataError, match="post 'b' has no label") as raised:
        TEMPLATE.requests(posts(("a", "Knee clicks", 1), ("b", "Fired by text", None)), 1, seed=0)
    assert "Fired" not in str(raised.value)
    with pytest.raises(DataError, match=r"^post has no label"):  # an id of the user's own can be the post itself
        TEMPLATE.requests(posts(("Fired by text", "Fired by text", None)), 1, seed=0)


@pytest.mark.parametrize(
    ("reply", "text"),
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
        ("", ""),
        (' "" ', ""),
        ("\n \n", ""),
    ],
)
def test_a_reply_becomes_one_line_without_what_stands_around_the_post(reply, text):
    assert variation(reply) == text


def test_a_reply_may_be_as_long_as_its_title_but_a_long_post_leaves_room_for_its_prompt():
    assert TEMPLATE.request("x" * 200, "medical-advice", seed=0)["max_tokens"] == 264
    assert TEMPLATE.request("x" * 3_500, "medical-advice", seed=0)["max_tokens"] == 512
