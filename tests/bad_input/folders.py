"""Folders that are not what a command takes, or whose files were changed."""

import shutil
from pathlib import Path

from bad_input.cases import Case, edit, run, simulate, start, write


def labelled_twice(out: Path) -> None:
    """The first row of `to_label.csv` once more."""
    lines = (out / "to_label.csv").read_text(encoding="utf-8").splitlines()
    (out / "to_label.csv").write_text("\n".join([*lines, lines[1]]) + "\n", encoding="utf-8")


RESUME = "run --resume {case}/out"
FOLDERS = [
    Case(
        "another format",
        RESUME,
        r".*/run\.json: format 99, this .* reads 1; use",
        "run",
        edit("run.json", '"format": 1', '"format": 99'),
    ),
    Case("another kind", RESUME, r".*/out is the folder of a start, expected a run", "start"),
    Case("garbage", RESUME, r".*/out is not the folder of a run: no readable run", "run", write("run.json", "[1")),
    Case("no run", RESUME, r".*/out: no such folder; begin a run with --out"),
    Case("out that exists", run(), r".*/out exists and is not empty; name another --out", "notes"),
    Case("out that exists, start", start(), r".*/out exists and is not empty; name another --out", "notes"),
    Case("out that exists, simulate", simulate(), r".*/out exists and is not empty; name another --out", "notes"),
    Case("out that is a run", run(), r".*/out holds a run already;.* go on with: rarecase run --resume .*/out", "run"),
    Case("out that is a run, simulate", simulate(), r".*/out is the folder of a run, expected a grid", "run"),
    Case(
        "resume with other data",
        f"{RESUME} --pool odd-gold.csv",
        r".* begun with --pool pool\.csv, not odd-gold.*leave",
        "run",
    ),
    Case(
        "resume with another model",
        f"{RESUME} --model org/m",
        r".* begun with --model packaged, not org/m; leave",
        "run",
    ),
    Case(
        "resume with another seed",
        f"{RESUME} --seed 5",
        r".* begun with --seed 0, not 5; leave it as it was, or",
        "run",
    ),
    Case(
        "resume with a taxonomy",
        f"{RESUME} --taxonomy classes.yaml",
        r".* begun without --taxonomy, not classes",
        "run",
    ),
    Case(
        "resume, seed edited",
        RESUME,
        r".* begun with --seed 0, not 7; leave",
        "run",
        edit("config.yaml", "seed: 0", "seed: 7"),
    ),
    Case(
        "resume, classes edited",
        RESUME,
        r".*its taxonomy\.yaml are not those",
        "run",
        edit("taxonomy.yaml", "legal-", "legl-"),
    ),
    Case(
        "resume, table edited",
        RESUME,
        r".*: its tables .* begin anew",
        "run",
        lambda out: shutil.copy(out / "dev.parquet", out / "pool.parquet"),
    ),
    Case(
        "resume, unknown key",
        RESUME,
        r".*unknown setting 'sed'; did you mean 'seed'",
        "run",
        edit("config.yaml", "seed: 0", "sed: 0"),
    ),
    Case(
        "bad label",
        RESUME,
        r".*to_label\.csv row 2: label 'self harm' is not.*mean 'self-harm'\?",
        "run",
        edit("to_label.csv", ",\n", ",self harm\n"),
    ),
    Case(
        "unknown id",
        RESUME,
        r".*to_label\.csv row 2: id 'poll-\d+' is not one of those to label; restore",
        "run",
        edit("to_label.csv", "pool-", "poll-"),
    ),
    Case("id twice", RESUME, r".*to_label\.csv row 22: id 'pool-\d+' occurs twice; delete", "run", labelled_twice),
    Case(
        "start: bad label",
        "start --resume {case}/out",
        r".*to_label\.csv row 2: label 'self harm' is not",
        "start",
        edit("to_label.csv", ",,", ",self harm,"),
    ),
    Case("resume elsewhere", f"{RESUME} --out {{case}}/b", r"--out .*/b has no effect beside --resume .*/out;", "run"),
    Case("resume, dry", f"{RESUME} --dry-run", r"--dry-run says what a run would ask for before .*--resume", "run"),
    Case(
        "start: another seed", "start --resume {case}/out --seed 4", r".* begun with --seed 0, not 4; leave", "start"
    ),
    Case(
        "start: not labelled yet",
        "run --start {case}/out --generator none --out {case}/new",
        r".*no pool\.parquet yet; go on with: rarecase start --resume",
        "start",
    ),
]
