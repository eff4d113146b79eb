"""What somebody wrote, as it may be shown in a terminal."""


def escaped(text: str, keep: str = "") -> str:
    r"""Return a text with its control characters spelt out, as in `\x1b`: none of them moves a cursor here.

    Args:
        text: of anybody.
        keep: signs that may stay, such as a line end.
    """
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() or sign in keep else sign.encode("unicode_escape").decode()
        for sign in text
    )


def short(value: object) -> str:
    """Return a value as Python writes it, in 60 signs at most."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
