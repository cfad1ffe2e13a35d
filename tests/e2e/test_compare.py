"""The comparison finds every kind of difference: all other tests rest on it. It compares the source with itself."""

from harness.compare import Comparison, Name
from harness.rows import some
from harness.schema import simple


def found(scene, left, right):
    source = scene.source
    same = Comparison(source, source, [Name(scene.database, left)], lambda name: Name(name.database, right))
    same.wait_readable()
    return "\n".join(same.differences(source.timestamp()))


def test_the_comparison_sees_differences(scene):
    original = scene.create(simple("original"), shards=2)
    rows = some(original.schema, range(300))
    original.insert(rows)
    original.add_partition("other")

    copies = {}
    for name in ("equal", "missing", "extra", "value", "doubled", "moved", "partition"):
        copies[name] = scene.create(simple(name), shards=2)
        if name != "partition":
            copies[name].add_partition("other")
        copies[name].insert(rows)
    copies["missing"].delete_keys([17])
    copies["extra"].insert(some(original.schema, [301]))
    copies["value"].upsert([{**rows[5], "text": "another"}])
    copies["doubled"].insert([rows[9]])
    copies["moved"].delete_keys([11])
    copies["moved"].insert([rows[11]], "other")

    # All at once: each load takes a second.
    Comparison(scene.source, scene.source, scene.names()).wait_readable()
    assert found(scene, "original", "equal") == ""
    assert "missing at the standby: key 17 in partition _default" in found(scene, "original", "missing")
    assert "at the standby only: key 301" in found(scene, "original", "extra")
    assert "key 5, field text: source" in found(scene, "original", "value")
    assert "rows are doubled" in found(scene, "original", "doubled")
    assert "at the standby only: key 11 in partition other" in found(scene, "original", "moved")
    assert "partitions: source ['_default', 'other'], standby ['_default']" in found(scene, "original", "partition")
