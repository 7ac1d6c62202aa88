"""Trackers of a run: found before anything is computed, called at its events, closed at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from harness.errors import FAULTS, error_text, show_traceback
from harness.events import Tracker
from harness.plugins import contract_of, find, is_heard, plugins
from harness.tables.known import listed
from harness.targets import load_target


def find_trackers(names: str | Iterable[str]) -> dict[str, Tracker]:
    """Return the trackers of these ids; none has opened anything yet.

    Raises:
        UserError: unknown tracker.
        PluginError: its plugin or library is missing, or it cannot be made.
    """
    trackers: dict[str, Tracker] = {}
    for name in listed(names):
        descriptor = find("tracker", name, plugins().trackers())
        factory = load_target(descriptor)
        contract = contract_of(descriptor)
        with contract.calling("make"):
            tracker = trackers[name] = factory()
            hooks = [name for name in dir(tracker) if name.startswith("harness_")]
            heard = [name for name in hooks if is_heard(getattr(tracker, name), name)]
        if not callable(getattr(tracker, "close", None)):
            raise contract.returned(tracker, "make", "a tracker with a method close")
        if not heard:
            about = f"its {hooks[0]} is no event or lacks hookimpl" if hooks else "it has no hook"
            raise contract.wrong(f"would hear nothing of a run: {about}")
    return trackers


@contextmanager
def tracked(trackers: Mapping[str, Tracker], say: Callable[[str], None]) -> Iterator[None]:
    """Let trackers hear a run. If one fails, the run goes on, and what it missed is counted."""
    with ExitStack() as stack:
        for name, tracker in trackers.items():
            stack.enter_context(plugins().heard_by(tracker, f"tracker {name!r}"))
        try:
            yield
        finally:
            for name, tracker in trackers.items():
                try:
                    tracker.close()
                except FAULTS as error:
                    show_traceback(error)
                    say(f"tracker {name!r} did not close: {error_text(error)}")
                if missed := plugins().missed[f"tracker {name!r}"]:
                    events = "1 event" if missed == 1 else f"{missed} events"
                    say(f"tracker {name!r} missed {events} of this run")
