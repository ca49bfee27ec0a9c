import subprocess
import sys

from datasets import ClassLabel, Dataset, Features, Value, concatenate_datasets

from rarecase.data import schema
from rarecase.generate import NoVariations, with_own_ids

NAMES = ["harmful", "not-harmful"]
SEEDS = Dataset.from_dict(
    {"id": ["a"], "text": ["My knee clicks"], "label": [1]},
    features=Features({"id": Value("string"), "text": Value("string"), "label": ClassLabel(names=NAMES)}),
)


def test_no_variations_is_an_empty_table_that_goes_together_with_any_other():
    empty = NoVariations().generate(SEEDS, 5)
    assert len(empty) == 0
    assert empty.features == schema.features(NAMES)
    assert len(concatenate_datasets([schema.conform(SEEDS, NAMES), empty])) == 1


def test_importing_the_generators_loads_no_language_model_library():
    code = (
        "import sys, rarecase.generate.writer, rarecase.generate.replay, rarecase.llm.endpoint, rarecase.llm.local\n"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_a_variation_whose_id_is_that_of_a_post_gets_a_longer_one():
    table = schema.conform(Dataset.from_list([{"id": f"23-{i}", "text": str(i)} for i in (1, 2, 3)]), NAMES)
    assert with_own_ids(table, {"23", "23-1", "23-1v", "23-3"})["id"][:] == ["23-1vv", "23-2", "23-3v"]
    assert with_own_ids(table, {"23", "23-4"}) is table
