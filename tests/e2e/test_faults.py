"""`make chaos` in short: every kind of fault once, on three coordinators and three workers, with a fixed seed."""

import pytest

from chaos.group.arena import STANDBY_SETTINGS, Arena
from chaos.group.campaign import Campaign

SEED = "11"


@pytest.fixture(scope="module")
def standby(extra_standby):
    return extra_standby("faults", log="natsmq", settings=STANDBY_SETTINGS)


def test_every_kind_of_fault_once(stand, harrier, standby):
    arena = Arena(stand.folder / "faults", stand.pair, standby, "faults")
    campaign = None
    try:
        arena.start()
        campaign = Campaign(arena, SEED, longest=False)
        campaign.every_kind_once()
        assert (campaign.lost, campaign.doubled) == (0, 0)
        # A coordinator that wakes closes no connection because of the calls that were given up meanwhile.
        assert not any(b"streams reached limit" in member.process.log.read_bytes() for member in arena.group.members)
    finally:
        if campaign is not None:
            print("\n".join(campaign.table.lines()))
            campaign.close()
        arena.stop()
