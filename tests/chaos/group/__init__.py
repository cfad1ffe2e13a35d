"""Three coordinators and three workers between a source and a standby, and everything that can happen to them."""
