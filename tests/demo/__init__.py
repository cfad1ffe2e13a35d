"""`make demo`: rows flow from a real source to a real standby, on this machine, where one can watch."""
