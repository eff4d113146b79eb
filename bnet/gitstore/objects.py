"""Reading and writing of commits in a private repository, in as few processes as it takes."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from bnet.codec.layout import DOCUMENT_LIMIT, ROOT, is_read
from bnet.codec.view import Changes, File
from bnet.errors import Damaged
from bnet.gitstore.repo import Repo
from bnet.model.message import Brought
from bnet.ports.hub import Commit, Recorded, Stamp

REGULAR = ("100644", "100755", "100664")
_NOTES = {"120000": "is a symbolic link", "160000": "is a submodule"}
RECENT = 20  # commits
_HEAD_LINE = re.compile(rb"\x01([0-9a-f]+)((?: [0-9a-f]*)*)\x02(.*)")
_ADDED_LINE = re.compile(rb"\x01([0-9a-f]+) (-?[0-9]*)\x02(.*)")
_OP = re.compile(rb"^Bnet-Op: (.*)$", re.MULTILINE)
_STAMP = re.compile(rb"^Bnet-(Seq|Next-Job): (\d{1,14})$", re.MULTILINE)


def changes(repo: Repo, old: str | None, new: str, under: str = ROOT) -> Changes:
    """Return the documents that differ between two commits; with None for the old one, all of them."""
    if old == new:
        return {}  # as for most commands on a ledger at rest, whose snapshot was kept
    listed = dict(_listed(repo, old, new, under))
    wanted = {
        oid for path, (mode, oid) in listed.items() if mode in REGULAR and is_read(path) and set(oid) != {"0"}
    }
    contents = read_blobs(repo, wanted)
    found: dict[str, File | None] = {}
    for path, (mode, oid) in listed.items():
        if set(oid) == {"0"}:
            found[path] = None
        elif not is_read(path):
            found[path] = File(data=None)
        elif mode not in REGULAR:
            found[path] = File(data=None, note=_NOTES.get(mode, f"is no regular file (mode {mode})"))
        else:
            data = contents.get(oid)
            found[path] = File(
                data=data, note="" if data is not None else f"is over {DOCUMENT_LIMIT:,} bytes"
            )
    return found


def _listed(repo: Repo, old: str | None, new: str, under: str) -> Iterator[tuple[str, tuple[str, str]]]:
    if old is None:
        for entry in repo.out("ls-tree", "-r", "-z", "--full-tree", new, "--", under).split(b"\0"):
            if entry:
                meta, _, path = entry.partition(b"\t")
                mode, _, oid = meta.decode().split(" ")
                yield path.decode("utf-8", "surrogateescape"), (mode, oid)
        return
    fields = repo.out("diff-tree", "-r", "-z", "--raw", "--no-renames", old, new, "--", under).split(b"\0")
    for meta, path in zip(fields[0::2], fields[1::2], strict=False):
        _, mode, _, oid, _ = meta.decode().lstrip(":").split(" ")
        if path.startswith(under.encode()):  # a submodule in the whole directory's place is listed too
            yield path.decode("utf-8", "surrogateescape"), (mode, oid)


def blobs(repo: Repo, tip: str, under: str) -> dict[str, str]:
    """Return the regular files under a directory at a commit: path -> id of its content; of what is no tree, none."""
    found = {}
    kind = repo.git("cat-file", "-t", f"{tip}^{{}}")
    if kind.out.strip() == b"blob":
        return {}  # a ref can be pushed at anything
    for entry in repo.out("ls-tree", "-r", "-z", "--full-tree", tip, "--", under).split(b"\0"):
        meta, _, path = entry.partition(b"\t")
        words = meta.decode().split(" ")
        if words[0] in REGULAR:
            found[path.decode("utf-8", "surrogateescape")] = words[2]
    return found


def read_blobs(repo: Repo, oids: Iterable[str], limit: int = DOCUMENT_LIMIT) -> dict[str, bytes]:
    """Return the contents of blobs by id; those over the limit in bytes are left out, unread."""
    asked = "".join(f"{oid}\n" for oid in oids).encode()
    if not asked:
        return {}
    sizes = repo.out("cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)", input=asked)
    small = [line.split()[0] for line in sizes.decode().splitlines() if _is_small_blob(line.split(), limit)]
    data = repo.out("cat-file", "--batch", input="".join(f"{oid}\n" for oid in small).encode())
    return dict(_batched(data))


def _is_small_blob(words: Sequence[str], limit: int) -> bool:
    if len(words) != 3:
        raise Damaged(f"git cat-file: {' '.join(words)}")
    return words[1] == "blob" and int(words[2]) <= limit


def _batched(data: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    while at < len(data):
        end = data.index(b"\n", at)
        oid, _, size = data[at:end].decode().split(" ")
        yield oid, data[end + 1 : end + 1 + int(size)]
        at = end + int(size) + 2


def read_paths(repo: Repo, tip: str, paths: Sequence[str]) -> dict[str, bytes]:
    """Return the contents of those of some paths that are files of a commit."""
    if not paths:
        return {}
    plain = [path for path in paths if "\n" not in path]
    asked = "".join(f"{tip}:{path}\n" for path in plain).encode("utf-8", "surrogateescape")
    # No %(rest) here: with it, a name ends at its first blank.
    listed = repo.out("cat-file", "--batch-check=%(objectname) %(objecttype)", input=asked)
    oids = {}
    for path, line in zip(plain, listed.split(b"\n"), strict=False):
        oid, _, kind = line.partition(b" ")
        if kind == b"blob":
            oids[path] = oid.decode()
    for path in set(paths) - set(plain):
        oid = repo.git("rev-parse", "--verify", "--quiet", f"{tip}:{path}").out.strip()
        if oid and repo.out("cat-file", "-t", oid.decode()).strip() == b"blob":
            oids[path] = oid.decode()
    contents = read_blobs(repo, dict.fromkeys(oids.values()), limit=1 << 30)
    return {path: contents[oid] for path, oid in oids.items()}


def files_of(repo: Repo, commits: Sequence[str], path: str) -> dict[str, bytes | None]:
    """Return a file of each of some commits; None where it is none, or over the limit of a document ten times."""
    asked = "".join(f"{commit}:{path}\n" for commit in commits).encode()
    listed = repo.out("cat-file", "--batch-check=%(objectname) %(objecttype)", input=asked).decode()
    found = dict(zip(commits, (line.partition(" ") for line in listed.splitlines()), strict=True))
    oids = {commit: oid for commit, (oid, _, kind) in found.items() if kind == "blob"}
    contents = read_blobs(repo, dict.fromkeys(oids.values()), limit=10 * DOCUMENT_LIMIT)
    return {commit: contents.get(oids.get(commit, "")) for commit in commits}


def newest_transaction(repo: Repo, tip: str) -> Stamp | None:
    """Return the newest transaction in the ancestry of a commit.

    A person's commit may quote a transaction's message, so the newest is the one with the greatest number among
    some, of several with that number the oldest, which the others quote; and a trailer that counts stands in the
    last paragraph.
    """
    for most in (20, 2000, 0):
        stamps = list(_stamps(repo, tip, most))
        if stamps:
            return max(reversed(stamps), key=lambda stamp: stamp.seq)
    return None


def _stamps(repo: Repo, tip: str, most: int) -> Iterator[Stamp]:
    limit = [f"-n{most}"] if most else []
    return (each.stamp for each in _recorded(repo, *limit, tip))


def recorded(repo: Repo, tip: str, after: str = "") -> list[Recorded]:
    """Return the commits that call themselves transactions in one ancestry and not in another, parents first."""
    without = [f"^{after}"] if after else []
    return list(_recorded(repo, "--topo-order", "--reverse", tip, *without))


def _recorded(repo: Repo, *words: str) -> Iterator[Recorded]:
    for entry in repo.out("log", "-z", "--format=%H %ct %an%n%P%n%(trailers:unfold)", *words).split(b"\0"):
        head, _, rest = entry.lstrip().partition(b"\n")
        parents, _, trailers = rest.partition(b"\n")
        found = {match[1]: int(match[2]) for match in _STAMP.finditer(trailers)}
        if b"Seq" in found and b"Next-Job" in found:
            commit, at, actor = head.decode(errors="replace").split(" ", 2)
            moment = _moment(at)
            stamp = Stamp(commit, found[b"Seq"], found[b"Next-Job"], actor, moment)
            ops = [match[1].decode(errors="replace") for match in _OP.finditer(trailers)]
            yield Recorded(stamp, parents.decode().split(), ops)


def _moment(seconds: str) -> datetime:
    """Return a commit's date; one that no calendar has, or none, is made by hand, and as good as any."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def write_commits(repo: Repo, commits: Sequence[Commit]) -> list[str]:
    """Write commits, and return their ids; one process for all of them."""
    trees = {
        each.like: repo.out("rev-parse", f"{each.like}^{{tree}}").decode().strip()
        for each in commits
        if each.like
    }
    stream = (
        b"".join(_commit(index, each, trees.get(each.like or "")) for index, each in enumerate(commits, 1))
        + b"done\n"
    )
    printed = repo.out("fast-import", "--quiet", "--force", "--done", "--date-format=raw", input=stream)
    return printed.decode().split()


