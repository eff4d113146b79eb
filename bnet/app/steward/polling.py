"""The chore of looking at sources: one question per repository, however many sources name it."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from bnet.app.ledger import Ledger
from bnet.app.lookup import Lookup
from bnet.app.steward.office import Away
from bnet.build.globs import Patterns
from bnet.codec.sources import branches_of
from bnet.codec.tree import FILE
from bnet.errors import BnetError, RepositoryUnreachable
from bnet.model.job import USUAL_PRIORITY
from bnet.model.source import Followed, Seen
from bnet.model.state import State
from bnet.ports.machine import Clock
from bnet.ports.outside import Fresh, News, Upstreams
from bnet.rules.arrivals import HEADS, TAGS, Move, submissions
from bnet.rules.polling import Sight, poll
from bnet.rules.sources import paused_because
from bnet.rules.specs import Facts
from bnet.rules.transaction import Transaction

MOST_NEWEST = 1000  # commits of one ref that are looked through for one that counts
MOST_ALL = 200  # commits of one ref that become a job each; the next look goes on
LONGEST_BACKOFF = 3600.0  # seconds between two looks at what does not answer
SOON = 0.0  # seconds until the next look where one had no room for all

Refs = Mapping[str, str]


class Polling:
    """Looks at the repositories whose time has come."""

    def __init__(self, ledger: Ledger, upstreams: Upstreams, clock: Clock, lookup: Lookup, who: str) -> None:
        """Keep the parts.

        Args:
            ledger: the hub's.
            upstreams: the repositories.
            clock: this machine's.
            lookup: finds what the jobs of sources refer to.
            who: this server's name.
        """
        self._ledger = ledger
        self._upstreams = upstreams
        self._clock = clock
        self._lookup = lookup
        self._who = who
        self._due: dict[str, tuple[Followed, float]] = {}
        self._failures: dict[str, int] = {}

    def do(self, away: Away) -> None:
        """Look at every source whose time has come.

        Raises:
            BnetError: none of the repositories answered, and no other server has found them so before.
        """
        state = self._ledger.state
        due = [each for each in active(state) if self._due_at(each) <= self._clock.boot()]
        if due or state.seen.keys() - state.sources.keys():
            self._look(state, due, away)
        self._due = {name: kept for name, kept in self._due.items() if name in state.sources}

    def _due_at(self, source: Followed) -> float:
        kept = self._due.get(source.name)
        return kept[1] if kept is not None and kept[0] == source else 0.0

    def _look(self, state: State, due: Sequence[Followed], away: Away) -> None:
        asked: dict[str, bool] = {}
        for each in due:
            address = each.asked.repository
            asked[address] = asked.get(address, False) or bool(each.asked.tags)
        answers = dict(
            zip(asked, away([_Refs(self._upstreams, each, asked[each]) for each in asked]), strict=True)
        )
        looks = {each.name: _matching(each, answers[each.asked.repository]) for each in due}
        changed = {
            each.name: refs
            for each in due
            if not isinstance(refs := looks[each.name], BnetError) and _moved(each, _seen(state, each), refs)
        }
        brought = self._bring([each for each in due if each.name in changed], state, changed, away)
        errands = []
        for each in due:
            answer = brought.get(each.asked.repository) or looks[each.name]
            errands.append(_Sighting(self._upstreams, each, _seen(state, each), answer))
        sights = away(errands)
        self._transact(sights)
        self._settle(due, sights)
        self._judge(due, answers)

    def _bring(
        self, sources: Sequence[Followed], state: State, changed: Mapping[str, Refs], away: Away
    ) -> dict[str, BnetError | None]:
        """Bring what moved into this machine's copies; repository -> why that failed."""
        wanted: dict[str, set[str]] = {}
        for each in sources:
            seen = _seen(state, each)
            if not _is_first(seen) or (each.asked.pipeline is not None and each.asked.first == "build"):
                moved = _moved(each, seen, changed[each.name])
                # Where a ref was tells what is new on it: a copy younger than that may have to ask for it.
                before = {seen.refs[ref] for ref in moved if ref in seen.refs}
                wanted.setdefault(each.asked.repository, set()).update(before, moved.values())
        tasks = [_Bring(self._upstreams, address, sorted(tips)) for address, tips in wanted.items()]
        return dict(zip(wanted, away(tasks), strict=True))

    def _transact(self, sights: Sequence[Sight]) -> None:
        # Only a template refers to jobs that may be archived: what a step needs is another step.
        jobs = [
            job
            for each in sights
            if each.source.asked.submit is not None
            for move in each.moves
            for commit in move.commits[:1]
            for job in submissions(each.source, move, commit)
        ]

        def decide(tx: Transaction) -> None:
            facts = self._lookup(tx.state, list(jobs)) if jobs else Facts()
            poll(tx, sights, facts, self._who)

        self._ledger.transact(decide)

    def _settle(self, due: Sequence[Followed], sights: Sequence[Sight]) -> None:
        """Say when each is looked at again: later and later while nothing answers, at once while there is more."""
        now, state = self._clock.boot(), self._ledger.state
        for source, sight in zip(due, sights, strict=True):
            failures = self._failures.get(source.name, 0) + 1 if sight.refs is None else 0
            self._failures[source.name] = failures
            pause = source.every * 2.0 ** min(failures, 20)
            pause = min(pause, max(LONGEST_BACKOFF, source.every)) if failures else source.every
            seen = _seen(state, source)
            if sight.refs is not None and seen.obstacle is None and dict(sight.refs) != seen.refs:
                pause = SOON
            self._due[source.name] = source, now + pause

    def _judge(self, due: Sequence[Followed], answers: Mapping[str, Refs | BnetError]) -> None:
        silent = [each for each in answers.values() if isinstance(each, RepositoryUnreachable)]
        if not silent or len(silent) < len(answers):
            return
        state = self._ledger.state
        finders = {seen.obstacle.by for each in due if (seen := _seen(state, each)).obstacle is not None}
        if finders <= {self._who}:
            raise RepositoryUnreachable(f"no repository of a source can be reached from here: {silent[0]}")


