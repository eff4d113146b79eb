"""`environments.yaml`: read, and checked as a whole."""

from bnet.codec import people
from bnet.model.environment import Environments


def read_environments(text: bytes, file: str) -> Environments:
    """Return the environments that a file declares.

    Raises:
        Invalid: something in it is wrong; the message names line and field.
    """
    parsed = people.parse(text, file)
    found = people.read(parsed, Environments, {} if parsed.data is None else parsed.data)
    seen: set[str] = set()
    for index, each in enumerate(found.environments):
        at = ("environments", index)
        if each.name in seen:
            raise parsed.invalid(f"{each.name} stands here twice", (*at, "name"))
        seen.add(each.name)
        people_named = [name for name in each.approvers if not name.startswith("*")]
        if len(set(each.approvers)) < len(each.approvers):
            raise parsed.invalid("names somebody twice", (*at, "approvers"))
        if len(people_named) == len(each.approvers) and 0 < len(people_named) < each.approvals:
            message = f"asks for {each.approvals} approvals, and only {len(people_named)} may give one"
            raise parsed.invalid(message, (*at, "approvals"))
        if each.approvers and not each.approvals:
            raise parsed.invalid(
                "names who may approve, and asks for no approval; add approvals: 1", (*at, "approvers")
            )
    return found
