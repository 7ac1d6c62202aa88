"""A small valid spec as text, and a way to break one line of it."""

from harness.specs.yaml_loader import Document, parse_yaml

SPEC = """\
id: mood
version: 1
title: Mood
summary: Name the mood.
citation: Nobody.
licence: None known.
intended_use: Tests.
data:
  benchmark: mood
  reader: raf_db
  split: test
  train_split: train
  options: {images: {option: images}}
  obtain: Draw it.
prompt:
  template: Which mood is {{ who }} in?
  paraphrases: ["How does {{ who }} feel?"]
  view: {mark: [red]}
ask:
  choose:
    labels:
      - glad_one
      - sad
      - {label: odd, when: {odd: include}}
    text: "{{ label | replace('_', ' ') }}"
answer: "{{ target | replace('_', ' ') }}"
metrics:
  - {id: accuracy, column: Acc, direction: higher, scale: 100, main: true}
  - {id: recall, column: Sad, direction: higher, options: {label: sad}}
unit: image
slices: [gender]
options:
  images:
    default: aligned
    choices: [aligned, original]
    status: INFERRED
    note: Which pictures.
  odd:
    default: exclude
    choices: [exclude, include]
    status: NOT FOUND
    note: Whether odd takes part.
"""


def changed(old: str, new: str, name: str = "f.yaml") -> Document:
    """Return the spec with one text replaced."""
    assert SPEC.count(old) == 1, f"{old!r} is not there once"
    return parse_yaml(SPEC.replace(old, new), name=name)
