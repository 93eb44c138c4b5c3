"""From a file on disk to a sheet: rows of equally many fields, with their line numbers."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pgrpo_rec.datasets._columns import is_header, positional_names
from pgrpo_rec.datasets._errors import RatingsError, listed

if TYPE_CHECKING:
    from _csv import Reader

_DELIMITERS = ("::", "\t", ";", ",")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_GZIP_MAGIC = b"\x1f\x8b"
_SNIFFED_LINES = 50


@dataclass(frozen=True)
class Sheet:
    """A table as text: UTF-8 bytes, a delimiter of one character, the names of its columns."""

    path: Path
    data: bytes
    delimiter: str
    names: list[str]
    has_header: bool

    @property
    def label(self) -> str:
        """What messages call the table."""
        return str(self.path)

    def frame(self, columns: Sequence[str], text: Sequence[str]) -> pd.DataFrame:
        """Return ``columns``, those of ``text`` exactly as written, an empty cell as ``""``."""
        try:
            frame = pd.read_csv(
                io.BytesIO(self.data),
                sep=self.delimiter,
                header=0 if self.has_header else None,
                names=self.names,
                usecols=list(columns),
                dtype=dict.fromkeys(text, object),
                index_col=False,
                na_filter=False,
                skipinitialspace=True,
                low_memory=False,
            )
        except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            raise RatingsError(f"{self.label}: not a readable table: {error}") from error
        if frame.empty:
            raise RatingsError(f"{self.label}: the table has no rows; expected at least one rating")
        return frame

    def lines(self, rows: np.ndarray) -> np.ndarray:
        """Return the line numbers in the file of some ``rows`` of the frame, counted from 0."""
        line_numbers, _ = _field_counts(self.data, self.delimiter)
        return line_numbers[int(self.has_header) :][rows]


def read_sheet(path: Path) -> Sheet:
    """Read a text file, plain or gzip, and find its delimiter and its column names."""
    data = _text_bytes(path)
    try:
        delimiter = _sniff(data, path)
        if delimiter == "::":  # pandas is fast on delimiters of one character only
            data, delimiter = data.replace(b"::", b"\t"), "\t"
        fields = [field.strip() for field in next(_records(data, delimiter))]
        _check_rows(data, delimiter, len(fields), path)
    except csv.Error as error:
        raise RatingsError(f"{path}: unreadable as a table ({error}); check the quotes") from error
    has_header = is_header(fields)
    names = fields if has_header else positional_names(fields)
    names = [name or f"unnamed {k}" for k, name in enumerate(names)]
    twice = [repr(name) for name, count in Counter(names).items() if count > 1]
    if twice:
        raise RatingsError(
            f"{path}: the header has {listed(twice)} more than once; each column needs its own name"
        )
    return Sheet(path, data, delimiter, names, has_header)


def _text_bytes(path: Path) -> bytes:
    """Return the content as UTF-8 with plain line ends."""
    data = path.read_bytes()
    if data.startswith(_GZIP_MAGIC):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise RatingsError(
                f"{path}: broken gzip ({error}); expected a whole .gz file, copy it again"
            ) from error
    elif path.suffix == ".gz" and data:
        raise RatingsError(f"{path}: broken gzip: it is named .gz and its content is not gzip")
    if _CONTROL.search(data):
        raise RatingsError(f"{path}: not a text file; expected CSV or TSV, plain or gzip")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:  # older tables are Latin-1, in which every byte is a letter
        data = data.decode("latin-1").encode("utf-8")
    data = data.removeprefix(b"\xef\xbb\xbf")
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _records(data: bytes, delimiter: str) -> Reader:
    """Return a reader of the rows of ``data``."""
    text = io.TextIOWrapper(io.BytesIO(data.lstrip(b"\n")), encoding="utf-8", newline="")
    return csv.reader(text, delimiter=delimiter, skipinitialspace=True)


def _sniff(data: bytes, path: Path) -> str:
    """Return the delimiter on which the first lines agree best; more fields break a tie."""
    head = data.lstrip(b"\n")[: 1 << 20].decode("utf-8", errors="ignore").split("\n")
    lines = [line for line in head[:_SNIFFED_LINES] if line.strip()]
    if not lines:
        raise RatingsError(f"{path}: the file is empty; expected a header and rows of ratings")
    best, best_score = "", (0.0, 1)
    for delimiter in _DELIMITERS:
        single = delimiter if len(delimiter) == 1 else "\t"
        reader = csv.reader((line.replace(delimiter, single) for line in lines), delimiter=single)
        counts = [len(fields) for fields in reader]
        score = (counts.count(counts[0]) / len(counts), counts[0])
        if counts[0] > 1 and score > best_score:
            best, best_score = delimiter, score
    if not best:
        raise RatingsError(
            f"{path}: only one column; expected columns set apart by a comma, ;, tab or ::"
        )
    return best


def _field_counts(data: bytes, delimiter: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the line number (from 1) and the number of fields of every row that is not blank."""
    if b'"' in data:
        return _quoted_field_counts(data, delimiter)
    letters = np.frombuffer(data if data.endswith(b"\n") else data + b"\n", dtype=np.uint8)
    ends = np.flatnonzero(letters == ord("\n"))
    starts = np.concatenate(([0], ends[:-1] + 1))
    counts = 1 + np.add.reduceat(letters == ord(delimiter), starts, dtype=np.int32)
    filled = ends > starts
    return np.flatnonzero(filled) + 1, counts[filled]


def _quoted_field_counts(data: bytes, delimiter: str) -> tuple[np.ndarray, np.ndarray]:
    """Do the same row by row: a quoted field may hold delimiters and line ends."""
    skipped = len(data) - len(data.lstrip(b"\n"))
    reader = _records(data, delimiter)
    last_line = skipped
    rows = []
    for fields in reader:
        if fields:
            rows.append((last_line + 1, len(fields)))
        last_line = skipped + reader.line_num
    line_numbers, counts = np.array(rows, dtype=np.int64).T
    return line_numbers, counts


def _check_rows(data: bytes, delimiter: str, n_fields: int, path: Path) -> None:
    """Raise if a row has more or fewer fields than the first: cells would change columns."""
    line_numbers, counts = _field_counts(data, delimiter)
    bad = line_numbers[counts != n_fields]
    if bad.size:
        raise RatingsError(
            f"{path}: {bad.size:,} unreadable row(s), at line {listed(bad)}; expected {n_fields} "
            f"fields as in the first line, found {counts[counts != n_fields][0]}"
        )
