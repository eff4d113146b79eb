"""`bnet cache`: what was built and is kept, to be had again without building."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnet.cli.context import json_option
from bnet.cli.render import age, note, out, out_json, out_list, seconds
from bnet.codec.durations import parse_duration
from bnet.codec.sizes import parse_size, size_text
from bnet.errors import AnswerNo, BnetError
from bnet.host.clock import SystemClock

if TYPE_CHECKING:
    from bnet.build.cache import Cache
    from bnet.build.upkeep import Removed, Stored


@click.group()
def cache() -> None:
    """Look after what was built and is kept.

    Example: bnet cache gc --max-size 5GB --max-age 30d
    """


@cache.command("stats")
@json_option
def stats_(as_json: bool) -> None:
    """Say what the cache holds, and what it saves.

    Example: bnet cache stats
    """
    from bnet.build.upkeep import stats

    found = stats(_cache().path)
    if as_json:
        out_json({"path": str(_cache().path), **found._asdict()})
        return
    rows = [
        ["path", str(_cache().path)],
        ["entries", f"{found.entries:,}"],
        ["objects", f"{found.objects:,}"],
        ["on disk", size_text(found.bytes)],
        ["outputs", size_text(found.content)],
        ["saved by keeping each file once", size_text(found.deduplicated)],
        ["saved by compression", size_text(found.compressed)],
    ]
    width = max(len(row[0]) for row in rows)
    for name, value in rows:
        out(f"{name:{width}}  {value}")


@cache.command("list")
@click.argument("package", required=False)
@json_option
def list_(package: str | None, as_json: bool) -> None:
    """List the entries, of one package or of all, those used last first.

    Example: bnet cache list api --json
    """
    from bnet.build.upkeep import stored

    found = [each for each in stored(_cache().path) if each.entry and package in (None, each.entry.package)]
    found.sort(key=lambda each: each.found.used, reverse=True)
    told = [_described(each) for each in found]
    nothing = "nothing is kept" + (f" of {package}" if package else "")
    now = SystemClock().now()
    out_list(told, HEADS, (_row(each, now) for each in told), nothing, as_json=as_json)


HEADS = ("KEY", "PACKAGE", "FILES", "SIZE", "TOOK", "MADE", "USED")


def _described(each: "Stored") -> dict[str, Any]:
    assert each.entry is not None
    return {
        "key": each.key,
        "package": each.entry.package,
        "files": len(each.entry.files),
        "bytes": sum(kept.size for kept in each.entry.files),
        "seconds": round(each.entry.seconds, 6),
        "made_at": each.entry.at,
        "used_at": datetime.fromtimestamp(each.found.used, UTC).isoformat(timespec="seconds"),
    }


def _row(told: dict[str, Any], now: datetime) -> list[str]:
    return [
        told["key"][:12],
        told["package"],
        f"{told['files']:,}",
        size_text(told["bytes"]),
        seconds(told["seconds"]),
        age(told["made_at"], now),
        age(told["used_at"], now),
    ]


@cache.command("verify")
@json_option
def verify_(as_json: bool) -> None:
    """Read everything, and remove what is wrong; exit code 1 if anything was.

    Example: bnet cache verify
    """
    from bnet.build.upkeep import stats, verify

    held = _usable()
    wrong = verify(held)
    left = stats(held.path)
    if as_json:
        out_json({**left._asdict(), "removed": [{"path": str(each.path), "why": each.why} for each in wrong]})
    else:
        for each in wrong:
            out(f"removed {each.path}: {each.why}")
        note(f"{left.entries:,} entries and {left.objects:,} objects are sound")
    if wrong:
        raise AnswerNo(
            f"{len(wrong)} were not what they should be; they are built again when they are needed"
        )


@cache.command("gc")
@click.option("--max-size", default="10GB", metavar="SIZE", help="What it may take, such as 5GB.")
@click.option(
    "--max-age", default="30d", metavar="SPAN", help="How long an entry may be unused, such as 30d."
)
@json_option
def gc(max_size: str, max_age: str, as_json: bool) -> None:
    """Remove what was used longest ago, and what no entry needs.

    Example: bnet cache gc --max-size 5GB --max-age 30d
    """
    from bnet.build.upkeep import collect

    try:
        most, longest = parse_size(max_size), parse_duration(max_age)
    except ValueError as error:
        raise BnetError(str(error)) from None
    now = SystemClock().now().timestamp()
    _tell(collect(_usable().path, most=most, longest=longest, now=now), as_json)


@cache.command("clear")
@json_option
def clear_(as_json: bool) -> None:
    """Remove everything that is kept; trees that are up to date stay so.

    Example: bnet cache clear
    """
    from bnet.build.upkeep import clear

    _tell(clear(_usable().path), as_json)


def _tell(removed: "Removed", as_json: bool) -> None:
    if as_json:
        out_json(removed._asdict())
        return
    gone = f"removed {removed.entries:,} entries and {removed.objects:,} objects, {size_text(removed.bytes)}"
    note(f"{gone}; {removed.left_entries:,} entries of {size_text(removed.left_bytes)} are left")


def _cache() -> "Cache":
    from bnet.build.cache import Cache
    from bnet.wiring.workshop import cache_path

    return Cache(cache_path(os.environ))


def _usable() -> "Cache":
    found = _cache()
    if found.is_newer():
        raise BnetError(found.trouble, hint="use that bnet, or set BNET_CACHE to another directory")
    if not os.access(found.path, os.W_OK) and Path(found.path).exists():
        raise BnetError(f"{found.path} cannot be written to")
    return found
