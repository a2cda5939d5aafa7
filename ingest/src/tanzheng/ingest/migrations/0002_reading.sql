-- One row per reading: a hypertable with TimescaleDB, else native partitions by UTC day.
-- No unique index: a batch enters as a whole or not at all (batch's key), and a second key on every
-- row costs six times the COPY. `tanzheng ingest audit` names a row that is there twice.

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        CREATE TABLE reading (
            point_id    integer NOT NULL,
            t           timestamptz NOT NULL,
            value       double precision NOT NULL,
            quality     smallint NOT NULL,
            batch_id    bigint NOT NULL
        );
        PERFORM create_hypertable('reading', 't', chunk_time_interval => interval '1 day',
                                  create_default_indexes => false);
    ELSE
        CREATE TABLE reading (
            point_id    integer NOT NULL,
            t           timestamptz NOT NULL,
            value       double precision NOT NULL,
            quality     smallint NOT NULL,
            batch_id    bigint NOT NULL
        ) PARTITION BY RANGE (t);
    END IF;
END $$;

CREATE INDEX reading_point_t ON reading (point_id, t);

-- Makes sure a day's rows have a place; a hypertable sees to it itself. ATTACH, because CREATE TABLE
-- … PARTITION OF would lock out every reader of the whole table.
CREATE FUNCTION ensure_reading_day(day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    part text := 'reading_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = 'reading'::regclass) <> 'p'
       OR to_regclass(part) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('tanzheng reading partitions'));
    IF to_regclass(part) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE reading INCLUDING DEFAULTS)', part);
    EXECUTE format('ALTER TABLE reading ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', part,
                   day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
END $$;
