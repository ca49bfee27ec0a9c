"""
Jinja for templates that may be a stranger's: in its sandbox, and with what keeps the work of rendering small.

Nothing in it grows from one step to the next, and nothing is called: no assignments, macros, calls and imports; loops
over `axes` and `classes` alone; a few filters, whose arguments are short constants.
"""

from collections.abc import Collection

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from rarecase.core.errors import did_you_mean, shown_id

FILTERS = ("capitalize", "first", "indent", "items", "last", "length", "lower", "trim", "upper")
LOOPED = ("axes", "classes")
DEEPEST = 2  # loops within each other, and filters after each other
LONGEST_ARGUMENT = 100  # characters, or a number: `indent` puts it before every line
_PARTS = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Name, nodes.Const, nodes.Keyword),
    *(nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or),
    *(nodes.Not, nodes.Tuple),
)


class NotAllowedError(Exception):
    """What a template may not have, and in which line."""

    def __init__(self, line: int, what: str):
        super().__init__(what)
        self.line = line


def compiled(source: str, variables: Collection[str]) -> tuple[Template, set[str]]:
    """A template that renders to text, and which of the variables it has; raises `NotAllowedError`."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    environment.filters = {name: environment.filters[name] for name in FILTERS}
    environment.globals = {}
    try:
        parsed = environment.parse(source)
        own = {name.name for name in parsed.find_all(nodes.Name) if name.ctx == "store"}
        _check(parsed, {*variables, *own, "loop"}, 1)
        used = {name.name for name in parsed.find_all(nodes.Name)} & {*variables}
        return environment.from_string(parsed), used
    except TemplateSyntaxError as error:
        raise NotAllowedError(error.lineno, str(error.message)[:200]) from None
    except (RecursionError, SyntaxError, MemoryError, ValueError):  # of Python, which it is turned into
        raise NotAllowedError(source[: len(source) - len(source.lstrip())].count("\n") + 1, "too deep") from None


def _check(node: nodes.Node, known: Collection[str], line: int, loops: int = 0, filters: int = 0) -> None:
    line = node.lineno or line
    if not isinstance(node, _PARTS) or (isinstance(node, nodes.Tuple) and node.ctx != "store"):
        kind = type(node).__name__.lower()
        raise NotAllowedError(line, f"a template has variables, `if`, `for` and filters, and no {kind!r}")
    if isinstance(node, nodes.Name) and node.name not in known:
        raise NotAllowedError(line, f"unknown variable{shown_id(node.name)}{did_you_mean(node.name, known)}")
    if isinstance(node, nodes.For):
        loops += 1
        if loops > DEEPEST or not _is_looped(node.iter):
            raise NotAllowedError(
                line, f"`for` is over {' or '.join(LOOPED)}, and at most {DEEPEST} are within each other"
            )
    if isinstance(node, nodes.Filter):
        filters += 1
        given = [*node.args, *(keyword.value for keyword in node.kwargs)]
        if filters > DEEPEST or node.dyn_args or node.dyn_kwargs or not all(map(_is_short, given)):
            raise NotAllowedError(
                line, f"at most {DEEPEST} filters are after each other, and take constants up to {LONGEST_ARGUMENT}"
            )
    for child in node.iter_child_nodes():
        _check(child, known, line, loops, filters)


def _is_looped(node: nodes.Node) -> bool:
    """Whether it is one of `LOOPED`, or the items of one, or of what a loop gives."""
    if isinstance(node, nodes.Filter):
        return node.name == "items" and isinstance(node.node, nodes.Name)
    return isinstance(node, nodes.Name) and node.name in LOOPED


def _is_short(node: nodes.Node) -> bool:
    """Whether it is a constant, and no long text or large number."""
    value = node.value if isinstance(node, nodes.Const) else None
    size = len(value) if isinstance(value, str) else value
    return isinstance(size, int) and size <= LONGEST_ARGUMENT
