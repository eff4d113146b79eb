"""`bnet why`: why a job does not run, and why a package is built, or is not."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnet.cli.context import App, json_option, pass_app
from bnet.cli.render import age, out, out_json, span
from bnet.errors import BnetError

if TYPE_CHECKING:
    from bnet.build.keys import Difference
    from bnet.build.outcome import Outcome
    from bnet.build.package import Seen
    from bnet.build.why import Explained, Near
    from bnet.wiring.workshop import Workshop

MOST = 10  # differences that are listed
DIGITS = 12  # of a key or digest that people see
_WOULD = {
    "instant": "is up to date",
    "fresh": "is up to date",
    "local": "would be restored from the cache",
    "remote": "would be restored from the shared store",
    "incremental": "would be built over its last outputs",
    "full": "would be built",
}


@click.command()
@click.argument("subject", metavar="JOB|PACKAGE")
@click.option("--inputs", is_flag=True, help="Of a package: list all that its key is made of.")
@json_option
@pass_app
def why(app: App, subject: str, inputs: bool, as_json: bool) -> None:
    """Say why a job does not run, or why a package would be built, or not. Digits always mean a job.

    Of a job: each condition with its present answer. Of a package: how it was brought up to date last, what a
    build would do now, and what differs from then and from the nearest entry of the cache, from what to what.

    Example: bnet why 12; bnet why api
    """
    if subject.removeprefix("#").isdecimal():
        from bnet.cli.jobs import why_job

        why_job(app, int(subject.removeprefix("#")), as_json)
        return
    from bnet.build.why import explain

    shop = _workshop(subject)
    name = _one(shop, subject)
    os.chdir(shop.root)
    shop.state.mkdir(parents=True, exist_ok=True)
    dry = shop.build([name], jobs=1, keep_going=True, force=False, dry_run=True, told=lambda event: None)
    found = explain(dry, name)
    if as_json:
        out_json(described(found, inputs))
        return
    for line in told(found, shop.clock.now()):
        out(line)
    if inputs and found.seen is not None:
        for line in _listed(found.seen):
            out(line)


def _workshop(subject: str) -> "Workshop":
    from bnet.wiring.workshop import NoTree, Workshop

    try:
        return Workshop(Path.cwd(), os.environ)
    except NoTree as error:
        raise BnetError(
            f"{subject!r} is no job's number, and {error}",
            hint="bnet why NUMBER, as in `bnet why 12`; or in a source tree, bnet why PACKAGE",
        ) from None


def _one(shop: "Workshop", subject: str) -> str:
    names = shop.graph.select([subject], here=shop.here)
    if len(names) != 1:
        some = ", ".join(names[:MOST]) + (" ..." if len(names) > MOST else "")
        raise BnetError(f"{subject!r} means {len(names)} packages: {some}", hint="name one of them")
    return names[0]


# -- for people


def told(found: "Explained", now: datetime) -> list[str]:
    """Return the lines that explain a package."""
    lines = [_verdict(found.now)]
    lines += [f"  {_verdict(each)}" for each in found.causes]
    if found.differences[1:]:
        lines += _titled("also", _some(found.differences[1:]))
    lines += _titled("last", [_last(found, now)])
    lines += _titled("key", [_keys(found)])
    if found.nearest is not None:
        lines += _titled("nearest", _nearest(found.nearest, found, now))
    return lines


def _verdict(done: "Outcome") -> str:
    name = click.style(done.name, bold=True)
    would = _WOULD[done.tier or "full"] if done.result == "success" else "cannot be built"
    return f"{name} {would}: {done.reason}"


def _last(found: "Explained", now: datetime) -> str:
    last = found.last
    if last is None:
        return "it was never brought up to date in this tree, or its last build failed"
    took = f"; its command took {span(last.seconds)}" if last.seconds else ""
    return f"{last.tier}, {age(last.at, now)}: {last.reason}{took}"


def _keys(found: "Explained") -> str:
    before = found.last.key.hex()[:DIGITS] if found.last is not None else ""
    after = found.now.key[:DIGITS]
    if not after:
        return f"{before} then" if before else "not known"
    return after if before in ("", after) else f"{after}, and {before} then"


def _nearest(near: "Near", found: "Explained", now: datetime) -> list[str]:
    if found.last is not None and near.key == found.last.key:
        return ["what was made last time is the nearest in the cache, too"]
    made = f"{near.key.hex()[:DIGITS]} in the cache, made {age(near.entry.at, now)}"
    if not near.differences:
        return [f"{made}: the same inputs, but it cannot be restored"]
    count = len(near.differences)
    title = f"{made}; {'one input differs' if count == 1 else f'{count} inputs differ'}:"
    return [title, *(f"  {each}" for each in _some(near.differences))]


def _some(differences: "Sequence[Difference]") -> list[str]:
    from bnet.build.files import printable

    lines = [printable(str(each)) for each in differences[:MOST]]
    return lines + ([f"and {len(differences) - MOST} more"] if len(differences) > MOST else [])


def _titled(title: str, lines: Sequence[str]) -> list[str]:
    heads = [title, *[""] * (len(lines) - 1)]
    return [f"  {head:<8} {line}" for head, line in zip(heads, lines, strict=True)]


def _listed(seen: "Seen") -> list[str]:
    from bnet.build.files import printable

    told = inputs_of(seen)
    rows = [("platform", told["platform"])]
    rows += [(f"field {name}", repr(value)) for name, value in told["recipe"].items()]
    rows += [(f"variable {name}", value) for name, value in told["env"].items()]
    rows += [(f"tool {name}", value) for name, value in told["tools"].items()]
    rows += [
        (f"dependency {name}", digest[:DIGITS] or "is to be built")
        for name, digest in told["dependencies"].items()
    ]
    rows += [
        (f"source {printable(each['path'])}", each["blake3"][:DIGITS] + _KINDS[each["kind"]])
        for each in told["sources"]
    ]
    return ["inputs:", *(f"  {name}: {printable(value)}" for name, value in rows)]


# -- for programs

_KINDS = {"f": "", "x": " (executable)", "l": " (link)"}


def described(found: "Explained", inputs: bool) -> dict[str, Any]:
    """Return what explains a package, for programs; all its inputs if they are asked for."""
    last, near = found.last, found.nearest
    told: dict[str, Any] = {
        "package": found.name,
        "now": _outcome(found.now),
        "causes": [_outcome(each) for each in found.causes],
        "last": None
        if last is None
        else {
            "tier": last.tier,
            "reason": last.reason,
            "at": last.at,
            "key": last.key.hex(),
            "seconds": round(last.seconds, 6),
        },
        "differences": [each._asdict() for each in found.differences],
        "nearest": None
        if near is None
        else {
            "key": near.key.hex(),
            "at": near.entry.at,
            "seconds": round(near.entry.seconds, 6),
            "differences": [each._asdict() for each in near.differences],
        },
    }
    if inputs:
        told["inputs"] = None if found.seen is None else inputs_of(found.seen)
    return told


def _outcome(done: "Outcome") -> dict[str, Any]:
    return {
        "name": done.name,
        "tier": done.tier,
        "result": done.result,
        "reason": done.reason,
        "key": done.key,
    }


def inputs_of(seen: "Seen") -> dict[str, Any]:
    """Return all that a package's key is made of; a dependency that is to be built first has no digest yet."""
    import msgspec

    from bnet.build.keys import listed

    return {
        "platform": seen.inputs.platform,
        "recipe": msgspec.json.decode(seen.inputs.recipe),
        "env": listed(seen.inputs.env),
        "tools": seen.inputs.tools,
        "dependencies": {name: digest.hex() for name, digest in seen.inputs.dependencies.items()},
        "sources": [
            {"path": path, "kind": kind, "blake3": digest.hex()}
            for path, (kind, digest) in seen.sources.table().items()
        ],
    }