def _commit(mark: int, commit: Commit, tree: str | None) -> bytes:
    who = f"{_plain(commit.author)} <{_plain(commit.author)}@bnet> {int(commit.at.timestamp())} +0000"
    message = commit.message.encode(errors="replace")
    # A ref that this stream has written before would lend its tip as a parent.
    parts = [] if commit.parent is not None else [f"reset refs/bnet/written/{commit.kind}\n\n".encode()]
    parts += [f"commit refs/bnet/written/{commit.kind}\nmark :{mark}\n".encode()]
    parts += [f"author {who}\ncommitter {who}\ndata {len(message)}\n".encode(), message, b"\n"]
    if commit.parent is not None:
        parts.append(f"from {commit.parent}\n".encode())
    if tree is not None:
        parts.append(f'M 040000 {tree} ""\n'.encode())
    # Removals first: a directory may take the place of a file.
    parts += [b"D " + _quoted(path) + b"\n" for path, data in commit.files.items() if data is None]
    for path, data in commit.files.items():
        if data is not None:
            parts += [b"M 100644 inline " + _quoted(path), f"\ndata {len(data)}\n".encode(), data, b"\n"]
    parts.append(f"get-mark :{mark}\n".encode())
    return b"".join(parts)


def _quoted(path: str) -> bytes:
    """Return a path as fast-import reads it: any byte may be in it."""
    raw = path.encode("utf-8", "surrogateescape")
    if not raw.startswith(b'"') and b"\n" not in raw and b"\\" not in raw:
        return raw
    return b'"' + b"".join(b"\\%03o" % byte if byte in b'"\\\n' else bytes([byte]) for byte in raw) + b'"'


