"""What an evening's dashboard and reports have to show, by the ledger."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from evening import Evening

COUNTED = ("success", "failure", "error", "timeout", "cancelled", "skipped")


def blamed_reports(evening: Evening, jobs: dict[int, Any]) -> tuple[int, list[str]]:
    """Return how many reports came, and what of them is not as the ledger has it."""
    fleet, blames, came = evening.fleet, [], Counter[str]()
    for each in evening.listeners.heard:
        files = [data for name, data in each.files.items() if name.endswith(".json")]
        if files:
            told = json.loads(files[0])
            came[told["now"]["end"]] += 1
            blames += _counted(f"report until {told['now']['end']}", told, jobs)
            if {name.rpartition(".")[2] for name in each.files} != {"html", "csv", "json"}:
                blames.append(f"report: came with {sorted(each.files)}")
    kept = next(each["kept"] for each in fleet.facts("report", "list") if each["name"] == "trial")
    most = 1 + len(evening.stewards)
    if len(kept) != len(came) or any(count > most for count in came.values()):
        blames.append(f"report: {len(kept)} were made, and these came: {dict(came)}")
    if not kept:
        blames.append("report: none was made")
    begin = datetime.fromtimestamp(evening.begun - 3600).astimezone().isoformat()
    told = json.loads(fleet.ok("report", "trial", "--from", begin, "--format", "json"))
    blames += _counted("report of the evening", told, jobs)
    return sum(came.values()), blames


def _counted(what: str, told: dict[str, Any], jobs: dict[int, Any]) -> list[str]:
    begin, end = (datetime.fromisoformat(told["now"][each]) for each in ("begin", "end"))
    mine = Counter(
        each["result"]
        for each in jobs.values()
        if each["finished_at"] and begin <= datetime.fromisoformat(each["finished_at"]) < end
    )
    its = {name: count for name, count in told["now"].get("results", {}).items() if count}
    return [] if its == dict(mine) else [f"{what}: {its}, and the ledger has {dict(mine)}"]


def blamed_pages(evening: Evening, jobs: dict[int, Any]) -> list[str]:
    """Publish the dashboard a last time, and return what is wrong with it."""
    fleet, blames = evening.fleet, []
    fleet.ok("site", "publish")
    at = fleet.root / "shown"
    shutil.rmtree(at, ignore_errors=True)
    fleet.git("clone", "--quiet", "--branch", "gh-pages", fleet.url, str(at))
    pages = {path: _read(path) for path in sorted(at.rglob("*.html"))}
    for path, page in pages.items():
        blames += [
            f"{path.relative_to(at)}: leads to {link}, which is not there" for link in page.dead(path, at)
        ]
    words = " ".join(pages[at / "index.html"].text.split())
    results = Counter(each["result"] for each in jobs.values())
    bad = sum(results[each] for each in ("failure", "error", "timeout"))
    for said in (
        "4 servers, 0 running, 0 waiting",
        f"succeeded in 24 h {results['success']}",
        f"failed in 24 h {bad}",
    ):
        if said not in words:
            blames.append(f"the overview does not say: {said}; it says: {words[:400]}")
    for number, each in jobs.items():
        page = at / "jobs" / f"{number // 100:04}" / f"{number}.html"
        if page not in pages or each["result"] not in pages[page].text:
            blames.append(f"the page of #{number} does not say {each['result']}")
    print(f"dashboard: {len(pages)} pages, {sum(len(each.links) for each in pages.values()):,} links")
    return blames


class _Page(HTMLParser):
    """The words of a page, its links, and what in it they may lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.links, self.ids = "", list[str](), set[str]()

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.append(value)
            elif name == "id" and value:
                self.ids.add(value)

    def dead(self, path: Path, top: Path) -> list[str]:
        """Return the links that lead nowhere, or out of the site."""
        found = []
        for link in self.links:
            parts = urlsplit(link)
            if parts.scheme in ("data", "mailto"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            inside = not parts.scheme and target.is_relative_to(top.resolve()) and target.exists()
            anchor = unquote(parts.fragment) if not parts.path else ""
            if not inside or (anchor and anchor not in self.ids):
                found.append(link)
        return sorted(set(found))


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text())
    return page
