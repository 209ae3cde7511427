"""Three-step workflows by DBOS Transact on SQLite, so many in flight for so many seconds; prints JSON.

usage: dbos_three_steps.py FOLDER IN_FLIGHT SECONDS
"""

import json
import os
import sys
import threading
import time
from importlib.metadata import version

from dbos import DBOS

folder, in_flight, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])


@DBOS.step()
def step(number):
    return {"number": number, "note": "what a step of this kind gives back is mostly as long as this"}


@DBOS.workflow()
def three_steps(customer, order, amount, currency):
    step(1)
    step(2)
    step(3)
    return {"done": True}


def run():
    three_steps("acme-industries-of-springfield", "order-2026-11-21-000042", 1200, "EUR")


def work(end, latencies):
    while time.monotonic() < end:
        start = time.monotonic()
        run()
        latencies.append(time.monotonic() - start)


def main():
    database = os.path.join(os.path.abspath(folder), "dbos.db")
    DBOS(
        config={
            "name": "three-steps",
            "system_database_url": "sqlite:///" + database,
            "log_level": "ERROR",
            "run_admin_server": False,
        }
    )
    DBOS.launch()
    run()
    latencies = []
    start = time.monotonic()
    threads = [
        threading.Thread(target=work, args=(start + seconds, latencies)) for _ in range(in_flight)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.monotonic() - start
    DBOS.destroy()
    json.dump(
        {
            "version": "DBOS Transact %s, Python %s" % (version("dbos"), sys.version.split()[0]),
            "perSecond": len(latencies) / elapsed,
            "latencies": latencies,
        },
        sys.stdout,
    )


main()
