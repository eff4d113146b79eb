"""Targets of `bnet.gitstore`: what Git prints of a repository whose owner chose every name in it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from reading import OID
from target import Target, must, scratch

from bnet.errors import BnetError, Damaged
from bnet.gitstore import objects, repo, sources
from bnet.gitstore.hub import RemoteHub
from bnet.gitstore.repo import Repo
from bnet.memory import MemoryHub, Repository
from bnet.ports.hub import Commit, Update
from bnet.process import Completed

# git-check-ref-format(1); any other byte may stand in a ref's name.
_NO_REF = re.compile(rb"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|/\.|[/.]$|\.lock(/|$)|^@?$")
_NO_NAME = re.compile(rb"[\x00\n<>]")


class Log(NamedTuple):
    """A commit as somebody made it, with `hash-object` if Git itself would not."""

    time: bytes
    name: bytes
    email: bytes
    message: bytes
    paths: Sequence[bytes]


class Git:
    """A program that prints what Git would of one repository."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.refs = [
            (name, _oid(oid))
            for name, oid in _pairs(said.get("refs"))
            if not _NO_REF.search(name) and name.startswith(b"refs/")
        ]
        self.files = [(path, data) for path, data in _pairs(said.get("files")) if _is_path(path)]
        self.modes = dict(_pairs(said.get("modes")))
        log = said.get("log")
        self.log = [_log(each) for each in (log if isinstance(log, list) else []) if isinstance(each, dict)]
        self.told = _bytes(said.get("told"))

    def run(self, argv: Sequence[str | Path], *, input: bytes | None = None, **_: object) -> Completed:
        """Stand in for `process.run`."""
        words = [str(word) for word in argv[2:]]
        out = getattr(self, "_" + words[0].replace("-", "_"), lambda words, input: b"")(
            words[1:], input or b""
        )
        return Completed(1 if words[0] == "push" else 0, out, self.told)

    def _ls_remote(self, words: Sequence[str], input: bytes) -> bytes:
        return b"".join(oid + b"\t" + name + b"\n" for name, oid in self.refs)

    def _push(self, words: Sequence[str], input: bytes) -> bytes:
        rows = [b"!\t" + oid + b":" + name + b"\t[rejected] (stale info)\n" for name, oid in self.refs]
        return b"To hub\n" + b"".join(rows) + b"Done\n"

    def _ls_tree(self, words: Sequence[str], input: bytes) -> bytes:
        rows = [
            self._mode(path) + b" blob " + _digest(data) + b"\t" + path + b"\0"
            for path, data in self.files
            if path.startswith(b"coordination/")
        ]
        return b"".join(rows)

    def _diff_tree(self, words: Sequence[str], input: bytes) -> bytes:
        rows = [
            b":100644 " + self._mode(path) + b" " + b"0" * 40 + b" " + _digest(data) + b" M\0" + path + b"\0"
            for path, data in self.files
        ]
        return b"".join(rows)

    def _cat_file(self, words: Sequence[str], input: bytes) -> bytes:
        known = {_digest(data): data for _, data in self.files}
        known |= {f"{OID}:".encode() + path: data for path, data in self.files}
        out = b""
        for asked in input.splitlines():
            data = known.get(asked)
            if data is None:
                out += asked + b" missing\n"
            elif words[0] == "--batch":
                out += _digest(data) + b" blob " + str(len(data)).encode() + b"\n" + data + b"\n"
            else:
                size = b" " + str(len(data)).encode() if "objectsize" in words[0] else b""
                out += _digest(data) + b" blob" + size + b"\n"
        return out

    def _log(self, words: Sequence[str], input: bytes) -> bytes:
        form = next((word for word in words if word.startswith("--format=")), "")
        if "trailers" in form:
            rows = [
                b"%s %s %s\n%s\n%s\n" % (_oid(str(at)), each.time, each.name, _oid("p"), each.message)
                for at, each in enumerate(self.log)
            ]
            return b"\0".join(rows)
        if "%x01" in form:
            rows = [
                b"\x01%s %s\x02%s\0" % (_oid(str(at)), _oid("p"), each.email)
                + b"".join(
                    (b"" if number else b"\n") + path + b"\0" for number, path in enumerate(each.paths)
                )
                for at, each in enumerate(self.log)
            ]
            return b"".join(rows)
        return b"".join(b"%s %s\n" % (_oid(str(at)), each.email) for at, each in enumerate(self.log[:1]))

    def _mode(self, path: bytes) -> bytes:
        mode = self.modes.get(path, b"100644")
        return mode if re.fullmatch(rb"[0-7]{6}", mode) else b"100644"


def _bytes(value: object) -> bytes:
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "surrogatepass")


