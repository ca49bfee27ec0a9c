"""Tables that cannot be read, or whose columns, labels, ids or rows are wrong."""

from bad_input.cases import Case, run, start

TABLES = [
    Case(
        "text column misspelt",
        run(text_column="texts"),
        r"start\.csv: no column 'texts'.*mean 'text'\?.*--text-column",
    ),
    Case(
        "label column misspelt", run(label_column="lable"), r"start\.csv: no column 'lable'.*mean 'label'\?.*--label-c"
    ),
    Case("id column misspelt", run(id_column="idd"), r"start\.csv: no column 'idd'.*mean 'id'\?.*--id-column"),
    Case(
        "text column misspelt in the file",
        run(dev="misspelt.csv"),
        r"misspelt\.csv: no column 'text'.*mean 'txt'\?.*--t",
    ),
    Case(
        "label column misspelt in the file",
        run(dev="misspelt-label.csv"),
        r".*\.csv: no column 'label'.*'lable'\?.*--la",
    ),
    Case("no header", run(dev="no-header.csv"), r"no-header\.csv: no column 'text'.*is the first row a header\?"),
    Case(
        "posts as labels",
        run(label_column="text"),
        r"the column of labels holds 36 different.*--label-column.*--taxonomy",
    ),
    Case(
        "posts as labels, with a taxonomy",
        run(label_column="text", taxonomy="classes.yaml"),
        r"--bootstrap start\.csv row 2: label is not in the taxonomy \(.*--label-column",
    ),
    Case(
        "posts as gold labels", start(label_column="text"), r"the column of labels holds 40 different.*--label-column"
    ),
    Case(
        "label that is no class",
        run(dev="odd-label.csv"),
        r"--dev odd-label\.csv row 6: label 'self harm' is not in the taxonomy; did you mean 'self-harm'\?.*--tax",
    ),
    Case(
        "label that is no class, in the start set",
        run(bootstrap="odd-label.csv"),
        r"--bootstrap odd-label\.csv row 6: label 'self harm' is not in the taxonomy; did you mean 'self-harm'\?",
    ),
    Case(
        "gold label that is no class",
        run(pool="odd-gold.csv"),
        r"--pool odd-gold\.csv row 6: label 'legal-advise' is not in the taxonomy; did you mean 'legal-advice'\?.*--t",
    ),
    Case(
        "gold label that is no class, for start",
        start(pool="odd-gold.csv"),
        r"--pool odd-gold\.csv row 6: label 'legal-adv",
    ),
    Case("empty text", run(dev="empty-text.csv"), r"empty-text\.csv row 6: no text; a labelled set needs one"),
    Case("white text", run(dev="white-text.csv"), r"white-text\.csv row 6: no text; a labelled set needs one"),
    Case("no label", run(dev="no-label.csv"), r"no-label\.csv row 6: no label; a labelled set needs one"),
    Case(
        "an id twice", run(dev="same-ids.csv"), r"same-ids\.csv row 6: the same id as same-ids\.csv row 3.*--id-column"
    ),
    Case(
        "an id in two sets",
        run(dev="other-ids.csv"),
        r"--dev other-ids\.csv row 2: its id belongs to another text in --pool pool\.csv row \d+;.*--id-column",
    ),
    Case("invalid UTF-8", run(pool="latin.csv"), r"latin\.csv line \d+: byte \d+ \(0xc4\) is not.*--encoding cp1252"),
    Case(
        "unknown encoding", run(encoding="latin-9000"), r"start\.csv: unknown encoding 'latin-9000'; --encoding takes"
    ),
    Case(
        "NUL byte",
        run(pool="nul.csv"),
        r"nul\.csv line \d+: a NUL byte at position \d+; is the file damaged.*--encoding",
    ),
    Case("text of 1 MB", run(pool="long-text.csv"), r"long-text\.csv row 6: .*expected at most 100,000"),
    Case(
        "text of 1 MB, JSON",
        run(pool="long-text.jsonl"),
        r"long-text\.jsonl row 2: a text of over 100,000 .*; shorten",
    ),
    Case(
        "truncated Parquet", run(pool="cut.parquet"), r"cut\.parquet: not a readable Parquet.*\(truncated\?\); fetch"
    ),
    Case("truncated gzip", run(pool="cut.csv.gz"), r"cut\.csv\.gz: ends in the middle \(truncated \.gz file\); fetch"),
    Case(
        "truncated zstd", run(pool="cut.csv.zst"), r"cut\.csv\.zst: ends in the middle \(truncated \.zst file\); fetch"
    ),
    Case("no gzip", run(pool="other.csv.gz"), r"other\.csv\.gz: not a readable \.gz file.*make it again"),
    Case("empty file", run(pool="empty.csv"), r"empty\.csv: the file is empty; expected a header and rows"),
    Case(
        "header only",
        run(pool="header-only.csv"),
        r"header-only\.csv: no rows; expected at least one below the header",
    ),
    Case("a comma too many", run(pool="fields.csv"), r"fields\.csv row 42: 4 fields, expected 3 .*; quote a text"),
    Case("an open quote", run(pool="quote.csv"), r"quote\.csv row 42: .*expected CSV: a text with a comma in"),
    Case(
        "no object",
        run(pool="list.jsonl"),
        r"list\.jsonl line 1: expected a JSON object, found a list; write one object",
    ),
    Case("no JSON", run(pool="cut.jsonl"), r"cut\.jsonl line 1: invalid JSON.*; expected one object a line"),
    Case("a workbook", run(pool="posts.xlsx"), r"posts\.xlsx: no workbook is read; export the sheet as CSV"),
    Case("missing file", run(pool="poll.csv"), r"poll\.csv: no such file or folder.*did you mean 'pool\.csv'\?"),
    Case("empty folder", run(pool="nothing"), r"nothing: no data files in this folder; expected CSV"),
    Case(
        "no data set of the Hub",
        run(pool="org/nothing"),
        r"org/nothing: no such file.*the Hub does not answer.*HF_HUB_OFFLINE",
    ),
    Case(
        "a small pool",
        run(pool="five.csv"),
        r"--batch 20: expected at most the 5 posts that the pool has left; lower it",
    ),
    Case("a small pool, dry", run(pool="five.csv") + " --dry-run", r"--batch 20: expected at most the 5 posts"),
    Case("many clusters", run(clusters=100), r"--clusters 100: expected at most the 40 posts that the pool has left"),
    Case(
        "a pool that is the test set",
        run(pool="test.csv"),
        r"no post is left of the 12 .*: all are in the other sets; give",
    ),
    Case(
        "no gold labels",
        run(pool="unlabelled.csv"),
        r"--annotator gold: the pool has no labels; name .*--annotator file",
    ),
    Case("no pool", run(pool=None), r"--pool is missing: a file, a folder or a data set of the Hub"),
    Case("no dev", run(dev=None), r"--dev is missing: a file, .*or --start FOLDER for all four"),
]
