"""What a run has to do."""

import os

from .lean import Document

DEFAULT_LOG_LIMIT = 64 << 20  # bytes


class Job:
    """What run.json asks for; unknown fields are ignored."""

    def __init__(self, document: Document, environment: dict[str, str], workspace: str) -> None:
        self.run: str = document["run"]
        self.title = f"job #{document['job']} attempt {document['attempt']}"
        self.prepare: list[list[str]] = document.get("prepare") or []
        command: list[str] | str = document["command"]
        self.command = ["/bin/sh", "-c", command] if isinstance(command, str) else command
        self.timeout: float | None = document.get("timeout")
        self.silence_timeout: float | None = document.get("silence_timeout")
        grace: float | None = document.get("grace")
        self.grace = 10.0 if grace is None else float(grace)
        self.needs_lease = document.get("on_lost_lease") == "stop"
        self.artifacts: list[str] = document.get("artifacts") or []
        self.artifact_limit: int | None = document.get("artifact_limit")
        self.log_limit: int = document.get("log_limit") or DEFAULT_LOG_LIMIT
        names: list[str] = document.get("secrets") or []
        self.env = environment | (document.get("env") or {})
        self.env |= {"BNET_RUN": self.run, "BNET_JOB": str(document["job"])}
        self.env |= {"BNET_ATTEMPT": str(document["attempt"]), "BNET_WORKSPACE": workspace}
        held = [source[name] for source in (environment, self.env) for name in names if name in source]
        self.secrets = [os.fsencode(value.strip()) for value in held]  # `echo` adds or drops newlines
        if not all([self.command, *self.prepare]):
            raise ValueError("run.json has an empty command")
