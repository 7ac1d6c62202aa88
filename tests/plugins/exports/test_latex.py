from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from harness_exports.latex import escape_latex, latex
from hypothesis import given
from hypothesis import strategies as st

from harness.runs.record import Counts
from harness.tables import Table, build_table
from harness.tables.build import TableOptions
from harness.tables.layout import load_layout
from harness.tables.table import TableStyle
from tests.tables.records import metric, record

ODD = r"""[a]_b % & # $ \ ~ ^ {c} <d> | =e --- "f" `g' *h* ?` ! é ß 中 ±≈▲ -1"""


def lines(table: Table) -> list[str]:
    return latex(table).splitlines()


def body(table: Table) -> list[str]:
    text = latex(table)
    return text[text.index(r"\toprule") : text.index(r"\bottomrule")].splitlines()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a_b%c&d#e$f", r"a\_b\%c\&d\#e\$f"),
        ("{x}", r"\{x\}"),
        ("\\", r"\textbackslash{}"),
        ("~^<>|", r"\textasciitilde{}\textasciicircum{}\textless{}\textgreater{}\textbar{}"),
        ("--x---", "-{}-x-{}-{}-"),
        ("[a]", "{[}a{]}"),
        ("é ß", r"{\'{e}} \ss{}"),
        ("中", "{[}U+4E2D{]}"),
        ("a\nb\x1b", "a b{[}U+FFFD{]}"),
    ],
)
def test_every_sign_of_latex_is_escaped(text: str, message: str) -> None:
    assert escape_latex(text) == message


@given(st.text())
def test_escaped_text_is_ascii_with_balanced_braces(text: str) -> None:
    message = escape_latex(text)
    assert message.isascii()
    plain = re.sub(r"\\[^a-zA-Z]", "", message)  # an escaped sign is no sign
    assert plain.count("{") == plain.count("}")


def test_the_best_is_bold_and_the_second_underlined() -> None:
    values = {"a": 0.5, "b": 0.4, "c": 0.3}
    table = build_table(
        [record(n, "x", metric(v)) for n, v in values.items()],
        options=TableOptions(looks=TableStyle("none")),
    )
    assert body(table)[-4:] == [
        r"\midrule",
        r"a & \textbf{50.0} \\",
        r"b & \underline{40.0} \\",
        r"c & 30.0 \\",
    ]


def test_columns_of_one_group_share_a_rule_and_arrows_say_the_direction() -> None:
    values = [
        metric(0.1, name="low", column="Low", direction="lower", scale=1.0),
        metric(0.2, name="near", column="Near", direction="zero", scale=1.0, main=True),
    ]
    table = build_table([record("a", "x", *values), record("a", "y")])
    assert body(table)[1:4] == [
        r" & \multicolumn{2}{c}{X} & \multicolumn{1}{c}{Y} \\",
        r"\cmidrule(lr){2-3}",
        r"Model & Low $\downarrow$ & Near $\to 0$ & Accuracy $\uparrow$ \\",
    ]


@pytest.mark.parametrize(
    ("interval", "message"),
    [
        ("brackets", r"a & $-$0.500 {\scriptsize {[}$-$0.600, $-$0.400{]}} \\"),
        ("half", r"a & $-$0.500 {\scriptsize $\pm$0.100} \\"),
        ("none", r"a & $-$0.500 \\"),
    ],
)
def test_intervals_are_small(interval: str, message: str) -> None:
    looks = TableStyle(interval)  # type: ignore[arg-type]
    value = metric(-0.5, scale=1.0)
    assert (
        body(build_table([record("a", "x", value)], options=TableOptions(looks=looks)))[-1]
        == message
    )


def test_missing_and_unsupported_are_told_apart() -> None:
    table = build_table(
        [record("a", "x"), record("b", "y")],
        options=TableOptions(
            looks=TableStyle("none"), supports=lambda model, task: (model, task) != ("a", "y")
        ),
    )
    assert body(table)[-2:] == [r"a & 50.0 & n/a \\", r"b & -- & 50.0 \\"]
    assert "n/a: the model cannot answer this kind of task." in table.notes


def test_differences_marks_and_losses_stand_in_the_cell() -> None:
    table = build_table(
        [
            record("a", "x", metric(0.5)),
            record("b", "x", metric(0.6), marks=("errored",), counts=Counts(50, 40, 10, 4, 0, 20)),
        ],
        options=TableOptions(looks=TableStyle("none"), baseline="a"),
    )
    assert body(table)[-1] == (
        r"b & 60.0\textsuperscript{E} {\scriptsize (+10.0) 10.0 \% unparsed, 10 errors} \\"
    )


def test_the_caption_comes_from_the_records() -> None:
    item = record("a", "x", settings={"seed": 3})
    table = build_table([item])
    message = next(line for line in lines(table) if line.startswith(r"\caption"))
    for part in ("X 40", r"95 \%, cluster bootstrap, percentile", "Seed 3", "Evaluations: a on x"):
        assert part in message


def test_many_evaluations_are_named_by_one_hash() -> None:
    records = [record(f"m{n}", "x", metric(n / 20)) for n in range(13)]
    caption = build_table(records).caption
    assert "13 evaluations; SHA-256 of their sorted fingerprints begins" in caption
    assert build_table(records[::-1]).caption == caption


def test_sections_and_reported_panels_are_titled_and_explained_below() -> None:
    table = build_table(
        [
            record("a", "vqav2"),
            record("b", "vqav2"),
            record("c", "vqav2", task_fingerprint="other", task_parts={"prompt": "q"}),
        ],
        layout=load_layout("asd_main"),
    )
    text = latex(table)
    inside, below = text.split(r"\bottomrule")
    assert r"\textit{Not comparable with the rows above (1)}" in inside
    assert "(1) Not comparable with the rows above: VQAV2 differs in prompt" in below
    assert r"\textit{Reported, not measured here: " in inside
    assert "secondary note" in below


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_a_page_of_tables_compiles(tmp_path: Path) -> None:
    odd = [record(ODD, "x", marks=("demo",)), record("b", "x", metric(0.3)), record(ODD, "y")]
    wide = [record(m, f"task_{n}", metric(n / 9)) for n in range(9) for m in ("a", "b")]
    tables = [
        build_table(odd, options=TableOptions(baseline="b")),
        build_table(wide, options=TableOptions(baseline="a")),
        build_table([record("llava", "vqav2")], layout=load_layout("asd_main")),
        build_table([record("llava", "scounter", metric(column="MinSkew@C"))],
                    layout=load_layout("asd_ablation")),
    ]  # fmt: skip
    page = "\n".join(
        [
            r"\documentclass[twocolumn]{article}",
            r"\usepackage{booktabs,amssymb,graphicx}",
            r"\begin{document}",
            *(latex(table) for table in tables),
            r"\end{document}",
        ]
    )
    (tmp_path / "page.tex").write_text(page, encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert (tmp_path / "page.pdf").stat().st_size > 10_000
    assert "Overfull" not in done.stdout
