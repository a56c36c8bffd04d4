"""The way to a Maven repository, by jgo: needed at the first start, and when a version changes.

Which repository that is, is jgo's business: Maven Central, or what the section [repositories] of jgo's
own configuration file says (a key `central` takes its place); proxies and certificates are found as
`requests` finds them.

A fetch asks for exact coordinates only. Resolving happens when the lock is written, so that nothing has
to be decided, or trusted, on the machine that runs it. jgo's own way to an environment is not taken: it
would fetch a second Java to look at the jars.
"""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import jgo
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.env import LockedDependency, LockFile
from jgo.maven import Dependency, MavenContext

from portfolio.devstack.jars import LOCK, Jar, refuse_changed
from portfolio.devstack.processes import DevStackError

# Resolved one by one: named together, jgo lets the second pull the first's clients back to an old version.
ROOTS = (
    "org.apache.kafka:kafka_2.13:4.3.1",
    "org.slf4j:slf4j-simple:1.7.36",  # Kafka brings no logger of its own, and would be silent
)
FETCH_TIMEOUT_S = 20
FETCH_ATTEMPTS = 3
FETCH_THREADS = 4


def fetch(missing: list[Jar], cache: Path, given_up: Event) -> None:
    """Put the missing jars into `cache`/repository.

    Each is checked beside it and moved in whole: what lies there was right once. Raises DevStackError
    for a jar with other content or in no repository, OSError where the network fails.
    """
    incoming = cache / "incoming"
    shutil.rmtree(incoming, ignore_errors=True)
    for outdated in cache.glob("*.aot"):  # made from files of another time, which Java would notice
        outdated.unlink()
    context = MavenContext(
        repo_cache=incoming,
        remote_repos={"central": MAVEN_CENTRAL_URL} | GlobalSettings.load().repositories,
        timeout=FETCH_TIMEOUT_S,
    )

    def fetch_one(jar: Jar) -> None:
        if given_up.is_set():
            raise DevStackError("the fetching of Apache Kafka was given up")
        arrived = _download(jar, context)
        refuse_changed(jar, arrived)
        place = jar.within(cache / "repository")
        place.parent.mkdir(parents=True, exist_ok=True)
        arrived.replace(place)

    pool = ThreadPoolExecutor(FETCH_THREADS)
    try:
        for done in [pool.submit(fetch_one, jar) for jar in missing]:
            done.result()
    finally:
        pool.shutdown(cancel_futures=True)
        shutil.rmtree(incoming, ignore_errors=True)


def write_lock() -> None:
    """Resolve ROOTS anew and write the lock file: for a change of version, by a person, to be reviewed."""
    found: dict[tuple[str, str], LockedDependency] = {}
    for root in ROOTS:
        for artifact in jgo.resolve(root):
            jar = LockedDependency.from_dependency(Dependency(artifact))
            first = found.setdefault((jar.groupId, jar.artifactId), jar)
            if (first.version, first.classifier or "", first.packaging) != (jar.version, "", "jar"):
                raise DevStackError(f"{root} wants {jar}, which {first} does not go with: change ROOTS")
    LockFile(list(found.values())).save(LOCK)


def _download(jar: Jar, context: MavenContext) -> Path:
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    path = jar.within(context.repo_cache)
    for attempts_left in reversed(range(FETCH_ATTEMPTS)):
        try:
            context.resolver.download(artifact)
        except RuntimeError as error:  # jgo's word for a 404
            raise DevStackError(f"{jar.file_name} is in no Maven repository known here: {error}") from error
        except OSError:
            path.unlink(missing_ok=True)
            if not attempts_left:
                raise
        else:
            break
    return path
