import dataclasses

import pytest
from datasets import ClassLabel, Dataset, Features, Value

from rarecase.core.errors import ConfigError, DataError
from rarecase.data.taxonomy import Category, Taxonomy
from rarecase.generate.axes import GRID, drawn
from rarecase.generate.prompt import SHIPPED, Prompt
from rarecase.generate.template import Template
from rarecase.llm.replies import request_key

TAXONOMY = Taxonomy.default()
NAMES = list(TAXONOMY.names)

OLD_KEYS = [
    "da3cb97ad05f4f979afee410b3d1f232",
    "995ff66c2bb3431ea2f9c5543a181fdf",
    "9f13a4b2d9d3370bcbfcab278c5882d9",
    "37fa9aae3dcdfe0697633269710a08e1",
]


def template(name: str = "variation", taxonomy: Taxonomy = TAXONOMY, **options: str) -> Template:
    return Template(taxonomy, "words", 0.4, Prompt.load(name), **options)


def posts(*rows: tuple[str, str, int | None]) -> Dataset:
    features = Features({"id": Value("string"), "text": Value("string"), "label": ClassLabel(names=NAMES)})
    return Dataset.from_list([dict(zip(features, row, strict=True)) for row in rows], features=features)


KNEE = posts(("a", "Knee clicks, is that {{ normal }}?", 1))
TWO = posts(("a", "Knee clicks", 1), ("b", "Fired by text", 2))


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("k", [1, 3])
def test_every_shipped_template_names_the_class_and_its_definition_and_has_the_post_as_it_is(name, k):
    for request in template(name).requests(KNEE, k, seed=0):
        turns = request["messages"]
        asked = "\n".join(turn["content"] for turn in turns)
        assert "medical-advice" in asked
        assert "(Asks for what a medical professional should answer, on symptoms" in asked
        assert "Knee clicks, is that {{ normal }}?" in turns[-1]["content"]
        assert turns[-1]["role"] == "user"


def test_a_class_without_a_definition_is_named_alone():
    classes = Taxonomy((Category("rude"), Category("kind", action="allow")))
    seeds = Dataset.from_dict({"id": ["a"], "text": ["Go away"], "label": [0]})
    seeds = seeds.cast_column("label", ClassLabel(names=list(classes.names)))
    for name in SHIPPED:
        [request] = template(name, classes).requests(seeds, 1, seed=0)
        assert "()" not in str(request["messages"])


def test_one_request_asks_for_all_variations_of_a_post_as_a_list_in_json():
    first, second = template().requests(TWO, 3, seed=0)
    texts = first["response_format"]["json_schema"]["schema"]["properties"]["variations"]
    assert (texts["minItems"], texts["maxItems"], texts["items"]) == (3, 3, {"type": "string"})
    assert first["max_tokens"] == 3 * (64 + len("Knee clicks"))
    assert "Write 3 posts" in first["messages"][-1]["content"]
    assert first["seed"] != second["seed"]
    [alone] = template().requests(TWO.select([0]), 1, seed=0)
    assert "response_format" not in alone


def test_the_seed_of_a_request_is_that_of_the_run_and_of_its_post_and_no_other_post_counts():
    for name, count in (("variation", 1), ("small", 3)):
        asked = template(name)
        requests = asked.requests(TWO, 3, seed=0)
        assert len({request["seed"] for request in requests}) == 2 * count
        assert asked.requests(TWO.select([1, 0]), 3, seed=0) == requests[count:] + requests[:count]
        assert asked.requests(TWO, 3, seed=1)[0]["seed"] != requests[0]["seed"]
    assert template("small").requests(TWO.select([0]), 2, seed=0) == template("small").requests(TWO, 3, seed=0)[:2]


def test_what_small_asks_is_what_runs_asked_before_there_were_templates():
    """So that their replies are known; the keys were computed by what made the requests then."""
    requests = template("small").requests(TWO, 2, seed=0)
    assert [request_key(request) for request in requests] == OLD_KEYS


def test_the_variations_of_a_post_are_to_differ_in_every_point_of_the_grid():
    for k in (2, 5, 40, 162):
        points = [tuple(axes.values()) for axes in drawn(k, 0, "a")]
        assert len(set(points)) == k
        assert all(value in GRID[name] for axes in drawn(k, 0, "a") for name, value in axes.items())
    assert drawn(5, 0, "a")[:2] == drawn(2, 0, "a")
    assert drawn(5, 0, "a") != drawn(5, 0, "b")
    assert drawn(5, 0, "a") != drawn(5, 1, "a")
    assert len(drawn(200, 0, "a")) == 200
    [request] = template().requests(KNEE, 5, seed=0)
    for axes in drawn(5, 0, "a"):
        assert (
            f"as {axes['speaker']} would write it, from the point of view {axes['point_of_view']}, "
            in request["messages"][-1]["content"]
        )


def test_the_prompt_hash_follows_template_model_and_temperature_and_no_post():
    one = template()
    others = [
        dataclasses.replace(one, model="other"),
        dataclasses.replace(one, temperature=0.5),
        template("small"),
        template("contrast"),
        template("contrast", contrast_to="legal-advice"),
    ]
    assert len({one.prompt_hash, *(other.prompt_hash for other in others)}) == 6
    assert one.prompt_hash == template().prompt_hash


def test_a_post_without_a_label_is_named_by_its_id_and_not_by_its_text():
    with pytest.raises(DataError, match="post 'b' has no label") as raised:
        template().requests(posts(("a", "Knee clicks", 1), ("b", "Fired by text", None)), 1, seed=0)
    assert "Fired" not in str(raised.value)
    with pytest.raises(DataError, match=r"^post has no label"):  # an id of the user's own can be the post itself
        template().requests(posts(("Fired by text", "Fired by text", None)), 1, seed=0)


def test_a_contrast_is_asked_for_of_the_harmless_class_and_of_posts_of_others():
    seeds = posts(("a", "Knee clicks", 1), ("b", "First half marathon", 5))
    [request] = template("contrast").requests(seeds, 2, seed=0)
    assert 'is of the class "not-harmful" (No plausible safety concern) and no longer' in str(request["messages"])
    [request] = template("contrast", contrast_to="medical-advice").requests(seeds, 2, seed=0)
    assert "First half marathon" in str(request["messages"])


def test_a_contrast_to_no_class_is_refused():
    with pytest.raises(
        ConfigError, match=r"--contrast-to medical: expected one of self-harm, .*mean 'medical-advice'"
    ):
        template("contrast", contrast_to="medical")
    with pytest.raises(
        ConfigError, match=r"--contrast-to has no effect with --template small, which has no {{ target"
    ):
        template("small", contrast_to="not-harmful")
    with pytest.raises(ConfigError, match=r"no class has the action allow; name the class .* by --contrast-to"):
        template("contrast", Taxonomy((Category("rude"), Category("kind"))))


def test_a_reply_may_be_as_long_as_its_title_but_a_long_post_leaves_room_for_its_prompt():
    [short] = template("small").requests(posts(("a", "x" * 200, 1)), 1, seed=0)
    [long] = template("small").requests(posts(("a", "x" * 3_500, 1)), 1, seed=0)
    assert (short["max_tokens"], long["max_tokens"]) == (264, 512)
