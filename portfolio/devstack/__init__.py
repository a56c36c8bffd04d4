"""PostgreSQL 18 and Apache Kafka 4.3 on this machine, with nothing but Python.

Whoever clones the project should see it run before installing anything, and what they see should be the
real thing: the same broker and the same database as in production, not stand-ins that forgive more. So
the servers come from where Python already looks: PostgreSQL and Java from wheels, Kafka's jars from a
Maven repository under a lock file with their SHA-256.

    with DevStack(Path(".devstack/demo")) as stack:
        stack.database_url, stack.kafka_bootstrap_servers

    python -m portfolio.devstack run        the same from a shell, until Ctrl-C
    python -m portfolio.devstack fetch      only what has to come over the network
    python -m portfolio.devstack lock       writes the lock file anew, after a change of version

    stack.py       the two together: one data folder, one owner
    postgres.py    how PostgreSQL is made and run
    kafka.py       how Kafka is made and run, and made to start quickly
    jars.py        Kafka's jars, held to the lock file
    maven.py       the way to a Maven repository, by jgo
    server.py      what the two have in common: start, ready, stop
    processes.py   ports, locks, and finding the processes of a folder
    launch.py      the step between us and a server: its owner's death ends it, and it need not be root

Data is as durable as in production (fsync on, acknowledged records on disk or in the kernel's hands):
kill -9 of either server or of the owner loses nothing that was committed or acknowledged.
"""

from portfolio.devstack.postgres import binaries
from portfolio.devstack.processes import DevStackError
from portfolio.devstack.stack import DevStack, addresses

__all__ = ["DevStack", "DevStackError", "addresses", "binaries"]
