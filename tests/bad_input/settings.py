"""Settings that are wrong: flags, files of settings, strategies and taxonomies."""

from bad_input.cases import Case, run

SETTINGS = [
    Case("batch 0", run(batch=0), r"--batch 0: expected at least 1"),
    Case("budget 0", run(budget=0), r"--budget 0: expected at least 1"),
    Case("negative batch", run(batch=-3), r"--batch -3: expected at least 1"),
    Case("negative seed", run(seed=-1), r"--seed -1: expected at least 0"),
    Case("learning rate NaN", run(learning_rate="nan"), r"--learning-rate nan: expected more than 0"),
    Case("unknown stopping criterion", run(stop_when="gian=0.3"), r"--stop-when: unknown criterion 'gian'; .*'gain'"),
    Case("word for a number", run(budget="lots"), r"Invalid value for --budget: unable to convert \"lots\" into int"),
    Case("unknown choice", run(annotator="golden"), r"Invalid value \"golden\" for --annotator.*mean \"gold\"\?"),
    Case("unknown flag", run(strategi="random"), r"Unknown option: --strategi\. Did you mean --strategy\?"),
    Case(
        "unknown command",
        "rnu --pool pool.csv",
        r"Unknown command \"rnu\"\. Did you mean \"run\"\?.*Available commands",
    ),
    Case("flag twice", run() + " --out {case}/other", r"Parameter --out specified multiple times"),
    Case(
        "unknown strategy", run(strategy="clutser"), r"--strategy clutser: expected one of random,.*mean 'cluster'\?"
    ),
    Case(
        "unknown strategy, dry", run(strategy="clutser", pool="absent") + " --dry-run", r"--strategy clutser: expected"
    ),
    Case("unknown module", run(strategy="nowhere:f"), r"--strategy nowhere:f: no module 'nowhere' in .* environment"),
    Case("unknown function", run(strategy="divides:dvide"), r"--strategy divides:dvide: no such .*mean 'divide'\?"),
    Case("a path for a module", run(strategy="../x:f"), r"--strategy \.\./x:f: expected one of random,.*module:func"),
    Case("a relative module", run(strategy=".x:f"), r"--strategy \.x:f: expected one of random,.*module:function"),
    Case("no module", run(strategy=":divide"), r"--strategy :divide: expected one of random,.*module:function"),
    Case("no function", run(strategy="os:sep"), r"--strategy os:sep: no such function in os"),
    Case("no out", run(out=None), r"--out is missing: the folder to write"),
    Case(
        "an out of a long name",
        run(out="x" * 300),
        r".*x{300}: .*File name too long.*; name another",
    ),
    Case(
        "out below a file", run(out="pool.csv/out"), r".*pool\.csv/out: cannot be written \(.*\); name another place"
    ),
    Case(
        "config: unknown key", run() + " --config key.yaml", r"key\.yaml: unknown setting 'strateggy'; .*'strategy'\?"
    ),
    Case("config: no mapping", run() + " --config list.yaml", r"list\.yaml: expected a mapping of settings, such as"),
    Case("config: no YAML", run() + " --config syntax.yaml", r"syntax\.yaml: invalid YAML; --config takes"),
    Case(
        "config: a word for a number",
        run() + " --config word.yaml",
        r"Invalid value for \[budget\] from word\.yaml.*int",
    ),
    Case(
        "config: unknown choice", run() + " --config choice.yaml", r"Invalid .* from choice\.yaml.*mean \"frozen\"\?"
    ),
    Case("config: a mapping for a number", run() + " --config nested.yaml", r".*\[budget\].* from nested\.yaml"),
    Case("config: out of range", run() + " --config zero.yaml", r"--batch 0: expected at least 1"),
    Case(
        "config: missing", run() + " --config absent.yaml", r"absent\.yaml: No such file or directory; --config takes"
    ),
    Case(
        "taxonomy: unknown key",
        run(taxonomy="class-key.yaml"),
        r"class-key\.yaml: class 'self-harm' .*mean 'definition'\?",
    ),
    Case(
        "taxonomy: missing", run(taxonomy="absent.yaml"), r"absent\.yaml: No such file or directory; --taxonomy takes"
    ),
    Case(
        "taxonomy: a class less",
        run(taxonomy="few-classes.yaml"),
        r"--bootstrap start\.csv row 2: label 'self-harm' is not",
    ),
]
