"""Find a label in a text: exactly one of the task's labels, as whole words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence

from harness.descriptors import Json
from harness.errors import UserError
from harness.requests.extractor import Extracted
from harness.requests.extractors.refusal import is_refusal

# Blanks, underscores, every kind of hyphen and dash, and what only sets a word off: quotation marks
# and the stars of Markdown ("non-**intimate**").
_JOINTS = re.compile(r"[\s_\-\u2010-\u2015\u2212\ufe58\ufe63\uff0d*`\"\u201c\u201d]+")
_UNSEEN = re.compile(r"[\u00ad\u200b\u2060\ufeff]")
_EDGES = " .,;:!?'()[]"
# A negation rules out the label that follows it, also over words that only say how, or that
# something looks so ("does not seem to be a happy"). Any other word between them ends its reach
# ("no doubt he is happy"), and so does a comma.
_NEGATED = re.compile(
    r"(?:(?:(?<!\w)(?:not|no|never|neither|nor|cannot|non|un|hardly|barely|unlikely|nothing|without"
    r"|far from|rather than|instead of|lack of|absence of|anything but|opposite of"
    r"|rul(?:es?|ing) out|exclud(?:es?|ing))|n['\u2019]t)"
    r"(?: (?:an?|any|the|all|at|be(?:en|ing)?|is|are|to|in|of|as|with|like|one|it|this|that|they"
    r"|s?he|really|very|quite|so|too|much|more|even|overly|exactly|particularly|especially|fully"
    r"|entirely|completely|clearly|necessarily|actually|truly|likely|longer|considered|evidence"
    r"|signs?|north|south|east|west|southeast|central|indications?|hint|trace|(?:look|seem|appear|feel|show|express|display|exhibit|convey"
    r"|indicat|suggest|depict|portray|think|believ|say)(?:e?s|e|ing)?))* "
    r"|[不非没无未][\u4e00-\u9fff]{0,4} ?)$"
)
# What is said of a label after it: "happy is not right", "happy: no". An "or" carries a negation on
# to the next label ("not happy or sad").
_DENIED = re.compile(
    r"(?:(?:'s| is| are| was| would be| seems) (?:not|no|incorrect|wrong|false|unlikely|ruled out)"
    r"| (?:is|are|was)n['\u2019]t| ?[:?=] ?(?:no|false|incorrect|wrong))(?!\w)"
)
_CARRIED = re.compile(r"(?: ?/ ?|,? n?or )(?:an? |the )?")
_LEFT_OPEN = re.compile(r"(\w+)(?: ?/ ?|,? (?:and|or) )$")

# Words that make another name of a label: a people that only shares the word ("American Indian"),
# and the colour of a thing ("black hair", "in a white shirt"). An "Asian Indian" is an Indian.
_OTHER_PEOPLE = re.compile(r"(?<!\w)(?:american|west|red) $")
_THING = re.compile(
    r"(?: and (?:black|white))? (?:t )?(?:hair(?:ed)?|beard|eye(?:s|d|brows?)?|skirt|shirts?|suit"
    r"|dress|coat|jacket|tie|hat|cap|hoodie|cloth(?:es|ing)|outfit|robe|gown|jeans|pants|shoes|scarf|veil"
    r"|glasses|top|blouse|sweater|background|image|photo(?:graph)?|picture)(?!\w)"
)
_INDIAN, _COLOURS = "indian", ("black", "white")

_CHINESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
_JOINED = re.compile(r"[ /]")

_REACH = 300
"""Characters before a label in which a negation is looked for: a text that repeats a label without
end is read in time in proportion to its length."""


class LabelReader:
    """The one reader of labels in words: of written answers, and of choices answered in words.

    Case does not matter; a blank, an underscore, every kind of hyphen, quotation marks and the
    stars of Markdown are alike. Where two labels start at one place the longer one counts ("stop
    inverted" is not "stop"), and a label inside a longer one is not named ("non-intimate" is not
    "intimate"); neither is one that a negation rules out ("not at all intimate", "does not look
    intimate", "not happy or sad", "happy: no"). A label of several words may be parted elsewhere
    ("South East Asian", "nonintimate", "Latino/Hispanic"), and a word that labels share may stand
    once for two of them ("East or Southeast Asian" names both). A label within the name of another
    people ("American Indian" is not "Indian"), or as the colour of a thing ("black hair"), is not
    named. Where a label is another one with words after it, those words may stand before it as well
    ("inverted stop" is not "stop"). A text that is a label names it; any other names what stands in
    it as whole words. A text that names no label, or two different ones, is unparsed.

    Args:
        labels: In the form that texts are to name; what is read is their place.

    Raises:
        ValueError: labels that differ in no more than case, joints and marks at their ends, or one
            without anything else.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._places = {_comparable(label): place for place, label in enumerate(labels)}
        if not labels or len(self._places) != len(labels) or "" in self._places:
            raise ValueError("labels that differ in no more than case and joints")
        self._places |= _turned(self._places)
        longest_first = sorted(self._places, key=len, reverse=True)
        names = "|".join(map(_spelled, longest_first))
        if _INDIAN in self._places:
            self._places.setdefault("asian indian", self._places[_INDIAN])
            longest_first.insert(0, "asian indian")
        self._parted = {_JOINED.sub("", name): self._places[name] for name in longest_first}
        # Chinese is written without blanks, so its characters end an English label.
        edge = r"\w" if _CHINESE.search(names) else r"[^\W\u3040-\u30ff\u4e00-\u9fff]"
        self._pattern = re.compile(f"(?<!{edge})(?:{names})(?!{edge})")

    def read(self, text: str) -> Extracted:
        """Return the place of the label that a text names, or why there is none."""
        if is_refusal(text):
            return Extracted(None, "refusal")
        plain = _comparable(text)
        if plain in self._places:
            return Extracted(self._places[plain])
        named = set()
        denied_to = -1  # where the last label that was ruled out ends
        for match in self._pattern.finditer(plain):
            start, end = match.span()
            carried = denied_to >= 0 and _CARRIED.fullmatch(plain, denied_to, start)
            if carried or _NEGATED.search(plain, max(0, start - _REACH), start):
                denied_to = end
            elif not (_DENIED.match(plain, end) or _names_another(plain, match, self._places)):
                label = match.group()
                place = self._places.get(label, self._parted[_JOINED.sub("", label)])
                named.add(place)
                # "East or Southeast Asian": the last word stands for both labels.
                if before := _LEFT_OPEN.search(plain, max(0, start - _REACH), start):
                    named.add(self._places.get(f"{before[1]} {label.rpartition(' ')[2]}", place))
        return Extracted(named.pop()) if len(named) == 1 else Extracted(None, "unparsed")


class LabelExtractor:
    """Return the label that a text names; see :class:`LabelReader`."""

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del options
        if not labels:
            raise UserError(
                "the extractor 'label' needs labels, and a task that is not a choice has none",
                where="ask.extractor",
                fix="ask with choose and its labels, or name another extractor, such as verbatim",
            )
        self._labels = list(labels)
        try:
            self._reader = LabelReader(labels)
        except ValueError:
            raise UserError(
                "the extractor 'label' needs labels that differ in more than case and hyphens",
                where="ask.extractor",
            ) from None

    def __call__(self, text: str, fields: Mapping[str, Json]) -> Extracted:
        """Return the label in a text."""
        del fields
        reading = self._reader.read(text)
        if not isinstance(reading.answer, int):
            return reading
        return Extracted(self._labels[reading.answer])


def _turned(places: Mapping[str, int]) -> dict[str, int]:
    """Return labels that are another one with words after it, with those words before it."""
    turned = {
        f"{label[len(shorter) + 1 :]} {shorter}": position
        for label, position in places.items()
        for shorter in places
        if label.startswith(f"{shorter} ")
    }
    return {name: position for name, position in turned.items() if name not in places}


def _names_another(text: str, match: re.Match[str], labels: Collection[str]) -> bool:
    """Whether words around a label make it the name of something else."""
    start, end = match.span()
    if match.group() in _COLOURS:
        return _THING.match(text, end) is not None
    if match.group() == "asian" and _INDIAN in labels:
        return text.startswith(f" {_INDIAN}", end)
    return match.group() == _INDIAN and bool(_OTHER_PEOPLE.search(text, max(0, start - 20), start))


def _spelled(name: str) -> str:
    """Return the pattern of a label; one of several words may be parted anywhere, or nowhere."""
    if " " not in name or not name.replace(" ", "").isalpha():
        return re.escape(name)  # a number stays whole: "3 9" is not "39"
    return "(?: ?/ ?| )?".join(" ?".join(word) for word in name.split(" "))


def _comparable(text: str) -> str:
    apart = re.sub(r"\n\s*\n", " ; ", text.strip())  # paragraphs are sentences of their own
    visible = unicodedata.normalize("NFKC", _UNSEEN.sub("", apart))
    return _JOINTS.sub(" ", visible).strip(_EDGES).casefold()
