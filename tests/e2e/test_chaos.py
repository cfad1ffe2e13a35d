"""A short campaign of `make chaos`: kills, freezes and pauses at moments that chance chooses."""

import os
import random

from chaos.campaign import Campaign

MOMENTS = 10


def test_ten_moments_of_chance(scene, harrier):
    campaign = Campaign(scene, harrier, os.environ.get("CHAOS_SEED") or str(random.randrange(1_000_000)))
    try:
        campaign.run(MOMENTS, MOMENTS)
    finally:
        campaign.close()
