"""What ``-o`` accepts. Light: no torch."""

from __future__ import annotations

from harness.descriptors import Option
from harness.engine.loading import LOADING

FORMATS = ("auto", "template", "plain", "question")
WAYS = ("auto", "engine", "cached", "whole")

OPTIONS: tuple[Option, ...] = (
    Option(name="path", help="A checkpoint in transformers' format: a folder or a hub id."),
    Option(name="revision", help="Branch, tag or commit on the hub."),
    Option(
        name="prompt_format",
        default="auto",
        choices=FORMATS,
        help="The chat template; plain: texts as they are; question: 'Question: ... Answer:'; "
        "auto: the template where there is one, else plain.",
    ),
    Option(
        name="way",
        default="auto",
        choices=WAYS,
        changes_numbers=False,
        help="How prompts are read: shared by the engine, once each, or anew for each option; "
        "auto: the first of these that gives what reading anew gives.",
    ),
    Option(
        name="score_eos", type="bool", default=True, help="An option ends with end-of-sequence."
    ),
    Option(
        name="trust_remote_code",
        type="bool",
        default=False,
        help="Run Python code that the checkpoint brings; it can do whatever you can.",
    ),
    *LOADING,
)
