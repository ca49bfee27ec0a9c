"""
The demo page. What comes from data, names of classes included, goes through `html.escape` into the value of a
component; never into a template or Markdown, which would run or lose what is written in it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from datasets import Dataset
from huggingface_hub import constants

from rarecase.core.errors import DataError, RarecaseError
from rarecase.data.parquet import read_parquet
from rarecase.data.taxonomy import Action, Taxonomy
from rarecase.demo_space import data as demo_data
from rarecase.demo_space import plots as demo_plots
from rarecase.demo_space.data import Data, DemoSources, Group, Model, Post
from rarecase.guard.guard import Guard
from rarecase.guard.verdict import Verdict
from rarecase.hub.client import limit_waiting
from rarecase.hub.ids import split_revision
from rarecase.learn.record import ModelRecord

T = TypeVar("T")

LONGEST = 10_000  # characters
WOULD: dict[Action, str] = {
    "allow": "let it pass",
    "flag": "flag it",
    "route": "offer help",
    "block": "block it",
}
CERTIFIED = "Its thresholds are those of its certificate, which stands in its card with what it does not promise."
PARTLY = (
    "Some thresholds are those of its certificate, which stands in its card; of other classes nothing is promised."
)
REFUSED = "Its certificate refuses every class: nothing is promised of what it finds."
UNCERTIFIED = "It has no certificate: nothing is promised of what it finds."
EVERY = "every class"
NOTHING = "Nothing is named that could be shown: set RARECASE_DATASET and RARECASE_MODEL to ORG/NAME."
CSS = Path(__file__).with_name("demo.css")
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}
THEME = gr.themes.Default(
    primary_hue="blue",
    font=["system-ui", "sans-serif"],  # those of the machine: none is fetched from elsewhere
    font_mono=["ui-monospace", "monospace"],
).set(  # what is too pale to read otherwise
    color_accent="*primary_600",
    button_primary_background_fill="*primary_600",
    button_primary_background_fill_hover="*primary_700",
    body_text_color_subdued="*neutral_600",
    block_info_text_color="*neutral_600",
    input_placeholder_color="*neutral_500",
    input_placeholder_color_dark="*neutral_400",
    checkbox_border_color="*neutral_500",
    checkbox_border_color_dark="*neutral_400",
    checkbox_border_color_hover="*neutral_500",
    checkbox_border_color_hover_dark="*neutral_400",
)


def launch(space: Path) -> None:
    """Serves the page of a Space (the folder of app.py, with demo.json and map.parquet) until it is stopped."""
    limit_waiting()
    page(space).launch(
        theme=THEME,
        css_paths=CSS,
        footer_links=["gradio", "settings"],
        run_history=False,  # else the browser keeps what people type
        enable_monitoring=False,
        ssr_mode=False,
    )


def page(space: Path) -> gr.Blocks:
    """The page, with everything that it shows read in: a view where there is something to see in it."""
    wrong: list[str] = []
    sources = _tried(DemoSources.read, space, wrong) or DemoSources()
    model = _tried(demo_data.load_model, sources.model, wrong)
    data = _tried(demo_data.load_data, sources.dataset, wrong)
    points = _tried(_points, space, wrong)
    views: dict[str, Callable[[], None]] = {}
    if model:
        views["Try it"] = partial(_try, model)
    if points is not None:
        views["Map"] = partial(_map, points, data.names if data else ())
    if data or (model and model.record):
        views["Results"] = partial(_results, data, model)
    if data and data.groups():
        views["Variations"] = partial(_variations, data)
    title = data.title if data else "Demo"
    with gr.Blocks(title=title, analytics_enabled=False) as blocks:
        _html(f"<h1>{escape(title)}</h1><p>{_origin(sources)}</p>")
        for line in wrong or ([] if views else [NOTHING]):
            _html(f'<p class="state" role="status">{escape(line)}</p>')
        if views:
            with gr.Tabs():
                for label, view in views.items():
                    with gr.Tab(label):
                        view()
    return blocks


def _tried(read: Callable[[Any], T], source: Any, wrong: list[str]) -> T | None:
    """What was read; None where there is nothing, or where it cannot be read, which adds the reason to `wrong`."""
    try:
        return None if source is None else read(source)
    except RarecaseError as error:
        wrong.append(str(error))
    except FileNotFoundError:
        pass
    return None


def _points(space: Path) -> Dataset:
    points = read_parquet(space / demo_data.MAP)
    if points.features != demo_data.MAP_COLUMNS:
        raise DataError(f"{demo_data.MAP} is not a map that rarecase drew: publish the demo again.")
    return points


def _html(value: str = "") -> gr.HTML:
    return gr.HTML(value, apply_default_css=False, padding=False)


def _note(line: str) -> None:
    _html(f'<p class="note">{line}</p>')


def _origin(sources: DemoSources) -> str:
    """Where data and model come from, with links to the Hub."""
    named = {"Data": ("datasets/", sources.dataset), "Model": ("", sources.model)}
    return " · ".join(f"{label}: {_link(name, kind)}" for label, (kind, name) in named.items() if name)


def _link(name: str, kind: str) -> str:
    text = escape(demo_data.shown(name))
    if Path(name).exists():
        return text
    repo_id, revision = split_revision(name)
    address = f"{constants.ENDPOINT}/{kind}{repo_id}" + (f"/tree/{revision}" if revision else "")
    return f'<a href="{escape(address)}" target="_blank" rel="noopener">{text}</a>'


def _try(model: Model) -> None:
    names = model.guard.names
    text = gr.Textbox(
        label="A text",
        placeholder="Type or paste a text in the language of the data",
        info="Enter asks the model. What you type is neither kept nor logged.",
        lines=1,  # with more, Enter would begin a new line
        max_lines=12,
        max_length=LONGEST,
        elem_classes="asked",
    )
    button = gr.Button("Ask the model", variant="primary")
    examples = _examples(names)
    with gr.Column(elem_classes="examples", visible=bool(examples)):
        _note("Or ask it about a text that was made up for this page:")
        buttons = [gr.Button(example, size="sm") for example in examples]
    answer = _html(_bars(dict.fromkeys(names), "The model has read nothing yet."))
    _note(f"What answers is {escape(model.described)}. {_promise(model.guard)}")
    _note(
        "A model makes mistakes: this is no advice and no verdict. If you or somebody else is in danger, call the "
        "emergency number of your country; "
        '<a href="https://findahelpline.com" target="_blank" rel="noopener">findahelpline.com</a> lists helplines.'
    )

    def classify(text: str) -> str:
        if not text.strip():
            return _bars(dict.fromkeys(names), "Type a text first.")
        if len(text) > LONGEST:
            return _bars(dict.fromkeys(names), f"That is too long: at most {LONGEST:,} characters, please.")
        [verdict] = model.guard.check([text])
        return _bars(verdict.scores, _said(verdict))

    gr.on([button.click, text.submit], classify, text, answer, **QUIET)
    for example, shown in zip(examples, buttons, strict=True):
        shown.click(partial(lambda example: (example, classify(example)), example), None, [text, answer], **QUIET)


def _promise(guard: Guard) -> str:
    """What its certificate promises of a guard."""
    if guard.certificate is None:
        return UNCERTIFIED
    return CERTIFIED if guard.certified else PARTLY if guard.certificate.certified else REFUSED


def _said(verdict: Verdict) -> str:
    """The likeliest class, and what a guard would do."""
    likeliest = max(verdict.scores, key=lambda name: verdict.scores[name])
    would = f"{WOULD[verdict.action]} as {verdict.label}" if verdict.flagged else WOULD["allow"]
    return f"Likeliest: {likeliest}. A guard would {would}."


def _examples(names: Sequence[str]) -> list[str]:
    """Those of shipped classes, made up; none of a class whose texts need help, and none of the data."""
    known = [one for one in Taxonomy.default().classes if one.name in names and one.action != "route"]
    return [one.examples[0] for one in known if one.examples]


def _bars(probabilities: Mapping[str, float | None], line: str) -> str:
    """Every class with its probability, the likeliest marked; a dash where no text was read."""
    most = max((p for p in probabilities.values() if p is not None), default=None)
    rows = []
    for name, p in probabilities.items():
        first = " class=first" if p is not None and p == most else ""
        bar, shown = ("", "–") if p is None else (f'<span style="width:{100 * p:.1f}%"></span>', f"{100 * p:.1f} %")
        rows.append(
            f'<li{first}><span>{escape(name)}</span><span class="bar" aria-hidden="true">{bar}</span>'
            f"<span>{shown}</span></li>"
        )
    return (
        f'<p role="status"><b>{escape(line)}</b></p><ul class="bars" aria-label="Probabilities">{"".join(rows)}</ul>'
    )


def _map(points: Dataset, names: Sequence[str]) -> None:
    known = [by for by, column in demo_plots.COLUMNS.items() if any(v is not None for v in points[column][:])]
    strategies = sorted({name for name in points["strategy"][:] if name is not None})
    chosen = [name for name in strategies if name != "bootstrap"] or strategies
    with gr.Row():
        by = gr.Radio(known, value=known[0], label="Colour by", min_width=260)
        who = gr.CheckboxGroup(strategies, value=chosen, label="In colour: what was chosen by", min_width=260)
    figure = gr.Plot(demo_plots.pool_map(points, known[0], chosen, names), show_label=False, container=False)
    _note(
        "Each mark is a text. Texts that mean similar things lie close together; the axes have no meaning. Entries "
        "of the legend can be switched off and on."
    )

    def draw(by: Any, who: list[str]) -> Any:
        return demo_plots.pool_map(points, by, who, names)

    gr.on([by.change, who.change], draw, [by, who], figure, **QUIET)


def _results(data: Data | None, model: Model | None) -> None:
    if model and model.record:
        _figures(model.record, model.described)
    if data is None:
        return
    counts = data.counts()
    train = {config: splits["train"] for config, splits in counts.items() if "train" in splits}
    _html("<h2>Texts to learn from, by class</h2>")
    gr.Plot(demo_plots.class_bars(train), show_label=False, container=False, elem_classes="still")
    columns = _splits(counts)
    lines = [(name, [found[name] for found in columns.values()]) for name in data.names]
    lines.append(("all", [sum(found.values()) for found in columns.values()]))
    _html(_table("Rows of each split", ["class", *columns], lines))
    if data.rounds:
        _rounds(data, counts, model)


def _figures(record: ModelRecord, described: str) -> None:
    """How well the model that answers does, on the test set that it was measured on."""
    test, rows = record.test, [sum(predicted) for predicted in record.test["confusion"]]
    by_class = [test["precision"], test["recall"], test["f1"]]
    tested = zip(record.names, rows, strict=True)
    lines = [(name, [*(shares[name] if of else None for shares in by_class), of]) for name, of in tested]
    lines.append(("macro average", [test["macro_precision"], test["macro_recall"], test["macro_f1"], sum(rows)]))
    _html(f"<h2>How well the model that answers does</h2><p>It is {escape(described)}.</p>")
    caption = f"On test, in percent; the accuracy is {test['accuracy']:.1f}"
    _html(_table(caption, ["class", "precision", "recall", "F1", "test rows"], lines))


def _rounds(data: Data, counts: Mapping[str, Mapping[str, Mapping[str, int]]], model: Model | None) -> None:
    """How well the learner of the run did; it may be another than the model that answers."""
    _html("<h2>How well the learner did after each round</h2>")
    for config, rounds in data.rounds.items():
        told = f"{config}: the figures are those of {data.learners[config]}"
        if model and model.record:  # else nobody knows
            is_last = (
                config in model.record.data.configs
                and model.described == data.learners[config]
                and model.record.test["f1"] == rounds[-1]["test"]["f1"]
            )
            told += "; the model that answers is that of the last round" if is_last else ". Another model answers"
        _note(escape(f"{told}."))
    gr.Plot(demo_plots.round_curves(data.rounds, counts), show_label=False, container=False, elem_classes="still")
    for config, rounds in data.rounds.items():
        least = demo_data.rarest(counts[config])
        scores = [(r["round"], [r["labels"], r["test"]["macro_f1"], r["test"]["f1"][least]]) for r in rounds]
        known = counts[config].get("test", {}).get(least)
        header = ["round", "labels", "macro-F1", f"F1 of {least}" + (f" (n={known})" if known else "")]
        _html(_table(f"{config}: after each round, on test, in percent", header, scores))


def _splits(counts: Mapping[str, Mapping[str, Mapping[str, int]]]) -> dict[str, Mapping[str, int]]:
    """The columns of the table: a split that all configs share is there once."""
    columns: dict[str, Mapping[str, int]] = {}
    for split in dict.fromkeys(split for splits in counts.values() for split in splits):
        found = {config: splits[split] for config, splits in counts.items() if split in splits}
        first = next(iter(found.values()))
        if all(one == first for one in found.values()):
            columns[split] = first
        else:
            columns |= {f"{config} {split}": one for config, one in found.items()}
    return columns


def _table(caption: str, header: Sequence[str], lines: Sequence[tuple[str | int, Sequence[float | None]]]) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "".join(
        f'<tr><th scope="row">{escape(str(first))}</th>{"".join(f"<td>{_number(cell)}</td>" for cell in cells)}</tr>'
        for first, cells in lines
    )
    return (
        f'<p>{escape(caption)}</p><div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f'<table class="numbers"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _number(value: float | None) -> str:
    """A dash for what is not known, since there is nothing to measure it on."""
    return "–" if value is None else f"{value:.1f}" if isinstance(value, float) else f"{value:,}"


def _variations(data: Data) -> None:
    found = data.groups()
    first = next(iter(found))
    with gr.Column() as warning:
        _html(
            '<p class="state"><b>Content warning.</b> The texts that follow are posts, and what a generator made of '
            "them. They are examples of the classes, and some are hard to read.</p>"
        )
        agree = gr.Button("Show the texts", variant="primary")
    with gr.Column(visible=False) as viewer:
        with gr.Row():
            config = gr.Dropdown(list(found), value=first, label="Config", min_width=260)
            label = gr.Dropdown(
                _classes(found[first], data), value=EVERY, label="Class of the original", min_width=260
            )
        with gr.Row():
            back, forth = (gr.Button(way, scale=0, min_width=130) for way in ("← Previous", "Next →"))
        cards = _html()
    place = gr.State(0)

    def choose(config: str, label: str, place: int) -> tuple[str, int]:
        groups = [g for g in found[config] if label in (EVERY, g.original.label)]
        place %= max(len(groups), 1)
        return _cards(groups, place), place

    shown: dict[str, Any] = {"inputs": [config, label, place], "outputs": [cards, place], **QUIET}
    agree.click(lambda: (gr.Column(visible=False), gr.Column(visible=True)), None, [warning, viewer], **QUIET).then(
        choose, **shown
    )
    config.input(
        lambda config: (gr.Dropdown(_classes(found[config], data), value=EVERY), 0), config, [label, place], **QUIET
    ).then(choose, **shown)
    label.input(lambda: 0, None, place, **QUIET).then(choose, **shown)
    back.click(lambda config, label, place: choose(config, label, place - 1), **shown)
    forth.click(lambda config, label, place: choose(config, label, place + 1), **shown)


def _classes(groups: Sequence[Group], data: Data) -> list[tuple[str, str]]:
    """The choices of the class: only those that an original of the config has."""
    labels = [group.original.label for group in groups]
    counted = [(f"{name} ({labels.count(name)})", name) for name in data.names if name in labels]
    return [(f"{EVERY} ({len(labels)})", EVERY), *counted]


def _cards(groups: Sequence[Group], place: int) -> str:
    if not groups:  # a class of the config before: the browser is yet to hear of the new choices
        return '<p role="status">There are no variations of this class.</p>'
    original, variations = groups[place]
    how = [f"chosen by {original.strategy}" if original.strategy else ""]
    how += [f"in round {original.round}" if original.round is not None else ""]
    cards = [_card("Original", original, " ".join(filter(None, how)))]
    cards += [
        _card(f"Variation {number}", post, f"written by {post.generator}" if post.generator else "")
        for number, post in enumerate(variations, 1)
    ]
    return (
        f'<p role="status">Original {place + 1} of {len(groups)}, with {len(variations)} variations</p>'
        f'<div class="cards">{cards[0]}<div class="varied">{"".join(cards[1:])}</div></div>'
    )


def _card(heading: str, post: Post, how: str) -> str:
    used = "learned from all the same" if post.learned else "not learned from"
    failed = f"failed {', '.join(post.failed)}, {used}" if post.failed else ""
    notes = filter(None, [f"labelled {post.label}", how, failed])
    text = escape(post.text) if post.text.strip() else "<i>no text</i>"
    return (
        f'<article class="card"><h3>{escape(heading)}</h3><p class="text" dir="auto">{text}</p>'
        f'<p class="note">{escape("; ".join(notes))}</p></article>'
    )
