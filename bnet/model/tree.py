"""A source tree's build graph, as `bnet.yaml` declares it."""

from typing import Annotated, Literal

import msgspec

from bnet.model.base import Name
from bnet.model.command import Duration, Strict
from bnet.model.pipeline import Pipeline

PACKAGE_PATTERN = r"^[A-Za-z0-9@][A-Za-z0-9@/._-]{0,127}(?!\n)$"
PackageName = Annotated[
    str,
    msgspec.Meta(
        pattern=PACKAGE_PATTERN, description="a package's name: letters, digits, '@', '/', '.', '_' and '-'"
    ),
]
Glob = Annotated[str, msgspec.Meta(min_length=1)]
EnvName = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(?!\n)$", description="the name of a variable")
]
StoreMode = Literal["read-write", "read", "write"]


class Hooks(Strict, frozen=True, kw_only=True):
    """Commands around a build; the tree's run once, and only when something is built.

    Attributes:
        pre_build: runs first; if it fails, nothing is built.
        post_build: runs last, if all went well.
    """

    pre_build: str | None = None
    post_build: str | None = None


class Package(Strict, frozen=True, kw_only=True):
    """A node of the graph: what it is made of, how, and what it makes.

    Attributes:
        name: unique in the tree.
        path: its directory, from the root of the tree.
        build_cmd: a text is run by sh, a list as it is; without one, the package is only depended upon.
        dependencies: packages that must be up to date first, and whose outputs count among its inputs.
        sources: globs of its inputs, from `path`; a leading / is the tree's root, a leading ! leaves out.
        outputs: globs of what it makes, from `path`.
        output_dir: short for outputs of everything in a directory.
        env: variables whose values matter.
        tools: commands whose output matters, such as `node --version`.
        hooks: commands before and after `build_cmd`.
        timeout: how long it may take, hooks included: seconds, or for instance 10m.
        incremental: its command makes good use of the last outputs; otherwise they are removed first.
        cache: whether its outputs may be kept and restored.
    """

    name: PackageName
    path: str = "."
    build_cmd: Annotated[str, msgspec.Meta(min_length=1)] | tuple[str, ...] | None = None
    dependencies: tuple[PackageName, ...] = ()
    sources: tuple[Glob, ...] = ("**",)
    outputs: tuple[Glob, ...] = ()
    output_dir: str | None = None
    env: tuple[EnvName, ...] = ()
    tools: tuple[Annotated[str, msgspec.Meta(min_length=1)], ...] = ()
    hooks: Hooks = Hooks()
    timeout: Duration | None = None
    incremental: bool = False
    cache: bool = True


class SharedStore(Strict, frozen=True, kw_only=True):
    """Where a team shares what was built.

    Attributes:
        url: a directory, or what fsspec understands: s3://bucket/prefix, sftp://host/path, ...
        mode: `read` takes from it, `write` gives to it, `read-write` does both.
        timeout: how long it may keep a build waiting: seconds, or for instance 10s.
    """

    url: Annotated[str, msgspec.Meta(min_length=1)]
    mode: StoreMode = "read-write"
    timeout: Duration = 10.0


class Tree(Strict, frozen=True, kw_only=True):
    """`bnet.yaml`: the packages of a source tree.

    Attributes:
        packages: in any order.
        sources: globs of files, from the root, that every package depends on.
        env: variables whose values matter to every package.
        hooks: commands before the first package that is built, and after the last.
        store: where a team shares what was built.
        pipelines: steps that `bnet pipeline run` makes jobs of, by the pipeline's name.
        pipeline: short for a single one, whose name is `main`.
    """

    packages: tuple[Package, ...] = ()
    sources: tuple[Glob, ...] = ()
    env: tuple[EnvName, ...] = ()
    hooks: Hooks = Hooks()
    store: SharedStore | None = None
    pipelines: dict[Name, Pipeline] = {}
    pipeline: Pipeline | None = None
