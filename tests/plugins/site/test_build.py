from __future__ import annotations

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from harness_site.browse import FAILED, first_looks, outcome
from harness_site.build import SIGN, put, refuse_other
from harness_site.files import as_script, slug
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DataError, UserError
from harness.runs.read import survey
from harness.runs.sample_record import SampleRecord
from harness.tables.layout import load_layout
from tests.plugins.site.sites import HOSTILE, built, contents, data, evaluations, many
from tests.runs.sealed import answers, sample, write


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    return built(folder / "out", [evaluations(folder / "results")])


class Tags(HTMLParser):
    """Every tag with its attributes, and the text between."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def test_the_same_evaluations_give_the_same_bytes(tmp_path: Path) -> None:
    results = evaluations(tmp_path / "results")
    first = contents(built(tmp_path / "one", [results]))
    assert first == contents(built(tmp_path / "two", [results]))
    assert first == contents(built(tmp_path / "one", [results]))


def test_figures_are_the_same_bytes_too_and_follow_the_light(tmp_path: Path) -> None:
    results = write(tmp_path / "results", answers(), model=HOSTILE)
    first = contents(built(tmp_path / "one", [results], figures=True))
    assert first == contents(built(tmp_path / "two", [results], figures=True))
    drawn = [content for name, content in first.items() if name.endswith(".svg")]
    assert len(drawn) == 1
    assert all(b"prefers-color-scheme:dark" in figure for figure in drawn)
    assert not any(b"#24292f" in figure.partition(b"</style>")[2] for figure in drawn)


def test_nothing_of_a_model_becomes_a_tag(site: Path) -> None:
    for page in pages(site):
        tags = Tags(page)
        for tag, attributes in tags.tags:
            assert not any(name.startswith("on") or name == "style" for name in attributes), page
            assert tag != "script" or set(attributes) <= {"src", "defer"}, page
        assert "<img src=x" not in page.read_text(encoding="utf-8"), page


def test_data_files_are_scripts_that_nothing_can_end(site: Path) -> None:
    for path in site.rglob("*.js"):
        if path.parent.name != "assets":
            assert "<" not in path.read_text(encoding="ascii")
            assert data(path) is not None


def test_hostile_texts_arrive_whole(site: Path) -> None:
    answered = [
        item for path in site.glob("samples/*/?-0.js") for item in data(path) if item[3] == HOSTILE
    ]
    assert [item[1] for item in answered] == [HOSTILE]
    indices = [data(path) for path in site.glob("samples/*/index.js")]
    assert HOSTILE in [model["name"] for index in indices for model in index["models"]]


def test_texts_from_outside_are_never_keys() -> None:
    assert as_script("a", {"x": ["</script>"]}) == 'siteData("a",{"x":["\\u003c/script>"]});\n'


def test_links_lead_to_files_of_the_site_and_nowhere_else(site: Path) -> None:
    for page in pages(site):
        for tag, attributes in Tags(page).tags:
            names = ("href", "src", "data-goto") if tag != "option" else ("value",)
            for link in filter(None, (attributes.get(name) for name in names)):
                if tag == "option" and not link.endswith(".html"):
                    continue
                parts = urlsplit(link)
                assert not parts.scheme, (page, link)
                assert not parts.netloc, (page, link)
                if parts.path:
                    assert (page.parent / unquote(parts.path)).is_file(), (page, link)


def test_no_file_names_an_address(site: Path) -> None:
    for name, content in contents(site).items():
        if name.startswith("assets/") or name.endswith(".html"):
            assert b"http://" not in content, name
            assert b"https://" not in content, name
            assert str(site).encode() not in content, name


def test_every_page_forbids_what_it_does_not_need(site: Path) -> None:
    for page in pages(site):
        metas = [content for tag, content in Tags(page).tags if tag == "meta"]
        policy = next(
            content["content"]
            for content in metas
            if content.get("http-equiv") == "Content-Security-Policy"
        )
        assert policy is not None
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy


def test_only_second_best_is_underlined_and_a_link_has_a_mark_of_its_own(site: Path) -> None:
    (style,) = site.rglob("site.css")
    rules = dict(
        re.findall(r"^(\.numbers [^{]+?) \{ (.+) \}$", style.read_text("utf-8"), re.MULTILINE)
    )
    assert [name for name, rule in rules.items() if "underline" in rule] == [".numbers u"]
    assert "text-decoration: none" in rules[".numbers td a"]
    assert 'content: "\\203a"' in rules[".numbers td a::after"]
    assert "A number with \u203a leads to its evaluation." in Tags(site / "index.html").text


def test_marks_stand_on_every_page(site: Path) -> None:
    entries = {page.relative_to(site).as_posix(): Tags(page).text for page in pages(site)}
    for name, text in entries.items():
        if "/" not in name:
            assert "drawn people or a tiny demo model" in text, name
            assert "only a part of the split was asked" in text, name
    plain = next(text for name, text in entries.items() if "raf-db-plain" in name)
    assert "drawn people" in plain
    assert "only a part of the split" not in plain
    other = next(text for name, text in entries.items() if "raf-db-other" in name)
    assert "drawn people" not in other


def test_a_baseline_has_its_page_with_differences(site: Path) -> None:
    bare, compared = (Tags(site / name).text for name in ("index.html", "board-0-1.html"))
    assert "(-33.3)" not in bare
    assert "(-33.3)" in compared
    assert "the difference to plain." in compared


def test_a_page_holds_confusion_and_the_worst_slice(site: Path) -> None:
    page = next(site.glob("evaluations/raf-db-other-*.html"))
    text = Tags(page).text
    assert "no answer" in text
    slices = re.findall(r"gender: (female|male)", text[text.index("the worst first") :])
    assert slices[:2] == ["female", "male"]


def test_columns_to_filter_by_say_how_each_sample_went(site: Path) -> None:
    index = next(path for path in site.glob("samples/*/index.js") if data(path)["size"] == 6)
    assert [model["name"] for model in data(index)["models"]] == ["plain", "other"]
    went = [data(index.parent / f"went-{position}.js") for position in (0, 1)]
    assert went == ["rwrrrr", "rwuwrr"]
    right, names = data(index.parent / "right.js"), data(index)["numbers"]
    assert [name for code in right for name, number in names.items() if number == code] == [
        record["target"] for record in answers()
    ]
    assert all(-1 <= share <= 1 for share in data(index.parent / "sure-0.js"))
    first, two = (data(index.parent / f"said-{position}.js") for position in (0, 1))
    assert first[0] == two[0]
    assert first[3] != two[3]
    assert two[2] == -1
    assert data(index)["slices"] == [{"name": "gender", "values": ["female", "male"]}]
    assert data(index.parent / "slice-0.js") == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("change", "letter"),
    [
        ({}, "r"),
        ({"answer": "fear"}, "w"),
        ({"problem": "unparsed", "answer": None}, "u"),
        ({"problem": "refusal", "answer": None}, "x"),
        ({"error": {"kind": "a", "message": "b"}}, "e"),
        ({"target": None}, "n"),
        ({"target": [[0.1, 0.2]]}, "n"),
        ({"target": ["a", "b"], "score": 1.0}, "r"),
        ({"target": ["a", "b"], "score": 0.3}, "p"),
        ({"target": ["a", "b"], "score": 0.0}, "w"),
    ],
)
def test_outcomes(change: dict[str, object], letter: str) -> None:
    assert outcome(SampleRecord.from_json({**sample("1", "anger", "anger"), **change})) == letter


def test_a_score_that_is_better_when_lower_makes_nothing_right() -> None:
    entries = {**sample("1", "anger", "anger"), "target": [[0.1, 0.2]], "score": 1.5}
    assert outcome(SampleRecord.from_json(entries), graded=False) == "n"


def test_samples_come_in_chunks(tmp_path: Path) -> None:
    site = built(tmp_path / "out", [many(tmp_path / "results", 600)])
    folder = next(site.glob("samples/*/index.js")).parent
    assert [len(data(folder / f"ask-{number}.js")["items"]) for number in range(3)] == [
        250,
        250,
        100,
    ]
    assert len(data(folder / "1-2.js")) == 100
    assert data(folder / "ask-1.js")["items"][0][0] == "00250"


def test_what_a_page_reads_first_does_not_grow_with_the_samples(tmp_path: Path) -> None:
    sizes = []
    for number in (260, 520):
        site = built(tmp_path / f"out{number}", [many(tmp_path / str(number), number)])
        folder = next(site.glob("samples/*/index.js")).parent
        first = [folder / name for name in ("index.js", "ask-0.js", "0-0.js")]
        sizes.append(sum(path.stat().st_size for path in first))
    assert abs(sizes[1] - sizes[0]) < 100


@given(
    st.integers(1, 60).flatmap(
        lambda size: st.lists(
            st.text("rwpuxen", min_size=size, max_size=size), min_size=1, max_size=4
        )
    ),
    st.integers(0, 70),
)
def test_failures_are_looked_at_first_then_a_spread(went: list[str], number: int) -> None:
    chosen = first_looks(went, number)
    assert len(chosen) == min(number, len(went[0]))
    assert chosen <= set(range(len(went[0])))
    failed = {index for content in went for index, how in enumerate(content) if how in FAILED}
    assert len(chosen & failed) >= min(len(failed), 3 * number // 4)
    for content in went:  # each evaluation has its first failure there, where there is room for all
        first = next((index for index, how in enumerate(content) if how in FAILED), None)
        assert first is None or first in chosen or 3 * number // 4 < len(went)


def test_what_failures_leave_is_spread_over_all() -> None:
    assert first_looks(["r" * 100], 4) == {0, 25, 50, 75}
    assert first_looks(["r" * 96 + "wwww"], 4) == {96, 97, 98, 0}


def test_a_layout_comes_first_with_reported_rows_in_a_panel_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "them.yaml").write_text(
        "published: them\ntitle: Them\ncitation: Them 2025.\nread_in: Read in Table 2.\n"
        "rows: [{label: Theirs, values: {raf_db: {accuracy: 99.0}}}]\n"
    )
    layout = tmp_path / "mine.yaml"
    layout.write_text(
        "leaderboard: mine\ntitle: My faces\ncolumns: [{task: raf_db}]\nreported: [them]\n"
        "rows: [{group: Ours, match: [{model: plain}]}]\n"
    )
    results = evaluations(tmp_path / "results")
    site = built(tmp_path / "out", [results], layouts=(load_layout(str(layout)),))
    first, second = (Tags(site / name) for name in ("index.html", "board-1-0.html"))
    assert "Reported, not measured here: Them" in first.text
    assert "Source: Them 2025. Read in Table 2." in first.text
    assert "Layout: My faces" in first.text
    assert ("tbody", {"class": "reported"}) in first.tags
    rows = [content for tag, content in first.tags if tag == "tr" and "data-row" in content]
    assert "Theirs" not in {content["data-model"] for content in rows}  # neither sorted nor ranked
    assert {content["data-group"] for content in rows} == {"Ours", "Others"}
    assert "Theirs" not in second.text


def test_other_samples_under_one_fingerprint_are_refused(tmp_path: Path) -> None:
    first = write(tmp_path / "one", answers())
    two = write(tmp_path / "two", answers(), model="other")
    lines = (two / "samples.jsonl").read_text().splitlines()
    (two / "samples.jsonl").write_text("\n".join([*lines[1:], lines[0]]) + "\n")
    from harness.runs.seal import seal

    seal(two)
    with pytest.raises(DataError, match="differ from those of other evaluations"):
        built(tmp_path / "out", [first, two])
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.part").exists()


def test_a_folder_that_is_no_site_is_left_alone(tmp_path: Path) -> None:
    results = evaluations(tmp_path / "results")
    with pytest.raises(UserError, match="holds something that is not a site"):
        built(results, [results])
    assert len(survey(results)[0]) == 3


def test_builds_at_once_into_one_folder_all_end_with_a_whole_site(tmp_path: Path) -> None:
    results = evaluations(tmp_path / "results")
    wanted = contents(built(tmp_path / "alone", [results]))
    with ThreadPoolExecutor(8) as pool:
        sites = [pool.submit(built, tmp_path / "out", [results]) for _ in range(8)]
    assert [site.exception() for site in sites] == [None] * 8
    assert contents(tmp_path / "out") == wanted
    assert {path.name for path in tmp_path.iterdir()} == {"alone", "out", "results"}


def test_a_folder_that_another_build_takes_away_while_it_is_listed_is_listed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    for site in (out, tmp_path / "next"):
        site.mkdir()
        (site / SIGN).write_text("{}")
        (site / "index.html").write_text("")
    listdir = os.listdir

    def half_removed(folder: int) -> list[str]:
        monkeypatch.setattr(os, "listdir", listdir)
        names = listdir(folder)
        out.replace(tmp_path / "old")
        (tmp_path / "next").replace(out)
        return [name for name in names if name != SIGN]

    monkeypatch.setattr(os, "listdir", half_removed)
    refuse_other(out)
    assert not (tmp_path / "next").exists()


def test_what_a_model_and_metrics_remark_stands_on_the_pages_of_an_evaluation_and_its_task(
    tmp_path: Path,
) -> None:
    from harness.runs.seal import seal

    folder = write(tmp_path / "one", answers(), model="plain")
    path = folder / "evaluation.json"
    record = json.loads(path.read_text())
    record["notes"] = [f"alpha 0.5 {HOSTILE}"]
    record["counts"]["notes"] = {f"concepts of nobody {HOSTILE}": 3}
    path.write_text(json.dumps(record))
    seal(folder)
    pages = {file.name: file for file in built(tmp_path / "out", [folder]).parent.rglob("*.html")}
    (evaluation,) = [file for file in pages.values() if file.parent.name == "evaluations"]
    (task,) = [file for file in pages.values() if file.parent.name == "samples"]
    assert "alpha 0.5 &lt;/script&gt;" in evaluation.read_text("utf-8")
    assert "concepts of nobody &lt;/script&gt;" in evaluation.read_text("utf-8")
    assert "plain: alpha 0.5 &lt;/script&gt;" in task.read_text("utf-8")


def test_a_pipe_in_the_place_of_a_site_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "out")
    with pytest.raises(UserError, match="holds something that is not a site"):
        refuse_other(tmp_path / "out")


def test_what_came_into_the_folder_meanwhile_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("x")
    with pytest.raises(UserError, match="holds something that is not a site"):
        put(tmp_path / "part", out)
    assert (out / "mine.txt").read_text() == "x"


def test_a_site_that_a_link_leads_to_is_replaced_where_it_lies(tmp_path: Path) -> None:
    results = evaluations(tmp_path / "results")
    built(tmp_path / "real", [results])
    (tmp_path / "link").symlink_to("real")
    built(tmp_path / "link", [results])
    assert (tmp_path / "link").is_symlink()
    assert contents(tmp_path / "real") == contents(tmp_path / "link")


def test_without_evaluations_there_is_no_site(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no finished evaluation"):
        built(tmp_path / "out", [])


def test_names_of_files_are_plain() -> None:
    assert (
        slug("Ünï/..\\code", HOSTILE, "A_b") == "n-code-script-img-src-x-onerror-document-title-a-b"
    )
    assert slug("\u202e") == "x"
