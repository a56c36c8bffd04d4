"""How fast it is here: `make bench`, or `python -m tests.bench` with `--quick` or the names of single benches.

Everything runs on PostgreSQL and Kafka of its own. Nothing asserts a time: machines differ, and drift while they are
looked at. What says something is the ratios, of the real thing to the least that has to be done, taken in turns in one
run. What is asserted is that the work was done: right quantities, nothing lost.

    persistence.py  Kafka to committed rows, against a plain COPY of the same rows
    posts.py        single acknowledged posts, against a handler that only parses and produces (bare_door.py)
    bank_day.py     a day's trades of many portfolios, from the first post to final positions, with memory
    latency.py      one transaction through the idle pipeline
    new_trade.py    one more trade behind histories of several lengths

    records.py      the transactions that are sent
    load.py         the load generator, a process of its own
    system.py       servers, programs and an empty database to run on
    figures.py      medians, tables, and how large each bench is
"""
