"""How fast a task may go: said while it runs, and kept to."""

import os
import subprocess
import time

from harness.harrier import binary
from harness.rows import some
from harness.schema import simple
from harness.wait import until
from harness.written import written_bytes, written_rows

RATE = 150_000
MEASURED_S = 8


def limit(scene, task, *flags):
    done = subprocess.run([str(binary()), "task", "limit", task, "--api", scene.api.url, *flags], env=os.environ,
                          text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_a_limit_is_kept_to_and_taken_away_while_the_task_runs(scene, harrier):
    writer = scene.create(simple("slow", dim=128), shards=2)
    writer.insert(some(writer.schema, range(10)))
    task = scene.replicate()
    scene.wait_equal()
    assert "no limit, rows per second: no limit" in limit(scene, task)
    assert f"bytes per second: {RATE}, rows" in limit(scene, task, "--bytes-per-second", "150k")
    # Workers hear of it with their next heartbeat.
    time.sleep(1)
    before = written_bytes(harrier, task)
    for start in range(1000, 9000, 1000):
        writer.insert(some(writer.schema, range(start, start + 1000)))
    begin = time.monotonic()
    time.sleep(MEASURED_S)
    rate = (written_bytes(harrier, task) - before) / (time.monotonic() - begin)
    # What was on its way when the clock was stopped, and before it was started.
    assert RATE / 3 < rate < RATE * 1.5, rate

    backlog = scene.api.get(task)["backlog"]
    assert backlog["bytes"] > 500_000 and backlog["messages"] > 0 and backlog["seconds_behind"] >= 2, backlog
    shown = scene.api.raw(b"", "GET", f"/cluster/tasks/{task}").body["data"]
    assert shown["limits"] == {"bytes_per_second": RATE, "rows_per_second": 0}, shown["limits"]

    # Of all tasks of the target together, and by rows; before the other one ends, or all would be there at once.
    assert "rows per second: 400" in limit(scene, task, "--target", "--rows-per-second", "400")
    time.sleep(1)
    limit(scene, task, "--bytes-per-second", "none")
    time.sleep(1)
    # Not asked of the standby: it shows nothing new while it is more than 10 s behind.
    rows = written_rows(harrier, task)
    time.sleep(MEASURED_S)
    written = written_rows(harrier, task) - rows
    assert 0 < written < 400 * MEASURED_S * 1.6, written
    assert "rows per second: no limit" in limit(scene, task, "--target", "--rows-per-second", "none")
    scene.wait_equal()
    until("the backlog to be gone", lambda: scene.api.get(task)["backlog"]["seconds_left"] == 0, 20)


def test_few_calls_at_once_come_from_few_workers(scene_on, harrier, extra_standby):
    """With one call at a time, all channels of a target are written by one worker, and each gets its ticks."""
    scene = scene_on(extra_standby("narrow"))
    writer = scene.create(simple("wide"), shards=8)
    writer.insert(some(writer.schema, range(500)))
    scene.replicate(milvus_connect_param=scene.target(channel_num=1))
    scene.wait_equal()
    writer.upsert(some(writer.schema, range(400, 700), salt=1))
    scene.wait_equal()
    senders = scene.api.raw(b"", "GET", "/cluster").body["data"]["senders"]
    own = [one for one in senders if one["target_pchannel"].startswith("narrow-")]
    assert len(own) == 8 and len({one["owner"] for one in own}) == 1, own
