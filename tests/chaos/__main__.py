"""`python3 -m chaos`: the backlog and the campaign of one coordinator, then the group's; `python3 -m chaos group`: that
alone. The exit code says whether both servers were always equal."""

import signal
import sys
import traceback

from harness.console import say
from harness.scene import Scene
from harness.stand import Stand
from harness.wait import until

from .backlog import Backlog
from .campaign import Campaign
from .group.main import main as group_campaign
from .held_tick import HeldTick
from .settings import Settings

MOMENTS_OF_SCENE = 20
DROPPED_TIMEOUT_S = 120


def run(stand: Stand, settings: Settings) -> None:
    stand.start_servers()
    stand.start_harrier()
    if settings.small_inserts or settings.large_megabytes:
        scene = Scene(stand, "backlog")
        Backlog(scene, stand.harrier, settings).run()
        scene.end()
    if settings.held_megabytes:
        scene = Scene(stand, "held_tick")
        HeldTick(scene, stand.harrier, settings).run()
        scene.end()
    for first in range(0, settings.kills, MOMENTS_OF_SCENE):
        play(stand, settings, first, min(MOMENTS_OF_SCENE, settings.kills - first))


def play(stand: Stand, settings: Settings, first: int, moments: int) -> None:
    """With collections of their own, which go in the end: without compaction a standby that is flushed all the time
    collects segments, and takes longer and longer to load them."""
    scene = Scene(stand, f"chaos_{first}")
    campaign = Campaign(scene, stand.harrier, f"{settings.seed}/{first}")
    try:
        campaign.run(moments, settings.batch)
    finally:
        campaign.close()
    for name in scene.names():
        scene.source.release(name.database, name.collection)
        scene.source.drop_collection(name.database, name.collection)
    until("the standby to be empty again", lambda: not scene.standby.collections(scene.database), DROPPED_TIMEOUT_S)
    scene.end()
    print(f"{first + moments} of {settings.kills} moments, 0 lost, 0 doubled", flush=True)


def main() -> int:
    if "group" in sys.argv[1:]:
        return group_campaign()
    return one_coordinator() or group_campaign()


def one_coordinator() -> int:
    settings = Settings()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    stand, verdict = Stand(settings.standby_log), 1
    try:
        run(stand, settings)
        print(f"CHAOS_SEED={settings.seed}: {settings.kills} moments, 0 lost, 0 doubled", flush=True)
        verdict = 0
    except KeyboardInterrupt:
        say("ended early")
    except AssertionError:
        traceback.print_exc(limit=-3)
        print(stand.log_tails(), file=sys.stderr)
        print(f"FAILED with CHAOS_SEED={settings.seed}; servers' logs and data: {stand.folder}", flush=True)
    finally:
        stand.stop(keep=verdict != 0)
    return verdict


if __name__ == "__main__":
    sys.exit(main())
