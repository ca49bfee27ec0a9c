"""What makes hostile content out of good content. Every draw is the generator's that a function is given."""

import contextlib
import copy
import gzip
import io
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import PurePath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
import zstandard

Rng = np.random.Generator
Mutator = Callable[[Rng, bytes], bytes]

DIGITS = "7" * 5000
BILLION = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in pairwise("abcdefghi"))
# fmt: off
TOKENS = [
    "\0", "\ufeff", "\ufeff\ufeff", DIGITS, f"-{DIGITS}", f"0.{DIGITS}", "1e999", "-1", "NaN", "Infinity", "null",
    "''", "[" * 5000, "{" * 3000, '{"a":' * 2000, "(" * 500, "]", "}", '"', '"""', "\\", "\\ud800", "\\u0000",
    "&a [*a]", "=1+1", "+cmd|' /C calc'!A0", "@SUM(A1)", "../", "../../../etc/passwd", "/etc/passwd",
    "file:///etc/passwd", "http://127.0.0.1:9/", "\r", "\n", "\r\n", "\t", ";", ",", "\u2028", "\x1b[31m", "\u202e",
    "e\u0301" * 50, "\ud800", "!!python/object/apply:os.abort []", "!!int abc", "!!timestamp x", "2001-99-99", "<<: 1",
    "? [a]: 1", BILLION, "---\n", "- - - - ", "&a [*a, *a]", "*b", "%s%n", "a" * 300, "\x7f", "~", "", " ", "0",
    "true", "\x85", "a b", "auto_map", "evil.Evil", "os.abort", "sentence_transformers.util.http_get",
]
VALUES = [
    None, True, False, 0, 10_000_000, -1, 0.5, "", "a", [], {}, 2**63, -(2**63) - 1, 10**400, 1e308, float("nan"),
    float("inf"), "\0", "\ud800", "\ufeff", "a" * 300, "=1+1", "../x", "/etc/passwd", "b\nc", "\u202e", DIGITS, "..",
    ".", "a/b", -0.0, [[]], [[[]]], [{}], {"": None}, {"a": {"b": {}}}, [None], ["a", 1], [0.5] * 100, ["a"] * 1000,
    {"0": 0}, "evil.Evil", {"AutoModel": "evil.Evil"}, int(DIGITS[:4000]),
]
# fmt: on


def rng_of(seed: int, number: int) -> Rng:
    """The generator of one case."""
    return np.random.default_rng([seed, number])


def choice(rng: Rng, values: Any) -> Any:
    """One of a list, as it is."""
    return values[int(rng.integers(len(values)))]


def token(rng: Rng) -> bytes:
    """A hostile piece of text, now and then bytes that are none."""
    if rng.random() < 0.1:
        return rng.bytes(int(rng.integers(1, 9)))
    return choice(rng, TOKENS).encode("utf-8", "surrogatepass")


def span(rng: Rng, length: int) -> slice:
    """A piece of something so long, mostly a short one."""
    start = int(rng.integers(length + 1))
    longest = length - start if rng.random() < 0.2 else min(length - start, 40)
    return slice(start, start + int(rng.integers(longest + 1)))


def bytes_mutated(rng: Rng, content: bytes) -> bytes:
    """One change that knows no format."""
    here, there = span(rng, len(content)), span(rng, len(content))
    piece, head, tail = content[here], content[: here.start], content[here.stop :]
    match int(rng.integers(9)):
        case 0:
            return head
        case 1:
            return bits_flipped(rng, content)
        case 2:
            return head + tail
        case 3:
            return head + piece * int(rng.integers(2, 100)) + tail
        case 4:
            return head + token(rng) + content[here.start :]
        case 5:
            return head + token(rng) + tail
        case 6:
            return head + content[there] + tail
        case 7:
            return choice(rng, [b"", b"\xef\xbb\xbf" + content, content * 2, content[::-1], content + rng.bytes(20)])
        case _:
            text = content.decode("utf-8", "replace")
            return text.encode(choice(rng, ["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7"]), "replace")


def bits_flipped(rng: Rng, content: bytes) -> bytes:
    """Up to four of all bits are wrong."""
    flipped = bytearray(content)
    for place in rng.integers(len(content), size=int(rng.integers(1, 5))) if content else ():
        flipped[place] ^= 1 << int(rng.integers(8))
    return bytes(flipped)


