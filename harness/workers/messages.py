"""Events and errors as lines of JSON, for executors that carry bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from harness import errors
from harness.descriptors import Json
from harness.errors import HarnessError, ModelError, PluginError, UserError, error_text
from harness.workers.contract import Answered, Event, Hello, Lost, Raised, Ready, Refused

_EVENTS = {kind.__name__: kind for kind in (Answered, Hello, Lost, Raised, Ready, Refused)}
_ERRORS = (UserError, PluginError, ModelError, errors.DataError, errors.CannotAnswer)


def line_of(event: Event) -> bytes:
    """Return an event as one line."""
    body = {field.name: getattr(event, field.name) for field in fields(event)}
    body["event"] = type(event).__name__
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def event_of(line: bytes) -> Event | None:
    """Return the event of a line; ``None`` for one that holds none."""
    try:
        body = json.loads(line)
        kind = _EVENTS[body.pop("event")]
        event: Event = kind(**body)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return event


def error_data(error: BaseException) -> dict[str, Json]:
    """Return an error as plain data."""
    if not isinstance(error, HarnessError):
        return {"kind": "HarnessError", "message": error_text(error), "where": None, "fix": ""}
    kinds = [kind.__name__ for kind in type(error).__mro__ if kind in _ERRORS]
    return {
        "kind": kinds[0] if kinds else "HarnessError",
        "message": error.message,
        "where": error.where,
        "fix": error.fix,
    }


def error_of(data: Mapping[str, Json]) -> HarnessError:
    """Return the error that :func:`error_data` described."""
    kinds: dict[str, type[Any]] = {kind.__name__: kind for kind in _ERRORS}
    kind = kinds.get(str(data.get("kind")), HarnessError)
    error: HarnessError = kind(
        str(data.get("message")), where=data.get("where"), fix=str(data.get("fix") or "")
    )
    return error
