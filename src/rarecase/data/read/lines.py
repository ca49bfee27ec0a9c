"""The lines of a file, plain, gzip or zstd, in any encoding, read as a stream; errors name the line."""

import codecs
import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
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
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
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
        if "\0" in line:
            raise DataError(
                f"{path} line {number}: a NUL byte at position {line.index(chr(0)) + 1}; is the file damaged, "
                "or in another encoding (--encoding utf-16)?"
            )
        yield number, line.lstrip("\ufeff") if number == 1 else line


def _decoded(path: Path, encoding: str) -> Iterator[str]:
    try:
        newline = "\n".encode(encoding)
        is_text = codecs.lookup(encoding).name not in _NO_TEXT
    except (LookupError, ValueError):  # the second where Python cannot even look it up
        is_text = False
    if not is_text:
        raise DataError(f"{path}: unknown encoding {encoding[:40]!r}; --encoding takes utf-8, latin-1, cp1252, …")
    if newline == b"\n":
        for number, line in enumerate(_split(path, chunks(path), b"\n"), 1):
            try:
                yield line.decode(encoding)
            except UnicodeDecodeError as error:
                likely = "utf-16" if number == 1 and line.startswith(_UTF_16) else "latin-1"
                raise DataError(
                    f"{path} line {number}: byte {error.start + 1} (0x{line[error.start]:02x}) is not valid "
                    f"{encoding}; name the encoding of the file, such as --encoding {likely}"
                ) from None
        return
    # In UTF-16 and UTF-32 a line feed is several bytes, so the stream is decoded before it is cut.
    done = 0
    try:
        pieces: Iterator[str] = codecs.iterdecode(chunks(path), encoding)
        for decoded in _split(path, pieces, "\n"):
            yield decoded
            done += 1
    except UnicodeError:
        raise DataError(f"{path}: not valid {encoding} after line {done}; name the encoding with --encoding") from None


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
