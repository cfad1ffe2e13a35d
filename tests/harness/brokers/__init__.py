"""Real Pulsar and Kafka brokers, without containers: installing and starting them."""