class _Refs:
    """A question for a repository's refs, as an errand."""

    def __init__(self, upstreams: Upstreams, address: str, tags: bool) -> None:
        self._upstreams, self._address, self._tags = upstreams, address, tags

    def __call__(self) -> Refs | BnetError:
        try:
            return self._upstreams.refs(self._address, tags=self._tags)
        except BnetError as error:
            return error


class _Bring:
    """The fetching of a repository's news, as an errand."""

    def __init__(self, upstreams: Upstreams, address: str, tips: Sequence[str]) -> None:
        self._upstreams, self._address, self._tips = upstreams, address, tips

    def __call__(self) -> BnetError | None:
        try:
            self._upstreams.bring(self._address, self._tips)
        except BnetError as error:
            return error
        return None


class _Sighting:
    """What a look means for one source, as an errand: of many refs it is a lot to read."""

    def __init__(self, upstreams: Upstreams, source: Followed, base: Seen, answer: Refs | BnetError) -> None:
        self._upstreams, self._source, self._base, self._answer = upstreams, source, base, answer

    def __call__(self) -> Sight:
        sight = Sight(source=self._source, base=self._base)
        if isinstance(self._answer, BnetError):
            return replace(sight, trouble=str(self._answer))
        try:
            moves = self._moves(_moved(self._source, self._base, self._answer))
            if moves and self._source.asked.pipeline is not None:
                moves = self._with_files(moves)
        except BnetError as error:
            return replace(sight, trouble=str(error))
        template = self._source.asked.submit
        usual = USUAL_PRIORITY if template is None else template.priority
        moves.sort(key=lambda each: (each.priority or usual, each.ref))
        return replace(sight, refs=self._answer, moves=tuple(moves))

    def _with_files(self, moves: Sequence[Move]) -> list[Move]:
        """Return moves with what each commit says itself that it becomes."""
        commits = [commit for each in moves for commit in each.commits]
        files = self._upstreams.files(self._source.asked.repository, FILE, commits)
        return [replace(each, files={commit: files[commit] for commit in each.commits}) for each in moves]

    def _moves(self, moved: Refs) -> list[Move]:
        source, base = self._source, self._base
        if _is_first(base):
            build = source.asked.first == "build"
            return [
                Move(ref=ref, new=new, commits=(new,), upto=new, priority=_priority(source, ref))
                for ref, new in moved.items()
                if build
            ]
        # What is meant only since an edit of the patterns is taken as seen.
        fresh = {ref: new for ref, new in moved.items() if ref in base.refs or base.patterns == source.refs}
        news = self._news(fresh) if fresh else ()
        return [self._move(ref, new, each) for (ref, new), each in zip(fresh.items(), news, strict=True)]

    def _news(self, moved: Refs) -> Sequence[News | None]:
        asked, base = self._source.asked, self._base
        newest = asked.coalesce == "newest"
        return self._upstreams.news(
            asked.repository,
            [(base.refs.get(ref, ""), new) for ref, new in moved.items()],
            [*base.refs.values(), *base.past],
            most=MOST_NEWEST if newest else MOST_ALL,
            newest=newest,
            paths=bool(asked.paths.include or asked.paths.exclude),
        )

    def _move(self, ref: str, new: str, news: News | None) -> Move:
        source = self._source
        if news is None:
            return Move(ref=ref, new=new)
        left = "" if news.contains_old else self._base.refs.get(ref, "")
        if left and self._base.repository != source.asked.repository:
            return Move(ref=ref, new=new, upto=new, left=left)  # of another repository: it is a first look
        upto = new if source.asked.coalesce == "newest" or news.whole else news.fresh[-1].commit
        return Move(
            ref=ref,
            new=new,
            commits=_counting(source, news),
            upto=upto,
            priority=_priority(source, ref),
            left=left,
        )


