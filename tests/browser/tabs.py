"""A tab of a browser, and what became of it."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Page, Request

PATIENCE = 120_000  # milliseconds: a machine may be ten times slower


class Watched:
    """A page, and what it asked for and complained of."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.base = base
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("request", self._request)
        self.page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type == "error" else None
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _request(self, request: Request) -> None:
        self.asked.append(request.url)

    def go(self, path: str) -> Page:
        """Open a page of the site."""
        self.page.goto(f"{self.base}/{path}")
        return self.page

    def check(self) -> None:
        """Assert that nothing was asked of anybody else, and nothing went wrong."""
        assert not [url for url in self.asked if not url.startswith((self.base, "blob:"))]
        assert not self.complaints
