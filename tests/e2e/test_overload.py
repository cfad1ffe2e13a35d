"""A standby that is far too slow, but works: everything gets there, and nothing twice."""

from harness.large_rows import large, write_large
from harness.rows import some
from harness.schema import simple
from harness.stutter import Stutter
from harness.traffic import rows_written
from harness.wait import until

# It stands still for longer than a lease, and what it does then has to be done in the rest.
STOPPED_S, RUNS_S = 2.3, 0.3
# So often rows are written when a standstill begins.
TURNS = 5
MEGABYTES, SMALL_ROWS = 4, 500
TIMEOUT_S = 60


def test_a_standby_that_mostly_stands_still_gets_everything(stand, harrier, scene):
    """Every call that began shortly before a standstill missed its deadline; what was sent again after it did, too."""
    vectors, small = scene.create(large("vectors")), scene.create(simple("small"), shards=2)
    # First of all they are there and loaded: it is the rows that are to be slow.
    task = scene.replicate()
    scene.comparison().wait_readable()
    before, rows = rows_written(harrier, task), 0
    with Stutter(stand.pair.standby.process, STOPPED_S, RUNS_S) as stutter:
        for turn in range(TURNS):
            rows += write_large(vectors, MEGABYTES, first_key=rows)
            small.insert(some(small.schema, range(turn * SMALL_ROWS, (turn + 1) * SMALL_ROWS)))
            until("the next standstill", lambda next_turn=turn: stutter.turns > next_turn, 10, interval_s=0.02)
        small.delete_keys(list(range(0, TURNS * SMALL_ROWS, 10)))
        goal = before + rows + TURNS * SMALL_ROWS
        until("all rows to be acknowledged", lambda: rows_written(harrier, task) >= goal, TIMEOUT_S)
    scene.wait_equal()