def active(state: State) -> list[Followed]:
    """Return the sources that are looked at."""
    return [each for each in state.sources.values() if paused_because(each, _seen(state, each)) is None]


def matching(source: Followed, refs: Refs) -> dict[str, str]:
    """Return those of a repository's refs that a source means."""
    branches, tags = Patterns(branches_of(source.asked), "."), Patterns(source.asked.tags, ".")
    return {
        ref: oid
        for ref, oid in refs.items()
        if (ref.startswith(HEADS) and branches.match(ref.removeprefix(HEADS)))
        or (ref.startswith(TAGS) and tags.match(ref.removeprefix(TAGS)))
    }


def _matching(source: Followed, answer: Refs | BnetError) -> Refs | BnetError:
    return answer if isinstance(answer, BnetError) else matching(source, answer)


def _seen(state: State, source: Followed) -> Seen:
    return state.seen.get(source.name, Seen())


def _is_first(base: Seen) -> bool:
    return not base.repository


def _moved(source: Followed, base: Seen, refs: Refs) -> dict[str, str]:
    """Return the refs that are not where they were seen last."""
    return {ref: oid for ref, oid in refs.items() if base.refs.get(ref) != oid}


def _priority(source: Followed, ref: str) -> int | None:
    name = ref.removeprefix(HEADS).removeprefix(TAGS)
    for glob, priority in source.asked.priority.items():
        if Patterns([glob], ".").match(name):
            return priority
    return None


def _counting(source: Followed, news: News) -> tuple[str, ...]:
    """Return the commits that become a job each."""
    marks = [mark.lower() for mark in source.asked.skip]
    fresh = [each for each in news.fresh if not any(mark in each.message.lower() for mark in marks)]
    if source.asked.coalesce == "all":
        return tuple(each.commit for each in fresh if _matters(source, each))
    # The newest one stands for all: it counts if any of them does.
    return (fresh[-1].commit,) if any(_matters(source, each) for each in fresh) else ()


def _matters(source: Followed, each: Fresh) -> bool:
    filters = source.asked.paths
    if not filters.include and not filters.exclude:
        return True
    include, exclude = Patterns(filters.include or ("**",), "."), Patterns(filters.exclude, ".")
    return any(include.match(path) and not exclude.match(path) for path in each.paths)