def _pairs(value: object) -> Iterator[tuple[bytes, bytes]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield _bytes(name), _bytes(each)


def _oid(text: bytes | str) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return raw if re.fullmatch(rb"[0-9a-f]{40}", raw) else hashlib.sha1(raw).hexdigest().encode()


def _digest(data: bytes) -> bytes:
    return hashlib.sha1(data).hexdigest().encode()


def _is_path(path: bytes) -> bool:
    return bool(path) and b"\0" not in path and b"" not in path.split(b"/")


def _log(said: Mapping[str, Any]) -> Log:
    time = _bytes(said.get("time"))
    paths = said.get("paths")
    return Log(
        time if time.isdigit() else b"",  # what is no number Git leaves out
        _NO_NAME.sub(b"", _bytes(said.get("name"))),
        _NO_NAME.sub(b"", _bytes(said.get("email"))),
        _bytes(said.get("message")).replace(b"\0", b""),
        [each for each in map(_bytes, paths if isinstance(paths, list) else []) if _is_path(each)],
    )


@contextmanager
def standing_in(git: Git) -> Iterator[None]:
    """Let nothing be run but this."""
    with mock.patch.object(repo, "run", git.run):
        yield


def printed(data: bytes) -> None:
    """Whatever names, dates and messages a repository holds, they are read, or one `BnetError` says why not."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(said, dict):
        return
    git = Git(said)
    with standing_in(git):
        _look(git)
        _read(Repo(_mirror(), {}), git)


def _look(git: Git) -> None:
    hub = RemoteHub("/srv/hub.git", "bnet", _mirror(), {})
    look = hub.look()
    named = dict(git.refs)
    must(look.ledger.encode() == named.get(b"refs/heads/bnet", b""), "another tip than the branch's")
    hub.push([Update("refs/heads/bnet", "", OID)])
    for ref in ("main", "HEAD", "refs/heads/x", "\u2028"):
        try:
            sources.resolve("/srv/hub.git", ref, {})
        except BnetError as error:
            str(error)
    refs = sources.listed("/srv/hub.git", ["refs/heads/*"], {}, 1.0)
    must(len(refs) <= len(git.refs), "refs that are not there")
    sources.outdated(refs, named=set(), first_seen={}, now=5.0, keep=0.0)


def _read(repository: Repo, git: Git) -> None:
    try:
        for old in (None, OID):
            for path, file in objects.changes(repository, old, "b" * 40).items():
                must(file is None or file.data is None or isinstance(path, str), "no file")
        stamp = objects.newest_transaction(repository, OID)
        found = objects.recorded(repository, OID)
        must(stamp is None or stamp.seq == max(each.stamp.seq for each in found), "not the newest")
        for path, _ in objects.recent_origins(repository, OID).items():
            objects.origin(repository, OID, path)
        objects.read_paths(repository, OID, [path.decode(errors="surrogateescape") for path, _ in git.files])
    except Damaged as error:
        str(error)


def _mirror() -> Path:
    mirror = scratch() / "mirror.git"
    if not mirror.is_dir():
        mirror.mkdir()
        (mirror / "HEAD").write_text("ref: refs/heads/bnet\n")
    return mirror


def in_memory(data: bytes) -> None:
    """The hub in memory reads trailers as the real one does: what is no number makes no transaction."""
    hub = MemoryHub(Repository())
    message = data.decode(errors="replace")
    [oid] = hub.write([Commit(parent=None, files={}, message=message, author="ada", at=_epoch())])
    hub.newest_transaction(oid)
    hub.recorded(oid)


def _epoch() -> Any:
    from reading import NOON

    return NOON


def _repositories() -> list[bytes]:
    message = "Bnet-Seq: 8\nBnet-Next-Job: 3\nBnet-Nonce: f2\nBnet-Op: finish 2 attempt=1\n"
    said = {
        "refs": {
            "refs/heads/bnet": OID,
            "refs/heads/main": OID,
            "refs/bnet/servers/a": "b" * 40,
            "refs/tags/v1": OID,
        },
        "files": {"coordination/ledger.json": '{"format": 1}', "coordination/inbox/a.yaml": "x", "é/\n": ""},
        "modes": {"coordination/inbox/a.yaml": "120000"},
        "log": [
            {
                "time": "1795000000",
                "name": "ada",
                "email": "ada@x",
                "message": message,
                "paths": ["a", "b\n"],
            },
            {"time": "5", "name": "", "email": "", "message": "", "paths": []},
        ],
        "told": "remote: no\nhint: x\n",
    }
    return [json.dumps(said).encode()]


TARGETS = (
    Target("git", "json", printed, _repositories, 1.0),
    Target(
        "trailers",
        "text",
        in_memory,
        lambda: [b"a: b\n\nBnet-Seq: 8\nBnet-Next-Job: 3\nBnet-Nonce: f2\nBnet-Op: finish 2 run=x\n"],
        12.0,
    ),
)
