"""`harrier verify` sees what the tests' own comparison sees, and more: it also compares while somebody writes."""

import itertools

from harness.background import Background
from harness.compare import Name
from harness.late_call import LateCall
from harness.rows import some
from harness.schema import Type, field, schema, simple
from harness.verify import verify

EQUAL, DIFFERENT, INCOMPLETE = 0, 1, 2


def test_it_agrees_with_the_comparison_also_while_somebody_writes(scene):
    plain = scene.create(simple("plain"), shards=2)
    plain.add_partition("second")
    plain.insert(some(plain.schema, range(3000)))
    plain.insert(some(plain.schema, range(3000, 3200)), "second")
    plain.delete_keys(list(range(100)))
    texts = scene.create(schema(
        "texts", field("id", Type.VarChar, primary=True, max_length=64), field("vector", Type.FloatVector, dim=8),
        field("list", Type.Array, element=Type.Int32, max_capacity=4), field("json", Type.JSON), dynamic=True))
    texts.insert(some(texts.schema, range(200)))
    task = scene.replicate()
    scene.wait_equal()
    result = verify(scene, task)
    assert result.code == EQUAL, result.text
    assert "equal: 2 collections, 3300 rows" in result.text, result.text

    numbers = itertools.count(1)

    def write():
        number = next(numbers)
        # The same keys over and over, new ones, and fewer of the old ones.
        plain.upsert(some(plain.schema, range(200, 260), salt=number))
        plain.insert(some(plain.schema, range(10_000 + 20 * number, 10_020 + 20 * number)))
        plain.delete_keys(list(range(300 + 5 * number, 305 + 5 * number)))

    writing = Background(write, pause_s=0.05)
    writing.start()
    try:
        writing.wait_steps(3)
        busy = verify(scene, task)
    finally:
        writing.stop()
    # A row that changes all the time may stay open; none may be taken for a difference.
    assert busy.code in (EQUAL, INCOMPLETE) and "different" not in busy.text, busy.text


def test_it_finds_what_was_made_on_purpose(scene):
    writer = scene.create(simple("spoilt"))
    rows = some(writer.schema, range(500))
    writer.insert(rows)
    task = scene.replicate()
    scene.wait_equal()
    changed = {**rows[7], "id": 700_001}
    LateCall(scene.standby, scene.database, writer.schema, [changed]).make()
    found = scene.comparison()

    def differences():
        return "\n".join(found.differences(scene.source.timestamp()))

    result = verify(scene, task)
    assert result.code == DIFFERENT, result.text
    assert "at the target only: key 700001 in partition _default" in result.text, result.text
    assert "at the standby only: key 700001 in partition _default" in differences()

    # A row that is there twice shows in no query.
    LateCall(scene.standby, scene.database, writer.schema, [rows[9]]).make()
    result = verify(scene, task)
    assert result.code == DIFFERENT and "key 9 is there 2 times at the target, 1 times at the source" in result.text, \
        result.text
    assert "rows are doubled" in differences()

    scene.standby.release(scene.database, "spoilt")
    result = verify(scene, task)
    assert result.code == INCOMPLETE and "it is not loaded at the target" in result.text, result.text


def test_it_says_what_it_cannot_compare(scene):
    other = Name(scene.database, "elsewhere")
    scene.standby.create_database(scene.database)
    scene.standby.create_collection(scene.database, simple(other.collection, dim=16))
    scene.standby.tick(scene.database, other.collection)
    scene.create(simple(other.collection))
    task = scene.replicate()
    result = verify(scene, task)
    assert result.code == DIFFERENT and f"{other}: missing at the target" in result.text, result.text
    unknown = verify(scene, "absent")
    assert unknown.code == INCOMPLETE and "not found the task, task_id: absent" in unknown.text, unknown.text
