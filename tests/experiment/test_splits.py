"""What an experiment takes for a strategy."""

import pytest
import small
from small import NAMES

from rarecase.core.errors import ConfigError
from rarecase.data.release import write_release
from rarecase.data.schema import conform
from rarecase.experiment.splits import VARIATIONS, strategies_of
from rarecase.settings.config import ExperimentConfig


def test_neither_the_start_set_nor_all_is_a_strategy(tmp_path):
    table = {"train": conform(small.table("dev"), NAMES)}
    write_release(tmp_path / "data", {"bootstrap": table, "rare": table}, default="all", title="Posts")
    assert strategies_of(ExperimentConfig(data=str(tmp_path / "data"))) == ["rare"]
    for name in ("bootstrap", "all"):
        with pytest.raises(ConfigError, match=f"--strategies rare,{name}: expected configs of the data, such as"):
            strategies_of(ExperimentConfig(data=str(tmp_path / "data"), strategies=f"rare,{name}"))


def test_the_help_says_how_many_cheap_variations_are_learned_from():
    """Whatever the data has: who compares them with others has to make as many of these."""
    said = " ".join(str(ExperimentConfig.__doc__).split())
    assert "`human+cheap` (with five variations of each text that people labelled" in said
    assert VARIATIONS == 5
