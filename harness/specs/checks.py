"""What a schema cannot say: one headline, labels that differ, templates that hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from harness.descriptors import Json
from harness.errors import UserError, nearest, unknown
from harness.requests.request import has_text
from harness.specs.entries import conditions, entry_values, is_reference
from harness.specs.templates import Template, TemplateProblem, compile_template
from harness.specs.yaml_loader import Document, Key

At = tuple[Key, ...]
TEXT: At = ("ask", "choose", "text")
LABELS: At = ("ask", "choose", "labels")
EACH: At = ("data", "each", "values")
KEEP: At = ("data", "keep")


def meaning_problems(document: Document) -> list[UserError]:
    """Return every problem of a document that already fits the schema, in the order of the file."""
    raw: Any = document.data
    problems = [
        *_headline(document, raw),
        *_metrics(document, raw),
        *_named_options(document, raw),
        *_view(document, raw),
        *_data(document, raw),
    ]
    labels = list(_entries(document, raw, LABELS))
    problems += labels
    problems += _entries(document, raw, EACH)
    problems += _entries(document, raw, KEEP)
    problems += _templates(document, raw, labels_differ=not labels)
    return sorted(problems, key=_order)


def _order(problem: UserError) -> tuple[int, int]:
    line, column = str(problem.where).rsplit(":", 2)[1:]
    return int(line), int(column)


def _headline(document: Document, raw: Any) -> Iterator[UserError]:
    main = [index for index, metric in enumerate(raw["metrics"]) if metric.get("main")]
    if not main:
        yield UserError(
            "no metric is marked as the headline", where=document.where(("metrics",), "key"),
            fix="give one of them main: true",
        )  # fmt: skip
    for index in main[1:]:
        yield UserError(
            "a second metric is marked as the headline; exactly one may have main: true",
            where=document.where(("metrics", index, "main"), "key"),
        )


def _metrics(document: Document, raw: Any) -> Iterator[UserError]:
    columns: set[str] = set()
    for index, metric in enumerate(raw["metrics"]):
        if metric["column"] in columns:
            yield UserError(
                f"the column {metric['column']!r} is used by two metrics",
                where=document.where(("metrics", index, "column")),
            )
        columns.add(metric["column"])


def _named_options(document: Document, raw: Any) -> Iterator[UserError]:
    options: Mapping[str, Any] = raw.get("options", {})
    used: set[str] = set()
    for path, name in _references(raw):
        used.add(name)
        if name not in options:
            at = document.where(path, "key" if "when" in path else "value")
            yield UserError(
                f"this spec has no option named {name!r}", where=at,
                fix=nearest(name, options),
            )  # fmt: skip
    for name, entry in options.items():
        choices = entry.get("choices")
        if choices is not None and not _among(entry["default"], choices):
            yield UserError(
                f"the default of {name!r} is not among its choices",
                where=document.where(("options", name, "default")),
                fix=nearest(str(entry["default"]), [str(choice) for choice in choices]),
            )
        if name not in used:
            yield UserError(
                f"nothing uses the option {name!r}",
                where=document.where(("options", name), "key"),
                fix=f"write {{option: {name}}} where its value belongs",
            )


def _among(value: Json, choices: list[Json]) -> bool:
    return any(type(value) is type(choice) and value == choice for choice in choices)


def _references(raw: Any) -> Iterator[tuple[At, str]]:
    """Yield every place that names an option, with the name."""
    places: list[tuple[At, Any]] = [(("data", "options"), raw["data"].get("options", {}))]
    places += [
        (("metrics", index, "options"), metric.get("options", {}))
        for index, metric in enumerate(raw["metrics"])
    ]
    generate = raw["ask"].get("generate", {})
    named = generate.get("extractor_options", {})
    places.append((("ask", "generate", "extractor_options"), named))
    places.append((("data",), {"split": raw["data"]["split"]}))
    settled = {key: generate.get(key) for key in ("temperature", "reasoning", "reasoning_tokens")}
    places.append((("ask", "generate"), settled))
    for path, options in places:
        for name, value in options.items():
            if is_reference(value):
                yield (*path, name, "option"), value["option"]
    for path in (LABELS, EACH, KEEP):
        for index, entry in enumerate(_listed(raw, path)):
            for name in conditions(entry):
                yield (*path, index, "when", name), name
    for split, named in raw["data"].get("counts", {}).items():
        for name in conditions(named):
            yield ("data", "counts", split, "when", name), name
    option_text = raw["ask"].get("choose", {}).get("text", "")
    for path, text in (*template_texts(raw), (TEXT, option_text), (("answer",), raw["answer"])):
        template = _quietly(text)
        for name in template.options if template else ():
            yield path, name


def _quietly(text: str) -> Template | None:
    try:
        return compile_template(text)
    except TemplateProblem:
        return None  # reported where templates are checked


def _listed(raw: Any, path: At) -> list[Any]:
    section = raw
    for key in path:
        section = section.get(key, {})
    return list(section)


def _entries(document: Document, raw: Any, at: At) -> Iterator[UserError]:
    """Values that are there twice under one choice, and conditions on what an option cannot be."""
    listed: set[tuple[str, str]] = set()
    for index, entry in enumerate(_listed(raw, at)):
        path: At = (*at, index)
        under = conditions(entry)
        for value in entry_values(entry):
            if (value, str(under)) in listed or (value, "{}") in listed:
                yield UserError(f"the label {value!r} is listed twice", where=document.where(path))
            listed.add((value, str(under)))
        yield from _when(document, raw, path, under)


def _when(document: Document, raw: Any, at: At, under: Mapping[str, Any]) -> Iterator[UserError]:
    for name, required in under.items():
        choices = raw.get("options", {}).get(name, {}).get("choices")
        for choice in required if choices is not None else ():
            if not _among(choice, choices):
                yield UserError(
                    f"{choice!r} is not among the choices of {name!r}",
                    where=document.where((*at, "when", name)),
                    fix=nearest(str(choice), [str(one) for one in choices]),
                )


def _view(document: Document, raw: Any) -> Iterator[UserError]:
    from PIL import ImageColor

    for index, colour in enumerate(raw["prompt"].get("view", {}).get("mark", ())):
        try:
            ImageColor.getrgb(colour)
        except ValueError:
            yield UserError(
                f"{colour!r} is not a colour",
                where=document.where(("prompt", "view", "mark", index)),
                fix=nearest(colour, ImageColor.colormap),
            )


def _data(document: Document, raw: Any) -> Iterator[UserError]:
    handed = {"unit": "set unit at the top of the spec", "choose_labels": "set ask.choose.labels"}
    for name in handed.keys() & raw["data"].get("options", {}).keys():
        yield UserError(
            f"the {name.replace('_', ' ')} is passed to the reader automatically",
            where=document.where(("data", "options", name), "key"),
            fix=handed[name],
        )
    for split, counts in raw["data"].get("counts", {}).items():
        yield from _when(document, raw, ("data", "counts", split), conditions(counts))
    values = [value for entry in _listed(raw, EACH) for value in entry_values(entry)]
    for name in raw["data"].get("each", {}).get("texts", {}) if values else ():
        if name not in values:
            where = document.where(("data", "each", "texts", name), "key")
            yield unknown("value of data.each", name, values, where=where)
    if raw["prompt"].get("shots", 0) and "train_split" not in raw["data"]:
        yield UserError(
            "few-shot examples come from the train split, and this spec has none",
            where=document.where(("prompt", "shots")),
            fix="add data.train_split",
        )
    if raw["data"].get("train_split") == raw["data"]["split"]:
        yield UserError(
            "the train split is the evaluated one: few-shot examples would show its answers",
            where=document.where(("data", "train_split")), fix="name another split",
        )  # fmt: skip


def template_texts(raw: Any) -> Iterator[tuple[At, str]]:
    """Yield every template of a spec but the answer's, with its path."""
    yield ("prompt", "template"), raw["prompt"]["template"]
    if "system" in raw["prompt"]:
        yield ("prompt", "system"), raw["prompt"]["system"]
    for key in ("paraphrases", "further_paraphrases"):
        for index, text in enumerate(raw["prompt"].get(key, ())):
            yield ("prompt", key, index), text
    for name, form in raw.get("training", {}).items():
        yield ("training", name, "template"), form["template"]
        yield ("training", name, "answer"), form["answer"]
        if "against" in form:
            yield ("training", name, "against", "answer"), form["against"]["answer"]
    for index, text in enumerate(raw["ask"].get("embed", {}).get("texts", ())):
        yield ("ask", "embed", "texts", index), text


