-- Batches are kept as they arrived, in their zstd frames: a fifth of the signed bytes. What was
-- stored before stays bare; readers tell the two by the first byte (tanzheng.core.wire).
COMMENT ON COLUMN batch.raw IS
    'the COSE_Sign1 as the gateway made it, in the zstd frame in which it came; bare before 0012';

-- A point is never deleted, and nothing enters an hour of a point that it has not looked up: the
-- check of each row cost more than the row.
ALTER TABLE hour DROP CONSTRAINT hour_point_id_fkey;
