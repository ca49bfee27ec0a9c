"""The demo page in a browser: each view as people see it, on a desk and on a phone, whatever the texts hold."""

import contextlib
import json
import re
import subprocess
import venv
from collections import Counter

import demo_spaces as space
import pytest
import small
from datasets import Dataset, load_dataset
from small import NAMES

from rarecase import Guard
from rarecase.data.counts import class_counts
from rarecase.data.parquet import read_parquet
from rarecase.data.release import write_release
from rarecase.data.schema import GENERATED, HUMAN, conform
from rarecase.learn.record import ModelRecord
from rarecase.publish.demo import space_files

SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
TYPED = "my landlord keeps the deposit and I typed this myself"
HOSTILE = (
    "<img src=x onerror='window.RAN=1'><b>bold</b>",
    "${window.RAN=2} `tick` {{value}} {{{value}}} {% raw %}",
    "</textarea></p></article><script>window.RAN=3</script>",
    "# heading **bold** [link](javascript:window.RAN=4) ![x](http://example.com/x.png)",
    "&lt;i&gt; &amp; \\n \\u003cb\\u003e 'single' \"double\"",
    "\u202eturned\u202c  two  spaces\nand a second line",
)
ODD = ("<b onclick='window.RAN=5'>odd</b>", "${window.RAN=6} {{x}}")
TITLE = HOSTILE[0] + HOSTILE[2]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The Space of a run, copied to a place of its own and started there."""
    with space.of_the_run(tmp_path_factory.mktemp("space")) as running:
        yield running


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The address of a Space of a release whose texts and names are all code of some kind, and of no model."""
    place = tmp_path_factory.mktemp("hostile")
    rows = [
        {"id": "a", "text": HOSTILE[0], "label": 0, "origin": HUMAN, "parent_id": None, "generator": None},
        *(
            {"id": f"a-{i}", "text": text, "label": 1, "origin": GENERATED, "parent_id": "a", "generator": HOSTILE[2]}
            for i, text in enumerate(HOSTILE)
        ),
    ]
    train = conform(Dataset.from_list(rows), ODD)
    write_release(place / "data", {"odd": {"train": train}}, default="odd", title=TITLE)
    folder = space.write(space_files(place / "data", **space.NAMED), place / "space")
    (folder / "demo.json").write_text("{}")
    with space.serving(folder, place / "log", RARECASE_DATASET=str(place / "data")) as url:
        yield url


@contextlib.contextmanager
def opened(browser, url, width=1280, height=900):
    """The page; at the end it has asked nobody else for anything, complained of nothing, and is no wider than this."""
    context = browser.new_context(viewport={"width": width, "height": height})
    page, wrong = context.new_page(), []
    page.on("request", lambda r: None if r.url.startswith((url, "data:", "blob:")) else wrong.append(r.url))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(url, wait_until="domcontentloaded")
    page.get_by_role("tab", name="Map").wait_for()
    yield page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    kept = "async () => [...Object.keys(localStorage), ...(await indexedDB.databases()).map(found => found.name)]"
    assert page.evaluate(kept) == []
    assert wrong == []
    context.close()


@pytest.fixture(params=SIZES)
def page(browser, served, request):
    with opened(browser, served.url, **SIZES[request.param]) as shown:
        yield shown


def view(page, name):
    page.get_by_role("tab", name=name).click()


def wait_for(page, text):
    page.get_by_text(text, exact=True).filter(visible=True).first.wait_for()


def legend(page):
    """Name and count of every entry of the figure that is in sight."""
    found = page.locator(".legendtext").filter(visible=True).all_text_contents()
    return {
        name: int(count.replace(",", "")) for name, count in (re.match(r"(.*) \((.*)\)", e).groups() for e in found)
    }


def table(page, label):
    """The cells of a table, row by row, its header first."""
    rows = page.get_by_role("region", name=label).locator("tr").all()
    return [row.locator("th, td").all_text_contents() for row in rows]


def texts(page):
    return page.locator(".card .text").all_inner_texts()


def would(verdict):
    act = {"allow": "let it pass", "flag": "flag it", "route": "offer help", "block": "block it"}[verdict.action]
    return f"{act} as {verdict.label}" if verdict.flagged else act


def test_a_text_gets_the_probability_of_every_class(page, served):
    page.get_by_label("A text").fill(TYPED)
    page.get_by_role("button", name="Ask the model").click()
    [verdict] = Guard.from_pretrained(served.run / "learner").check([TYPED])
    expected = verdict.scores
    wait_for(page, f"Likeliest: {max(expected, key=expected.get)}. A guard would {would(verdict)}.")
    assert page.get_by_text("It has no certificate").is_visible()
    shown = [line.split("\n") for line in page.locator(".bars li").all_inner_texts()]
    assert [line[0] for line in shown] == list(NAMES)
    for name, percent in ((line[0], line[-1]) for line in shown):
        assert float(percent.removesuffix(" %")) == pytest.approx(100 * expected[name], abs=0.06)


