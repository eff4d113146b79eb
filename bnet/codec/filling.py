"""Filling in a template: Jinja2, of which only what a template needs is let through, with an end to everything.

Templates come from whoever may write to the hub. `template_syntax` says what may stand in one, and the sandbox is the
second line of defence; here is what keeps loops, includes and filters from going on and on.
"""

import json
import keyword
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bnet.codec.shown import escaped
from bnet.codec.template_syntax import Unwanted, bound, check, includes
from bnet.errors import Invalid
from bnet.model.template import Template, Value

MOST_TURNS = 10_000  # of all loops and includes of a template together
LONGEST_FILE = 1_000_000  # characters
LONGEST_ALL = 5_000_000
MOST_WORK = 5_000_000  # characters of all values that are used, each time that they are
A_VALUE = 10  # what one costs however short it is
_MARK = "template:"  # how the name of compiled code begins, in a traceback


class _TooMuch(Exception):
    """A template goes on for too long, in words."""


def _joined(value: object, between: object = ", ") -> str:
    if not isinstance(value, list | tuple):
        raise ValueError("`join` is for lists")
    if len(value) * len(str(between)) > LONGEST_FILE:
        raise _TooMuch("makes a text that is too long by `join` alone")
    return str(between).join(map(str, value))


def _quoted(value: object) -> str:
    """Return a value as YAML means it on one line: JSON, but for the texts that mean themselves."""
    return json.dumps(value, ensure_ascii=False)


def _shell(value: object) -> str:
    return shlex.join(map(str, value)) if isinstance(value, list | tuple) else shlex.quote(str(value))


def _identifier(value: object) -> str:
    """Return a name as programming languages take it."""
    text = re.sub(r"\W+", "_", str(value), flags=re.ASCII).strip("_") or "_"
    return f"_{text}" if text[0].isdigit() or keyword.iskeyword(text) else text


FILTERS: dict[str, Callable[..., str]] = {
    "yaml": _quoted,
    "shell": _shell,
    "identifier": _identifier,
    "join": _joined,
    "upper": lambda value: str(value).upper(),
    "lower": lambda value: str(value).lower(),
}


