"""Find the artifacts of a job, and keep them."""

import os
import stat

from .job import Job
from .lean import TYPE_CHECKING, Document

if TYPE_CHECKING:
    from collections.abc import Iterator


def match_files(
    root: str, prefix: str, parts: list[str], seen: "set[tuple[str, ...]] | None" = None
) -> "Iterator[str]":
    """Yield the regular files that a pattern means; a link is neither a file nor followed.

    Args:
        root: absolute directory.
        prefix: where below root to look, empty or ending in a slash.
        parts: the pattern from there on, one per directory level. As with shells, `*` and `**` pass over
            names that begin with a dot.
        seen: where it was looked already for so many parts: several `**` lead to one place by many ways.
    """
    from fnmatch import fnmatchcase

    seen = set() if seen is None else seen
    if (prefix, *parts) in seen:
        return
    seen.add((prefix, *parts))
    head, rest = parts[0], parts[1:]
    if head == "**":
        yield from match_files(root, prefix, rest or ["*"], seen)
    with os.scandir(f"{root}/{prefix}") as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        hidden = entry.name.startswith(".") and not head.startswith(".")
        if hidden or not fnmatchcase(entry.name, head):
            continue
        path = prefix + entry.name
        if head == "**" or rest:
            if entry.is_dir(follow_symlinks=False):
                yield from match_files(root, path + "/", parts if head == "**" else rest, seen)
        elif entry.is_file(follow_symlinks=False):
            yield path


def find_artifacts(workspace: str, patterns: list[str], must_match: bool) -> tuple[list[str], list[str]]:
    """Return the sorted paths that the patterns mean, and what is wrong with the patterns."""
    paths: set[str] = set()
    problems = []
    for pattern in patterns:
        parts = [part for part in pattern.split("/") if part not in ("", ".")]
        parts = [part for i, part in enumerate(parts) if part != "**" or parts[i - 1 : i] != ["**"]]
        if pattern.startswith("/") or ".." in parts or not parts:
            problems.append(f"{pattern!r} does not lead into the workspace")
            continue
        found = set(match_files(workspace, "", parts))
        if must_match and not found:
            problems.append(f"nothing matches {pattern}")
        paths |= found
    return sorted(paths), problems


def keep_file(source: str, target: str) -> None:
    """Link a file to its place, or copy it where linking is not possible."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        import shutil

        shutil.copy2(source, target, follow_symlinks=False)


def too_large(artifacts: list[Document], limit: int) -> str:
    """Return the sentence that says what is too large, the largest first."""
    total = sum(artifact["size"] for artifact in artifacts)
    largest = sorted(artifacts, key=lambda artifact: -int(artifact["size"]))[:5]
    names = ", ".join(f"{artifact['path']} {artifact['size']}" for artifact in largest)
    return (
        f"{len(artifacts)} artifacts of {total} bytes are over the limit of {limit} bytes; "
        f"none was kept; the largest: {names}"
    )


def collect(run_dir: str, job: Job, must_match: bool) -> tuple[list[Document], list[str]]:
    """Keep the artifacts of a job that has ended.

    Args:
        run_dir: the run directory.
        job: with the patterns and the limit in bytes.
        must_match: whether a pattern without a match is a problem.

    Returns:
        The artifacts kept (path, size in bytes, mode), and the problems.
    """
    workspace, artifacts = f"{run_dir}/workspace", list[Document]()
    if os.path.islink(workspace) or not os.path.isdir(workspace):
        return [], ["the workspace is no longer a directory"]
    paths, problems = find_artifacts(workspace, job.artifacts, must_match)
    for path in paths:
        found = os.lstat(f"{workspace}/{path}")
        artifacts.append({"path": path, "size": found.st_size, "mode": f"{stat.S_IMODE(found.st_mode):04o}"})
    if job.artifact_limit is not None and sum(a["size"] for a in artifacts) > job.artifact_limit:
        return [], [*problems, too_large(artifacts, job.artifact_limit)]
    try:
        for path in paths:
            keep_file(f"{workspace}/{path}", f"{run_dir}/artifacts/{path}")
    except OSError as error:
        import shutil

        shutil.rmtree(f"{run_dir}/artifacts", ignore_errors=True)
        return [], [*problems, f"artifacts could not be kept: {error}"]
    return artifacts, problems
