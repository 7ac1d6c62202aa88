"""VL-CheckList: pairs of a text that fits an image and one that does not.

Lists as in om-ai-lab/VL-CheckList: ``data/.../*.json``, each a list of ``[image, {"POS": [text],
"NEG": [text]}]``; images below ``hake/``, ``swig/`` and ``vg/`` (its DATASETS.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.descriptors import Json
from harness.errors import DataError, nearest, quoted
from harness.readers import records
from harness.readers.json_stream import elements
from harness.samples import DataRoot, Group, ImageRef, Sample
from harness_benchmarks.readers.passed_over import Repeats, beside

SAME = "pairs whose two texts are the same, which nothing tells apart"
_PLACES = ("center", "margin", "mid")
_SIZES = ("large", "medium", "small")


def _swig(role: str) -> list[str]:
    return [
        *(f"Object/Location/swig_location/swig_{role}/swig_{role}_{at}" for at in _PLACES),
        *(f"Object/Size/swig_size/swig_{role}/swig_{role}_{at}" for at in _SIZES),
    ]


def _vg(role: str) -> list[str]:
    return [
        *(f"Object/Location/vg_location/vg_{role}_{at}" for at in _PLACES),
        *(f"Object/Size/vg_size/vg_{role}_{at}" for at in _SIZES),
    ]


_HAKE = [
    *(f"Object/Location/hake_location/hake_obj_{at}" for at in _PLACES),
    *(f"Object/Size/hake_size/hake_obj_{at}" for at in _SIZES),
]
_KINDS = ("action", "color", "material", "size", "state")
PARTS: dict[str, list[str]] = {
    "people": ["Relation/hake_action", "Relation/swig_action", *_HAKE, *_swig("agent")],
    "object": [
        *_HAKE, *_swig("agent"), *_swig("destination"), *_swig("item"), *_swig("tool"),
        *_vg("obj"), *_vg("subj"),
    ],
    "attribute": [f"Attribute/{source}/{kind}" for source in ("vaw", "vg") for kind in _KINDS],
    "relation": [
        "Relation/hake_action", "Relation/swig_action", "Relation/vg/action", "Relation/vg/spatial",
    ],
}  # fmt: skip
"""Lists of each part, below ``data/``, without ``.json``; ``people`` is HAKE and SWiG's agents."""

_IMAGES = {"hake": "hake", "swig": "swig", "vg": "vg", "vaw": "vg"}


class VlCheckList:
    """Reader of VL-CheckList: one sample per pair of texts; a cluster is an image.

    Args:
        options: ``unit`` (``image``). The split is one of PARTS.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        records.choice(options, "unit", ("image",))

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the lists of a part."""
        records.known_split(split, tuple(PARTS))
        return _lists(root, PARTS[split])

    def passed_over(self, root: DataRoot, split: str) -> Mapping[str, int]:
        """Return how many lists lie beside those of a part that are of none."""
        every = [name for names in PARTS.values() for name in names]
        return beside(root, _lists(root, PARTS[split]), _lists(root, every))

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield pairs by list; images of one list that come again stand where they come.

        Raises:
            DataError: an entry that is not an image with two texts.
        """
        for path, name in zip(self.annotations(root, split), PARTS[split], strict=True):
            (top, kind, source), repeats = _named(name), Repeats()
            for index, entry in elements(root, path):
                where = f"{root.where(path)}[{index}]"
                pair = records.as_list(entry, "an entry", where)
                if len(pair) != 2:
                    raise DataError("the entry must be an image and its texts", where=where)
                file = records.as_text(pair[0], "the image", where)
                image = ImageRef(f"{_IMAGES[source]}/{file}", root)
                fields: dict[str, Json] = {
                    "positive": _text(pair[1], "POS", where),
                    "negative": _text(pair[1], "NEG", where),
                }
                yield Sample(
                    id=f"{name}#{index}",
                    images=(image,),
                    target="positive",
                    cluster=image.name,
                    fields=fields,
                    notes={
                        **_further(pair[1]),
                        **_alike(fields),
                        **repeats.notes(file, *fields.values()),
                    },
                    groups={
                        "part": Group(top),
                        "kind": Group(kind),
                        "source": Group(source),
                    },
                )


def _lists(root: DataRoot, names: Sequence[str]) -> list[str]:
    folder = "data/" if root.is_dir("data") else ""
    return [f"{folder}{name}.json" for name in names]


def _named(name: str) -> tuple[str, str, str]:
    """Return part, kind and source of images of a list's name."""
    top, *_, last = name.split("/")
    source = next(key for key in _IMAGES if f"/{key}/" in name or last.startswith(f"{key}_"))
    words = last.split("_")
    kind = name.split("/")[1] if top == "Object" else words[-1]
    return top, kind.lower(), source


def _further(texts: Mapping[str, list[object]]) -> Mapping[str, int]:
    further = sum(len(texts[key]) - 1 for key in ("POS", "NEG"))
    return {"texts after the first of their kind, which are not asked": further} if further else {}


def _alike(fields: Mapping[str, Json]) -> Mapping[str, int]:
    return {SAME: 1} if fields["positive"] == fields["negative"] else {}


def _text(texts: object, key: str, where: str) -> str:
    members = records.as_mapping(texts, "the texts", where)
    if key not in members:
        raise DataError(f"the key {key!r} is missing", where=where, fix=nearest(key, members))
    texts_there = records.as_list(members[key], key, where)
    if not texts_there:
        raise DataError(f"{quoted(key)} lists no text", where=where)
    return records.as_text(texts_there[0], f"{key}[0]", where)