class _Budget:
    """How much of a template has happened."""

    def __init__(self) -> None:
        self.turns = 0
        self.signs = 0
        self.work = 0

    def turn(self) -> None:
        self.turns += 1
        if self.turns > MOST_TURNS:
            raise _TooMuch(f"its loops and includes take more than {MOST_TURNS:,} turns")

    def weigh(self, value: object) -> object:
        """Count a value that is used, and return it."""
        rest = [value]
        while rest:
            each = rest.pop()
            self.work += A_VALUE
            if isinstance(each, list | tuple):
                rest += each
            else:
                self.work += len(str(each))
            if self.work > MOST_WORK:
                raise _TooMuch(f"uses values of more than {MOST_WORK:,} characters, taken together")
        return value

    def wrote(self, signs: int, file: int) -> None:
        self.signs += signs
        if file > LONGEST_FILE:
            raise _TooMuch(f"becomes longer than {LONGEST_FILE:,} characters")
        if self.signs > LONGEST_ALL:
            raise _TooMuch(f"makes all files together longer than {LONGEST_ALL:,} characters")


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja2 with the rest taken out."""

    def __init__(
        self, texts: Mapping[str, str], shown: Mapping[str, str], names: frozenset[str], budget: _Budget
    ) -> None:
        super().__init__(
            undefined=jinja2.StrictUndefined,
            loader=jinja2.FunctionLoader(lambda path: (texts[path], _MARK + shown[path], lambda: True)),
            keep_trailing_newline=True,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,
            cache_size=2 * len(texts) + 10,
        )
        self.names = names
        self.tests.clear()
        self.globals = {"range": _range}
        self.filters = {name: _short(each, budget) for name, each in FILTERS.items()}
        self.filters["_turns"] = jinja2.pass_context(lambda _, value: _counted(value, budget))
        self.filters["_step"] = jinja2.pass_context(lambda _, value: _stepped(value, budget))
        self.filters["_weighed"] = jinja2.pass_context(lambda _, value: budget.weigh(value))

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        check(tree, self.names)
        bound(tree)
        return tree


def _short(function: Callable[..., str], budget: _Budget) -> Callable[..., str]:
    def bounded(*values: object) -> str:
        text = str(function(*values))
        if len(text) > LONGEST_FILE // 10:
            raise _TooMuch("makes a text that is too long by filters alone")
        budget.weigh(text)
        return text

    return bounded


def _range(*values: int) -> range:
    found = range(*values)
    if found[MOST_TURNS:]:
        raise _TooMuch(f"counts to more than {MOST_TURNS:,}")
    return found


def _counted(values: object, budget: _Budget) -> Iterator[object]:
    if not isinstance(values, list | tuple | range):
        raise ValueError("a loop is over a list")
    return _Turns(values, budget)


class _Turns(Iterator[object]):
    """A list that counts how often it is gone on with; it knows its length, for `loop.last`."""

    def __init__(self, values: list[object] | tuple[object, ...] | range, budget: _Budget) -> None:
        self._values, self._place, self._budget = values, 0, budget

    def __len__(self) -> int:
        return len(self._values)

    def __next__(self) -> object:
        if self._place >= len(self._values):
            raise StopIteration
        self._budget.turn()
        self._place += 1
        return self._values[self._place - 1]


def _stepped(value: object, budget: _Budget) -> object:
    budget.turn()
    return value


class Filler:
    """A template, with values for its parameters."""

    def __init__(self, template: Template, values: Mapping[str, Value]) -> None:
        """Look at all of it, also at what these values do not lead to.

        Raises:
            Invalid: something in it is refused; the message names file and line.
        """
        self._shown = template.shown
        self._values = {
            name: list(each) if isinstance(each, tuple) else each for name, each in values.items()
        }
        self._names = frozenset(values)
        self._budget = _Budget()
        texts = {**template.parts, **template.files}
        self._environment = _Environment(texts, self._shown, self._names, self._budget)
        included = {}
        for path, text in texts.items():
            with _placed(self._shown[path]):
                included[path] = list(includes(self._environment.parse(text, path)))
        for path in texts:
            self._follow(path, included)

    def text(self, path: str) -> str:
        """Return one of the files, filled in.

        Raises:
            Invalid: it cannot be; the message names file and line.
        """
        with _placed(self._shown[path]):
            text = self._fill(self._environment, path)
            text.encode()
            return text

    def line(self, text: str, what: str) -> str:
        """Return a short text, such as a path, filled in.

        Args:
            text: of the template.
            what: how a message names it.

        Raises:
            Invalid: it cannot be.
        """
        with _placed(what):
            return self._fill(_Environment({"": text}, {"": what}, self._names, self._budget), "")

    def _fill(self, environment: "_Environment", path: str) -> str:
        made, signs = [], 0
        self._budget.turn()
        for each in environment.get_template(path).generate(self._values):
            made.append(each)
            signs += len(each)
            self._budget.wrote(len(each), signs)
        return "".join(made)

    def _follow(self, path: str, included: Mapping[str, Sequence[tuple[str, int]]]) -> None:
        """Refuse a file that includes itself, by way of others or not, or one that there is not."""
        trail: list[str] = []
        stack: list[tuple[str, bool]] = [(path, False)]
        seen: set[str] = set()
        while stack:
            here, leaving = stack.pop()
            if leaving:
                trail.pop()
                continue
            seen.add(here)
            trail.append(here)
            stack.append((here, True))
            for inner, line in included[here]:
                if inner not in included:
                    said = f"includes {escaped(inner)[:80]}, which the template does not have"
                    raise Invalid(said, file=self._shown[here], line=line)
                if inner in trail:
                    around = " -> ".join([*trail[trail.index(inner) :], inner])
                    raise Invalid(f"includes itself: {escaped(around)}", file=self._shown[here], line=line)
                if inner not in seen:
                    stack.append((inner, False))


def fill_line(text: str, values: Mapping[str, Value], what: str) -> str:
    """Return a text that is a template by itself, filled in.

    Args:
        text: of the template.
        values: of all names that it may use.
        what: how a message names it.

    Raises:
        Invalid: it cannot be.
    """
    plain = {name: list(each) if isinstance(each, tuple) else each for name, each in values.items()}
    budget, made = _Budget(), ""
    with _placed(what):
        environment = _Environment({"": text}, {"": what}, frozenset(values), budget)
        for each in environment.get_template("").generate(plain):
            made += each
            budget.wrote(len(each), len(made))
    return made


@contextmanager
def _placed(shown: str) -> Iterator[None]:
    """Say of whatever goes wrong in a template where in it that is."""
    try:
        yield
    except Unwanted as error:
        raise Invalid(escaped(str(error)), file=shown, line=error.line) from None
    except jinja2.TemplateSyntaxError as error:
        said = escaped((error.message or "cannot be read")[:300])
        raise Invalid(f"is no template: {said}", file=shown, line=error.lineno) from None
    # What is left for a template to do wrong, with values of a type that it did not expect, or by going on and on.
    except (
        _TooMuch,
        jinja2.TemplateRuntimeError,
        TypeError,
        ValueError,
        OverflowError,
        RecursionError,
        SyntaxError,
        MemoryError,
    ) as error:
        file, line = _place(error, shown)
        said = escaped(str(error).split("\n")[0][:200]) or "it is nested too deeply"
        words = said if isinstance(error, _TooMuch) else f"cannot be filled in: {said}"
        raise Invalid(words, file=file, line=line) from None


def _place(error: BaseException, shown: str) -> tuple[str, int | None]:
    """Return the file and line of the template that an error comes from; Jinja2 puts them into the traceback."""
    found: tuple[str, int | None] = (shown, None)
    step = error.__traceback__
    while step is not None:
        name = step.tb_frame.f_code.co_filename
        if name.startswith(_MARK):
            found = name.removeprefix(_MARK), step.tb_lineno
        step = step.tb_next
    return found
