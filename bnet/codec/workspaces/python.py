"""Workspaces of uv, and Python projects side by side, from `pyproject.toml`."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from bnet.codec.workspaces.manifest import Files, Manifest, Member, read_toml
from bnet.model.tree import Package

FILE = "pyproject.toml"
LOCKS = ("uv.lock", "poetry.lock", "pdm.lock")
BUILD = "python -m build --wheel --outdir dist"
UV_BUILD = "uv build --wheel --out-dir dist"
# setuptools writes these beside the sources.
_SETUPTOOLS = ("**", "!build/**", "!**/*.egg-info/**")
# A project in one of these is the material of a test, or somebody else's.
_ASIDE = frozenset(
    {"test", "tests", "fixtures", "testdata", "templates", "vendor", "site-packages", "build", "dist"}
)
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


class _Project(msgspec.Struct, rename="kebab"):
    name: str | None = None
    dependencies: list[str] = []
    optional_dependencies: dict[str, list[str]] = {}


class _BuildSystem(msgspec.Struct, rename="kebab"):
    requires: list[str] = []
    build_backend: str | None = None


class _Workspace(msgspec.Struct):
    members: list[str] = []
    exclude: list[str] = []


class _Uv(msgspec.Struct):
    workspace: _Workspace | None = None
    sources: dict[str, object] = {}
    package: bool | None = None


class _Poetry(msgspec.Struct, rename="kebab"):
    name: str | None = None
    package_mode: bool = True
    dependencies: dict[str, object] = {}


class _Tools(msgspec.Struct):
    uv: _Uv | None = None
    poetry: _Poetry | None = None


class _PyProject(msgspec.Struct, rename="kebab"):
    """The fields that matter here."""

    project: _Project | None = None
    build_system: _BuildSystem | None = None
    tool: _Tools = msgspec.field(default_factory=_Tools)

    @property
    def name(self) -> str | None:
        named = self.project.name if self.project else None
        return named or (self.tool.poetry.name if self.tool.poetry else None)


_Found = dict[str, tuple[Manifest, _PyProject]]


def find(files: Files) -> tuple[list[Member], tuple[str, ...]]:
    """Return the projects of a uv workspace, or those of the tree; and the files that all depend on.

    Raises:
        Invalid: a manifest cannot be read, a pattern in it leads out of the tree, or two have one name.
    """
    data = files.read(FILE)
    root = None if data is None else read_toml(FILE, data, _PyProject)
    uv = root[1].tool.uv if root is not None else None
    if root is not None and uv is not None and uv.workspace is not None:
        paths = _workspace(files, root[0], uv.workspace)
    else:
        paths = [path for path in files.glob(f"**/{FILE}") if not _ASIDE.intersection(path.split("/"))]
    found: _Found = {}
    for path in paths:
        content = files.read(path)
        if content is not None:
            manifest, project = read_toml(path, content, _PyProject)
            if project.name:
                found[manifest.directory] = (manifest, project)
    locks = tuple(lock for lock in LOCKS if files.read(lock) is not None)
    with_uv = uv is not None or "uv.lock" in locks
    sources = uv.sources if uv is not None else {}
    names = _names(found)
    return [_member(at, found, names, sources, with_uv) for at in sorted(found)], locks


def _workspace(files: Files, manifest: Manifest, workspace: _Workspace) -> list[str]:
    def meant(patterns: Sequence[str], field: str) -> set[str]:
        paths: set[str] = set()
        for pattern in patterns:
            bare = posixpath.normpath(pattern)
            if bare.startswith(("/", "..")):
                raise manifest.invalid(f"{pattern!r} leads out of the tree", f"tool.uv.workspace.{field}")
            paths.update(files.glob(posixpath.normpath(f"{bare}/{FILE}")))
        return paths

    return sorted({FILE} | meant(workspace.members, "members") - meant(workspace.exclude, "exclude"))


def _names(found: _Found) -> dict[str, str]:
    """Return the directory of each project by its name, as others name it."""
    names: dict[str, str] = {}
    for at, (manifest, project) in sorted(found.items()):
        name = project.name or ""
        other = names.setdefault(_canonical(name), at)
        if other != at:
            first, its = found[other]
            field = "project.name" if project.project and project.project.name else "tool.poetry.name"
            same = f"{name!r} is the name of {first.file} already"
            raise manifest.invalid(same if its.name == name else f"{same}, as {its.name!r}", field)
    return names


def _member(
    at: str, found: _Found, names: Mapping[str, str], shared: Mapping[str, object], with_uv: bool
) -> Member:
    manifest, project = found[at]
    builds = _builds(project)
    backend = project.build_system.build_backend if project.build_system else None
    setuptools = builds and (backend is None or backend.startswith("setuptools"))
    package = Package(
        name=project.name or "",
        path=at,
        build_cmd=(UV_BUILD if with_uv else BUILD) if builds else None,
        sources=_SETUPTOOLS if setuptools else ("**",),
        outputs=("dist/*.whl",) if builds else (),
    )
    own = project.tool.uv.sources if project.tool.uv else {}
    sources = {_canonical(name): each for name, each in (*shared.items(), *own.items())}
    # A path in the root's own table starts at the root.
    starts = {_canonical(name): "." for name in shared} | {_canonical(name): at for name in own}
    needs: dict[str, str] = {}
    for field, name, source in _needs(project):
        key = _canonical(name)
        given = sources.get(key) if source is None else source
        start = at if source is not None else starts.get(key, at)
        target = _target(names.get(key), given, start, found)
        if target is not None and target != at:
            needs.setdefault(found[target][0].file, field)
    return Member(package, manifest, needs)


def _builds(project: _PyProject) -> bool:
    """Tell whether a wheel is made of a project; one without a build system is an application that is only run."""
    uv, poetry = project.tool.uv, project.tool.poetry
    if (uv is not None and uv.package is False) or (poetry is not None and not poetry.package_mode):
        return False
    return project.build_system is not None or bool(uv is not None and uv.package)


def _needs(project: _PyProject) -> Iterator[tuple[str, str, object]]:
    """Return the field, the name and, where it stands there, the source of everything that a project depends on."""
    declared, system, poetry = project.project or _Project(), project.build_system, project.tool.poetry
    rows = [("project.dependencies", declared.dependencies)]
    rows += [
        (f"project.optional-dependencies.{extra}", row)
        for extra, row in declared.optional_dependencies.items()
    ]
    rows += [("build-system.requires", system.requires)] if system else []
    for field, row in rows:
        for requirement in row:
            if named := _REQUIREMENT.match(requirement):
                yield field, named[1], None
    for name, source in (poetry.dependencies if poetry else {}).items():
        yield f"tool.poetry.dependencies.{name}", name, source


def _target(named: str | None, source: object, start: str, found: _Found) -> str | None:
    """Return the directory of the project that a dependency means, if it means one.

    One of that name in the tree is meant, unless the source says that it comes from elsewhere.
    """
    for each in source if isinstance(source, list) else [source]:
        if not isinstance(each, dict) or each.get("workspace") is True:
            continue
        if isinstance(path := each.get("path"), str):
            directory = posixpath.normpath(posixpath.join(start, path))
            return directory if directory in found else None
        if each.keys() & {"git", "url", "index"}:
            return None
    return named


def _canonical(name: str) -> str:
    """Return a name as PEP 503 compares them."""
    return re.sub(r"[-_.]+", "-", name).lower()
