"""The lines of a file, plain, gzip or zstd, in any encoding, or its text, read as a stream; errors name the line."""

import codecs
import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import AnyStr, BinaryIO

import zstandard

from rarecase.core.documents import require_file
from rarecase.core.errors import DataError

COMPRESSED = (".gz", ".zst")
LONGEST_LINE = 16 << 20  # bytes; a text has at most 100,000 characters, an embedding some hundred kilobytes

_CHUNK = 1 << 18
_PACKED = 1 << 10  # of zstd: all that it unpacks to is held at once, at most 32 MiB
_WINDOW = 1 << 27  # bytes that a zstd file has unpacked in memory, as `zstd` itself allows
_WINDOW_OF_DUMPS = 1 << 31  # Reddit's are packed with `zstd --long=31`
_MARKS = {  # of 32 bits first: one of them begins with that of 16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_BEGIN = 16  # bytes, in which two byte order marks fit
_NO_TEXT = ("idna", "punycode", "raw-unicode-escape", "unicode-escape")  # encodings of Python's, not of a file


def chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, a piece at a time, decompressed if its name ends in `.gz` or `.zst`."""
    packing = path.suffix.lower()
    window = _WINDOW_OF_DUMPS if path.name.upper().startswith("RS_") else _WINDOW
    unpackers: dict[str, Callable[[BinaryIO], Iterator[bytes]]]
    unpackers = {".gz": _gzip, ".zst": partial(_zstd, window=window)}
    unpack = unpackers.get(packing, _plain)
    try:
        require_file(path)
        with path.open("rb") as file:
            for piece in unpack(file):
                yield from (piece[at : at + _CHUNK] for at in range(0, len(piece), _CHUNK))
    except EOFError:
        raise DataError(f"{path}: ends in the middle (truncated {packing} file); fetch or make it again") from None
    except (gzip.BadGzipFile, zlib.error, zstandard.ZstdError):
        packed = f", or packed with a window of over {_WINDOW >> 20} MiB" if packing == ".zst" else ""
        raise DataError(
            f"{path}: not a readable {packing} file (damaged, of another format{packed}); make it again"
        ) from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or 'cannot be read'}") from error


def text_lines(path: Path, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    """The decoded lines of a file with their numbers, from 1; line ends stay, byte order marks go."""
    for number, line in enumerate(_decoded(path, encoding), 1):
        _refuse_nul(path, number, line)
        yield number, line.lstrip("\ufeff") if number == 1 else line


def text_pieces(path: Path, encoding: str = "utf-8") -> Iterator[str]:
    """The decoded text of a file in pieces, however long its lines are; byte order marks go."""
    number = 1
    for place, piece in enumerate(_pieces(path, *_begun(path, encoding))):
        _refuse_nul(path, number, piece)
        yield piece if place else piece.lstrip("\ufeff")
        number += piece.count("\n")


def encoding_by_mark(begin: bytes) -> str | None:
    """The encoding that the byte order mark at the begin of a file tells; None where it has none, or that of UTF-8."""
    return next((encoding for mark, encoding in _MARKS.items() if begin.startswith(mark)), None)


def _begun(path: Path, encoding: str) -> tuple[str, Iterator[bytes]]:
    """The encoding of a file, by its byte order mark or else as given, and its bytes."""
    try:
        is_text = bool("\n".encode(encoding)) and codecs.lookup(encoding).name not in _NO_TEXT
    except (LookupError, ValueError):  # the second where Python cannot even look it up
        is_text = False
    if not is_text:
        raise DataError(f"{path}: unknown encoding {encoding[:40]!r}; --encoding takes utf-8, latin-1, cp1252, …")
    pieces, begin = chunks(path), b""
    while len(begin) < _BEGIN and (piece := next(pieces, None)) is not None:
        begin += piece
    marked = encoding_by_mark(begin)
    if begin and not marked and codecs.lookup(encoding).name in _MARKS.values():
        raise DataError(f"{path}: no byte order mark, which {encoding} needs; is it utf-8, or --encoding utf-16-le?")
    return marked or encoding, chain([begin], pieces)


def _decoded(path: Path, given: str) -> Iterator[str]:
    encoding, pieces = _begun(path, given)
    if "\n".encode(encoding) != b"\n":
        # In UTF-16 and UTF-32 a line feed is several bytes, so the stream is decoded before it is cut.
        yield from _split(path, _pieces(path, encoding, pieces), "\n")
        return
    is_ascii = True
    for number, line in enumerate(_split(path, pieces, b"\n"), 1):
        try:
            yield line.decode(encoding)
        except UnicodeDecodeError as error:
            where = f"{path} line {number}: byte {error.start + 1} (0x{line[error.start]:02x}) is not valid {encoding}"
            if not is_ascii and codecs.lookup(encoding).name == "utf-8":
                raise DataError(f"{where}, which the lines before are; correct this line") from None
            raise DataError(f"{where}; name the encoding of the file, such as --encoding {_likely(line)}") from None
        is_ascii = is_ascii and line.isascii()


def _pieces(path: Path, encoding: str, pieces: Iterator[bytes]) -> Iterator[str]:
    done = 0
    try:
        for piece in codecs.iterdecode(pieces, encoding):
            yield piece
            done += piece.count("\n")
    except UnicodeDecodeError as error:
        # By the name that the error has: `utf-16` alone does not say which, and encodes a line feed with a mark.
        done += error.object[: error.start].decode(error.encoding, "replace").count("\n")
        marked = encoding in _MARKS.values()
        advice = "is the file damaged?" if marked else f"name its encoding, such as --encoding {_likely(error.object)}"
        raise DataError(f"{path}: not valid {encoding} after line {done}; {advice}") from None


def _likely(content: bytes) -> str:
    """The encoding of Windows, which has all letters of latin-1 where they are there, unless it cannot be that."""
    try:
        content.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def _refuse_nul(path: Path, number: int, text: str) -> None:
    """Raises `DataError` where a text, which begins in line `number`, has a NUL, as UTF-16 read byte by byte has."""
    place = text.find("\0")
    if place >= 0:
        before = text[:place]
        line, column = number + before.count("\n"), place - before.rfind("\n")
        raise DataError(
            f"{path} line {line}: a NUL byte at position {column}; is the file damaged, "
            f"or in another encoding (--encoding utf-16-{'le' if place else 'be'})?"
        )


def _split(path: Path, pieces: Iterable[AnyStr], newline: AnyStr) -> Iterator[AnyStr]:
    """The lines of a stream, each with its end, in time linear in their lengths."""
    begun: list[AnyStr] = []  # the pieces of the line that has no end yet
    number, length, blank = 1, 0, 0
    for piece in pieces:
        blank = blank + len(piece) if piece.isspace() else 0
        if blank > LONGEST_LINE:  # a few kilobytes may unpack to hours of them
            raise DataError(f"{path} line {number}: {LONGEST_LINE >> 20} MiB of blank lines; is the file damaged?")
        lines = piece.split(newline)
        begun.append(lines[0])
        length += len(lines[0])
        if length > LONGEST_LINE:
            raise DataError(f"{path} line {number}: longer than {LONGEST_LINE >> 20} MiB; is it a file of lines?")
        if len(lines) > 1:
            lines[0], begun = newline[:0].join(begun), [lines.pop()]
            for line in lines:
                yield line + newline
            number, length = number + len(lines), len(begun[0])
    if last := newline[:0].join(begun):
        yield last


def _plain(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_CHUNK):
        yield piece


def _gzip(file: BinaryIO) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=file) as unpacked:
        while piece := unpacked.read(_CHUNK):
            yield piece


def _zstd(file: BinaryIO, window: int) -> Iterator[bytes]:
    # Not `stream_reader`: that takes the end of a truncated file for the end of its content.
    decompressor = zstandard.ZstdDecompressor(max_window_size=window)
    frame = None
    while piece := file.read(_PACKED):
        while piece:
            frame = frame or decompressor.decompressobj()
            yield frame.decompress(piece)
            piece = frame.unused_data
            if frame.eof:
                frame = None
    if frame is not None:
        raise EOFError
