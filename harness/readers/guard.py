"""Checks readers against their contract: a fault of a plugin's reader becomes one message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.descriptors import Json
from harness.errors import DataError, quoted
from harness.guard import Contract, described, not_plain
from harness.plugins import find, plugins
from harness.readers.contract import Reader
from harness.samples.sample import Box, Group, ImageRef, Sample
from harness.targets import make

_UNIT = "unit"  # what carries a sample, as the spec has it; of a reader that knows one it is that
_LABELS = "choose_labels"  # of a choice, as the spec has them


def make_reader(
    name: str, options: Mapping[str, Json], unit: str, labels: Sequence[str] = ()
) -> Reader:
    """Return a reader by id; it raises nothing but what it means to, and yields samples.

    Args:
        name: Its id.
        options: As the spec and the data source give them.
        unit: The spec's, which a reader heeds that declares such an option.
        labels: Of a choice, for a reader that declares such an option.

    Raises:
        PluginError: its plugin or factory fails, or what it makes is no reader.
        UserError: no such reader, or an option it does not know.
    """
    readers = plugins().readers()
    declared = {option.name for option in find("reader", name, readers).options}
    handed: dict[str, Json] = {_UNIT: unit, _LABELS: [*labels]}
    reader_options = {**options, **{key: value for key, value in handed.items() if key in declared}}
    reader, contract = make("reader", name, readers, reader_options)
    return guarded_reader(reader, contract)


def guarded_reader(reader: Any, contract: Contract) -> Reader:
    """Return a stand-in for a reader that says what the reader does wrongly.

    Raises:
        PluginError: it lacks what every reader has.
    """
    for name in ("annotations", "samples"):
        if not callable(getattr(reader, name, None)):
            raise contract.wrong(f"makes {described(reader)}, which has no method {name}")

    def texts(method: str, noun: str) -> Any:
        return lambda found, *_: contract.listed(found, method, str, noun)

    def text(returned: Any, *_: object) -> str:
        if not isinstance(returned, str):
            raise contract.returned(returned, "content_hash", "a hash as text")
        return returned

    def counts(returned: Any, *_: object) -> dict[str, int]:
        if not isinstance(returned, Mapping) or not all(
            isinstance(note, str) and type(times) is int and times >= 0
            for note, times in returned.items()
        ):
            raise contract.returned(returned, "passed_over", "a mapping of texts to counts")
        return dict(returned)

    guarded: Reader = contract.guarded(
        reader,
        {
            "annotations": texts("annotations", "a list of names of files"),
            "samples": lambda found, root, *_: _samples(found, contract, str(root)),
            "left_out": texts("left_out", "a list of names"),
            "passed_over": counts,
            "hub_patterns": texts("hub_patterns", "a list of patterns"),
            "content_hash": text,
            "notes": texts("notes", "a list of notes"),
        },
    )
    return guarded


def _samples(returned: Any, contract: Contract, root: str) -> Iterator[Sample]:
    if isinstance(returned, str | bytes | Mapping) or not hasattr(returned, "__iter__"):
        raise contract.returned(returned, "samples", "an iterator of Sample")
    return _checked(returned, contract, root)


def _checked(samples: Any, contract: Contract, root: str) -> Iterator[Sample]:
    try:
        with contract.calling("samples"):
            for sample in samples:
                if not isinstance(sample, Sample):
                    raise contract.wrong(f"yielded {described(sample)} from samples, not a Sample")
                images, groups = sample.images, sample.groups
                if not (
                    isinstance(sample.id, str)
                    and isinstance(sample.cluster, str)
                    and isinstance(sample.stratum, str)
                    and (type(sample.fields) is dict or isinstance(sample.fields, Mapping))
                    and (type(groups) is dict or isinstance(groups, Mapping))
                    and (not images or {ImageRef}.issuperset(map(type, images)))
                    and (not sample.boxes or {Box}.issuperset(map(type, sample.boxes)))
                    and (not groups or {Group}.issuperset(map(type, groups.values())))
                ):
                    raise contract.wrong(f"yielded a sample whose {_fault(sample)}")
                if not sample.id.isascii() and not_plain(sample.id):
                    raise DataError(f"an id is no Unicode text: {quoted(sample.id)}", where=root)
                yield sample
    except DataError as error:
        error.fix = error.fix or "take the file as the release has it, or download it again"
        raise


def _fault(sample: Any) -> str:
    """Return which part of a sample is not of its type."""
    for name in ("id", "cluster", "stratum"):
        if not isinstance(value := getattr(sample, name), str):
            return f"{name} is {described(value)}, not text"
    for name, value in (("fields", sample.fields), ("groups", sample.groups)):
        if not isinstance(value, Mapping):
            return f"{name} are {described(value)}, not a mapping"
    return f"images, boxes or groups are not all ImageRef, Box and Group: {described(sample)}"
