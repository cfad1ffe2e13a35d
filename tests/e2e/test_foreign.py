"""Standbys whose log numbers the messages of each pchannel: there it shows when somebody else writes to one."""

import pytest

from harness.rows import some
from harness.schema import simple


@pytest.fixture(scope="module")
def nats_standby(extra_standby):
    return extra_standby("foreign", log="natsmq")


def test_rows_reach_a_standby_on_nats(scene_on, nats_standby):
    scene = scene_on(nats_standby)
    writer = scene.create(simple("plain"), shards=2)
    writer.insert(some(writer.schema, range(100)))
    scene.replicate()
    scene.wait_equal()
