"""Finds a model's real module or parameter for a name that an adapter's file was saved under.

The same layer has many names: a model saved whole, its language model saved alone, and releases of
transformers and peft differ in the words before it (``base_model.model.``, ``model.``,
``language_model.model.``, ``model.vision_tower.vision_tower.vision_model.``). Such words say at
most which part is meant; what follows them is the layer's own name, and has to be one of the
model's. No torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

LANGUAGE, VISION, CONNECTOR = "language", "vision", "connector"
_PART_WORDS = {
    "language_model": LANGUAGE,
    "text_model": LANGUAGE,
    "llm": LANGUAGE,
    "vision_tower": VISION,
    "vision_model": VISION,
    "vision_encoder": VISION,
    "image_encoder": VISION,
    "visual": VISION,
    "multi_modal_projector": CONNECTOR,
    "mm_projector": CONNECTOR,
    "connector": CONNECTOR,
}
PREFIXES: Mapping[str, Sequence[str]] = {
    LANGUAGE: (
        *("", "model.", "language_model.", "language_model.model.", "model.language_model."),
        "model.language_model.model.",
    ),
    VISION: (
        *("vision_tower.", "model.vision_tower.", "vision_tower.vision_model."),
        *("model.vision_tower.vision_model.", "model.vision_tower.vision_tower.vision_model."),
        *("visual.", "model.visual.", "vision_model.", "model.vision_model."),
    ),
    CONNECTOR: (
        *("multi_modal_projector.", "model.multi_modal_projector.", "mm_projector."),
        *("model.mm_projector.", "connector.", "model.connector."),
    ),
}
"""What stands before a layer's own name, over the releases, in a pattern of a config."""
_NEUTRAL_WORDS = {"base_model", "model", "module"}
_WRAPPERS = {
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
    "modules_to_save",
    "original_module",
    "base_layer",
}
"""What compiling, sharding and peft put between a module and its own name."""


@dataclass(frozen=True, slots=True)
class Match:
    """Where a name of an adapter's file leads.

    Attributes:
        entry: The name as the model (or an alias of it) has it.
        targets: The model's real names: several where a release fuses what this model splits, in
            the order of the rows.
        part: ``language``, ``vision`` or ``connector``.
        prefix: The words before the layer's own name in the adapter's file.
    """

    entry: str
    targets: tuple[str, ...]
    part: str
    prefix: str


class Names:
    """Real names of a model, and other names that releases have for them.

    Args:
        real: Names of modules or of parameters.
        also: Other names, each of a module, to the real modules that it stands for.
    """

    def __init__(
        self, real: Iterable[str], also: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._targets: dict[str, tuple[str, ...]] = {name: (name,) for name in real}
        for alias, modules in (also or {}).items():
            self._targets |= _renamed(alias, modules, self._targets)
        self._by_rest: dict[tuple[str, str], list[str]] = {}
        for name in self._targets:
            part, inner = split(name)
            self._by_rest.setdefault((part or LANGUAGE, inner), []).append(name)

    def find(self, name: str) -> Match | None:
        """Return the one place that a name leads to; ``None`` when there is none, or several."""
        part, inner = split(name)
        if name in self._targets:
            entries = [name]
        elif part:
            entries = self._by_rest.get((part, inner), [])
        else:
            entries = self._by_rest.get((LANGUAGE, inner), [])
            entries = entries or [
                entry
                for each in (VISION, CONNECTOR)
                for entry in self._by_rest.get((each, inner), [])
            ]
        if len({self._targets[entry] for entry in entries}) != 1:
            return None
        entry = entries[0]
        return Match(
            entry, self._targets[entry], split(entry)[0] or LANGUAGE, name[: len(name) - len(inner)]
        )

    def __iter__(self) -> Iterator[tuple[str, str, str]]:
        """Yield each entry with its part and the layer's own name."""
        for (part, inner), entries in self._by_rest.items():
            for entry in entries:
                yield entry, part, inner

    def targets(self, entry: str) -> tuple[str, ...]:
        """Return the real names of an entry."""
        return self._targets[entry]


def split(name: str) -> tuple[str, str]:
    """Return the part that a name's first words say (empty when none does), and what follows."""
    words = name.split(".")
    part, start = "", 0
    while start < len(words) - 1:
        word = words[start]
        part_word = _PART_WORDS.get(word, "")
        if not (part_word or word in _NEUTRAL_WORDS) or (part_word and part and part_word != part):
            break
        part, start = part or part_word, start + 1
    return part, ".".join(words[start:])


def says_its_part(prefix: str) -> bool:
    """Whether the words before a layer's name tell that peft was given the whole model."""
    inside = prefix.rpartition("base_model.")[2]
    if inside == "vision_model.":  # a CLIP or SigLIP tower by itself has its layers below that
        return False
    return any(word in _PART_WORDS for word in inside.split("."))


def without_wrappers(name: str) -> str:
    """Return a name without what peft, compiling and sharding put into it."""
    bare = name.replace(".modules_to_save.default.", ".")
    words = [word for word in bare.split(".") if word not in _WRAPPERS]
    return ".".join(words).removeprefix("base_model.model.")


def _renamed(
    alias: str, modules: Sequence[str], by_name: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Return what an alias of modules, and of everything inside them, stands for."""
    first, matches = modules[0], {}
    for name in by_name:
        if name != first and not name.startswith(f"{first}."):
            continue
        inside = name[len(first) :]
        targets = tuple(module + inside for module in modules)
        if all(target in by_name for target in targets):
            matches[alias + inside] = targets
    return matches
