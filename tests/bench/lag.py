"""How much later than at the source a moment is visible at the standby."""

import threading
import time

from harness.rows import some
from harness.rpc import Rpc
from harness.writer import Writer

SAMPLES = 100


def added_lag_ms(source: Rpc, standby: Rpc, writer: Writer) -> list[float]:
    """For many moments: the time from "a query at the source has seen it" to "one at the standby has".

    Both answer as soon as their tick has reached the moment, so the source's own tick is taken out."""
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            writer.upsert(some(writer.schema, [number % 100], salt=number))
            number += 1
            stop.wait(0.02)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    found = []
    for _ in range(SAMPLES):
        moment = source.timestamp()
        seen = {}

        def look(name: str, rpc: Rpc, at: int = moment, into: dict = seen) -> None:
            rpc.query(writer.database, writer.name, "id == 0", ["id"], at)
            into[name] = time.monotonic()

        lookers = [threading.Thread(target=look, args=pair) for pair in (("source", source), ("standby", standby))]
        for looker in lookers:
            looker.start()
        for looker in lookers:
            looker.join()
        if len(seen) == 2:
            found.append((seen["standby"] - seen["source"]) * 1000)
    stop.set()
    thread.join()
    return sorted(found)
