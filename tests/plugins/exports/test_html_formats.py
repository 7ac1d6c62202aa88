from __future__ import annotations

from html.parser import HTMLParser

from harness_exports.html_formats import html, html_fragment

from harness.tables import build_table
from harness.tables.layout import load_layout
from tests.tables.records import metric, record

ODD = "<script>alert(1)</script> & \"q\" 'r' </td>\x1b"


class Reader(HTMLParser):
    """Collects tags that are open, and the text within each kind of tag."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.texts: dict[str, list[str]] = {}

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        self.tags.add(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def test_names_are_text_and_never_markup() -> None:
    reader = read(html_fragment(build_table([record(ODD), record("b", "y")])))
    assert "script" not in reader.tags
    changed = ODD.replace("\x1b", "\N{REPLACEMENT CHARACTER}")
    assert changed in "".join(reader.texts["th"])


def test_best_and_second_are_marked() -> None:
    reader = read(html_fragment(build_table([record("a"), record("b", "pisc_fine", metric(0.4))])))
    assert (reader.texts["strong"], reader.texts["u"]) == (["50.0"], ["40.0"])


def test_a_page_stands_alone() -> None:
    text = html(build_table([record("llava", "vqav2")], layout=load_layout("asd_main")))
    reader = read(text)
    assert not reader.tags & {"script", "link", "img", "iframe"}
    assert "url(" not in text
    assert "@import" not in text
    assert any("Reported, not measured here" in message for message in reader.texts["th"])
