"""The Kafka pipe: message types, the broker's contract, Kafka and an in-memory twin behind it, and the worker loop."""
