"""A snapshot of a working tree, and how the hub gets it."""

from collections.abc import Sequence

import msgspec

from bnet.codec.addresses import check_address, shown
from bnet.errors import BnetError, HubUnreachable
from bnet.gitstore.repo import Repo
from bnet.gitstore.sources import SNAPSHOTS, on_hub
from bnet.process import TimedOut

PUSH_TIMEOUT = 3600.0  # a stalled one is ended much earlier, by ssh and HTTP themselves (see `repo`)


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A tree as a commit without parents, in a temporary repository.

    Attributes:
        oid: of the commit; the same for the same tree.
        subdirectory: the directory that was asked for, seen from the top of the tree; "" for the top itself.
        files: how many it holds.
        new_files: how many of them differ from the last commit.
        new_bytes: how large those are in the work tree.
        submodules: paths of the nested repositories, of which it holds no files but the id of a commit.
        warnings: what Git had to say, such as a directory that may not be read and so is left out.
        store: the temporary repository; it borrows from the person's what that has already.
    """

    oid: str
    subdirectory: str
    files: int
    new_files: int
    new_bytes: int
    submodules: tuple[str, ...]
    warnings: tuple[str, ...]
    store: Repo

    @property
    def ref(self) -> str:
        """The snapshot's name on a hub."""
        return SNAPSHOTS + self.oid

    def push(self, hub_url: str) -> bool:
        """See to it that the hub has this snapshot, and tell whether it had to be sent.

        Call it again once the job's transaction has landed: a snapshot that the hub has had for long may have
        been deleted just before that. With nothing to send it is one `ls-remote`.

        Raises:
            HubUnreachable: no answer came; it may be tried again.
            BnetError: the hub does not take it.
        """
        check_address(hub_url)
        said = ""
        # First only what the hub lacks is sent; to a hub that does not understand this, all of it.
        for lean in (True, False):
            refs = on_hub(hub_url, [self.ref, "refs/heads/*"], self.store.env)
            if refs.get(self.ref) == self.oid:
                return said != ""
            assumed = self._assume(list(refs.values()) if lean else [])
            said = self._send(hub_url)
            if not said:
                return True
            if not assumed:
                break
        if on_hub(hub_url, [self.ref], self.store.env).get(self.ref) == self.oid:
            return True
        raise BnetError(f"the hub {shown(hub_url)} does not take the snapshot: {shown(said)}")

    def _assume(self, tips: Sequence[str]) -> bool:
        """Make Git leave out what is in the trees of the hub's branches; tell whether we have any of them.

        By itself it does so only for the parents of what is sent, and a snapshot has none; but where a clone
        is shallow, it looks at all the trees. So the temporary repository is made to look like a shallow one
        with these tips (measured: 4 objects are sent instead of 304).
        """
        asked = "".join(f"{oid}\n" for oid in tips).encode()
        told = self.store.git("cat-file", "--batch-check=%(objectname) %(objecttype)", input=asked)
        words = [line.split() for line in told.out.decode().splitlines()]
        ours = sorted({oid for oid, kind in words if kind == "commit"})
        (self.store.git_dir / "shallow").write_text("".join(f"{oid}\n" for oid in ours))
        return bool(ours)

    def _send(self, hub_url: str) -> str:
        """Push, and return what was said if it failed."""
        lease = f"--force-with-lease={self.ref}:"
        refspec = f"{self.oid}:{self.ref}"
        try:
            done = self.store.git("push", "--quiet", lease, "--", hub_url, refspec, timeout=PUSH_TIMEOUT)
        except TimedOut as error:
            raise HubUnreachable(f"the hub {shown(hub_url)} did not take the snapshot: {error}") from None
        return done.complaint if done.code != 0 else ""
