"""Patterns of templates: a small part of regular expressions, which takes time in proportion to the text.

They come with templates of anybody, and Python's own can be written so that they take for ever.
"""

import re

MOST_ITEMS = 500
_ITEM = re.compile(
    r"(?P<sign>\\[dws]|\\[^\w\s]|\[\^?(?:\\.|[^\]\\\[])+\]|[^\\\[\](){}|*+?^$])"
    r"(?P<count>[*+?]|\{(?P<least>[0-9]{1,3})(?P<comma>,)?(?P<most>[0-9]{1,3})?\})?"
)


class Pattern:
    """A row of signs, each of which may be there or not, and again or not."""

    def __init__(self, text: str) -> None:
        """Read a pattern.

        Raises:
            ValueError: it is none, or says more than patterns may here.
        """
        self._items: list[tuple[re.Pattern[str], bool, bool]] = []  # sign, may be missing, may come again
        inner = text.removeprefix("^").removesuffix("$") if not text.endswith("\\$") else text
        place = 0
        while place < len(inner):
            found = _ITEM.match(inner, place)
            if found is None:
                raise ValueError(f"cannot be read from {inner[place : place + 20]!r} on: {ALLOWED}")
            self._add(found)
            if len(self._items) > MOST_ITEMS:
                raise ValueError(f"stands for more than {MOST_ITEMS} signs in a row")
            place = found.end()

    def _add(self, found: re.Match[str]) -> None:
        try:
            sign = re.compile(found["sign"], re.ASCII)
        except re.error as error:
            raise ValueError(f"cannot be read at {found['sign']!r}: {error}") from None
        if found["least"] is None:
            count = found["count"] or ""
            self._items.append((sign, count in tuple("*?"), count in tuple("*+")))
            return
        least = int(found["least"])
        most = int(found["most"]) if found["most"] else None if found["comma"] else least
        if most is not None and most < least:
            raise ValueError(f"{found['count']} has its numbers the wrong way round")
        self._items += [(sign, False, False)] * least
        if most is None:
            self._items.append((sign, True, True))
        else:
            self._items += [(sign, True, False)] * (most - least)

    def fits(self, text: str) -> bool:
        """Tell whether it stands for the whole of a text."""
        places = self._onwards({0})
        for each in text:
            following = set()
            for place in places:
                if place < len(self._items) and self._items[place][0].fullmatch(each):
                    following |= {place, place + 1} if self._items[place][2] else {place + 1}
            places = self._onwards(following)
        return len(self._items) in places

    def _onwards(self, places: set[int]) -> set[int]:
        """Add the places that are reached by leaving out what may be missing."""
        found: set[int] = set()
        for place in places:
            while place not in found:
                found.add(place)
                if place < len(self._items) and self._items[place][1]:
                    place += 1
        return found


ALLOWED = r"write characters, \d, \w, ., [a-z] and counts such as *, +, ? and {1,40}; no groups, no |"
