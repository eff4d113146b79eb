"""What people wrote and nobody can take as it is: moved to `rejected/`, with the reason and its text."""

import re

import msgspec

from bnet.codec import layout, people
from bnet.errors import Invalid
from bnet.model.state import InboxFile, Problem, Rejection
from bnet.rules.change import Change
from bnet.rules.transaction import Transaction

MOST_SAID = 2_000  # characters of what is wrong with it: a complaint quotes what it is about
MOST_KEPT = 20_000  # bytes of its text; all of it is in the history


def refused(tx: Transaction, file: InboxFile, by: str, error: Invalid) -> Change:
    """Return what takes a file out of its place, and keeps its text under `rejected/` with the reason."""
    shown = printable(file.path).removeprefix(layout.ROOT)
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", shown.removeprefix("inbox/").rsplit(".", 1)[0])[:60] or "unnamed"
    path, count = f"{layout.REJECTED}{stem}.{tx.seq}.yaml", 1
    while path in tx.files:
        path, count = f"{layout.REJECTED}{stem}.{tx.seq}.{count}.yaml", count + 1
    where = "" if error.line is None else f"line {error.line}: "
    rejection = Rejection(
        file=shown,
        reason=_cut(error.message),
        line=error.line,
        field=None if error.field is None else _cut(error.field),
        by=by,
        commit=file.commit,
        at=tx.now,
        text=file.text[:MOST_KEPT].decode(errors="replace"),
    )
    return Change(
        verb="reject",
        target=shown,
        note=where + error.message.replace("\n", " ")[:120],
        fields={"by": by},
        files={file.path: None, path: people.write(rejection)},
    )


def put_back(tx: Transaction, file: InboxFile, problem: Problem) -> Change:
    """Return what puts the text that is in force in the place of one that cannot be read, which is kept as above.

    Nothing changes by it for anybody: a document that cannot be read counts as its last readable text, or as none.

    Args:
        tx: the transaction.
        file: what stands there, and who brought it.
        problem: why it is set aside.
    """
    line, reason = _place(problem)
    change = refused(tx, file, file.by or "unknown", Invalid(reason, line=line))
    return msgspec.structs.replace(change, files={**change.files, file.path: tx.in_force(file.path)})


def _cut(words: str) -> str:
    return words if len(words) <= MOST_SAID else f"{words[:MOST_SAID]}..."


def _place(problem: Problem) -> tuple[int | None, str]:
    """Take the line out of a complaint that begins with its file's name."""
    told = re.fullmatch(re.escape(problem.path) + r"(?::(\d+))?: (.*)", problem.message, re.DOTALL)
    if told is None:
        return None, problem.message
    return None if told[1] is None else int(told[1]), told[2]


def printable(path: str) -> str:
    """Return a path of any bytes as text that can be shown and stored."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in text)
