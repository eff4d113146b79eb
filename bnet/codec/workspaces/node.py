"""Workspaces of npm, pnpm, yarn and bun, from `package.json` and `pnpm-workspace.yaml`."""

import posixpath
import re
from collections.abc import Mapping, Sequence

import msgspec

from bnet.codec.workspaces.manifest import Files, Manifest, Member, read_json, read_yaml
from bnet.codec.workspaces.outputs import Hints, guess
from bnet.model.tree import Package

PNPM_FILE = "pnpm-workspace.yaml"
# What each package manager locks versions in; the first that is there says which one it is.
LOCKS = {
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "bun.lock": "bun",
    "bun.lockb": "bun",
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
}
FIELDS = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")


class _Workspaces(msgspec.Struct):
    packages: list[str] | None = None


class _PackageJson(Hints, rename="camel"):
    """The fields that matter here; npm has many more."""

    name: str | None = None
    workspaces: list[str] | _Workspaces | None = None
    package_manager: str | None = None
    dependencies: dict[str, str] | None = None
    dev_dependencies: dict[str, str] | None = None
    optional_dependencies: dict[str, str] | None = None
    peer_dependencies: dict[str, str] | None = None

    def needs(self) -> list[tuple[str, str, str]]:
        """Return the field, the name and the version of everything that it depends on."""
        given = (self.dependencies, self.dev_dependencies, self.optional_dependencies, self.peer_dependencies)
        return [
            (field, name, version)
            for field, versions in zip(FIELDS, given, strict=True)
            for name, version in (versions or {}).items()
        ]


_Found = dict[str, tuple[Manifest, _PackageJson]]


def find(files: Files) -> tuple[list[Member], tuple[str, ...]]:
    """Return the packages of a workspace, or the one package of a tree without; and the files that all depend on.

    Raises:
        Invalid: a manifest cannot be read, or a pattern in it leads nowhere.
    """
    data = files.read("package.json")
    if data is None:
        return [], ()
    manifest, root = read_json("package.json", data, _PackageJson)
    patterns, declared, field = _patterns(files, manifest, root)
    if patterns:
        found = _members(files, declared, field, patterns)
    elif (root.scripts or {}).get("build"):
        found = {".": (manifest, root)}
    else:
        return [], ()
    manager = _manager(files, root)
    names = {_name(at, package): at for at, (_, package) in found.items()}
    return [_member(at, found, names, manager, files) for at in sorted(found)], _shared(files)


def _patterns(files: Files, manifest: Manifest, root: _PackageJson) -> tuple[Sequence[str], Manifest, str]:
    data = files.read(PNPM_FILE)
    if data is not None:
        declared, said = read_yaml(PNPM_FILE, data, _Workspaces)
        return said.packages or [], declared, "packages"
    spaces = root.workspaces
    if isinstance(spaces, _Workspaces):
        return spaces.packages or [], manifest, "workspaces.packages"
    return spaces or [], manifest, "workspaces"


def _members(files: Files, declared: Manifest, field: str, patterns: Sequence[str]) -> _Found:
    """Read the manifests that patterns of directories lead to; the root's own is none of them."""
    paths: set[str] = set()
    for pattern in patterns:
        bare = posixpath.normpath(pattern.removeprefix("!"))
        if bare.startswith(("/", "..")):
            raise declared.invalid(f"{pattern!r} leads out of the tree", field)
        hits = files.glob(posixpath.join(bare, "package.json"))
        paths = paths.difference(hits) if pattern.startswith("!") else paths.union(hits)
    paths.discard("package.json")
    if not paths:
        raise declared.invalid("none of these patterns leads to a package.json", field)
    found: _Found = {}
    for path in sorted(paths):
        data = files.read(path)
        if data is not None:
            manifest, package = read_json(path, data, _PackageJson)
            found[manifest.directory] = (manifest, package)
    return found


def _member(at: str, found: _Found, names: Mapping[str, str], manager: str, files: Files) -> Member:
    manifest, read = found[at]
    builds = bool((read.scripts or {}).get("build"))
    needs: dict[str, str] = {}
    for field, name, version in read.needs():
        target = _target(name, version, at, names, found)
        if target is not None and target != at:
            needs.setdefault(found[target][0].file, f"{field}.{name}")
    package = Package(
        name=_name(at, read),
        path=at,
        build_cmd=f"{manager} run build" if builds else None,
        # What its dependencies export is said in their manifests, which are none of their outputs.
        sources=("**", *(f"/{file}" for file in sorted(needs))),
        outputs=guess(read, at, files) if builds else (),
    )
    return Member(package, manifest, needs)


def _name(at: str, package: _PackageJson) -> str:
    # npm calls a package without a name by its directory.
    return package.name or (posixpath.basename(at) if at != "." else "root")


def _target(name: str, version: str, at: str, names: Mapping[str, str], found: _Found) -> str | None:
    """Return the directory of the member that a dependency means, if it means one.

    A version that is none but a place (`npm:`, `git+ssh:`, `https:`, ...) comes from there, whatever its name.
    """
    kind, colon, rest = version.partition(":")
    if kind in ("file", "link", "portal", "workspace") and rest.startswith((".", "/")):
        directory = posixpath.normpath(posixpath.join(at, rest))
        return directory if directory in found else None
    if kind == "workspace" and (alias := re.match(r"(@?[^@]+)@", rest)):
        return names.get(alias[1])
    if colon and kind not in ("workspace", "catalog"):
        return None
    return names.get(name)


def _manager(files: Files, root: _PackageJson) -> str:
    named = (root.package_manager or "").partition("@")[0]
    if named in LOCKS.values():
        return named
    if files.read(PNPM_FILE) is not None:
        return "pnpm"
    return next((manager for lock, manager in LOCKS.items() if files.read(lock) is not None), "npm")


def _shared(files: Files) -> tuple[str, ...]:
    """Return what every package depends on: locked versions, and settings of the compiler that others extend."""
    locks = [lock for lock in LOCKS if files.read(lock) is not None]
    return (*locks[:1], *files.glob("tsconfig*.json"))
