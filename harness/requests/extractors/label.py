"""Find a label in a text: exactly one of the task's labels, as whole words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence

from harness.descriptors import Json
from harness.errors import UserError
from harness.requests.extractor import Extracted
from harness.requests.extractors.english import any_of
from harness.requests.extractors.refusal import is_refusal

# Blanks, underscores, every kind of hyphen and dash, and what only sets a word off: quotation marks
# and the stars of Markdown ("non-**intimate**").
_JOINTS = re.compile(r"[\s_\-\u2010-\u2015\u2212\ufe58\ufe63\uff0d*`\"\u201c\u201d]+")
_UNSEEN = re.compile(r"[\u00ad\u200b\u2060\ufeff]")
_EDGES = " .,;:!?'()[]"
_TOKENS = (
    rf"(?<!\w)(?:(?P<harmless>{any_of('harmless')})|(?P<denying>{any_of('denying')})"
    rf"|(?P<turning>{any_of('turning')})|(?P<joining>and))(?!\w)"
    r"|(?P<comma>,)|(?P<colon>:)|(?P<question>\?)|(?P<sentence>[.;!])"
)
_ASIDE = re.compile(r", [^,.;:!?]{1,40},")  # "does not, in my view, look happy"
# A list goes on with what its head rules out: "not happy, sad, or tired".
_LISTED = re.compile(r"(?:, (?:an? |the )?\w+(?: \w+)?){0,9}?,? n?or(?!\w)")
_AFFIRMED = re.compile(rf"\W*{any_of('affirming')}(?!\w)")
_ANOTHER = re.compile(any_of("another"))
_FILLER = re.compile(rf"^{any_of('filling')}, ")
_LEFT_OPEN = re.compile(r"(\w+)(?: ?/ ?|,? (?:and|or) )$")
_OF_NONE = re.compile(r"no one(?!\w)|(?<=.)no (?!(?:he|she|it|they|i|the|because|as|is)(?!\w))\w")

_CHINESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
_JOINED = re.compile(r"[ /,(]")
_NO_MARKS = str.maketrans("<>", "  ")
_REACH = 60  # characters around a label that are looked at, so that time follows a text's length


class LabelReader:
    """The one reader of labels in words: of written answers, and of choices answered in words.

    Case does not matter; a blank, an underscore, every kind of hyphen, quotation marks and the
    stars of Markdown are alike. A text that is a label names it; any other names what stands in it
    as whole words. A label inside a longer one is not named ("non-intimate" is not "intimate"),
    nor is one in a question that nothing affirms, or that ``english.toml`` rules out by its
    clause or by the words next to it ("does not look intimate", "black hair").

    A label of several words may be parted elsewhere ("South East Asian", "nonintimate"), a word
    that labels share may stand once for two of them ("East or Southeast Asian"), and what comes
    after another label may stand before it ("inverted stop"). A text that names no label, or two,
    is unparsed.

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
        names = "|".join(_spelled(name, self._places) for name in longest_first)
        if "indian" in self._places:  # an "Asian Indian" is one
            self._places.setdefault("asian indian", self._places["indian"])
            names = f"asian indian|{names}"
        self._parted = {_JOINED.sub("", name): place for name, place in self._places.items()}
        # Chinese is written without blanks, so its characters end an English label.
        edge = r"\w" if _CHINESE.search(names) else r"[^\W\u3040-\u30ff\u4e00-\u9fff]"
        label = f"(?P<label>(?<!{edge})(?:{names})(?!{edge}))"
        self._tokens = re.compile(f"{label}|{_TOKENS}")

    def read(self, text: str) -> Extracted:
        """Return the place of the label that a text names, or why there is none."""
        plain = _comparable(text)
        if plain in self._places:
            return Extracted(self._places[plain])
        if is_refusal(text):
            return Extracted(None, "refusal")
        plain = _FILLER.sub("", plain)
        asks = text.rstrip(" \t\r\n\"'*)").endswith("?")
        named = self._named(plain + "?" if asks else plain)
        return Extracted(named.pop()) if len(named) == 1 else Extracted(None, "unparsed")

    def _named(self, plain: str) -> set[int]:
        """Return the places of the labels that a text names, sentence by sentence."""
        named, in_sentence, ruled_out, aside_to = set[int](), set[int](), False, 0
        for token in self._tokens.finditer(plain):
            kind, (start, end) = token.lastgroup, token.span()
            if kind == "denying":
                ruled_out = True
                aside = _ASIDE.match(plain, end)
                aside_to = aside.end() if aside and token.group() != "no" else 0
            elif kind == "label":
                label = token.group()
                if label == "no" and _OF_NONE.match(plain, start):
                    ruled_out = True  # "there are no ..."
                elif not (ruled_out or _ANOTHER.search(_around(plain, start, end))):
                    in_sentence |= self._places_of(plain, label, start)
            elif kind == "harmless" or start < aside_to:
                continue
            elif kind == "joining":
                following = self._tokens.match(plain, end + 1)
                ruled_out &= following is not None and following.lastgroup == "label"
            else:
                ruled_out = ruled_out and kind == "comma" and bool(_LISTED.match(plain, start))
                if kind == "question" and not (
                    len(in_sentence) == 1 and _AFFIRMED.match(plain, end)
                ):
                    in_sentence.clear()
                if kind in {"question", "sentence"}:
                    named |= in_sentence
                    in_sentence.clear()
        return named | in_sentence

    def _places_of(self, plain: str, label: str, start: int) -> set[int]:
        place = self._places.get(label, self._parted[_JOINED.sub("", label)])
        # "East or Southeast Asian": the last word stands for both labels.
        if before := _LEFT_OPEN.search(plain, max(0, start - _REACH), start):
            shared = f"{before[1]} {label.rpartition(' ')[2]}"
            return {place, self._places.get(shared, place)}
        return {place}


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


def _around(plain: str, start: int, end: int) -> str:
    """Return a label between < and >, with what stands next to it."""
    before, after = plain[max(0, start - _REACH) : start], plain[end : end + _REACH]
    return f"{before.translate(_NO_MARKS)}<{plain[start:end]}>{after.translate(_NO_MARKS)}"


def _turned(places: Mapping[str, int]) -> dict[str, int]:
    """Return labels that are another one with words after it, with those words before it."""
    return {
        name: position
        for label, position in places.items()
        for shorter in places
        if label.startswith(f"{shorter} ")
        and (name := f"{label[len(shorter) + 1 :]} {shorter}") not in places
    }


def _spelled(name: str, names: Collection[str]) -> str:
    """Return the pattern of a label; one of several words may be parted anywhere, or nowhere."""
    if " " not in name or not name.replace(" ", "").isalpha():
        return re.escape(name)  # a number stays whole: "3 9" is not "39"
    longer = any(name.startswith(f"{shorter} ") for shorter in names)
    joint = r"(?:,? ?\(?| ?/ ?)" if longer else "(?: ?/ ?| )?"  # "stop, inverted"
    return joint.join(" ?".join(word) for word in name.split(" "))


def _comparable(text: str) -> str:
    apart = re.sub(r"\n\s*\n", " ; ", text.strip())  # paragraphs are sentences of their own
    visible = unicodedata.normalize("NFKC", _UNSEEN.sub("", apart)).replace("\u2019", "'")
    return _JOINTS.sub(" ", visible).strip(_EDGES).casefold()
