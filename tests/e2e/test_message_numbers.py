"""Numbers of messages: a standby that lags joins what several senders wrote, and drops what it takes for repeated."""

import time

from harness.rows import some
from harness.schema import simple
from harness.traffic import rows_written, senders
from harness.wait import until

# A standby joins the packs before its first tick that is younger than this.
JOINED_AFTER_S = 10
LIVES, PACKS, ROWS = 3, 3, 20


def test_a_standby_that_lags_takes_no_message_of_a_later_sender_for_a_repetition(scene, harrier):
    """Without senders that begin their numbers at random, all but the first lose their first messages."""
    writer = scene.create(simple("numbered"))
    task = scene.replicate()
    for life in range(LIVES):
        if life:
            scene.api.resume(task)
        for number in range(PACKS):
            first = (life * PACKS + number) * ROWS
            goal = rows_written(harrier, task) + ROWS
            writer.insert(some(writer.schema, range(first, first + ROWS)))
            # One pack each: what lies between two ticks is merged into one message.
            until("the rows to be written", lambda at=goal: rows_written(harrier, task) >= at, 20, interval_s=0.05)
        scene.api.pause(task)
        # It was the only task of the channel: the sender of the next life is another.
        until("the sender to end", lambda: senders(harrier) == 0, 10)
    stopped = time.monotonic()
    until("the standby to lag", lambda: time.monotonic() > stopped + JOINED_AFTER_S + 1, 20)
    scene.api.resume(task)
    scene.wait_equal()
    assert scene.standby_count("numbered") == LIVES * PACKS * ROWS
