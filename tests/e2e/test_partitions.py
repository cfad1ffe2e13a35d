"""Partitions that exist before the task, and those that come later."""

from harness.rows import some
from harness.schema import simple


def test_partitions_before_and_after_the_task(scene):
    writer = scene.create(simple("parted"), shards=2)
    of = writer.schema
    writer.add_partition("before")
    writer.add_partition("empty")
    writer.insert(some(of, range(100)), "before")
    writer.insert(some(of, range(100, 200)))
    scene.replicate()
    writer.insert(some(of, range(200, 300)), "before")
    for name in ("after", "later"):
        writer.add_partition(name)
        # At once: the first rows are on the log before anybody can have seen the partition.
        writer.insert(some(of, range(300, 400)), name)
    # The same keys lie in two partitions, and go from one only.
    writer.delete_keys(list(range(300, 350)), "after")
    writer.delete_keys(list(range(0, 20)), "before")
    writer.upsert(some(of, range(380, 420), salt=1), "later")
    # Without a partition: from all of them.
    writer.delete_keys([390, 391])
    scene.wait_equal()
    writer.add_partition("last")
    writer.insert(some(of, range(500, 600)), "last")
    scene.wait_equal()
