"""Kafka's jars: fetched once for this user, held to the committed lock file at every start.

The lock file is jgo's. It names each jar by coordinates and SHA-256 and says nothing of addresses; where
the jars come from is the business of `maven.py`, and of the first start alone.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from threading import Event

from portfolio.devstack.processes import DevStackError, take_lock
from portfolio.devstack.server import Progress

LOCK = Path(__file__).parents[2] / "deploy" / "kafka" / "jgo.lock.toml"
CACHE_LOCK_WAIT_S = 600.0


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the class path: Maven coordinates, and the content they must have."""

    group: str
    artifact: str
    version: str
    sha256: str

    def within(self, repository: Path) -> Path:
        """Where the jar lies in a folder laid out as Maven lays out its repositories."""
        return repository / self.group.replace(".", "/") / self.artifact / self.version / self.file_name

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def locked() -> list[Jar]:
    """The jars of the lock file, in its order."""
    entries = tomllib.loads(LOCK.read_text())["dependencies"]
    return [Jar(entry["groupId"], entry["artifactId"], entry["version"], entry["sha256"]) for entry in entries]


def lock_digest() -> str:
    """What changes whenever the lock file does."""
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()


def user_cache() -> Path:
    """What is fetched or made once for this user, whatever clone of the project asks for it."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "portfolio-devstack"


def class_path(progress: Progress, given_up: Event) -> list[Path]:
    """Kafka's jars, every one with the content the lock file names, fetched where they are missing.

    Raises DevStackError when one cannot be had or has other content.
    """
    wanted, repository = locked(), user_cache() / "repository"
    with _sentences():
        if any(not jar.within(repository).exists() for jar in wanted):
            user_cache().mkdir(parents=True, exist_ok=True)
            with take_lock(user_cache() / "lock", wait_s=CACHE_LOCK_WAIT_S):
                missing = [jar for jar in wanted if not jar.within(repository).exists()]
                progress(f"fetching Apache Kafka {wanted[0].version} ({len(missing)} files, once)…")
                import_module("portfolio.devstack.maven").fetch(missing, user_cache(), given_up)
        for jar in wanted:
            refuse_changed(jar, jar.within(repository))
    return [jar.within(repository) for jar in wanted]


def refuse_changed(jar: Jar, path: Path) -> None:
    """Raise DevStackError where the file at `path` is not the jar of the lock file."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != jar.sha256:
        raise DevStackError(
            f"{path} is not the file that {LOCK.name} names (its SHA-256 begins {found[:12]}, "
            f"not {jar.sha256[:12]}): delete it and start again"
        )


@contextmanager
def _sentences() -> Iterator[None]:
    """What goes wrong between here and a Maven repository, as one sentence."""
    advice = "or set KAFKA_BOOTSTRAP_SERVERS to a broker of your own"
    try:
        yield
    except ImportError as error:
        raise DevStackError(f"jgo is not installed ({error}): install the extra [devstack], {advice}") from error
    except OSError as error:
        raise DevStackError(
            f"the jars of Apache Kafka cannot be had ({type(error).__name__}): give this machine a way to a Maven "
            f"repository and room in {user_cache()}, {advice}"
        ) from error
