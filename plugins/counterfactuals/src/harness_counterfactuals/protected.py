"""Words that speak of protected traits of people: such images need a purpose and a licence.

The list is of English words and is not complete: a word that it lacks is not refused. It decides
about nobody; it asks the author of a spec to say what the images are for.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness_counterfactuals.templates import find_words

TRAITS = {
    "race": "race races racial ethnicity ethnic skin white black asian indian latino latina "
    "hispanic african caucasian arab middle|eastern indigenous native|american",
    "gender": "gender sex man woman men women male female boy girl transgender "
    "nonbinary non-binary",
    "age": "age young old elderly middle-aged teenage teenager child",
    "religion": "religion religious muslim christian jewish hindu buddhist sikh hijab turban "
    "kippah yarmulke",
    "disability": "disability disabled wheelchair blind deaf prosthetic crutches white|cane "
    "hearing|aid down|syndrome",
    "sexual orientation": "orientation gay lesbian bisexual homosexual heterosexual queer",
    "nationality": "nationality immigrant refugee citizenship",
    "pregnancy": "pregnant pregnancy",
}
_WORDS = {
    word.replace("|", " "): trait for trait, words in TRAITS.items() for word in words.split()
}


def protected_in(texts: Iterable[str]) -> str:
    """Return a word of a protected trait that stands in one of the texts; empty for none."""
    for text in texts:
        plain = text.replace("_", " ")
        for word in _WORDS:
            if any(find_words(plain, word)):
                return word
    return ""
