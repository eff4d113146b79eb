"""A message's file, its places, whom it is to, and this machine's index of them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bnet.codec import letter_paths, letters
from bnet.codec.shown import escaped
from bnet.errors import Invalid
from bnet.host.letters import LetterIndex, ReadMarks
from bnet.model.message import Ack, Ask, Entry, Front
from bnet.model.server import Server
from bnet.ports.hub import Acked
from bnet.ports.indexes import LettersLost
from bnet.rules import filing, replies
from bnet.rules.addressing import expected, is_addressed

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = "2026/11/20/hello"
SERVERS = {
    name: Server(name=name, instance="i", joined_at=NOW, labels=labels)
    for name, labels in (("s1", {"os": "linux"}), ("s2", {"os": "linux", "gpu": "yes"}), ("s3", {}))
}


# -- the file


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_a_file_as_people_write_it(end: str) -> None:
    text = "---\nto: build2\nsubject: 2026\nrequires_ack: 90m\nmood: good\n---\n\n# Hi\n---\nmore\n"
    letter = letters.read(text.replace("\n", end).encode(), "m.md")
    assert (letter.front.addressed, letter.front.subject) == (("build2",), "2026")
    assert (letter.within, letter.body, letter.problem) == (5400.0, "# Hi\n---\nmore\n", "")


SPANS = {"true": 86400.0, "false": 0.0, "0": 1.0, "10": 10.0, "2d": 172800.0, '"1h30m"': 5400.0}


@pytest.mark.parametrize(("said", "seconds"), SPANS.items())
def test_how_long_an_acknowledgement_may_take(said: str, seconds: float) -> None:
    assert letters.read(f"---\nrequires_ack: {said}\n---\n".encode(), "m").within == seconds


def test_a_complaint_names_the_line_in_the_file() -> None:
    with pytest.raises(Invalid) as caught:
        letters.read(b"---\nto: a\ncommand:\n  - cancel: {job: no}\n---\n", "m.md")
    assert str(caught.value).startswith('m.md:4: field "command[0].cancel.job": ')


@given(
    st.text(max_size=60),
    st.text(max_size=60),
    st.lists(st.text(min_size=1, max_size=9), min_size=1, max_size=3),
)
def test_what_is_written_is_read_again(subject: str, body: str, to: list[str]) -> None:
    front = Front(sender="ann", to=tuple(to), subject=subject, at="2026-11-20T12:00:00Z")
    try:
        data = letters.write(front, body)
        letter = letters.read(data, "m")
    except (UnicodeEncodeError, Invalid):
        return  # what no document holds, and what is nobody's name
    assert (letter.front.subject, letter.front.to) == (subject, tuple(to))
    assert letter.body.strip("\n") == body.replace("\r\n", "\n").strip("\n")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_a_complaint(data: bytes) -> None:
    for each in (data, b"---\n" + data + b"\n---\n"):
        try:
            letters.read(each, "m")
        except Invalid as error:
            assert str(error)


# -- places


ODD = ["ann@example.org", "../../etc", "con", "NUL.txt", ".git", "a/b", "ä ö", "\x1b[2J", "x" * 300, "%2f"]


@pytest.mark.parametrize("who", ODD)
def test_an_acknowledgement_stands_beside_its_message_whoever_it_is_of(who: str) -> None:
    path = letter_paths.ack_path(KEY, who)
    assert letter_paths.ack_key(path) == letter_paths.beside(path) == KEY
    assert path.isascii() and path.isprintable() and len(path) < 300


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "..", "con", "a\n", "x.", "-rf", ".git", "x" * 101])
def test_no_attachment_leads_elsewhere(name: str) -> None:
    assert not letter_paths.is_file_name(name)


# -- whom it is to


WHOM: dict[tuple[str, ...], tuple[set[str], tuple[str, ...]]] = {
    ("all",): ({"s1", "s2", "s3", "ann"}, ("s1", "s2", "s3")),
    ("os=linux",): ({"s1", "s2"}, ("s1", "s2")),
    ("os=linux,gpu=yes",): ({"s2"}, ("s2",)),
    ("s3", "ann"): ({"s3", "ann"}, ("ann", "s3")),
    ("os=plan9",): (set(), ()),
}


@pytest.mark.parametrize(("to", "meant", "waits"), [(to, *both) for to, both in WHOM.items()])
def test_whom_a_message_is_to(to: tuple[str, ...], meant: set[str], waits: tuple[str, ...]) -> None:
    assert {who for who in (*SERVERS, "ann", "bob") if is_addressed(to, who, SERVERS)} >= meant
    assert is_addressed(to, "bob", SERVERS) is (to == ("all",))
    assert expected(to, SERVERS, "bob") == waits
    assert expected(to, SERVERS, "s2") == tuple(each for each in waits if each != "s2")


def test_the_pauses_between_reminders_double_and_end() -> None:
    ask = Ask(sender="ann", by="ann", at=NOW, expects=("s1",), within=60.0, due=NOW)
    times = [replies.raised_at(replace(ask, raised=count)) for count in range(replies.MOST_RAISED + 1)]
    assert [each and (each - NOW).total_seconds() for each in times] == [0, 60, 180, 420, 900, None]


@pytest.mark.parametrize(("day", "due"), [("2026/11/18", True), ("2026/11/19", False), ("2026/11/20", False)])
def test_a_day_is_filed_once_it_is_over_for_long_enough(day: str, due: bool) -> None:
    assert filing.day_to_file([day, "2027/01/01"], 86400.0, NOW) == (day if due else "")


# -- the index


def entry(number: int, **more: object) -> Entry:
    fields = {
        "key": f"2026/11/20/m{number}",
        "sender": "ann",
        "to": ("all",),
        "at": NOW + timedelta(seconds=number),
    }
    return Entry(**(fields | more))


def filled(path: Path | None) -> LetterIndex:
    index = LetterIndex(path)
    acks = [Acked("messages/2026/11/20/m1.acks/s1.json", "2026/11/20/m1", Ack(who="s1", at=NOW))]
    assert index.advance("", "t1", gone=[], put=[entry(n) for n in range(30)], acks=acks)
    return index


def test_the_index_goes_on_from_what_it_shows_and_from_nothing_else(tmp_path: Path) -> None:
    index = filled(tmp_path / "db")
    assert not index.advance("t0", "t2", gone=[], put=[], acks=[])
    gone = ["messages/2026/11/20/m3.md", "messages/2026/11/20/m1.acks/s1.json"]
    assert index.advance("t1", "t2", gone=gone, put=[entry(99, within=1.0)], acks=[])
    again = LetterIndex(tmp_path / "db")
    assert (again.tip(), len(again.every()), again.acks()) == ("t2", 30, {})
    assert again.asking() == ["2026/11/20/m99"] and again.named("m3") == []
    assert [each.id for each in again.named("m2")][:2] == ["m2", "m20"]


@pytest.mark.parametrize("size", [0, 1, 99, 100, 4095, 4096, 6000, 8192])
@pytest.mark.parametrize("fill", [None, b"\xff", b"\0"])
def test_an_index_that_is_cut_or_overwritten_is_begun_anew(
    tmp_path: Path, size: int, fill: bytes | None
) -> None:
    path = tmp_path / "db"
    filled(path).close()
    data = path.read_bytes()
    path.write_bytes(data[:size] + (b"" if fill is None else fill * (len(data) - size)))
    for _ in range(3):
        index = LetterIndex(path)
        try:
            if index.tip() != "t1" or len(index.every()) != 30 or not index.acks():
                index.advance("", "t1", gone=[], put=[entry(n) for n in range(30)], acks=[])
            assert len(index.every()) == 30
            break
        except LettersLost:
            continue
    else:
        pytest.fail("it was not made anew")


def test_where_the_disk_takes_none_it_is_kept_in_memory(tmp_path: Path) -> None:
    assert len(filled(tmp_path / "nowhere" / "db").every()) == 30


def test_two_processes_bring_it_forward_once(tmp_path: Path) -> None:
    filled(tmp_path / "db").close()
    won: list[bool] = []

    def advance() -> None:
        won.append(LetterIndex(tmp_path / "db").advance("t1", "t2", gone=[], put=[entry(77)], acks=[]))

    threads = [threading.Thread(target=advance) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(won) == [False] * 5 + [True]


def test_what_was_read_is_remembered_and_odd_lines_harm_nothing(tmp_path: Path) -> None:
    marks = ReadMarks(tmp_path / "read")
    marks.add(["a", "b"])
    (tmp_path / "read").write_bytes((tmp_path / "read").read_bytes() + b"\xff\xfe\n")
    marks.add(["b", "c"])
    assert {"a", "b", "c"} <= marks.all()
    assert (tmp_path / "read").read_bytes().count(b"b\n") == 1


def test_control_characters_are_spelt_out() -> None:
    assert escaped("a\x1b[31m\u202eb\tc\n", keep="\n") == "a\\x1b[31m\\u202eb\\tc\n"