def lines_mutated(rng: Rng, content: bytes) -> bytes:
    """A line or one of its fields is doubled, left out, exchanged or made hostile; often it is the header."""
    lines = content.split(b"\n")
    here = 0 if rng.random() < 0.3 else int(rng.integers(len(lines)))
    there = int(rng.integers(len(lines)))
    separator = choice(rng, [b",", b"\t", b";"])
    fields = lines[here].split(separator)
    field = int(rng.integers(len(fields)))
    changed: list[bytes] = []  # in place of the line
    match int(rng.integers(9)):
        case 0:
            changed = [lines[here]] * int(rng.integers(2, 50))
        case 1:
            changed = []
        case 2:
            changed, lines[there] = [lines[there]], lines[here]
        case 3:
            changed = [separator.join([*fields, fields[field]])]
        case 4:
            changed = [separator.join([*fields[:field], *fields[field + 1 :]])]
        case 5 | 6:
            changed = [separator.join([*fields[:field], token(rng), *fields[field + 1 :]])]
        case 7:
            changed = [lines[here] + separator * int(rng.integers(1, 3000))]
        case _:
            changed = [token(rng), lines[here]]
    lines[here : here + 1] = changed
    return choice(rng, [b"\n", b"\n", b"\n", b"\r\n", b"\r"]).join(lines)


def value_mutated(rng: Rng, value: Any) -> Any:
    """A value at a random path of JSON has another type, is gone, renamed, nested or doubled."""
    root: list[Any] = [copy.deepcopy(value)]
    inside, key = root, 0
    while isinstance(inside[key], list | dict) and inside[key] and rng.random() > 0.15:
        inside = inside[key]
        key = choice(rng, list(inside) if isinstance(inside, dict) else range(len(inside)))
    match int(rng.integers(6)):
        case 0 if isinstance(inside, dict):
            inside[choice(rng, TOKENS)] = inside.pop(key)
        case 1:
            del inside[key]
        case 2:
            for _ in range(choice(rng, [1, 3, 200])):
                inside[key] = choice(rng, [[inside[key]], {"a": inside[key]}])
        case 3 if isinstance(inside, list):
            inside *= int(rng.integers(2, 100))
        case 4 if isinstance(inside[key], str):
            inside[key] = choice(rng, [inside[key] + choice(rng, TOKENS), choice(rng, TOKENS), inside[key] * 100])
        case _:
            inside[key] = choice(rng, VALUES)
    return root[0] if root else None


def json_mutated(rng: Rng, content: bytes) -> bytes:
    """JSON whose values are mutated, or its bytes; what is no JSON by its bytes alone."""
    if rng.random() < 0.3:
        return bytes_mutated(rng, content)
    with contextlib.suppress(ValueError):
        return json.dumps(value_mutated(rng, json.loads(content))).encode()
    return bytes_mutated(rng, content)


def json_lines_mutated(rng: Rng, content: bytes) -> bytes:
    """JSON lines of which one is mutated, or their order."""
    if rng.random() < 0.3:
        return lines_mutated(rng, content)
    lines = content.split(b"\n")
    place = int(rng.integers(len(lines) - 1))  # the last is empty
    lines[place] = json_mutated(rng, lines[place])
    return b"\n".join(lines)


def yaml_mutated(rng: Rng, content: bytes) -> bytes:
    """YAML, perhaps between two `---`, whose values are mutated, or its bytes or lines."""
    if rng.random() < 0.5:
        return choice(rng, [bytes_mutated, lines_mutated])(rng, content)
    head, *rest = content.removeprefix(b"---\n").split(b"---\n", 1)
    try:
        mutated = value_mutated(rng, yaml.safe_load(head))
    except yaml.YAMLError:  # Markdown without a head, or what was mutated before
        return bytes_mutated(rng, content)
    text = choice(rng, [yaml.safe_dump, json.dumps])(mutated) + "\n"
    return b"---\n".join(
        [b"", text.encode("utf-8", "surrogatepass"), *rest] if rest else [text.encode("utf-8", "surrogatepass")]
    )


