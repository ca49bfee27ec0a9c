"""The paper's figures: those of its tables, found by the names of ours."""

import json
from itertools import product

import pytest
from places import PUBLISHED

from rarecase.data.counts import class_count_std
from rarecase.experiment import paper

MODELS = (
    "google-bert/bert-base-cased",
    "google-bert/bert-base-uncased",
    "FacebookAI/roberta-base",
    "distilbert/distilbert-base-cased",
    "distilbert/distilbert-base-uncased",
)


def test_a_cell_is_found_by_a_hub_id_with_or_without_a_revision_and_by_our_name_of_a_strategy():
    best = {"accuracy": 79.5, "macro_precision": 76.5, "macro_recall": 71.8, "macro_f1": 71.6}
    assert paper.figures("cluster", "FacebookAI/roberta-base@main", "human+llm") == best
    assert paper.figures("entropy", MODELS[0], "human") == paper.figures("topn", MODELS[0], "human")
    assert paper.figures("bootstrap", MODELS[3], "bootstrap")["macro_f1"] == 19.0
    assert paper.error_std("entropy", "roberta-base", "human+llm") == 33.22
    assert paper.class_counts("entropy")["emergency-situation"] == 24


def test_of_what_it_does_not_speak_there_is_none():
    assert paper.figures("cluster", "packaged", "human+llm") is None
    assert paper.figures("rare", "roberta-base", "human+llm") is None
    assert paper.figures("cluster", "roberta-base", "human+cheap") is None
    assert paper.error_std("cluster", "roberta-base", "human") is None
    assert paper.error_std("cluster", "bert-base-cased", "human+llm") is None
    assert paper.class_counts("rare") is None
    assert paper.class_count_std("rare") is None
    assert not paper.has_figures_for(["self-harm", "not-harmful"])


def test_its_contradictions_are_there():
    """The sentence names a figure of the text and another one of a table: the tables hold the second."""
    by_random, by_cluster = (paper.figures(s, "roberta-base", "human+llm")["macro_f1"] for s in ("random", "cluster"))
    assert (by_random, by_cluster) == (67.2, 71.6)
    assert paper.figures("random", "bert-base-uncased", "human+llm")["macro_f1"] == 66.0
    assert paper.class_count_std("topn") == round(class_count_std(paper.class_counts("topn")), 1) == 47.6
    gains = [
        paper.figures("cluster", model, "human")["macro_f1"] - paper.figures("random", model, "human")["macro_f1"]
        for model in MODELS
    ]
    assert round(max(gains), 1) == 9.2
    for wrong, right in (("66.0", "67.2"), ("71.5", "71.6"), ("47.4", "47.6"), ("6.5", "9.2")):
        assert any(wrong in told and right in told for told in paper.CONTRADICTIONS)


@pytest.mark.published
def test_every_figure_is_that_of_its_tables():
    published = PUBLISHED
    path = published.parent / "paper_tables.json"
    if not path.exists():
        pytest.skip("the paper's tables are not beside the published set")
    tables = json.loads(path.read_text())
    assert list(paper.FIGURES) == tables["columns"]
    for model in MODELS:
        row = paper.figures("bootstrap", model, "bootstrap")
        assert list(row.values()) == tables["table4_bootstrap_only"][paper.short_name(model)]
    names = {"human": "table5_human_labels", "human+llm": "table6_human_labels_and_variations"}
    for (setting, name), strategy, model in product(names.items(), ("random", "topn", "coreset", "cluster"), MODELS):
        row = paper.figures(strategy, model, setting)
        assert list(row.values()) == tables[name][strategy][paper.short_name(model)]
    told = tables["table8_error_std"]
    assert {s: paper.error_std(s, told["model"], "human+llm") for s in told if s != "model"} | {
        "model": "roberta-base"
    } == told
