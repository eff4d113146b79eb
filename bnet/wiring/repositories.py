"""People's repositories, as this machine reaches them: what a ref is, a file of it, a tag, the tree at hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from bnet.errors import BnetError, RepositoryUnreachable
from bnet.model.command import Command, Submit
from bnet.model.job import Source
from bnet.rules.specs import Unresolved


@dataclass(frozen=True)
class Repositories:
    """Any repository that Git reaches from here.

    Attributes:
        env: the environment in which Git runs.
        who: who tags.
    """

    env: dict[str, str]
    who: str

    def resolve(self, repository: str, ref: str) -> str | Unresolved:
        """Return the commit that a ref of a repository is, or why nobody knows."""
        from bnet.gitstore.sources import resolve

        try:
            return resolve(repository, ref, self.env)
        except RepositoryUnreachable as error:
            return Unresolved(str(error), again=True)
        except BnetError as error:
            return Unresolved(str(error))

    def file_of(self, repository: str, ref: str, path: str) -> tuple[str, bytes | None]:
        """Return the commit that a ref of a repository is, and a file of it; None where that has none."""
        from bnet.gitstore.published import file_at

        return file_at(repository, ref, path, self.env)

    def put_tag(self, repository: str, commit: str, name: str, message: str, *, sign: bool) -> bool:
        """Put a tag on a commit of a repository; False if it is there already."""
        from bnet.gitstore.published import put_tag

        return put_tag(repository, commit, name, message, self.env, by=self.who, sign=sign)

    def checked_out(self, directory: Path) -> tuple[str, str]:
        """Return the repository that the tree around a directory is pushed to, else its own path, and its branch.

        Raises:
            BnetError: there is none around it.
        """
        from bnet.gitstore.personal import find_repository
        from bnet.gitstore.published import branch_here

        found = find_repository(directory)
        if found is None:
            raise BnetError(
                "this is no Git repository", hint="name one: --source REPOSITORY@REF, or use --here"
            )
        top = found.root or found.git_dir
        return _absolute(found.remotes.get("origin") or str(top), top), branch_here(found.git_dir, self.env)

    def with_snapshot(self, url: str, commands: Sequence[Command], directory: Path) -> list[Command]:
        """Put a snapshot of a working tree on the hub, and return submissions that run in it."""
        from bnet.gitstore.worktree import snapshot

        with snapshot(directory, self.env) as shot:
            shot.push(url)
            source = Source(snapshot=shot.oid)
        return [replace(each, source=source) if isinstance(each, Submit) else each for each in commands]


def _absolute(address: str, base: Path) -> str:
    """Return a remote's address so that it means the same elsewhere: a relative path is one from the work tree."""
    if "://" in address or (":" in address.split("/", 1)[0]):
        return address
    return str((base / address).resolve())