def _templates(document: Document, raw: Any, *, labels_differ: bool) -> Iterator[UserError]:
    for path, text in template_texts(raw):
        problem = _compiled(document, path, text)
        if isinstance(problem, UserError):
            yield problem
    answer = _compiled(document, ("answer",), raw["answer"], only="target")
    if isinstance(answer, UserError):
        yield answer
    choose = raw["ask"].get("choose")
    if choose is None:
        return
    option = _compiled(document, TEXT, choose.get("text", "{{ label }}"))
    if isinstance(option, UserError):
        yield option
    elif "options" in option.fields:
        yield UserError("the text of an option cannot list the options", where=document.where(TEXT))
    elif "label" not in option.fields:
        yield UserError(
            "this template does not use 'label', so all options would be the same text",
            where=document.where(TEXT), fix="write {{ label }} where the label belongs",
        )  # fmt: skip
    elif (
        labels_differ
        and isinstance(answer, Template)
        and not answer.options
        and set(option.fields) <= {"label"}
    ):
        yield from _options_as_sent(document, choose["labels"], option, answer)


def _compiled(
    document: Document, path: At, text: str, *, only: str | None = None
) -> Template | UserError:
    where = document.where(path)
    try:
        template = compile_template(text, where)
    except TemplateProblem as error:
        at = document.where(path, down=error.line)
        message = error.message if at == where else error.message.split(": ", 1)[1]
        return UserError(message, where=at, fix=error.fix)
    for name in template.fields:
        if only is not None and name != only:
            return UserError(
                f"this template sees {only!r} only, not {name!r}", where=where,
            )  # fmt: skip
    return template


def _options_as_sent(
    document: Document, labels: list[Any], option: Template, answer: Template
) -> Iterator[UserError]:
    """Options must differ as sent, and the right answer must read as its option does."""
    listed = [(index, name) for index, entry in enumerate(labels) for name in entry_values(entry)]
    names = [name for _, name in listed]
    try:
        sent = [option.render(label=name) for name in names]
        answers = [answer.render(target=name) for name in names]
    except UserError as error:
        yield error
        return
    counts = Counter(text for _, text in dict.fromkeys(zip(names, sent, strict=True)))
    for (entry, name), text, right in zip(listed, sent, answers, strict=True):
        path: At = (*LABELS, entry)
        if counts[text] > 1 or not has_text(text):
            problem = "empty" if not has_text(text) else "the same as another option"
            yield UserError(
                f"the label {name!r} is sent as {text!r}, which is {problem}",
                where=document.where(path),
            )
        elif text != right:
            yield UserError(
                f"the answer to {name!r} is written {right!r}, but its option is sent as {text!r}",
                where=document.where(("answer",)),
            )
            return
