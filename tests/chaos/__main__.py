"""`python3 -m chaos`: the backlog and the campaign of one coordinator, then the group's; `python3 -m chaos group`: that
alone. The exit code says whether both servers were always equal."""

import signal
import sys
import traceback

from harness.console import say
from harness.scene import Scene
from harness.stand import Stand

from .backlog import Backlog
from .campaign import Campaign
from .group.main import main as group_campaign
from .held_tick import HeldTick
from .settings import Settings


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
    if settings.kills:
        campaign = Campaign(Scene(stand, "chaos"), stand.harrier, settings.seed)
        try:
            campaign.run(settings.kills, settings.batch)
        finally:
            campaign.close()


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
