"""A string of anybody is shown in Markdown as it is written, and is never markup, a link or another cell."""

import pytest

from rarecase.core.markdown import plain, table_row
from rarecase.publish.markdown import table
from rarecase.report.tables import Table


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a_b `c`\\", r"a\_b \`c\`\\"),
        ("<script>x</script> &lt; [y](z)", r"\<script\>x\</script\> \&lt; \[y\](z)"),
        ("~~gone~~ $x$ **loud**", r"\~\~gone\~\~ \$x\$ \*\*loud\*\*"),
        ("two\nlines\u2028more", "two lines more"),
        ("see <https://evil.example/a_b>.", "see `<https://evil.example/a_b>.`"),
        ("[see](HTTP://evil.example)", "`[see](HTTP://evil.example)`"),
        ("(www.evil.example)", "`(www.evil.example)`"),
        ("write to eve@evil.example, @eve", "write to `eve@evil.example,` `@eve`"),
        ("www.a`b``c", "``` www.a`b``c ```"),
        ("entropy@frozen-packaged", "entropy@frozen-packaged"),
    ],
)
def test_a_name_or_a_sentence(text, shown):
    assert plain(text) == shown


def test_a_vertical_line_ends_no_cell_of_any_table():
    assert table_row([plain("a|b"), "`c|d`"]) == r"| a\|b | `c\|d` |"
    assert table(["a|b"], [[1]]).splitlines()[0] == r"| a\|b |"
    shown = Table(["a|b", "<b>"], [["x\ny|z", "www.evil.example"]]).rendered("markdown")
    head, _, row = (line.replace(" ", "") for line in shown.splitlines())
    assert (head, row) == (r"|a\|b|\<b\>|", r"|xy\|z|`www.evil.example`|")
