"""A standby that is far too slow, but works: everything gets there, and nothing twice."""

from harness.large_rows import large, write_large
from harness.rows import some
from harness.schema import simple
from harness.stutter import Stutter
from harness.traffic import rows_written
from harness.wait import until

# It stands still for longer than a lease, and what it does then has to be done in the rest.
STOPPED_S, RUNS_S = 2.3, 0.3
MEGABYTES = 8
SMALL_ROWS = 500
TIMEOUT_S = 60


def test_a_standby_that_mostly_stands_still_gets_everything(stand, harrier, scene):
    """Every call that began shortly before a standstill missed its deadline; what was sent again after it did, too."""
    vectors, small = scene.create(large("vectors")), scene.create(simple("small"), shards=2)
    # First of all they are there and loaded: it is the rows that are to be slow.
    task = scene.replicate()
    scene.comparison().wait_readable()
    before = rows_written(harrier, task)
    with Stutter(stand.pair.standby.process, STOPPED_S, RUNS_S) as stutter:
        rows = write_large(vectors, MEGABYTES)
        for number in range(10):
            small.insert(some(small.schema, range(number * SMALL_ROWS, (number + 1) * SMALL_ROWS)))
        small.delete_keys(list(range(0, 10 * SMALL_ROWS, 10)))
        goal = before + rows + 10 * SMALL_ROWS
        until("all rows to be acknowledged", lambda: rows_written(harrier, task) >= goal, TIMEOUT_S)
        assert stutter.turns > 1, "it was over before it began"
    scene.wait_equal()
