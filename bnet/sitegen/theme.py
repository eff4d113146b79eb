"""How pages look: templates and assets, as texts; who reads them from where does not matter here."""

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from bnet.sitegen import words
from bnet.sitegen.facts import Facts
from bnet.sitegen.page import Part

# No script or style within a page, nothing from elsewhere; a page that somebody got something into is still dead.
# A `blob:` is what a script of the site has made itself: a picture on its way to a file.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)
NAVIGATION = (
    ("index.html", "Overview"),
    ("jobs/index.html", "Jobs"),
    ("servers.html", "Servers"),
    ("history.html", "History"),
    ("reports.html", "Reports"),
    ("packages.html", "Packages"),
    ("cache.html", "Cache"),
    ("artifacts.html", "Artifacts"),
    ("deployments.html", "Deployments"),
    ("schedules.html", "Schedules"),
    ("sources.html", "Sources"),
    ("messages.html", "Messages"),
    ("locks.html", "Locks"),
    ("audit.html", "Audit"),
)
FILTERS = ("span", "size", "when", "badge", "lines", "clipped", "plural", "said")


class Theme:
    """Makes pages out of what is to be shown.

    Attributes:
        version: of all its texts together; a page that was made by another one is made anew.
    """

    def __init__(
        self,
        templates: Mapping[str, str],
        assets: Mapping[str, str],
        compiled: jinja2.BytecodeCache | None = None,
    ) -> None:
        """Take the texts, by their names; `compiled` keeps what the templates become for the next process."""
        digest = hashlib.blake2b(digest_size=8)
        for name, text in sorted((*templates.items(), *assets.items())):
            digest.update(f"{name}\0{text}\0".encode())
        self.version = digest.hexdigest()
        self._assets = assets
        self._env = jinja2.Environment(
            loader=jinja2.DictLoader(dict(templates)),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            finalize=words.visible,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            bytecode_cache=compiled,
        )
        self._env.filters |= {name: getattr(words, name) for name in FILTERS}
        self._env.globals |= {"policy": POLICY, "version": self.version}

    def render(self, template: str, path: str, network: str, **shown: Any) -> str:
        """Return a page.

        Args:
            template: its name.
            path: where the page goes, which its links are relative to.
            network: its name, for the head.
            shown: what the template asks for.
        """
        root = "../" * path.count("/")
        shown["navigation"] = self._navigation(root, shown.pop("here", path))
        return self._env.get_template(template).render(path=path, root=root, network=network, **shown)

    @cache  # noqa: B019  # there is one theme, and it lives as long as the process
    def _navigation(self, root: str, here: str) -> Markup:
        """Return the list of pages, as it is in most pages: made anew for ten thousand, it would show."""
        item = Markup('<li><a href="{}"{}>{}</a></li>\n')
        current = Markup(' aria-current="page"')
        return Markup("").join(
            item.format(root + place, current if place == here else "", name) for place, name in NAVIGATION
        )

    def part(self, path: str, template: str, facts: Facts, **shown: Any) -> Part:
        """Return a page that is made each time."""

        def render(_: Mapping[str, bytes]) -> Mapping[str, str]:
            return {path: self.render(template, path, facts.state.settings.name, **shown)}

        return Part(name=path, render=render)

    def assets(self) -> Part:
        """Return the assets as files of the site."""
        files = {f"assets/{name}": text for name, text in self._assets.items()}
        return Part(name="assets", key=self.version, render=lambda _: files)
