"""A network between processes of this machine that can be cut and slowed, without root: relays before the servers."""

from .network import Network

__all__ = ["Network"]
