"""Messages by files in a folder that all machines see: no port is open and no daemon runs.

Each worker has a folder: the coordinator puts requests into it, the worker appends events to a
file. Both leave a sign of life. Names are made only where none is there, so that two writers never
have one; no lock is relied on. Answers go into the evaluation's journal, into a segment of the
worker's own: they are kept even if no coordinator is there to read them.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_hex

from harness.descriptors import Json
from harness.jsonfiles import read_object
from harness.runs.journal import FOLDER as JOURNAL
from harness.runs.journal import Journal, next_number
from harness.runs.sample_record import SampleRecord
from harness.runs.seal import not_written
from harness.workers.contract import BLOCKS, Answered, BlockRequest, Event, WorkOrder
from harness.workers.messages import event_of, line_of

FOLDER = "workers"
"""Folder of mailboxes, within the folder of results."""
POLL = 0.1
"""Seconds between looks at what has come."""
_ORDER, _EVENTS, _SIGN, _END = "order.json", "events.jsonl", "sign", "end"


def new_mailbox(results: Path, order: WorkOrder) -> Path:
    """Make a mailbox with an order in it.

    Raises:
        UserError: it cannot be written.
    """
    folder = results / FOLDER / token_hex(6)
    try:
        folder.mkdir(parents=True)
        _put(folder / _ORDER, order.to_json())
    except OSError as error:
        raise not_written(error, folder) from None
    return folder


@dataclass(slots=True)
class Signs:
    """Whether somebody is alive: a number in a file must change; clocks are not compared."""

    path: Path
    _seen: str = ""
    _changed: float = field(default_factory=time.monotonic)

    def give(self, number: int) -> None:
        """Leave a sign of life."""
        with suppress(OSError):
            _put(self.path, number)

    def silent(self) -> float:
        """Return the seconds since the sign changed."""
        with suppress(OSError):
            text = self.path.read_text("ascii")
            if text != self._seen:
                self._seen, self._changed = text, time.monotonic()
        return time.monotonic() - self._changed


class Inbox:
    """The coordinator's side of one worker's folder.

    Args:
        folder: The folder of that worker.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._asked, self._position = folder, 0, 0
        self.signs = Signs(folder / _SIGN)

    def ask(self, request: BlockRequest) -> None:
        """Put a request into the folder.

        Raises:
            UserError: it cannot be written.
        """
        self._asked += 1
        try:
            _put(self._folder / f"{self._asked:08d}.json", request.to_json())
        except OSError as error:
            raise not_written(error, self._folder) from None

    def events(self) -> Iterator[Event]:
        """Yield what the worker has said since the last time."""
        try:
            with (self._folder / _EVENTS).open("rb") as lines:
                lines.seek(self._position)
                for line in lines:
                    if not line.endswith(b"\n"):
                        return  # it is still being written
                    self._position += len(line)
                    if (event := event_of(line)) is not None:
                        yield event
        except OSError:
            return

    def end(self) -> None:
        """Tell the worker that nothing more will be asked."""
        with suppress(OSError):
            (self._folder / _END).touch()


def attempts(mailbox: Path) -> list[str]:
    """Return the names of the workers that have come to a mailbox."""
    return sorted(path.parent.name for path in mailbox.glob(f"*/{_SIGN}"))


class Outbox:
    """A worker's side of its folder.

    Args:
        mailbox: The folder of the run.
        place: The worker's number; with the attempt it becomes its name.

    Raises:
        UserError: the mailbox is not there, or holds no order.
    """

    def __init__(self, mailbox: Path, index: int) -> None:
        self.order = WorkOrder.from_json(read_object(mailbox / _ORDER))
        self.place, self.name = index, ""
        attempt = 0
        while not self.name:
            attempt += 1
            try:
                (mailbox / f"{index}-{attempt}").mkdir()
                self.name = f"{index}-{attempt}"
            except FileExistsError:  # an attempt before this one
                continue
        self._folder, self._mailbox = mailbox / self.name, mailbox
        self.signs = Signs(self._folder / _SIGN)
        self.coordinator = Signs(mailbox / _SIGN)
        self._taken = 0
        self._segments: dict[int, Journal] = {}

    def requests(self, patience: float) -> Iterator[BlockRequest]:
        """Yield what is asked, until nothing more will be, or nobody is there to ask.

        Args:
            patience: Seconds without a sign of the coordinator after which nobody is there.
        """
        while not (self._folder / _END).exists():
            path = self._folder / f"{self._taken + 1:08d}.json"
            if path.exists():
                self._taken += 1
                yield BlockRequest.from_json(read_object(path))
            elif self.coordinator.silent() > patience:
                return
            else:
                time.sleep(POLL)

    def is_ended(self) -> bool:
        """Whether the coordinator has said that nothing more will be asked."""
        return (self._folder / _END).exists() or not self._mailbox.exists()

    def say(self, event: Event, *, early: bool = False) -> None:
        """Journal an answer in the worker's own segment, and append the event without it.

        One that may not count, as it came before the self-check, is in the event alone.
        """
        if isinstance(event, Answered) and self.order.work == BLOCKS and not early:
            self.keep(event)
            event = replace(event, records=(), is_kept=True)
        with (self._folder / _EVENTS).open("ab") as lines:
            lines.write(line_of(event))

    def keep(self, event: Answered) -> None:
        """Journal an answer, unless the evaluation is finished meanwhile."""
        journal = self.journal(event.evaluation)
        if journal is None:
            return
        for note in event.notes:
            journal.note(note)
        records = [SampleRecord.from_json(dict(record)) for record in event.records]
        journal.append(event.block, records)

    def journal(self, evaluation: int) -> Journal | None:
        """Return the journal of an evaluation; ``None`` when it was sealed meanwhile."""
        folder = Path(self.order.directories[evaluation])
        if not (folder / JOURNAL).is_dir():
            return None
        if evaluation not in self._segments:
            number = next_number(folder / JOURNAL)
            name = f"{number:04d}-{self._mailbox.name}-{self.name}"
            self._segments[evaluation] = Journal(folder, name=name, sync=True)
        return self._segments[evaluation]


def _put(path: Path, value: Json) -> None:
    """Write a file whole."""
    part = path.with_name(f".{path.name}.{token_hex(4)}.part")
    part.write_text(json.dumps(value), encoding="utf-8")
    os.replace(part, path)  # noqa: PTH105  the same on every system