def test_the_model_is_asked_from_the_keyboard_too(page):
    page.get_by_label("A text").press("Enter")
    wait_for(page, "Type a text first.")
    assert page.locator(".bar > *").count() == 0  # of nothing there are no bars, however thin
    page.get_by_label("A text").press_sequentially(TYPED[:20])
    page.get_by_label("A text").press("Enter")
    page.get_by_text("Likeliest:").wait_for()
    assert page.get_by_label("A text").input_value() == TYPED[:20]
    page.get_by_label("A text").press("Tab")
    assert page.evaluate("document.activeElement.textContent").strip() == "Ask the model"


def test_an_example_is_asked_by_one_click(page, served):
    example = "Can my landlord keep the deposit over one scratch?"
    page.get_by_role("button", name=example).click()
    [verdict] = Guard.from_pretrained(served.run / "learner").check([example])
    expected = verdict.scores
    wait_for(page, f"Likeliest: {max(expected, key=expected.get)}. A guard would {would(verdict)}.")
    assert page.get_by_label("A text").input_value() == example


def test_what_is_typed_is_logged_nowhere(page, served):
    page.get_by_label("A text").fill(TYPED)
    page.get_by_role("button", name="Ask the model").click()
    page.get_by_text("Likeliest:").wait_for()
    assert "typed this myself" not in served.log.read_text()
    assert not any(b"typed this myself" in path.read_bytes() for path in served.folder.rglob("*") if path.is_file())
    assert page.request.get(f"{served.url}/gradio_api/info").json() == {"named_endpoints": {}, "unnamed_endpoints": {}}


def test_the_map_shows_what_was_chosen_by_class_round_and_strategy(page, served):
    points = read_parquet(served.folder / "map.parquet")
    chosen = [row for row in points.to_list() if row["strategy"] == "cluster"]
    others = {"other texts": len(points) - len(chosen)}
    view(page, "Map")
    wait_for(page, f"other texts ({others['other texts']})")
    assert legend(page) == {**others, **Counter(row["label"] for row in chosen)}
    page.get_by_role("radio", name="round").check()
    wait_for(page, "round 2 (10)")
    assert legend(page) == {**others, "round 1": 10, "round 2": 10}
    page.get_by_role("radio", name="strategy").check()
    wait_for(page, "cluster (20)")
    page.get_by_role("checkbox", name="bootstrap").check()
    wait_for(page, "bootstrap (60)")
    assert legend(page) == {"other texts": len(points) - 80, "bootstrap": 60, "cluster": 20}
    page.get_by_role("checkbox", name="bootstrap").uncheck()
    page.get_by_role("checkbox", name="cluster").uncheck()
    wait_for(page, f"other texts ({len(points)})")
    assert legend(page) == {"other texts": len(points)}


def test_the_marks_of_the_map_tell_where_they_come_from(page):
    view(page, "Map")
    marks = page.locator(".scatterlayer .trace").nth(1).locator("path.point")
    marks.first.wait_for()
    place = marks.first.bounding_box()
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    told = page.locator(".hovertext").first
    told.wait_for()
    assert re.fullmatch(r"class: .*round: [12]strategy: clusterid: .*", told.text_content())


def test_class_counts_and_rounds_are_those_of_the_release(page, served):
    data = {config: load_dataset(str(served.run / "data"), config) for config in ("bootstrap", "cluster")}
    columns = [
        data["bootstrap"]["train"],
        data["cluster"]["train"],
        *(data["cluster"][s] for s in ("validation", "test")),
    ]
    counts = [class_counts(column, NAMES) for column in columns]
    view(page, "Results")
    page.locator(".bartext").first.wait_for()
    test = ModelRecord.read(served.run / "learner").test
    shown = table(page, f"On test, in percent; the accuracy is {test['accuracy']:.1f}")
    means = [f"{test[f'macro_{share}']:.1f}" for share in ("precision", "recall", "f1")]
    assert shown[-1] == ["macro average", *means, str(small.ROWS["test"])]
    shown = table(page, "Rows of each split")
    assert shown[0] == ["class", "bootstrap train", "cluster train", "validation", "test"]
    assert shown[1:] == [
        *([name, *(str(count[name]) for count in counts)] for name in NAMES),
        ["all", *(str(len(column)) for column in columns)],
    ]
    rounds = json.loads((served.run / "data" / "release.json").read_text())["configs"]["cluster"]["rounds"]
    least = min(counts[-1], key=counts[-1].get)
    shown = table(page, "cluster: after each round, on test, in percent")
    assert shown[0] == ["round", "labels", "macro-F1", f"F1 of {least} (n={counts[-1][least]})"]
    assert shown[1:] == [
        [str(r["round"]), str(r["labels"]), f"{r['test']['macro_f1']:.1f}", f"{r['test']['f1'][least]:.1f}"]
        for r in rounds
    ]
    assert page.locator(".scatterlayer .trace").filter(visible=True).count() == 2


