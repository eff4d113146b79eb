"""What is done to locks from outside the process that holds them."""

from bnet.app.ledger import Ledger
from bnet.errors import BnetError, Taken
from bnet.model.lock import Lock, Stake
from bnet.rules import locks
from bnet.rules.transaction import Transaction


def release(ledger: Ledger, name: str, token: int | None, who: str) -> None:
    """Give a lock back.

    Raises:
        Taken: it is not held under this token, or without one not once by this person.
    """

    def decide(tx: Transaction) -> None:
        lock, stake = _mine(tx, name, token, who)
        tx.apply(locks.leave(lock, stake))

    ledger.refresh()
    ledger.transact(decide)


def extend(ledger: Ledger, name: str, token: int | None, who: str, seconds: float) -> None:
    """Begin a holding's time anew.

    Raises:
        Taken: as `release`.
        BnetError: its holder gives signs of life, and would give too few of them for a shorter time.
    """

    def decide(tx: Transaction) -> None:
        lock, stake = _mine(tx, name, token, who)
        if stake.beats:
            raise BnetError(
                f"lock {name} is held by a running command, for as long as that runs",
                hint="only what `bnet lock acquire` took can be extended",
            )
        tx.apply(locks.renew(lock, stake, ttl_s=seconds, token=tx.seq))

    ledger.refresh()
    ledger.transact(decide)


def _mine(tx: Transaction, name: str, token: int | None, who: str) -> tuple[Lock, Stake]:
    lock = tx.locks.get(name) or Lock(name=name)
    if token is not None:
        mine = [each for each in lock.holders if each.token == token]
    else:
        mine = [each for each in lock.holders if each.by == who and not each.beats]
    if len(mine) == 1:
        return lock, mine[0]
    held = ", ".join(f"{each.by} (token {each.token})" for each in lock.holders) or "nobody"
    whose = f"token {token}" if token is not None else who
    raise Taken(
        f"lock {name} is not held by {whose}; it is held by {held}",
        hint="" if token is not None else "name the --token that `bnet lock acquire` printed",
    )


def take_away(ledger: Ledger, name: str, token: int | None, who: str, reason: str) -> str:
    """Take a lock away from whoever holds it; return from whom.

    Raises:
        BnetError: nobody holds it so, or several do and no token says which; a job's is ended with the job.
    """
    taken = ""

    def decide(tx: Transaction) -> None:
        nonlocal taken
        lock = tx.locks.get(name) or Lock(name=name)
        found = [each for each in lock.holders if token in (None, each.token)]
        if not found:
            running = [f"#{job.number}" for job in locks.jobs_with(name, tx.jobs.values())]
            hint = f"job {running[0]} has it: `bnet cancel {running[0][1:]}` ends that" if running else ""
            raise BnetError(
                f"nobody holds lock {name}" + (f" under token {token}" if token else ""), hint=hint
            )
        if len(found) > 1:
            listed = ", ".join(f"{each.by} (--token {each.token})" for each in found)
            raise BnetError(f"lock {name} has several holders: {listed}", hint="say which")
        taken = found[0].by
        tx.apply(locks.leave(lock, found[0], "break", reason, who))

    ledger.refresh()
    ledger.transact(decide)
    return taken
