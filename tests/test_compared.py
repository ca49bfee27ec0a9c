"""What `make compare` calls identical, expected, reworded and different."""

import compared
import pytest


@pytest.mark.parametrize(
    ("name", "old", "new", "kind"),
    [
        ("run/config.yaml", "seed: 0", "seed: 0", "identical"),
        ("run/config.yaml", "url: http://127.0.0.1:4000/v1", "url: http://127.0.0.1:5000/v1", "expected"),
        ("run/config.yaml", "seed: 0", "seed: 1", "different"),
        ("hub/README.md", "rows of `a`", "the rows of `a`", "different"),
        ("run/to_label.csv", "id,text\r\n", "id,text\n", "different"),
        ("_said/00 run.stderr", "10%|## | 1/9\nfailed after 3.2 s", "20%|## | 2/9\nfailed after 4.1 s", "expected"),
        ("_said/00 run.stderr", "take the row out", "remove the row", "reworded"),
        ("_said/00 run.exit", "2", "1", "different"),
        ("_said/01 report.stdout", '{\n  "f1": 50.0\n}', '{\n  "f1": 50.1\n}', "different"),
        ("_said/01 report.stdout", '{\n  "f1": 50.0\n}', "f1 50.0", "different"),
        (
            "_said/01 report.stdout",
            '{\n  "notes": [\n    "so"\n  ]\n}',
            '{\n  "notes": [\n    "thus"\n  ]\n}',
            "reworded",
        ),
    ],
)
def test_a_file_differs_where_more_than_words_clocks_and_addresses_do(tmp_path, name, old, new, kind):
    paths = [tmp_path / side / name for side in ("base", "new")]
    for path, text in zip(paths, (old, new), strict=True):
        path.parent.mkdir(parents=True)
        path.write_bytes(text.encode())
    assert compared.compared(*paths)[0] == kind


def test_a_file_of_one_side_alone_is_a_difference_and_fails(tmp_path, capsys):
    for side in ("base", "new"):
        (tmp_path / side / "demo").mkdir(parents=True)
    (tmp_path / "new" / "demo" / "more.csv").write_text("id\n")
    assert compared.show(tmp_path, ["demo"])
    assert "only in" in capsys.readouterr().out