def parquet_mutated(rng: Rng, content: bytes) -> bytes:
    """A Parquet file with other columns, types, values or metadata, or with other bytes."""
    if rng.random() < 0.3:
        return bytes_mutated(rng, content)
    table = pq.read_table(io.BytesIO(content))
    place = int(rng.integers(table.num_columns))
    name, column = table.column_names[place], table.column(place)
    rows = table.num_rows
    match int(rng.integers(7)):
        case 0:
            table = table.append_column(name, column)
        case 1:
            table = table.drop_columns([name])
        case 2:
            table = table.rename_columns(
                [choice(rng, TOKENS).replace("\ud800", "?") if n == name else n for n in table.column_names]
            )
        case 3:
            table = table.slice(int(rng.integers(rows + 1)), int(rng.integers(3)))
        case 4:
            own = (table.schema.metadata or {}).get(b"huggingface", b"{}")
            table = table.replace_schema_metadata({b"huggingface": json_mutated(rng, own)})
        case _:
            table = table.set_column(place, name, column_of(rng, rows))
    buffer = io.BytesIO()
    try:
        pq.write_table(table, buffer)
    except pa.ArrowException:  # there are tables that Parquet has no form for
        return bytes_mutated(rng, content)
    return buffer.getvalue()


def column_of(rng: Rng, rows: int) -> pa.Array:
    """A column of another kind than anybody expects."""
    value = choice(
        rng,
        [
            None,
            77,
            -1,
            2**62,
            0.5,
            float("nan"),
            "a",
            "",
            "\0",
            b"\xff",
            True,
            [],
            [1],
            [[0.5]],
            {"a": 1},
            ["a", None],
        ],
    )
    values = [value] * rows
    if rows and rng.random() < 0.3:
        values[int(rng.integers(rows))] = None
    array = pa.array(values)
    return array.dictionary_encode() if rng.random() < 0.2 and not pa.types.is_nested(array.type) else array


def safetensors_mutated(rng: Rng, content: bytes) -> bytes:
    """Weights with another header, or with other bytes."""
    if rng.random() < 0.5:
        return bytes_mutated(rng, content)
    length = int.from_bytes(content[:8], "little")
    header = json_mutated(rng, content[8 : 8 + length])
    claimed = len(header) if rng.random() < 0.8 else int(choice(rng, [0, 1, 2**31, 2**63, len(header) + 1]))
    return claimed.to_bytes(8, "little") + header + content[8 + length :]


BY_ENDING: dict[str, Mutator] = {
    ".json": json_mutated,
    ".jsonl": json_lines_mutated,
    ".ndjson": json_lines_mutated,
    ".yaml": yaml_mutated,
    ".md": yaml_mutated,
    ".parquet": parquet_mutated,
    ".safetensors": safetensors_mutated,
    ".sqlite": bits_flipped,
}


def file_mutated(rng: Rng, name: str, content: bytes) -> bytes:
    """A file of this name, mutated as its ending says; of a packed one what is in it, or what it is packed as."""
    path = PurePath(name)
    if path.suffix not in (".gz", ".zst"):
        mutator = BY_ENDING.get(path.suffix) or choice(rng, [lines_mutated, lines_mutated, bytes_mutated])
        return mutator(rng, content)
    if rng.random() < 0.3:
        return bytes_mutated(rng, content)
    gz = path.suffix == ".gz"
    inner = gzip.decompress(content) if gz else zstandard.ZstdDecompressor().decompress(content)
    inner = file_mutated(rng, path.stem, inner)
    return gzip.compress(inner, mtime=0) if gz else zstandard.compress(inner)


STATUSES = [100, 101, 102, 103, 199, 200, 201, 204, 206, 301, 302, 304, 307, 400, 401, 403, 404, 408, 409, 412, 413]
STATUSES += [416, 418, 422, 429, 451, 500, 502, 503, 504, 599, 600, 999, 0, -1, 10**9]
FIELDS = [
    *("Retry-After: 1e999", "Retry-After: 10000000", "Retry-After: -5", "Retry-After: nan", f"Retry-After: {DIGITS}"),
    *("Retry-After: Fri, 99 Foo 99999 99:99:99 GMT", "Retry-After: ", "ratelimit: a;r=0;t=99999999", "ratelimit: ;;;"),
    *("Content-Type: application/json; charset=hex", "Content-Type: text/html; charset=undefined", "Content-Type: "),
    *("Content-Type: application/json; charset=utf-16", "Content-Type: application/json; charset=idna"),
    *(
        "Content-Encoding: gzip",
        "Content-Encoding: br",
        "Content-Encoding: deflate",
        "Content-Encoding: gzip, gzip, br",
    ),
    *("Content-Encoding: zstd", "Transfer-Encoding: chunked", "Content-Length: 5", "Content-Length: 99999999999"),
    *("Content-Length: -1", "Content-Length: abc", f"Content-Length: {DIGITS}", "Location: file:///etc/passwd"),
    *("Location: http://127.0.0.1:9/", "Location: http://[::1", "Location: ", "Location: //", "Location: \0"),
    *("Link: <>; rel=next", 'Link: <http://127.0.0.1:9/>; rel="next"', 'Link: <file:///etc/passwd>; rel="next"'),
    *("ETag: ../../x", "ETag: ", f"ETag: {'e' * 300}", "X-Linked-Etag: ..", "X-Linked-Size: abc", "X-Linked-Size: -1"),
    *("X-Repo-Commit: ../..", "X-Repo-Commit: ", "X-Error-Code: GatedRepo", "X-Error-Code: RepoNotFound"),
    *("X-Error-Code: RevisionNotFound", "X-Error-Code: EntryNotFound", "X-Error-Message: a\x00b", "Set-Cookie: a=b"),
    *("X-Xet-Hash: ab", "X: " + "x" * 70_000, "no colon", ": no name", "A\x00: b", " folded", "Connection: upgrade"),
]