def test_variations_stand_beside_their_original_once_the_warning_is_clicked(page, served):
    rows = load_dataset(str(served.run / "data"), "cluster", split="train").to_list()
    originals = [row for row in rows if row["origin"] == HUMAN]
    view(page, "Variations")
    page.get_by_text("Content warning.").wait_for()
    html = page.content()
    assert not any(row["text"] in html for row in rows)
    page.get_by_role("button", name="Show the texts").press("Enter")
    wait_for(page, "Original 1 of 20, with 2 variations")
    assert not page.get_by_text("Content warning.").is_visible()
    for move, place in (("Next", 1), ("Next", 2), ("Previous", 1), ("Previous", 0), ("Previous", 19)):
        page.get_by_role("button", name=move).click()
        wait_for(page, f"Original {place + 1} of 20, with 2 variations")
        family = [row["text"] for row in rows if originals[place]["id"] in (row["id"], row["parent_id"])]
        assert texts(page) == family
    assert page.locator(".card .note").first.inner_text().endswith("chosen by cluster in round 2")


def test_variations_are_chosen_by_class(page, served):
    rows = load_dataset(str(served.run / "data"), "cluster", split="train").to_list()
    labels = Counter(row["label"] for row in rows if row["origin"] == HUMAN)
    label, count = labels.most_common()[0]
    view(page, "Variations")
    page.get_by_role("button", name="Show the texts").click()
    wait_for(page, "Original 1 of 20, with 2 variations")
    page.get_by_role("button", name="Next").click()
    wait_for(page, "Original 2 of 20, with 2 variations")
    page.get_by_label("Class of the original").click()
    page.get_by_role("option", name=f"{NAMES[label]} ({count})").click()
    wait_for(page, f"Original 1 of {count}, with 2 variations")
    assert texts(page)[0] == next(row["text"] for row in rows if row["label"] == label)


@pytest.mark.parametrize("size", SIZES)
def test_texts_and_names_are_shown_as_they_are_whatever_they_hold(browser, hostile, size):
    with opened(browser, hostile, **SIZES[size]) as page:
        assert page.locator("h1").inner_text() == TITLE
        assert page.get_by_role("tab").all_inner_texts() == ["Map", "Results", "Variations"]
        wait_for(page, f"{ODD[0][:23]}… (1)")
        view(page, "Results")
        page.locator(".bartext").first.wait_for()
        assert [row[0] for row in table(page, "Rows of each split")] == ["class", *ODD, "all"]
        view(page, "Variations")
        page.get_by_role("button", name="Show the texts").click()
        wait_for(page, "Original 1 of 1, with 6 variations")
        assert texts(page) == [HOSTILE[0], *HOSTILE]
        assert page.evaluate("window.RAN") is None


@pytest.mark.slow
def test_the_folder_alone_runs_on_nothing_but_its_requirements(browser, tmp_path):
    run = space.run()
    folder = space.write(space_files(run, **space.NAMED), tmp_path / "space")
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "gradio", "-r", "requirements.txt"], cwd=folder, check=True
    )
    installed = subprocess.run([python, "-c", "import rarecase"], cwd=tmp_path, capture_output=True, text=True)
    assert "No module named 'rarecase'" in installed.stderr
    subprocess.run([python, "-c", "import rarecase.learn.finetune"], cwd=folder, check=True)  # the other kind of model
    sources = {"RARECASE_DATASET": str(run / "data"), "RARECASE_MODEL": str(run / "learner")}
    with space.serving(folder, tmp_path / "log", python, **sources) as url, opened(browser, url) as page:
        page.get_by_label("A text").fill(TYPED)
        page.get_by_role("button", name="Ask the model").click()
        page.get_by_text("Likeliest:").wait_for()
        view(page, "Map")
        wait_for(page, "bootstrap")
        view(page, "Results")
        page.locator(".bartext").first.wait_for()
        view(page, "Variations")
        page.get_by_role("button", name="Show the texts").click()
        wait_for(page, "Original 1 of 20, with 2 variations")
