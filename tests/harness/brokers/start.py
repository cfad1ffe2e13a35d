"""A broker by the name of its kind."""

from pathlib import Path

from ..ports import PortBlock
from .kafka import PORTS as KAFKA_PORTS
from .kafka import Kafka
from .pulsar import PORTS as PULSAR_PORTS
from .pulsar import Pulsar

KINDS = {"pulsar": (Pulsar, PULSAR_PORTS), "kafka": (Kafka, KAFKA_PORTS)}


def start_broker(log: str, folder: Path, ports: PortBlock) -> Pulsar | Kafka | None:
    """Started, not yet ready; None for NATS, which is a part of Milvus."""
    if log not in KINDS:
        return None
    make, count = KINDS[log]
    return make(folder, ports.take(count)).start()
