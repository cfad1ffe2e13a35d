"""The stand, started once for all suites, and a scene for each test."""

import itertools
import os
import re
from contextlib import ExitStack

import pytest

from harness.extra_standby import ExtraStandby
from harness.scene import Scene
from harness.stand import Stand

# Before the others: a task for every database would otherwise copy all that they wrote.
FIRST = "test_databases"
# After the others: it looks for secrets in everything that was answered and logged until then.
LAST = "test_secrets"

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items):
    modules = {item.module.__name__: None for item in items}
    order = {name: number for number, name in enumerate(modules)}

    def place(item):
        module = item.module.__name__
        # What runs on several logs runs on one after the other, so that each is started once.
        log = item.callspec.params.get("log", "") if hasattr(item, "callspec") else ""
        return module != FIRST, module == LAST, order[module], log

    items.sort(key=place)


@pytest.fixture(scope="session")
def stand(request):
    stand, started = Stand(), False
    try:
        stand.start_servers()
        stand.start_harrier()
        started = True
        yield stand
    finally:
        stand.stop(keep=not started or request.session.testsfailed > 0 or "HARRIER_KEEP" in os.environ)


@pytest.fixture
def harrier(stand):
    """The processes, all running: what an earlier test left dead is started again."""
    healed = stand.harrier.heal()
    if healed:
        print(f"started again, an earlier test left them dead: {healed}")
    return stand.harrier


@pytest.fixture
def scene(stand, harrier, request):
    """A database named after the test."""
    name = re.sub(r"\W", "_", request.node.name.removeprefix("test_"))[:40]
    scene = Scene(stand, f"{name}_{next(_numbers)}")
    yield scene
    scene.end()


@pytest.fixture(scope="module")
def extra_standby(stand, request):
    """Starts further standbys, which end with the module: `extra_standby("name", log="natsmq", settings={...})`.

    A module that wants one keeps it in a module-scoped fixture of its own. Start takes 8 to 20 s and 260 MB."""
    with ExitStack() as standbys:
        def start(name, log="rocksmq", settings=None):
            standby = ExtraStandby(stand.folder, stand.pair.etcd, name, log, settings)
            standbys.callback(standby.stop)
            return standby.start().wait_ready()

        yield start


@pytest.fixture(scope="session")
def two_channels(stand):
    """A standby with two pchannels only: what is replicated there, by whatever task, shares its two senders."""
    standby = ExtraStandby(stand.folder, stand.pair.etcd, "two-channels", settings={"rootCoord.dmlChannelNum": 2})
    standby.start().wait_ready()
    yield standby
    standby.stop()


@pytest.fixture
def scene_on(stand, harrier, request):
    """Makes scenes whose standby, coordinator or source is another one: `scene_on(standby, api, source)`."""
    with ExitStack() as scenes:
        def make(standby, api=None, source=None):
            name = re.sub(r"\W", "_", request.node.name.removeprefix("test_"))[:40]
            scene = Scene(stand, f"{name}_{next(_numbers)}", standby, api, source)
            scenes.callback(scene.end)
            return scene

        yield make


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of Harrier's logs."""
    outcome = yield
    report = outcome.get_result()
    used = getattr(item, "funcargs", {})
    stand = used.get("log_stand") or used.get("stand")
    if report.failed and stand is not None:
        report.sections.append(("Harrier's logs", stand.log_tails()))
