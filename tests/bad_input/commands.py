"""What commands other than `run` refuse."""

from bad_input.cases import Case, simulate, start

COMMANDS = [
    Case(
        "start: large sets",
        start(test=100),
        r"--bootstrap 5, --dev 5, --test 100, .* fewer than the 40 posts of the pool",
    ),
    Case(
        "start: no labels",
        start(pool="unlabelled.csv"),
        r"--annotator gold: the pool has no labels; name their --label-c",
    ),
    Case(
        "simulate: no labels",
        simulate(pool="unlabelled.csv"),
        r"simulate: the pool has no labels; name their --label-c",
    ),
    Case(
        "simulate: large test set",
        simulate(test=None, test_size=100),
        r"--test-size 100: expected fewer than the 40 rows",
    ),
    Case("simulate: no test set", simulate(test=None), r"--test is missing; give a labelled table, or --test-size N"),
    Case("simulate: no seeds", simulate(seeds=0), r"--seeds 0: expected 1 to 1,000"),
    Case(
        "train: no release",
        "train pool.csv --config-name a --out {case}/out",
        r"pool\.csv is no release.*; give one, or a",
    ),
    Case(
        "train: an empty folder",
        "train nothing --config-name a --out {case}/out",
        r"nothing is no release.*; give one",
    ),
    Case(
        "report: no run",
        "report nothing",
        r"nothing is not the folder of a run or grid or experiment: no readable",
    ),
    Case(
        "published: a file less",
        "import-published published-missing --out {case}/out",
        r".*dev_labeled\.tsv: No such file.*; expected the folder",
    ),
    Case(
        "published: no category",
        "import-published published-category --out {case}/out",
        r".*bootstrap_labeled\.tsv row 2: category 'medical' is unknown; exp",
    ),
    Case(
        "published: a post as category",
        "import-published published-swapped --out {case}/out",
        r".*_labeled\.tsv row 2: category is unknown; expected",
    ),
    Case(
        "published: columns",
        "import-published published-columns --out {case}/out",
        r".*_labeled\.tsv row 3: 2 columns, expected 4",
    ),
    Case(
        "pool: none of a source",
        "pool pool.csv --per-source 0 --out {case}/p.parquet",
        r"--per-source 0: expected at least 1",
    ),
    Case(
        "pool: misspelt",
        "pool pool.csv --text-column tetx --out {case}/p.parquet",
        r"pool\.csv: no column 'tetx'.*'text'\?",
    ),
    Case(
        "pool: another ending",
        "pool pool.csv --out {case}/pool.csv",
        r"--out .*pool\.csv: expected a name that ends in \.parquet",
    ),
]