# Made once: the memory that it takes would be counted as that of the case.
PACKED = [gzip.compress(content, mtime=0) for content in (b" " * 30_000_000, b"[" * 1_000_000)]


def reply_mutated(rng: Rng, reply: bytes) -> bytes:
    """A reply over HTTP with another status, header or body, or one that is no HTTP."""
    head, _, body = reply.partition(b"\r\n\r\n")
    line, *fields = head.split(b"\r\n")
    sized = True  # whether the length that the header names is that of the body
    match int(rng.integers(10)):
        case 0 | 1:
            line = b" ".join([line.split(b" ")[0], str(choice(rng, STATUSES)).encode(), b"Well"])
        case 2:
            fields.insert(int(rng.integers(len(fields) + 1)), choice(rng, FIELDS).encode("latin-1"))
        case 3:
            field = choice(rng, FIELDS)
            fields = [own for own in fields if own.lower().split(b":")[0] != field.lower().split(":")[0].encode()]
            fields.append(field.encode("latin-1"))
            sized = False
        case 4:
            del fields[int(rng.integers(len(fields)))]
            sized = False
        case 5:
            return bytes_mutated(rng, head + b"\r\n\r\n") + body
        case 6:
            return bytes_mutated(rng, reply)
        case 7:
            fields.append(b"Content-Encoding: gzip")
            body = choice(rng, [gzip.compress(body, mtime=0), *PACKED, gzip.compress(rng.bytes(100), mtime=0)])
            body = body if rng.random() < 0.7 else bytes_mutated(rng, body)
        case _:
            is_json = body[:1] in (b"{", b"[")
            body = json_mutated(rng, body) if is_json else bytes_mutated(rng, body)
    if sized and body:
        fields = [own for own in fields if not own.lower().startswith(b"content-length")]
        fields.append(b"Content-Length: %d" % len(body))
    if rng.random() < 0.1:
        line = choice(rng, [b"HTTP/1.1 103 Early\r\n\r\n" * 1000 + line, b"HTTP/1.1 100 Go on\r\n\r\n" + line])
    return b"\r\n".join([line, *fields]) + b"\r\n\r\n" + body


def head_mutated(rng: Rng, message: bytes) -> bytes:
    """A request or reply with a line of its head gone, doubled, hostile or replaced, or with a body in odd chunks."""
    head, _, body = message.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    place = int(rng.integers(len(lines)))
    match int(rng.integers(6)):
        case 0:
            del lines[place]
        case 1:
            lines.insert(place, choice(rng, lines))
        case 2:
            lines[place] = bytes_mutated(rng, lines[place])
        case 3:
            lines.insert(place, choice(rng, FIELDS).encode("latin-1"))
        case 4:
            lines += [b"X-%d: a" % number for number in range(int(rng.integers(2000)))]
        case _:
            lines = [line for line in lines if not line.lower().startswith(b"content-length")]
            lines.append(b"Transfer-Encoding: chunked")
            size = choice(rng, [b"%x" % len(body), b"-1", b"ffffffffffffffffff", b"0", b"zz", b"5;a=" + b"b" * 9000])
            body = size + b"\r\n" + body + choice(rng, [b"\r\n0\r\n\r\n", b"", b"\r\n"])
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
