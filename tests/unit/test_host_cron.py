"""The block in a crontab: pure text first, then a crontab command."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnet.errors import BnetError
from bnet.host import cron
from bnet.process import run

OTHERS = "MAILTO=me\n\n# my own\n5 4 * * *\tbackup  \n"
LINE = "* * * * * bnet sync"
BLOCK = f"# >>> bnet a1 >>>\n{LINE}\n# <<< bnet a1 <<<\n"


class TestBlock:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("", BLOCK),
            (OTHERS, OTHERS + BLOCK),
            (OTHERS.rstrip("\n"), OTHERS.rstrip("\n") + "\n" + BLOCK),
            (OTHERS + BLOCK, OTHERS + BLOCK),
            (OTHERS + BLOCK.replace("bnet sync", "old") + OTHERS, OTHERS + BLOCK + OTHERS),
            (BLOCK.replace("a1", "b2"), BLOCK.replace("a1", "b2") + BLOCK),
            (BLOCK.rstrip("\n"), BLOCK),
        ],
        ids=[
            "empty",
            "after others",
            "no last break",
            "there already",
            "replaced in place",
            "another",
            "cut",
        ],
    )
    def test_install(self, before: str, after: str) -> None:
        assert cron.install(before, "a1", LINE) == after

    @pytest.mark.parametrize(
        ("before", "after"),
        [("", ""), (OTHERS, OTHERS), (OTHERS + BLOCK + OTHERS, OTHERS + OTHERS), (BLOCK.rstrip("\n"), "")],
        ids=["empty", "no block", "between others", "cut"],
    )
    def test_remove(self, before: str, after: str) -> None:
        assert cron.remove(before, "a1") == after

    @pytest.mark.parametrize(
        "text",
        [
            "# >>> bnet a1 >>>\n" + OTHERS,
            OTHERS + "# <<< bnet a1 <<<\n",
            "# >>> bnet a1 >>>\n" + OTHERS + BLOCK,
            BLOCK + BLOCK,
            "# <<< bnet a1 <<<\n# >>> bnet a1 >>>\n",
        ],
        ids=["no end", "no begin", "two begins", "twice", "reversed"],
    )
    def test_a_damaged_block_is_left_to_its_owner(self, text: str) -> None:
        with pytest.raises(BnetError, match="the crontab has not one pair"):
            cron.install(text, "a1", LINE)
        with pytest.raises(BnetError, match="the crontab has not one pair"):
            cron.remove(text, "a1")

    @given(st.text(alphabet="a#*\t\r\x0b\x85\u2028 \n"))
    def test_what_was_there_comes_back_byte_for_byte(self, text: str) -> None:
        installed = cron.install(text, "a1", LINE)
        assert cron.install(installed, "a1", LINE) == installed
        assert cron.remove(installed, "a1") == (text if text.endswith("\n") or not text else text + "\n")

    @pytest.mark.parametrize("block_id", ["", "a b", "a\nb", ".*\n"])
    def test_an_id_that_is_no_word_is_a_bug(self, block_id: str) -> None:
        with pytest.raises(ValueError, match="not an id"):
            cron.install("", block_id, LINE)


class TestEntry:
    def test_what_the_shell_makes_of_it_is_what_was_meant(self, tmp_path: Path) -> None:
        home, log = tmp_path / "it's $HOME", tmp_path / "a log"
        tool = tmp_path / "my tool"
        tool.write_text('#!/bin/sh\nprintf "%s|" "$BNET_HOME" "$PATH" "$@"; echo; echo err >&2\n')
        tool.chmod(0o755)
        line = cron.entry(home, "/usr/bin:/bin:/o p t", [str(tool), "sync", "100%", "*"], log)
        assert line.startswith("* * * * * ")
        # cron gives the shell what follows the five fields, each \% as %.
        command = line.split(maxsplit=5)[5].replace(r"\%", "%")
        subprocess.run(["/bin/sh", "-c", command], check=True, env={})
        assert log.read_text() == f"{home}|/usr/bin:/bin:/o p t|sync|100%|*|\nerr\n"

    def test_no_percent_sign_is_left_bare(self) -> None:
        line = cron.entry(Path("/a%b"), "/c%d", ["e%f"], Path("/g%h"))
        assert line.count("%") == line.count(r"\%") == 4

    def test_a_line_break_is_refused(self) -> None:
        with pytest.raises(BnetError, match="line break"):
            cron.entry(Path("/a\nb"), "/bin", ["true"], Path("/log"))

    def test_a_line_that_cron_would_refuse_is_refused_before(self) -> None:
        with pytest.raises(BnetError, match="longer than cron's limit") as caught:
            cron.entry(Path("/h"), ":".join(["/some/where"] * 100), ["true"], Path("/log"))
        assert "PATH" in (caught.value.hint or "")


FAKE = """#!/bin/sh
table={table}
case "$1" in
-l) [ -f "$table" ] || {{ echo "no crontab for tester" >&2; exit 1; }}; cat "$table" ;;
-) cat >"$table.new"; if grep -q bad "$table.new"; then echo "bad minute" >&2; exit 1; fi
   mv "$table.new" "$table" ;;
esac
"""


@pytest.fixture
def crontab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A crontab command that keeps its table in the file that is returned."""
    tool = tmp_path / "bin" / "crontab"
    tool.parent.mkdir()
    tool.write_text(FAKE.format(table=shlex.quote(str(tmp_path / "table"))))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
    return tmp_path / "table"


class TestCommand:
    def test_a_user_without_a_crontab_has_an_empty_one(self, crontab: Path) -> None:
        assert cron.read(run) == ""
        assert not crontab.exists()

    def test_what_was_written_is_read(self, crontab: Path) -> None:
        cron.write(OTHERS, run)
        assert cron.read(run) == crontab.read_text() == OTHERS

    def test_what_cron_refuses_is_said_and_changes_nothing(self, crontab: Path) -> None:
        cron.write(OTHERS, run)
        with pytest.raises(BnetError, match="bad minute"):
            cron.write("bad\n", run)
        assert crontab.read_text() == OTHERS

    @pytest.mark.usefixtures("crontab")
    def test_a_crontab_that_cannot_be_read_is_not_taken_for_an_empty_one(self, tmp_path: Path) -> None:
        (tmp_path / "bin" / "crontab").write_text("#!/bin/sh\necho you are not allowed >&2; exit 1\n")
        with pytest.raises(BnetError, match="not allowed"):
            cron.read(run)

    def test_a_machine_without_cron_is_said(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(BnetError, match="cannot run crontab") as caught:
            cron.read(run)
        assert "--systemd" in (caught.value.hint or "")
        with pytest.raises(BnetError, match="cannot run crontab"):
            cron.write("", run)


@pytest.mark.skipif(shutil.which("crontab") is None, reason="cron is not installed")
def test_cron_itself_takes_the_longest_line_that_is_made(tmp_path: Path) -> None:
    def line(length: int) -> str:
        return cron.entry(Path("/h"), "a" * length, ["true"], Path("/l"))

    longest = line(998 - len(line(0)) + len("* * * * * "))
    with pytest.raises(BnetError, match="longer than cron's limit"):
        line(len(longest))
    table = tmp_path / "table"
    table.write_text(cron.install("", "a1", longest))
    # Nobody's crontab may be touched: -n only checks in Debian's cron, and is something else in cronie.
    if b"dry run" not in run(["crontab", "-h"]).err + run(["crontab", "-h"]).out:
        pytest.skip("this crontab command cannot check a file without installing it")
    checked = run(["crontab", "-n", str(table)])
    assert checked.code == 0, checked.complaint
