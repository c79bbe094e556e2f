"""How much of everything the intake takes: one place to read, one place to change."""

MAX_BODY_BYTES = 5_000_000  # of a request, single event or batch
MAX_BATCH = 1_000  # events in one request

# Characters, as the columns behind them.
MAX_TYPE = 128
MAX_CONSUMER = 128
MAX_TEXT = 255  # source, subject, ordering key, idempotency key, dataschema, CloudEvents id

MAX_EXTENSIONS = 20  # CloudEvents attributes of the producer's own
MAX_EXTENSION_NAME = 20  # CloudEvents 1.0.2, "Naming conventions"
MAX_EXTENSION_VALUE = 1_024

MAX_FAULTS = 100  # told in one answer
