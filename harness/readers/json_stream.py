"""Walk through a large JSON file member by member: memory follows one member, not the file."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar

from harness.errors import DataError, quoted, reason_of, short
from harness.jsonfiles import no_constant, unrepeated
from harness.samples.roots import DataRoot

_Key = TypeVar("_Key", str, int)
_CHUNK = 1 << 20
_BLANK = " \t\n\r"
# An error this near the end of what was read may be cured by reading on (half an escape or word).
_NEAR = 16
_DECODER = json.JSONDecoder(parse_constant=no_constant, object_pairs_hook=unrepeated)
_scan: Callable[[str, int], tuple[Any, int]] = _DECODER.scan_once  # type: ignore[attr-defined]


def members(root: DataRoot, name: str, inside: str = "") -> Iterator[tuple[str, Any]]:
    """Yield key and value of a JSON object, in file order.

    Args:
        root: Where the release lies.
        name: The file; UTF-8, with or without a byte order mark.
        inside: Walk through the object under this top-level key instead of the top level itself.

    Raises:
        DataError: for a file that is missing, truncated, not UTF-8 or not such an object; it names
            the line and the last key read.
    """
    with _Source(root, name) as source:
        if not inside:
            yield from source.members()
        else:
            yield from _nested(source, inside, source.members)
        source.end()


def elements(root: DataRoot, name: str, inside: str = "") -> Iterator[tuple[int, Any]]:
    """Yield index and value of a JSON list; ``inside`` and errors as :func:`members`."""
    with _Source(root, name) as source:
        if not inside:
            yield from source.elements()
        else:
            yield from _nested(source, inside, source.elements)
        source.end()


def _nested(
    source: _Source, inside: str, values: Callable[[], Iterator[tuple[_Key, Any]]]
) -> Iterator[tuple[_Key, Any]]:
    any_value = False
    for key in source.names():
        if key == inside:
            any_value = True
            yield from values()
        else:
            source.value()
    if not any_value:
        raise DataError(f"the key {inside!r} is missing", where=source.place)


class _Source:
    """A file's text read in chunks, with a position and the line it is on.

    Attributes:
        last: What was read last, for errors: a key, or an index in a list.
    """

    def __init__(self, root: DataRoot, name: str) -> None:
        self.place = root.where(name)
        self.last: str | int | None = None
        self._text, self._at, self._line, self._done = "", 0, 1, False
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._file = root.open(name)

    def __enter__(self) -> _Source:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def members(self) -> Iterator[tuple[str, Any]]:
        for key in self.names():
            yield key, self.value()

    def names(self) -> Iterator[str]:
        """Yield each key of an object; the caller reads the value before it asks for the next."""
        self._take("{")
        if self._peek() == "}":
            self._at += 1
            return
        while True:
            if self._peek() != '"':
                self._fail("a key in double quotes was expected")
            key = str(self.value())
            self.last = key
            self._take(":")
            yield key
            if self._take(",}") == "}":
                return

    def elements(self) -> Iterator[tuple[int, Any]]:
        self._take("[")
        if self._peek() == "]":
            self._at += 1
            return
        index = 0
        while True:
            self.last = index
            # What :meth:`value` does, without its calls, for an element that is there as a whole.
            try:
                value, end = _scan(self._text, self._at)
                complete = end + 2 < len(self._text)
            except (StopIteration, ValueError, RecursionError):
                complete = False
            if complete:
                self._at = end
            else:
                value = self.value()
            yield index, value
            index += 1
            # A large list is mostly this: one comma, or comma and blank, and the next element.
            text, at = self._text, self._at
            if at + 2 < len(text) and text[at] == ",":
                self._at = at + 2 if text[at + 1] == " " else at + 1
            elif self._take(",]") == "]":
                return

    def value(self) -> Any:
        """Read one value of any kind."""
        if self._at >= len(self._text) or self._text[self._at] in _BLANK:
            self._peek()
        window = _CHUNK
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                may_be_cut = error.msg.startswith("Unterminated") or (
                    error.pos >= len(self._text) - _NEAR
                )
                if self._done or not may_be_cut:
                    self._fail(error.msg, error.pos)
            except (ValueError, RecursionError) as error:
                self._fail(str(error))
            else:
                # A number may go on after what looks like its end: "1" of "1.5" or of "1e-3".
                if end + 2 < len(self._text) or self._done:
                    self._at = end
                    return value
            # Doubling keeps the cost of parsing a large value again within a factor of two.
            self._more(window)
            window *= 2

    def end(self) -> None:
        """Check that nothing follows."""
        if self._peek():
            self._fail("the file goes on after its end")

    def _take(self, allowed: str) -> str:
        character = self._peek()
        if not character or character not in allowed:
            self._fail(" or ".join(repr(char) for char in allowed) + " was expected")
        self._at += 1
        return character

    def _peek(self) -> str:
        """Return the next character that is not blank; empty at the end of the file."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _BLANK:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if self._done:
                return ""
            self._more(_CHUNK)

    def _more(self, size: int) -> None:
        self._line += self._text.count("\n", 0, self._at)
        try:
            data = self._file.read(size)
            self._done = not data
            self._text = self._text[self._at :] + self._decoder.decode(data, final=self._done)
        except UnicodeDecodeError as error:
            lines_before = self._text[self._at :].count("\n")
            line = self._line + lines_before + error.object.count(b"\n", 0, error.start)
            raise DataError(
                f"not UTF-8: {error.reason} ({self._after()})", where=f"{self.place}:{line}"
            ) from None
        except OSError as error:
            raise DataError(f"cannot be read: {reason_of(error)}", where=self.place) from None
        self._at = 0

    def _after(self) -> str:
        if self.last is None:
            return "at the start"
        key = isinstance(self.last, str)
        return f"after key {quoted(self.last)}" if key else f"at index {self.last}"

    def _fail(self, message: str, position: int | None = None) -> NoReturn:
        at = self._at if position is None else position
        line = self._line + self._text.count("\n", 0, at)
        in_text = message.startswith("Unterminated string")
        cut = self._done and (in_text or not self._text[at:].strip(_BLANK))
        problem = (
            "the file ends too early" if cut else f"not the JSON expected: {short(message, 200)}"
        )
        raise DataError(
            f"{problem} ({self._after()})",
            where=f"{self.place}:{line}",
            fix="download or unpack the file again" if cut else "",
        )
