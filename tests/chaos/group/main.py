"""The whole campaign: the exit code says whether both servers were equal whenever they were compared."""

import signal
import traceback

from harness.console import say
from harness.process import Died

from .arena import Arena
from .campaign import Campaign
from .servers import Servers
from .settings import Settings


def main() -> int:
    settings = Settings()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    servers, arena, campaign, verdict = Servers("chaos"), None, None, 1
    try:
        servers.start()
        say("starting three coordinators and three workers")
        arena = Arena(servers.folder, servers.pair, servers.standby, "chaos").start(small_disks=True)
        campaign = Campaign(arena, settings.seed)
        campaign.run(settings.rounds, settings.batch)
        verdict = 0
    except KeyboardInterrupt:
        say("ended early")
    except (AssertionError, Died):
        traceback.print_exc(limit=-4)
        print(f"FAILED with SEED={settings.seed}; logs and data: {servers.folder}", flush=True)
    finally:
        if campaign is not None:
            report(campaign, settings)
        if arena is not None:
            arena.stop()
        servers.stop(keep=verdict != 0)
    return verdict


def report(campaign: Campaign, settings: Settings) -> None:
    """The table, and the last line."""
    print(f"SEED={settings.seed}")
    for line in campaign.table.lines():
        print(line)
    if campaign.zombies:
        print(f"as many rows on both sides within {max(campaign.zombies):.1f} s of a zombie's waking, "
              f"{len(campaign.zombies)} times")
    print(f"{campaign.table.count()} rounds, {campaign.rows} rows written, {campaign.lost} rows lost, "
          f"{campaign.doubled} rows doubled", flush=True)

