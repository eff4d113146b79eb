"""Repositories that people work in, as their configuration describes them."""

import configparser
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from bnet.errors import Invalid
from bnet.gitstore.repo import GitMissing

if TYPE_CHECKING:
    import git


class Person(NamedTuple):
    """Who works in a repository, by its configuration; "" for what is not set."""

    name: str
    email: str


class PersonRepo(msgspec.Struct, frozen=True, kw_only=True):
    """A repository that a person works in.

    Attributes:
        root: the top of the work tree; None in a bare repository.
        git_dir: what Git keeps for this work tree.
        remotes: name -> the URL that is fetched from, as it is written.
        user: who works there.
    """

    root: Path | None
    git_dir: Path
    remotes: Mapping[str, str]
    user: Person


def find_repository(path: Path) -> PersonRepo | None:
    """Return the repository that a directory is in; None if it is in none.

    Args:
        path: a directory anywhere in it; a submodule and a linked work tree are found as such.

    Raises:
        BnetError: there is no such directory, or the repository is broken.
    """
    try:
        import git  # takes 60 ms, and starts `git version`
    except ImportError as error:
        raise GitMissing(f"GitPython cannot be used: {error}", hint="install Git 2.34 or later") from None
    try:
        with git.Repo(path.resolve(strict=True), search_parent_directories=True, expand_vars=False) as found:
            return _read_repository(found)
    except git.InvalidGitRepositoryError:
        _refuse_broken_link(path.resolve())
        return None
    except (OSError, ValueError, configparser.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Invalid(
            f"it cannot be looked at: {reason}", file=str(path), hint="see what `git status` says"
        ) from None


def _read_repository(found: "git.Repo") -> PersonRepo:
    own, whole = found.config_reader("repository"), found.config_reader()
    urls = {each.name: own.get_values(f'remote "{each.name}"', "url", "")[0] for each in found.remotes}
    return PersonRepo(
        root=None if found.working_tree_dir is None else Path(found.working_tree_dir),
        git_dir=Path(found.git_dir),
        remotes={name: str(url) for name, url in urls.items() if url},
        user=Person(*(str(whole.get("user", key, fallback="")) for key in ("name", "email"))),
    )


def _refuse_broken_link(directory: Path) -> None:
    """Give up where a file `.git` leads nowhere, as Git does: the tree was meant to be in a repository."""
    for each in (directory, *directory.parents):
        if (each / ".git").is_file():
            raise Invalid(
                "it leads to a repository that is not there",
                file=str(each / ".git"),
                hint="try `git worktree repair`",
            )
