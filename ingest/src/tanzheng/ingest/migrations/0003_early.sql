-- Batches may be stored ahead of their chain's head: after an outage the newest comes first. So the
-- head is no longer the last row of `batch`: each gateway's row says where its gapless chain ends.

ALTER TABLE gateway
    ADD COLUMN head_epoch   bigint,     -- all three null: nothing stored yet
    ADD COLUMN head_seq     bigint,
    ADD COLUMN head_digest  bytea CHECK (length(head_digest) = 32),
    ADD CHECK (num_nulls(head_epoch, head_seq, head_digest) IN (0, 3));

UPDATE gateway SET (head_epoch, head_seq, head_digest) = (
    SELECT epoch, seq, digest FROM batch WHERE batch.gw = gateway.gw
    ORDER BY epoch DESC, seq DESC LIMIT 1
);

-- What is stored and waits for batches before it. Its readings are there for a live view; a month
-- is closed on the chain alone.
CREATE VIEW early_batch AS
    SELECT b.gw, b.batch_id, b.epoch, b.seq, b.digest, b.first_ms, b.last_ms, b.readings,
           octet_length(b.raw) AS raw_bytes, b.received_at
    FROM batch b JOIN gateway g ON g.gw = b.gw AND b.epoch = g.head_epoch AND b.seq > g.head_seq;

COMMENT ON COLUMN quarantine.raw IS
    'as it arrived; of a batch that was stored early and then stranded, the signed bytes';
