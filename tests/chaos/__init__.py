"""`make chaos`: kills, freezes and pauses at moments that chance chooses, under writes of every kind."""
