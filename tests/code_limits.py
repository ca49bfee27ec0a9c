"""
Counts lines, and what has a limit: untyped facts, circles of imports and so on. Fails where a limit is missed.

    python tests/code_limits.py [OTHER_CHECKOUT]

prints a table, with the counts of the other checkout beside, and lists what misses its limit here.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
LONGEST_MODULE, LONGEST_FUNCTION = 400, 60
LIMITS = {
    "untyped facts: dict[str, Any], Mapping[str, Any]": 80,
    "modules that know `updates`": 5,
    "modules that spell rounds/ as a path": 1,
    "modules that name release.json": 1,
    f"modules over {LONGEST_MODULE} lines, tests too": 0,
    f"functions over {LONGEST_FUNCTION} lines without docstring, tests too": 0,
    "private names replaced in tests": 0,
    "public names without a docstring": 0,
    "modules in circles of imports, those in functions too": 0,
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def docstring_of(node: ast.AST) -> ast.Expr | None:
    """The statement that is the docstring."""
    documented = isinstance(node, ast.Module | ast.ClassDef | Function) and ast.get_docstring(node) is not None
    return node.body[0] if documented else None


def lines_of(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def kinds_of_lines(source: str, tree: ast.Module) -> Counter:
    """How many lines are code, docstring, imports, comment and blank."""
    kinds = {}
    for node in ast.walk(tree):
        if text := docstring_of(node):
            kinds |= dict.fromkeys(lines_of(text), "docstring lines")
        if isinstance(node, ast.Import | ast.ImportFrom):
            kinds |= dict.fromkeys(lines_of(node), "imports")
    for number, line in enumerate(source.splitlines(), 1):
        plain = "blank" if not line.strip() else "comments" if line.strip().startswith("#") else "code lines"
        kinds.setdefault(number, plain)
    return Counter(kinds.values())


def words_of(tree: ast.Module) -> tuple[set[str], list[str], list[str]]:
    """The names in the code; its texts without docstrings; and the operands of `/`, which joins paths."""
    documented = {id(text.value) for node in ast.walk(tree) if (text := docstring_of(node))}
    nodes = [node for node in ast.walk(tree) if id(node) not in documented]
    names = {getattr(node, field, None) for node in nodes for field in ("id", "attr", "arg", "name")}
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    joined = [node for node in nodes if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)]
    return names, texts, [getattr(side, "value", None) for node in joined for side in (node.left, node.right)]


def undocumented(node: ast.AST, name: str) -> Iterator[str]:
    """The public names of a module or class that have no docstring."""
    yield from () if docstring_of(node) else [name]
    for child in getattr(node, "body", []):
        if isinstance(child, ast.ClassDef | Function) and not child.name.startswith("_"):
            again = any(ast.unparse(mark).endswith((".setter", "overload")) for mark in child.decorator_list)
            inner = child if isinstance(child, ast.ClassDef) else ast.FunctionDef(body=child.body[:1])
            yield from () if again else undocumented(inner, f"{name}: {child.name}")


def replaced(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Private names of something else that are set: by assignment, or by `setattr` and `patch`."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            names = [] if getattr(node.value, "id", "") in ("self", "cls") else [node.attr]
        elif isinstance(node, ast.Call) and re.search(
            r"(setattr|delattr|patch|patch\.object)$", ast.unparse(node.func)
        ):
            texts = (argument.value for argument in node.args[:2] if isinstance(argument, ast.Constant))
            names = [text.rpartition(".")[2] for text in texts if isinstance(text, str)]
        yield from ((node.lineno, name) for name in names if re.match(r"_(?!_)", name))


def circles(trees: dict[str, ast.Module]) -> list[str]:
    """The modules that import themselves by way of others."""
    imports: dict[str, set[str]] = {name: set() for name in trees}
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                full = (f"{node.module}.{alias.name}" for alias in node.names)
                imports[name] |= {one if one in trees else node.module for one in full}
            elif isinstance(node, ast.Import):
                imports[name] |= {alias.name for alias in node.names}

    def reached(names: set[str]) -> set[str]:
        more = {two for one in names for two in imports.get(one, ())} - names
        return reached(names | more) if more else names

    return [name for name in trees if name in reached(imports[name])]


def count(root: Path) -> tuple[Counter, dict[str, list[str]]]:
    """The lines of the package by kind, and all that has a limit, listed."""
    lines, found = Counter(), {what: [] for what in LIMITS}
    untyped, updates, rounds, release, long, longer, private, bare, circular = found.values()
    trees: dict[str, ast.Module] = {}
    for path in sorted([*(root / "src").rglob("*.py"), *(root / "tests").rglob("*.py")]):
        name, source = str(path.relative_to(root)), path.read_text(encoding="utf-8")
        tree = ast.parse(source)
        long += [name] * (len(source.splitlines()) > LONGEST_MODULE)
        for node in (node for node in ast.walk(tree) if isinstance(node, Function)):
            length = len(lines_of(node)) - (len(lines_of(text)) if (text := docstring_of(node)) else 0)
            longer += [f"{name}:{node.lineno} {node.name}, {length} lines"] * (length > LONGEST_FUNCTION)
        if name.startswith("tests"):
            private += [f"{name}:{line} {word}" for line, word in replaced(tree)]
            continue
        trees[".".join(path.relative_to(root / "src").with_suffix("").parts).removesuffix(".__init__")] = tree
        lines += kinds_of_lines(source, tree)
        untyped += [name] * len(re.findall(r"\b(?:dict|Mapping)\[str, Any\]", source))
        names, texts, parts = words_of(tree)
        updates += [name] * ("updates" in names or any(re.search(r"\bupdates\b", text) for text in texts))
        rounds += [name] * ("rounds" in parts or any("rounds/" in text for text in texts))
        release += [name] * any(text.rpartition("/")[2] == "release.json" for text in texts)
        bare += undocumented(tree, name)
    circular += circles(trees)
    return lines + Counter({"lines of Python in src": lines.total()}), found


def main() -> int:
    checkouts = [count(Path(root)) for root in (ROOT, *sys.argv[1:])]
    kinds, here = checkouts[0]
    rows = [["", "here", *sys.argv[1:], "limit"]]
    rows += [[kind, *(lines[kind] for lines, _ in checkouts), ""] for kind in sorted(kinds)]
    rows += [[what, *(len(found[what]) for _, found in checkouts), limit] for what, limit in LIMITS.items()]
    for what, *cells in rows:
        print(f"{what:57}" + "".join(f"{cell!s:>12.12}" for cell in cells))
    missed = [what for what, limit in LIMITS.items() if len(here[what]) > limit]
    for what in missed:
        print(f"\n{what}:", *(f"{one} ({times})" for one, times in Counter(here[what]).items()), sep="\n  ")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
