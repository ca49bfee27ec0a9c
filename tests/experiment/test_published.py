"""
The import of the published set. The first half runs anywhere, on a set of the same layout with texts of its own; the
second holds every number against the published files, where they are at hand.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from datasets import load_dataset
from places import PUBLISHED

from rarecase.core.errors import ConfigError, DataError
from rarecase.data import schema
from rarecase.data.taxonomy import Taxonomy
from rarecase.experiment.published import STRATEGIES, TABLE_3, TABLE_3_STD, Findings, import_published

NAMES = Taxonomy.default().names
CONFIGS = ("bootstrap", *STRATEGIES)
WORDS = [*NAMES[:5], "discard"]

Lines = list[list[str]]


def originals(name: str) -> Lines:
    return [[f"{name}{i}", f"{name} recipe {i}", f"r{i % 7}", WORDS[i % 6]] for i in range(100)]


def variations(rows: Lines, *, longer: int | None = None) -> Lines:
    return [
        [id_, f"{text} again {k} ", source, word]
        for i, (id_, text, source, word) in enumerate(rows)
        for k in range(5 + (i == longer))
    ]


@pytest.fixture
def tables() -> dict[str, Lines]:
    """By file, the rows without the header."""
    made = {}
    for name in STRATEGIES:
        rows = originals(name)
        made[f"{name}-all"] = variations(rows, longer=44 if name == "coreset" else None) + rows
    for name, size in (("bootstrap", 12), ("dev", 6), ("test", 24)):
        made[f"{name}_labeled"] = [
            [f"{name}{i}", f"r{i % 5}", f"{name} garden {i}", WORDS[i % 6]] for i in range(size)
        ]
    return made


def write(folder: Path, tables: dict[str, Lines]) -> Path:
    """The seven files: no quoting, the -all files with CR LF, a leaked reply as the header of one."""
    folder.mkdir(exist_ok=True)
    for name, rows in tables.items():
        text = "Please provide a text" if name == "random-all" else "input"
        head = ["id", text, "subreddit", "category"] if "all" in name else ["id", "subreddit", "title", "category"]
        end = "\r\n" if "all" in name else "\n"
        lines = ["\t".join(row) + end for row in [head, *rows]]
        (folder / f"{name}.tsv").write_text("".join(lines), encoding="utf-8", newline="")
    return folder


@pytest.fixture
def imported(tmp_path):
    """Imports the tables and loads a config of the release."""

    def run(tables: dict[str, Lines], config: str, reading: str = "published"):
        findings = import_published(write(tmp_path / "in", tables), tmp_path / "out", reading)
        return findings, load_dataset(str(tmp_path / "out"), config, cache_dir=str(tmp_path / "cache"))

    return run


def test_all_columns_of_a_variation_and_of_its_original(tables, imported):
    _, release = imported(tables, "topn")
    train = release["train"]
    assert train.features == schema.features(NAMES)
    unknown = dict.fromkeys(["round", "annotator", "prompt_hash", "votes", "checks"])
    shared = {"label": 1, "reading": 1, "source": "r1", "strategy": "topn", **unknown}
    variation = {"id": "topn-001-3", "text": "topn recipe 1 again 2 ", "origin": "generated", "parent_id": "topn-001"}
    original = {"id": "topn-001", "text": "topn recipe 1", "origin": "human", "parent_id": None, "generator": None}
    assert train[7] == {**shared, **variation, "generator": "gpt-3.5-turbo"}
    assert train[501] == {**shared, **original}


def test_human_sets_carry_no_provenance_but_their_source(tables, imported):
    _, release = imported(tables, "bootstrap")
    row = release["test"][23]
    assert {column: value for column, value in row.items() if value is not None} == {
        "id": "test-0023",
        "text": "test garden 23",
        "label": 5,
        "source": "r3",
        "origin": "human",
    }
    assert release["train"]["id"][-1] == "bootstrap-011"
    assert release["validation"]["id"][-1] == "dev-005"


def test_the_longer_group_is_found_wherever_it_is_even_with_ids_that_repeat(tables, imported):
    rows = originals("coreset")
    for i, row in enumerate(rows):
        row[0] = f"x{i % 20}"
    tables["coreset-all"] = variations(rows, longer=71) + rows
    _, release = imported(tables, "coreset")
    train = release["train"]
    assert len(train) == 601
    assert [id_ for id_ in train["id"][:] if id_.startswith("coreset-071")] == [
        *(f"coreset-071-{k}" for k in range(1, 7)),
        "coreset-071",
    ]
    text = dict(zip(train["id"][:], train["text"][:], strict=True))
    for id_, parent in zip(train["id"][:501], train["parent_id"][:501], strict=True):
        assert text[id_].startswith(f"{text[parent]} again")


def test_quotes_spaces_and_separators_of_other_kinds_stay_in_the_text(tables, imported):
    odd = ['"half a quote', 'a ""pair"" of them', " leads and trails  ", "next\u2028line\x0bfeed\x85", "a, b; c"]
    for row, text in zip(tables["dev_labeled"], odd, strict=False):
        row[2] = text
    for row, text in zip(tables["cluster-all"], odd, strict=False):
        row[1] = text
    _, release = imported(tables, "cluster")
    assert release["validation"]["text"][:5] == odd
    assert release["train"]["text"][:5] == odd


def test_the_readings_differ_where_all_variations_say_otherwise_and_nowhere_else(tables, imported, tmp_path):
    rows = tables["topn-all"]
    for row in rows[10:15]:  # all variations of topn-002
        row[3] = "discard"
    rows[20][3] = "discard"  # one variation of topn-004
    findings, published = imported(tables, "topn")
    import_published(tmp_path / "in", tmp_path / "other", "consistent")
    consistent = load_dataset(str(tmp_path / "other"), "topn", cache_dir=str(tmp_path / "cache"))
    assert findings.contradictions == {"random": 0, "topn": 1, "coreset": 0, "cluster": 0}
    for one, other in ((published, consistent), (consistent, published)):
        assert one["train"]["reading"][:] == other["train"]["label"][:]
    pairs = zip(published["train"].to_list(), consistent["train"].to_list(), strict=True)
    assert [(a["id"], a["label"], b["label"]) for a, b in pairs if a["label"] != b["label"]] == [("topn-002", 2, 5)]


def test_repeats_overlap_and_empty_texts_are_counted_as_rows_and_as_texts(tables, imported):
    test = tables["test_labeled"]
    test[1][2] = test[2][2] = test[0][2]
    for row in (0, 1, 599):
        tables["random-all"][row][1] = test[0][2]
    tables["random-all"][5][1] = test[9][2]
    tables["random-all"][6][1] = " "
    findings, _ = imported(tables, "random")
    assert findings.repeats["test"] == 2
    assert findings.repeats["random"] == 2
    assert findings.overlap["random"] == {"rows": 4, "texts": 2}
    assert findings.overlap["bootstrap"] == {"rows": 0, "texts": 0}
    assert findings.empty == {"random": 1}


def test_the_findings_hold_numbers_only(tables, imported):
    findings, _ = imported(tables, "random")
    assert json.loads(json.dumps(vars(findings))) == vars(findings)
    for shown in (str(findings), json.dumps(vars(findings))):
        assert "recipe" not in shown
        assert "garden" not in shown


POST = "I wrote this post and it should never be seen in any error message"


def replace_cell(file: str, row: int, column: int, value: str):
    def change(tables: dict[str, Lines]) -> None:
        tables[file][row][column] = value

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda tables: tables.pop("dev_labeled"),
            r"dev_labeled\.tsv: No such file or directory; expected the folder",
        ),
        (lambda tables: tables["test_labeled"][3].append("x"), r"test_labeled\.tsv row 5: 5 columns, expected 4"),
        (lambda tables: tables["topn-all"][0].pop(), r"topn-all\.tsv row 2: 3 columns, expected 4"),
        (replace_cell("topn-all", 9, 1, f"{POST}\n{POST}"), r"topn-all\.tsv row 11: 2 columns, expected 4"),
        (
            replace_cell("cluster-all", 2, 3, "legal-advise"),
            r"cluster-all\.tsv row 4: category 'legal-advise' is unknown; expected self-",
        ),
        (replace_cell("cluster-all", 2, 3, POST), r"cluster-all\.tsv row 4: category is unknown"),
        (lambda tables: tables["random-all"].pop(), r"random-all\.tsv: 599 rows below the header, expected 600"),
        (lambda tables: tables["random-all"].clear(), r"random-all\.tsv: 0 rows below the header, expected 600"),
        (lambda tables: tables["coreset-all"].reverse(), r"coreset-all\.tsv: the variations are not in the order"),
        (lambda tables: tables["topn-all"].sort(), r"topn-all\.tsv: the variations are not in the order"),
    ],
)
def test_a_broken_file_is_named_in_one_line_without_any_text(tables, tmp_path, change, says):
    change(tables)
    folder = write(tmp_path / "in", tables)
    with pytest.raises(DataError, match=says) as caught:
        import_published(folder, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert POST not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"id\tsubreddit\ttitle\tcategory\na\tr\tcaf\xe9\tdiscard\n", "row 2: not valid UTF-8"),
        (b"a\tr\ttitle\tdiscard\n", "row 1: expected the header"),
        (b"", "row 1: 1 columns, expected 4"),
    ],
)
def test_bytes_that_are_no_such_file_are_named(tables, tmp_path, content, says):
    folder = write(tmp_path / "in", tables)
    (folder / "dev_labeled.tsv").write_bytes(content)
    with pytest.raises(DataError, match=rf"dev_labeled\.tsv {says}"):
        import_published(folder, tmp_path / "out")


def test_swapped_columns_show_no_post(tables, tmp_path):
    for row in tables["test_labeled"]:
        row[2], row[3] = row[3], row[2]
    tables["test_labeled"] *= 5
    for i, row in enumerate(tables["test_labeled"]):
        tables["test_labeled"][i] = [*row[:3], f"{row[3]} {i}"]
    with pytest.raises(DataError, match=r"row 2: category is unknown") as caught:
        import_published(write(tmp_path / "in", tables), tmp_path / "out")
    assert "garden" not in str(caught.value)


def test_the_empty_working_folder_is_no_place_for_a_release(tables, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="is the working folder; name a new folder in it"):
        import_published(tables, ".")
    assert Path.cwd() == tmp_path


def test_an_unknown_reading_and_a_full_folder_are_refused(tables, tmp_path):
    folder = write(tmp_path / "in", tables)
    with pytest.raises(ConfigError, match=r"--reading 'consistant' is unknown; did you mean 'consistent'\?"):
        import_published(folder, tmp_path / "out", "consistant")
    with pytest.raises(ConfigError, match="not empty"):
        import_published(folder, folder)


# The published files themselves.


@pytest.fixture(scope="module")
def source() -> Path:
    folder = PUBLISHED
    if not (folder / "test_labeled.tsv").exists():
        pytest.skip("the published set is not at hand: set RARECASE_PUBLISHED to its folder")
    return folder


@pytest.fixture(scope="module", params=["published", "consistent"])
def release(request, source, tmp_path_factory) -> tuple[str, Findings, Path]:
    out = tmp_path_factory.mktemp(request.param) / "out"
    return request.param, import_published(source, out, request.param), out


def load(out: Path, *name: str):
    return load_dataset(str(out), *name, cache_dir=str(out.parent / "cache"))


@pytest.mark.published
def test_every_config_loads_with_its_rows_and_features(release):
    _, _, out = release
    ids: list[str] = []
    for name in CONFIGS:
        config = load(out, name)
        rows = {"bootstrap": 150, "coreset": 601}.get(name, 600)
        assert {part: len(split) for part, split in config.items()} == {"train": rows, "validation": 150, "test": 2700}
        assert all(split.features == schema.features(NAMES) for split in config.values())
        ids += config["train"]["id"][:]
    ids += config["validation"]["id"][:] + config["test"]["id"][:]
    assert len(set(ids)) == len(ids)
    assert load(out)["train"]["id"][-1] == "cluster-099"


@pytest.mark.published
def test_the_counts_match_table_3_but_in_one_class_and_where_the_readings_differ(release):
    reading, findings, out = release
    expected = {name: list(counts) for name, counts in TABLE_3.items()}
    expected["coreset"][2] = 138  # legal-advice: 137 in the table
    if reading == "consistent":
        expected["topn"] = [108, 90, 90, 108, 6, 198]
        expected["cluster"] = [114, 120, 84, 90, 18, 174]
    assert {name: list(counts.values()) for name, counts in findings.counts.items()} == expected
    for name in CONFIGS:
        assert np.bincount(load(out, name)["train"]["label"][:], minlength=6).tolist() == expected[name]


@pytest.mark.published
def test_the_constants_are_those_of_the_papers_table_3(source):
    if not (source.parent / "paper_tables.json").exists():
        pytest.skip("the paper's tables are not beside the published set")
    table = json.loads((source.parent / "paper_tables.json").read_text())["table3"]
    assert {name: list(counts) for name, counts in TABLE_3.items()} == {name: table[name] for name in TABLE_3}
    assert table["classes"] == list(NAMES)
    assert table["class_count_std"] == TABLE_3_STD


@pytest.mark.published
def test_the_standard_deviations_are_those_of_the_paper(release):
    reading, findings, _ = release
    rounded = {name: round(std, 1) for name, std in findings.class_count_std.items()}
    consistent = {"topn": 61.3, "cluster": 51.3} if reading == "consistent" else {}
    assert rounded == {"random": 57.6, "topn": 47.6, "coreset": 65.4, "cluster": 41.4} | consistent


@pytest.mark.published
def test_what_is_wrong_with_the_files_is_found(release):
    _, findings, _ = release
    assert findings.contradictions == {"random": 0, "topn": 31, "coreset": 0, "cluster": 22}
    assert findings.repeats["test"] == 25
    assert findings.overlap == {
        "bootstrap": {"rows": 1, "texts": 1},
        "random": {"rows": 3, "texts": 3},
        "topn": {"rows": 3, "texts": 2},
        "coreset": {"rows": 8, "texts": 8},
        "cluster": {"rows": 1, "texts": 1},
    }
    assert findings.empty == {"coreset": 1}


@pytest.mark.published
def test_every_variation_has_the_parent_that_position_gives_and_the_consistent_label(release):
    reading, _, out = release
    differing = {}
    for name in STRATEGIES:
        rows = load(out, name)["train"].to_list()
        variations, originals = rows[:-100], {row["id"]: row for row in rows[-100:]}
        assert list(originals) == [f"{name}-{i:03d}" for i in range(100)]
        sizes = [6 if name == "coreset" and i == 44 else 5 for i in range(100)]
        by_position = [f"{name}-{i:03d}" for i, size in enumerate(sizes) for _ in range(size)]
        assert [row["parent_id"] for row in variations] == by_position
        parents = [originals[row["parent_id"]] for row in variations]
        pairs = list(zip(variations, parents, strict=True))
        assert all(row["source"] == parent["source"] for row, parent in pairs)
        agreeing = "label" if reading == "consistent" else "reading"
        assert all(row[agreeing] == parent[agreeing] for row, parent in pairs)
        differing[name] = sum(row["label"] != row["reading"] for row in rows)
    assert differing == {"random": 0, "topn": 31, "coreset": 0, "cluster": 22}


@pytest.mark.published
def test_texts_are_those_of_the_files_to_the_byte(release, source):
    _, _, out = release
    for name in STRATEGIES:
        lines = (source / f"{name}-all.tsv").read_bytes().decode().replace("\r\n", "\n").rstrip("\n").split("\n")[1:]
        assert load(out, name)["train"]["text"][:] == [line.split("\t")[1] for line in lines]
    lines = (source / "test_labeled.tsv").read_bytes().decode().rstrip("\n").split("\n")[1:]
    assert load(out)["test"]["text"][:] == [line.split("\t")[2] for line in lines]


@pytest.mark.published
def test_two_imports_write_the_same_bytes(source, tmp_path):
    for name in ("a", "b"):
        import_published(source, tmp_path / name)
    files = [sorted(p for p in (tmp_path / name).rglob("*") if p.is_file()) for name in ("a", "b")]
    assert [p.read_bytes() for p in files[0]] == [p.read_bytes() for p in files[1]]
    assert len(files[0]) == 9