def _plain(name: str) -> str:
    return re.sub(r"[<>\n\0]", "", name) or "bnet"


def older(repo: Repo, tip: str, path: str) -> Iterator[tuple[str, bytes]]:
    """Yield the versions of a document before the one at `tip`, newest first."""
    if _climbs(path):
        return
    commits = repo.out("log", "-n", "200", "--format=%H", tip, "--", f":(literal){path}").decode().split()
    # The first is the present version's, or its removal. Most look at few, some at all: one process reads several.
    start, count = 1, 1
    while start < len(commits):
        some = commits[start : start + count]
        found = files_of(repo, some, path)
        for commit in some:
            data = found[commit]
            if data is not None:
                yield commit, data
        start, count = start + count, count * 8


def origin(repo: Repo, tip: str, path: str) -> tuple[str, str]:
    """Return the last commit that changed a path, and its author's address; both "" for one that climbs."""
    if _climbs(path):
        return "", ""
    told = (
        repo.out("log", "-n1", "--format=%H %ae", tip, "--", f":(literal){path}")
        .decode(errors="replace")
        .strip()
    )
    commit, _, author = told.partition(" ")
    return commit, author


def recent_origins(repo: Repo, tip: str) -> dict[str, tuple[str, str]]:
    """Return `origin` for each path that the newest few commits changed; one process for all of them.

    A person who removes a directory changes thousands of paths at once, and one `git log` each takes a minute.
    Where histories meet, which of them a path is from is a longer story, and left to `origin`.
    """
    found: dict[str, tuple[str, str]] = {}
    limits = ("-z", f"-n{RECENT}", "--no-renames", "--name-only")
    who = ("", "")
    for piece in repo.out("log", *limits, "--format=%x01%H %P%x02%ae", tip).split(b"\0"):
        head = _HEAD_LINE.fullmatch(piece)
        if head is None:
            found.setdefault(piece.removeprefix(b"\n").decode("utf-8", "surrogateescape"), who)
        elif head[2].count(b" ") > 1:
            break
        else:
            who = head[1].decode(), head[3].decode(errors="replace")
    return found


def brought(repo: Repo, tip: str, paths: Sequence[str]) -> dict[str, Brought]:
    """Return for each of some paths the newest commit that added it; one process for all of them.

    Of one that climbs, nobody is told.
    """
    paths = [path for path in paths if not _climbs(path)]
    if not paths:
        return {}
    limits = ("-z", "--no-renames", "--diff-filter=A", "--name-only")
    top = os.path.commonpath(paths) if len(paths) > 1 else paths[0]
    wanted, found, who = set(paths), dict[str, Brought](), None
    told = repo.out("log", *limits, "--format=%x01%H %at%x02%ae", tip, "--", f":(literal){top}")
    for piece in told.split(b"\0"):
        head = _ADDED_LINE.fullmatch(piece)
        if head is not None:
            who = Brought(head[1].decode(), head[3].decode(errors="replace"), _moment(head[2].decode()))
            continue
        path = piece.removeprefix(b"\n").decode("utf-8", "surrogateescape")
        if who is not None and path in wanted:
            found.setdefault(path, who)
    return found


def _climbs(path: str) -> bool:
    """Tell whether Git would take a path for another one: a tree that was made by hand may hold a `..`."""
    return any(part in ("", ".", "..") for part in path.split("/"))
