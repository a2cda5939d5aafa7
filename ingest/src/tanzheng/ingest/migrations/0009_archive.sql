-- Days (UTC) whose readings lie in archive files alone. Rows of later batches, which came after,
-- are in `reading` as ever.

CREATE TABLE archived_day (
    day             date PRIMARY KEY,
    batch_id_max    bigint NOT NULL,    -- the last batch that has rows in the files
    readings        bigint NOT NULL,
    manifest_sha256 bytea NOT NULL CHECK (length(manifest_sha256) = 32),
    archived_at     timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE archived_day ENABLE ROW LEVEL SECURITY;

CREATE FUNCTION drop_reading_day(day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    start timestamptz := day::timestamp AT TIME ZONE 'UTC';
    part regclass;
BEGIN
    FOR part IN SELECT d.part FROM reading_days() d
                WHERE d.from_t = start AND d.to_t = start + interval '24 hours' LOOP
        EXECUTE format('DROP TABLE %s', part);
        RETURN;
    END LOOP;
    RAISE EXCEPTION 'reading: expected a partition or chunk of exactly %, got none', day;
END $$;
REVOKE EXECUTE ON FUNCTION drop_reading_day FROM PUBLIC;
