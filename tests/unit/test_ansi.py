"""A log in HTML: what a terminal would show of it, and nothing that a browser would obey."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnet.sitegen.ansi import LONGEST, Pen, ends_group, html_of, title_of_group
from bnet.sitegen.logs import Line, lines_of, sheets_of, tail

LINES = {
    "plain": ("hello", "hello"),
    "what HTML would take for its own": ("<b>&\"'", "&lt;b&gt;&amp;&#34;&#39;"),
    "a colour": ("\x1b[31mred\x1b[0m plain", '<span class="f1">red</span> plain'),
    "a bright one on a ground, bold": ("\x1b[1;93;44mx", '<span class="f11 b4 m1">x</span>'),
    "bold that ends, a colour that stays": (
        "\x1b[1;32ma\x1b[22mb",
        '<span class="f2 m1">a</span><span class="f2">b</span>',
    ),
    "one of 256": ("\x1b[38;5;196mx", '<span class="f9">x</span>'),
    "one of the first sixteen": ("\x1b[38;5;3mx", '<span class="f3">x</span>'),
    "one of millions": ("\x1b[38;2;10;200;20mx", '<span class="f2">x</span>'),
    "a grey ground": ("\x1b[48;5;240mx", '<span class="b8">x</span>'),
    "a large colour cut short": ("\x1b[38;5mx", "x"),
    "an empty sequence": ("\x1b[31ma\x1b[mb", '<span class="f1">a</span>b'),
    "a number without end": ("\x1b[99999999999999999999mx", "x"),
    "movements are dropped": ("a\x1b[2K\x1b[1Gb", "ab"),
    "a title is dropped": ("\x1b]0;evil\x07x", "x"),
    "a link is dropped, its text stays": ("\x1b]8;;http://x\x1b\\\\text\x1b]8;;\x1b\\\\", "text"),
    "an escape at the end": ("x\x1b", "x\\x1b"),
    "a bar of progress ends as it ends": ("1%\r50%\r100%", "100%"),
    "a line end of Windows": ("text\r", "text"),
    "control characters": ("a\x00\x07\x7fb\tc", "a\\x00\\x07\\x7fb\tc"),
    "signs that turn the direction": ("a\u202eb", "a\\u202eb"),
}


@pytest.mark.parametrize(("line", "html"), LINES.values(), ids=LINES)
def test_a_line(line: str, html: str) -> None:
    assert html_of(line.replace("\\\\", "\\"), Pen()) == html


def test_a_colour_lasts_until_it_is_switched_off() -> None:
    pen = Pen()
    assert html_of("\x1b[31mone", pen) == '<span class="f1">one</span>'
    assert html_of("two", pen) == '<span class="f1">two</span>'
    assert html_of("\x1b[0mthree", pen) == "three"


def test_a_line_without_end_is_cut_and_says_so() -> None:
    assert html_of("x" * 1_000_000, Pen()) == "x" * LONGEST + '<i class="cut">… 996,000 more characters</i>'


@pytest.mark.parametrize("line", ["::group::Install <b>", "##[group]Install <b>"])
def test_groups_are_known_as_services_write_them(line: str) -> None:
    assert title_of_group(line) == "Install <b>"
    assert title_of_group("not " + line) is None


def test_the_end_of_a_group_is_nothing_else() -> None:
    assert ends_group("::endgroup::")
    assert ends_group("##[endgroup] ")
    assert not ends_group("::endgroup:: of what")


def test_what_was_not_kept_is_a_line_of_its_own() -> None:
    html = [line.html for line in lines_of([(0, "head\n"), (1234, "tail\nend")])]
    assert html == ["head", '<i class="cut">… 1,234 bytes were not kept …</i>', "tail", "end"]


def test_a_log_is_divided_between_lines_and_nothing_is_lost() -> None:
    lines = lines_of([(0, "".join(f"line {number}\n" for number in range(1, 101)))])
    sheets = sheets_of(lines, 1000)
    assert (sheets[0].first, sheets[-1].last) == (1, 100)
    assert [each.first for each in sheets[1:]] == [each.last + 1 for each in sheets[:-1]]
    ids = re.findall('id="L([0-9]+)"', "".join(each.html for each in sheets))
    assert ids == [str(number) for number in range(1, 101)]


def test_a_group_is_closed_at_the_end_of_its_sheet() -> None:
    html = sheets_of(lines_of([(0, "::group::a\nx\n::group::b\ny")]))[0].html
    assert html.count("<details open>") == html.count("</details>") == 2


def test_the_end_of_a_log_has_a_line_at_least() -> None:
    lines = [Line(1, "a" * 500), Line(2, "b" * 5000)]
    assert tail(lines, 100) == lines[1:]
    assert tail(lines, 100_000) == lines


@given(st.lists(st.text(st.sampled_from('\x1b[]0;m38<>&"\r\n\x07:g-\u202ex'), max_size=30), max_size=20))
def test_whatever_is_printed_becomes_html_that_is_whole(texts: list[str]) -> None:
    html = "".join(each.html for each in sheets_of(lines_of([(0, "\n".join(texts))]), 300))
    bare = re.sub(
        r'</?(?:span|div|a|i|details|summary)(?: (?:class|id|href)="[#a-zA-Z0-9 ]*"| open)*>', "", html
    )
    assert not re.search("[<>\x00-\x08\x0b-\x1f\u202e]", bare)
