"""The spec of counterfactual sets: read from YAML, checked, and turned into plain data.

``specs/`` of this package holds shipped ones. Light: no torch, numpy or Pillow is imported.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from harness.descriptors import Json, parse_options
from harness.errors import UserError, nearest, quoted, unknown
from harness.specs.schema import schema_problems
from harness.specs.yaml_loader import Document, Path_, read_yaml

from harness_counterfactuals.contract import filters
from harness_counterfactuals.manifest import RESERVED, Drop
from harness_counterfactuals.protected import protected_in
from harness_counterfactuals.templates import (
    differing,
    fill,
    find_words,
    plain_words,
    slots_of,
    stray_brace,
)

SPECS = Path(__file__).parent / "specs"
SCHEMA = ("harness_counterfactuals", "spec.schema.json")
ROTATE = "rotate"
PROMPT_TO_PROMPT: Final = "prompt_to_prompt"
INSTRUCT: Final = "instruct_pix2pix"


@dataclass(frozen=True, slots=True)
class Concept:
    """A concept: its group, and templates that sets take in turn."""

    name: str
    group: str
    prompts: tuple[str, ...]

    @property
    def slug(self) -> str:
        """Its name in names of files and sets."""
        return "-".join(self.name.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """The text-to-image checkpoint and how it samples.

    Attributes:
        model: Hub id, or path of a folder.
        refine_from: Share of the steps after which the refiner takes over.
        guidance: Classifier-free guidance; up to 1 there is none.
    """

    model: str
    revision: str = ""
    licence: str = ""
    refiner: str = ""
    refine_from: float = 0.8
    steps: int = 30
    guidance: float = 5.0
    negative_prompt: str = ""
    dtype: str = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Editing:
    """How the other values of a base are made from its source.

    Attributes:
        kind: Id of the editor.
        edit: Whether edited words take the attention of those in their place, or keep their own.
        cross: Share of the steps in which cross-attention is the source's.
        self_share: Share of the steps in which self-attention is the source's.
        reweight: Word to the factor of its attention in edited images.
        blend: Words whose region may change; all of the image where there are none. ``{race}``
            stands for the words of an attribute.
        threshold: Where the region ends, as a share of the largest attention.
        blend_from: Share of the steps after which the rest is kept.
        model: Checkpoint that edits by an instruction.
        instruction: Template of the instruction.
        image_guidance: How close it stays to the source.
    """

    kind: Literal["prompt_to_prompt", "instruct_pix2pix"] = PROMPT_TO_PROMPT
    edit: Literal["replace", "refine"] = "replace"
    cross: float = 0.8
    self_share: float = 0.4
    reweight: Mapping[str, float] = field(default_factory=dict)
    blend: tuple[str, ...] = ()
    threshold: float = 0.3
    blend_from: float = 0.2
    model: str = ""
    instruction: str = ""
    image_guidance: float = 1.5

    def to_json(self) -> dict[str, Json]:
        """Return what changes its images."""
        if self.kind == INSTRUCT:
            return {
                "kind": self.kind,
                "model": self.model,
                "instruction": self.instruction,
                "image_guidance": self.image_guidance,
            }
        settings: dict[str, Json] = {
            "kind": self.kind,
            "edit": self.edit,
            "cross": self.cross,
            "self": self.self_share,
        }
        if self.reweight:
            settings["reweight"] = dict(self.reweight)
        if self.blend:
            settings["blend"] = {
                "words": list(self.blend),
                "threshold": self.threshold,
                "from": self.blend_from,
            }
        return settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What is to be made.

    Attributes:
        attributes: Attribute to value to the words that prompts hold for it.
        edited: The attribute that is edited.
        source: Value that the others are edited from, or ``rotate``.
        sets: How many each concept has.
        splits: Percent in train, val and test.
        filters: Filter and options, in order.
        text: The file, byte for byte.
    """

    id: str
    title: str
    note: str
    purpose: str
    licence: str
    attributes: Mapping[str, Mapping[str, str]]
    edited: str
    source: str
    concepts: tuple[Concept, ...]
    sets: int
    seed: int
    splits: tuple[tuple[str, int], ...]
    width: int
    height: int
    format: Literal["png", "jpeg"]
    quality: int
    generator: Generator
    editor: Editing
    filters: tuple[tuple[str, Mapping[str, Json]], ...]
    drop: Drop
    text: str

    @property
    def sha256(self) -> str:
        """SHA-256 of what changes an image file (:meth:`making`)."""
        text = json.dumps(self.making(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def making(self) -> dict[str, Json]:
        """Return what of the spec changes an image file; filters and words about it do not."""
        data = asdict(self)
        for name in ("title", "note", "purpose", "filters", "drop", "text", "editor"):
            del data[name]
        data["generator"].pop("licence")
        plain: dict[str, Json] = json.loads(json.dumps(data))
        return {**plain, "editor": self.editor.to_json()}


def shipped() -> list[str]:
    """Return the names of the specs that travel with this package."""
    return sorted(path.stem for path in SPECS.glob("*.yaml"))


def load_spec(name: str) -> Spec:
    """Return a spec by its path, or by the name of a shipped one.

    Raises:
        UserError: at ``file:line:column``: no such spec, or one that is not valid.
    """
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"}:
        if name not in shipped():
            raise UserError(
                f"unknown spec {quoted(name)}",
                fix=f"{nearest(name, shipped())}, or the path of a file that ends in .yaml",
            )
        path = SPECS / f"{name}.yaml"
    return read_spec(read_yaml(path))


def read_spec(document: Document) -> Spec:
    """Return the spec of an open file.

    Raises:
        UserError: at ``file:line:column``: it is not valid.
    """
    if problems := schema_problems(document, SCHEMA):
        raise problems[0]
    return _Reader(document).spec()


class _Reader:
    """Turns a document that fits the schema into a spec; every name and word is looked up."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._raw: Any = document.data

    def spec(self) -> Spec:
        raw = self._raw
        attributes = self._attributes()
        edited = raw["edited"]
        if edited not in attributes:
            raise unknown("attribute", edited, attributes, where=self._at("edited"))
        if len(attributes[edited]) < 2:
            raise UserError(
                f"the edited attribute {edited!r} has a single value, so there is nothing to "
                f"edit it to",
                where=self._at("attributes", edited),
            )
        source = raw.get("source", ROTATE)
        if source != ROTATE and source not in attributes[edited]:
            choices = [ROTATE, *attributes[edited]]
            raise unknown(f"value of {edited!r}", source, choices, where=self._at("source"))
        image, editor = raw.get("image", {}), raw.get("editor", {})
        spec = Spec(
            id=raw["id"],
            title=raw["title"],
            note=raw.get("note", ""),
            purpose=raw.get("purpose", ""),
            licence=raw.get("licence", ""),
            attributes=attributes,
            edited=edited,
            source=source,
            concepts=self._concepts(attributes, edited),
            sets=raw["sets"],
            seed=raw.get("seed", 0),
            splits=self._splits(),
            width=self._side(image, "width"),
            height=self._side(image, "height"),
            format=image.get("format", "png"),
            quality=image.get("quality", 95),
            generator=Generator(**raw["generator"]),
            editor=self._editor(editor),
            filters=self._filters(),
            drop=raw.get("drop", "set"),
            text=self._text(),
        )
        self._check_words(spec)
        self._check_protected(spec)
        return spec

    def _at(self, *path: str | int) -> str:
        return self._document.where(path)

    def _key(self, *path: str | int) -> str:
        return self._document.where(path, "key")

    def _text(self) -> str:
        path = self._document.path
        return "" if path is None else path.read_text("utf-8")

    def _attributes(self) -> dict[str, dict[str, str]]:
        attributes: dict[str, dict[str, str]] = {}
        for name, values in self._raw["attributes"].items():
            if not values:
                raise UserError(
                    f"the attribute {name!r} has no values",
                    where=self._key("attributes", name),
                    fix=f"write values with their words below it: {name}: {{VALUE: its words}}",
                )
            if name in RESERVED:
                raise UserError(
                    f"{name!r} is a column of the manifest and cannot name an attribute",
                    where=self._key("attributes", name),
                )
            first: dict[str, str] = {}
            for value, words in values.items():
                plain = " ".join(words.split())
                if plain.casefold() in first:
                    raise UserError(
                        f"the values {first[plain.casefold()]!r} and {value!r} of {name!r} have "
                        "the same words",
                        where=self._at("attributes", name, value),
                    )
                first[plain.casefold()] = value
            attributes[name] = {key: " ".join(words.split()) for key, words in values.items()}
        return attributes

    def _concepts(
        self, attributes: Mapping[str, Mapping[str, str]], edited: str
    ) -> tuple[Concept, ...]:
        concepts: list[Concept] = []
        for name, entry in self._raw["concepts"].items():
            if not all(part.isalnum() for part in name.replace("-", " ").split()) or not name:
                raise UserError(
                    f"{quoted(name)} is not a name of a concept: letters, digits, blanks and "
                    f"hyphens",
                    where=self._key("concepts", name),
                )
            path = ("concepts", name, "prompts")
            prompts = [
                self._template(prompt, attributes, edited, (*path, at))
                for at, prompt in enumerate(entry["prompts"])
            ]
            concepts.append(Concept(name, entry.get("group", ""), tuple(prompts)))
        slugs = [concept.slug for concept in concepts]
        for at, slug in enumerate(slugs):
            if slug in slugs[:at]:
                where = self._key("concepts", concepts[at].name)
                raise UserError(f"two concepts have the folder {slug!r}", where=where)
        return tuple(concepts)

    def _template(
        self,
        prompt: str | Mapping[str, str],
        attributes: Mapping[str, Mapping[str, str]],
        edited: str,
        path: Path_,
    ) -> str:
        """Return one template for all values, checked."""
        if isinstance(prompt, str):
            template = prompt
        else:
            template = self._common(prompt, attributes[edited], edited, path)
        where = self._document.where(path)
        for slot in slots_of(template):
            if slot not in attributes:
                raise unknown("attribute in braces", slot, attributes, where=where)
        if stray_brace(template):
            raise UserError("a brace has no partner", where=where, fix="write {race} or {a race}")
        if absent := [name for name in attributes if name not in slots_of(template)]:
            name = absent[0]
            words = next(filter(None, attributes[name].values()), "")
            raise UserError(
                f"the words of {name!r} do not occur in the prompt",
                where=where,
                fix=f"put {{{name}}} where they belong"
                + (f"; {words!r}: {nearest(words, plain_words(template))}" if words else ""),
            )
        return template

    def _common(
        self, prompts: Mapping[str, str], words: Mapping[str, str], edited: str, path: Path_
    ) -> str:
        """Return the template that all values' own templates are, but for the edited words."""
        for value in prompts:
            if value not in words:
                where = self._key(*path, value)
                raise unknown(f"value of {edited!r}", value, words, where=where)
        for value in words:
            if value not in prompts:
                raise UserError(
                    f"the value {value!r} of {edited!r} has no template",
                    where=self._document.where(path),
                    fix="write one template with braces, or one for each value",
                )
        common = ""
        for value, text in prompts.items():
            if not words[value]:
                continue
            span = next(find_words(text, words[value]), None)
            if span is None:
                raise UserError(
                    f"the words {words[value]!r} of the edit do not occur in the prompt",
                    where=self._at(*path, value),
                    fix=nearest(words[value], plain_words(text)),
                )
            common = common or _slotted(text, span, edited)
        for value, text in prompts.items():
            made = fill(common, _kept(common) | {edited: words[value]}).text
            if more := differing(made, text):
                first, other = more[0]
                raise UserError(
                    f"the templates differ in more than the edited words: {first or 'nothing'!r} "
                    f"in one, {other or 'nothing'!r} in that of {value!r}",
                    where=self._at(*path, value),
                    fix="make them equal but for the words of the edited attribute",
                )
        return common

    def _splits(self) -> tuple[tuple[str, int], ...]:
        shares = self._raw.get("splits", {"train": 70, "val": 10, "test": 20})
        if sum(shares.values()) != 100:
            raise UserError(
                f"the splits are {sum(shares.values())} percent in all, not 100",
                where=self._at("splits"),
            )
        return tuple((name, shares[name]) for name in ("train", "val", "test"))

    def _side(self, image: Mapping[str, Any], name: str) -> int:
        side: int = image.get(name, 1024)
        if side % 8:
            raise UserError(
                f"{name} is {side}: a latent pixel stands for 8",
                where=self._at("image", name),
                fix=f"{side - side % 8} or {side - side % 8 + 8}",
            )
        return side

    def _editor(self, raw: Mapping[str, Any]) -> Editing:
        values = dict(raw)
        blend = values.pop("blend", None)
        kind = values.get("kind", PROMPT_TO_PROMPT)
        of_kind = {
            PROMPT_TO_PROMPT: {"kind", "edit", "cross", "self", "reweight", "blend"},
            INSTRUCT: {"kind", "model", "instruction", "image_guidance"},
        }[kind]
        for name in raw:
            if name not in of_kind:
                raise UserError(
                    f"{name!r} is not a setting of the editor {kind!r}",
                    where=self._key("editor", name),
                    fix=f"known: {', '.join(sorted(of_kind - {'kind'}))}",
                )
        if kind == INSTRUCT:
            for name in ("model", "instruction"):
                if name not in raw:
                    where = self._at("editor")
                    raise UserError(f"the editor {kind!r} needs {name!r}", where=where)
        if "self" in values:
            values["self_share"] = values.pop("self")
        if blend:
            values["blend"] = tuple(blend["words"])
            names = {"threshold": "threshold", "from": "blend_from"}
            values |= {new: blend[name] for name, new in names.items() if name in blend}
        return Editing(**values)

    def _filters(self) -> tuple[tuple[str, Mapping[str, Json]], ...]:
        listed: list[tuple[str, Mapping[str, Json]]] = []
        installed = filters() if self._raw.get("filters") else {}
        for at, entry in enumerate(self._raw.get("filters", ())):
            name = entry["filter"]
            if name not in installed:
                raise unknown("filter", name, installed, where=self._at("filters", at, "filter"))
            if name in [one for one, _ in listed]:
                where = self._at("filters", at, "filter")
                raise UserError(f"the filter {name!r} is listed twice", where=where)
            try:
                options = parse_options(
                    installed[name].options, entry.get("options", {}), owner=f"filter {name!r}"
                )
            except UserError as error:
                where = self._at("filters", at, "options")
                raise UserError(error.message, where=where, fix=error.fix) from None
            listed.append((name, options))
        return tuple(listed)

    def _check_words(self, spec: Spec) -> None:
        """Check that what the editor names stands in prompts."""
        if spec.editor.kind == INSTRUCT:
            slots = slots_of(spec.editor.instruction)
            for slot in slots:
                if slot not in spec.attributes:
                    where = self._at("editor", "instruction")
                    raise unknown("attribute in braces", slot, spec.attributes, where=where)
            if spec.edited not in slots:
                raise UserError(
                    f"the instruction does not contain {{{spec.edited}}}, which is to be edited",
                    where=self._at("editor", "instruction"),
                )
            return
        places = {
            **{word: ("editor", "blend", "words", at) for at, word in enumerate(spec.editor.blend)},
            **{word: ("editor", "reweight", word) for word in spec.editor.reweight},
        }
        for word, path in places.items():
            if slots := slots_of(word):
                if slots[0] not in spec.attributes or word != f"{{{slots[0]}}}":
                    where = self._at(*path)
                    raise unknown("attribute in braces", word, spec.attributes, where=where)
                continue
            for concept in spec.concepts:
                for template in concept.prompts:
                    every = " ".join(
                        [template, *(w for name in spec.attributes.values() for w in name.values())]
                    )
                    if not any(find_words(every, word)):
                        raise UserError(
                            f"the word {word!r} occurs in no prompt of {concept.name!r}",
                            where=self._at(*path),
                            fix=nearest(word, plain_words(every)),
                        )

    def _check_protected(self, spec: Spec) -> None:
        missing = [name for name in ("purpose", "licence") if not getattr(spec, name)]
        if not missing:
            return
        for name, values in spec.attributes.items():
            trait = protected_in([name, *values.values()])
            if trait:
                self._refuse_protected(trait, missing, self._key("attributes", name))
        for concept in spec.concepts:
            if trait := protected_in([concept.name, *concept.prompts]):
                self._refuse_protected(trait, missing, self._key("concepts", concept.name))

    def _refuse_protected(self, trait: str, missing: list[str], where: str) -> None:
        raise UserError(
            f"images of people by {trait!r}, a protected trait, and the spec states no "
            f"{' and no '.join(missing)}",
            where=where,
            fix=f"add {' and '.join(missing)}: what the images are for, and under which licence",
        )


def _slotted(text: str, span: tuple[int, int], edited: str) -> str:
    """Return a text with a slot in a place, the article before it included."""
    before, after = text[: span[0]], text[span[1] :]
    for article in ("a ", "an "):
        if before.lower() == article or before.lower().endswith(f" {article}"):
            return f"{before[: -len(article)]}{{a {edited}}}{after}"
    return f"{before}{{{edited}}}{after}"


def _kept(template: str) -> dict[str, str]:
    """Return words that leave a template's slots as they are."""
    return {slot: f"{{{slot}}}" for slot in slots_of(template)}
