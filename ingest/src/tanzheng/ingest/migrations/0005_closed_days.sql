-- The B-tree (point_id, t) comes to a day when it is closed (`tanzheng ingest maintain`): on an open
-- day it costs two thirds of the COPY. An open day has BRIN (t), which costs nothing to speak of:
-- a query is bounded by the day's rows, and by the hours it asks for where rows come in time order.

-- A live table keeps its index until all closed days have their own; then maintenance drops it. Days
-- that are there already are left alone (ON ONLY); a new one gets BRIN when it is attached. A live
-- hypertable has no ON ONLY: there maintenance makes BRIN chunk by chunk.
DO $$
DECLARE
    native boolean := (SELECT relkind FROM pg_class WHERE oid = 'reading'::regclass) = 'p';
    live boolean := EXISTS (SELECT FROM reading);
BEGIN
    SET LOCAL lock_timeout = '5s';
    IF NOT live THEN
        DROP INDEX reading_point_t;
    END IF;
    IF native THEN
        CREATE INDEX reading_t ON ONLY reading USING brin (t) WITH (autosummarize = on);
    ELSIF NOT live THEN
        CREATE INDEX reading_t ON reading USING brin (t) WITH (autosummarize = on);
    END IF;
END $$;

-- Partitions or chunks of `reading` with the instants they hold, half-open, and the name of the
-- index of their own that a closed one has.
CREATE FUNCTION reading_days(OUT part regclass, OUT from_t timestamptz, OUT to_t timestamptz,
                             OUT index_name text)
RETURNS SETOF record LANGUAGE plpgsql STABLE AS $$
DECLARE
    query text;
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = 'reading'::regclass) = 'p' THEN
        query := $q$
            SELECT c.oid::regclass, bound[1]::timestamptz, bound[2]::timestamptz, c.relname::text
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            CROSS JOIN regexp_match(pg_get_expr(c.relpartbound, c.oid),
                                    $r$FROM \('(.*)'\) TO \('(.*)'\)$r$) AS bound
            WHERE i.inhparent = 'reading'::regclass $q$;
    ELSE
        query := $q$
            SELECT c.oid::regclass, k.range_start, k.range_end, k.chunk_name::text
            FROM timescaledb_information.chunks k
            JOIN pg_namespace n ON n.nspname = k.chunk_schema
            JOIN pg_class c ON c.relname = k.chunk_name AND c.relnamespace = n.oid
            WHERE k.hypertable_name = 'reading' AND k.hypertable_schema = current_schema() $q$;
    END IF;
    FOR part, from_t, to_t, index_name IN EXECUTE query || ' ORDER BY 2' LOOP
        index_name := index_name || '_point_t';
        RETURN NEXT;
    END LOOP;
END $$;
