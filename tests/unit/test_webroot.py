"""A site's directory: only what changed is written, nothing that is not the site's is touched, a kill costs time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bnet.errors import BnetError, Taken
from bnet.host.lock import HostLock
from bnet.host.webroot import LIST, LOCK, Done, Webroot


@dataclass
class Sheet:
    """A page that counts how often it was made."""

    name: str
    text: str
    key: str = ""
    needs: tuple[str, ...] = ()
    made: list[str] = field(default_factory=list)

    def render(self, contents: Mapping[str, bytes]) -> Mapping[str, str]:
        self.made.append(self.name)
        return {self.name: self.text + "".join(contents[each].decode() for each in self.needs)}


def nothing(oids: Sequence[str]) -> Mapping[str, bytes]:
    return {oid: oid.encode() for oid in oids}


def put(path: Path, *sheets: Sheet) -> Done:
    return Webroot(path).put(sheets, nothing)


def files(path: Path) -> set[str]:
    return {
        each.relative_to(path).as_posix()
        for each in path.rglob("*")
        if each.is_file() and each.name not in (LIST, LOCK)
    }


def test_pages_are_written_with_their_directories(tmp_path: Path) -> None:
    done = put(
        tmp_path / "new" / "out", Sheet("index.html", "a"), Sheet("jobs/0001/100.html", "b", needs=("x",))
    )
    assert done == Done(pages=2, written=2, deleted=0)
    assert (tmp_path / "new/out/jobs/0001/100.html").read_text() == "bx"


def test_a_page_with_the_key_that_it_had_is_not_made_again(tmp_path: Path) -> None:
    put(tmp_path, Sheet("a.html", "a", key="1"))
    again = Sheet("a.html", "other", key="1")
    assert put(tmp_path, again).written == 0
    assert again.made == []
    assert (tmp_path / "a.html").read_text() == "a"


def test_a_page_with_another_key_and_the_same_content_is_not_written(tmp_path: Path) -> None:
    put(tmp_path, Sheet("a.html", "a", key="1"))
    before = (tmp_path / "a.html").stat()
    assert put(tmp_path, Sheet("a.html", "a", key="2")).written == 0
    after = (tmp_path / "a.html").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_page_that_was_deleted_or_cut_short_is_made_again(tmp_path: Path) -> None:
    sheets = Sheet("a.html", "aaa", key="1"), Sheet("b.html", "bbb", key="1")
    put(tmp_path, *sheets)
    (tmp_path / "a.html").unlink()
    (tmp_path / "b.html").write_text("")
    assert put(tmp_path, *sheets).written == 2
    assert (tmp_path / "b.html").read_text() == "bbb"


def test_pages_that_are_gone_are_deleted_with_the_directories_that_they_leave_empty(tmp_path: Path) -> None:
    put(tmp_path, Sheet("a.html", "a"), Sheet("x/y/b.html", "b"), Sheet("x/c.html", "c"))
    assert put(tmp_path, Sheet("a.html", "a"), Sheet("x/c.html", "c")).deleted == 1
    assert files(tmp_path) == {"a.html", "x/c.html"}
    assert not (tmp_path / "x/y").exists()


def test_a_build_that_was_killed_is_made_good_by_the_next(tmp_path: Path) -> None:
    put(tmp_path, Sheet("a.html", "old", key="1"), Sheet("b.html", "old", key="1"))

    class Killed(Exception):
        pass

    def torn(_: Mapping[str, bytes]) -> Mapping[str, str]:
        raise Killed

    broken = Sheet("b.html", "new", key="2")
    broken.render = torn  # as if it were killed between two pages
    with pytest.raises(Killed):
        put(tmp_path, Sheet("a.html", "new", key="2"), broken)
    assert (tmp_path / "a.html").read_text() == "new"
    put(tmp_path, Sheet("a.html", "old", key="1"), Sheet("b.html", "old", key="1"))
    assert (tmp_path / "a.html").read_text() == "old", (
        "the list does not claim what a killed build has overwritten"
    )


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"parts": {"a.html": 3}}', b"\xff"])
def test_a_list_that_cannot_be_read_costs_a_full_build(tmp_path: Path, text: bytes) -> None:
    put(tmp_path, Sheet("a.html", "a", key="1"))
    (tmp_path / LIST).write_bytes(text)
    again = Sheet("a.html", "a", key="1")
    assert put(tmp_path, again) == Done(1, 0, 0)
    assert again.made == ["a.html"]


def test_a_list_that_names_files_elsewhere_deletes_nothing_there(tmp_path: Path) -> None:
    outside = tmp_path / "mine.txt"
    outside.write_text("mine")
    put(tmp_path / "out", Sheet("a.html", "a"))
    named = {"x": ["", {"../mine.txt": 4, str(outside): 4}]}
    (tmp_path / "out" / LIST).write_text(json.dumps({"parts": named}))
    put(tmp_path / "out", Sheet("a.html", "a"))
    assert outside.read_text() == "mine"


@pytest.mark.parametrize("deep", ["jobs", "jobs/0001"])
def test_a_link_in_place_of_a_directory_leads_nobody_out(tmp_path: Path, deep: str) -> None:
    out, outside = tmp_path / "out", tmp_path / "outside"
    sheets = [Sheet("index.html", "a"), Sheet("jobs/0001/1.html", "b"), Sheet("jobs/0001/2.html", "c")]
    put(out, *sheets)
    (out / deep).rename(outside)
    (out / deep).symlink_to(outside)
    before = {path: (outside / path).read_bytes() for path in files(outside)}
    for now in ([sheets[0], Sheet("jobs/0001/1.html", "other"), sheets[2]], sheets[:1]):
        with pytest.raises(BnetError, match="is a link"):
            put(out, *now)
    assert {path: (outside / path).read_bytes() for path in files(outside)} == before
    (out / deep).unlink()
    assert put(out, *sheets).pages == 3 and len(files(out)) == 3


@pytest.mark.parametrize("name", ["a\0b", "", ".", "//etc", "x" * 5000, "jobs/\u2028"])
def test_a_list_with_names_that_are_none_stops_no_build(tmp_path: Path, name: str) -> None:
    put(tmp_path, Sheet("a.html", "a", key="1"))
    (tmp_path / LIST).write_text(json.dumps({"parts": {"a.html": ["1", {name: 3}], "gone": ["", {name: 1}]}}))
    assert put(tmp_path, Sheet("a.html", "a", key="1")).pages == 1
    assert files(tmp_path) == {"a.html"}


def test_a_directory_with_other_things_is_refused_and_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years")
    with pytest.raises(BnetError, match="no site was built there"):
        put(tmp_path, Sheet("index.html", "a"))
    assert files(tmp_path) == {"thesis.txt"}


def test_what_people_put_beside_the_pages_stays(tmp_path: Path) -> None:
    put(tmp_path, Sheet("index.html", "a"), Sheet("b.html", "b"))
    (tmp_path / "CNAME").write_text("builds.example.org")
    put(tmp_path, Sheet("index.html", "a"))
    assert files(tmp_path) == {"index.html", "CNAME"}


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(BnetError, match="is no directory"):
        put(tmp_path / "out", Sheet("index.html", "a"))


def test_two_builds_do_not_write_into_one_directory_at_once(tmp_path: Path) -> None:
    put(tmp_path, Sheet("index.html", "a"))
    with HostLock(tmp_path / LOCK), pytest.raises(Taken):
        put(tmp_path, Sheet("index.html", "b"))


def test_signs_that_are_no_text_do_not_stop_a_build(tmp_path: Path) -> None:
    put(tmp_path, Sheet("index.html", "a\udc80b"))
    assert (tmp_path / "index.html").read_text() == "a?b"
