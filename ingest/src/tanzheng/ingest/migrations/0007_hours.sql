-- Hours for analytics to fill, which hours are to be computed anew, corrections, and the audit log.

-- An hour that is computed again is a new row: the last by computed_at counts.
CREATE TABLE hour (
    point_id        integer NOT NULL REFERENCES point,
    hour            timestamptz NOT NULL CHECK (hour = date_trunc('hour', hour, 'UTC')),
    value           numeric,            -- null: no value could be had
    quality         smallint NOT NULL,
    readings        integer NOT NULL CHECK (readings >= 0),
    computed_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    software        text NOT NULL,
    PRIMARY KEY (point_id, hour, computed_at)
);
CREATE INDEX hour_hour ON hour USING brin (hour);

-- Hours whose readings, gaps or corrections changed: half-open, one row a run of hours that came
-- together. Marked in the transaction that brings the change. Who computes an hour reads `mark`
-- first and deletes the row with that mark only: what was marked again meanwhile stays.
CREATE SEQUENCE dirty_mark;
CREATE TABLE dirty_hour (
    gw              text NOT NULL REFERENCES gateway,
    from_ms         bigint NOT NULL,
    to_ms           bigint NOT NULL CHECK (to_ms > from_ms),
    mark            bigint NOT NULL DEFAULT nextval('dirty_mark'),
    PRIMARY KEY (gw, from_ms, to_ms)
);

-- To whole hours; the same run marked again gets a new mark.
CREATE FUNCTION mark_dirty(gateway text, from_ms bigint, to_ms bigint) RETURNS void LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO dirty_hour AS d (gw, from_ms, to_ms)
    VALUES (gateway, from_ms - from_ms % 3600000,
            to_ms + (3600000 - to_ms % 3600000) % 3600000)
    ON CONFLICT (gw, from_ms, to_ms) DO UPDATE SET mark = nextval('dirty_mark');
END;

-- A correction says what a point shall have in [from_ms, to_ms) instead, who says so, and why. The
-- readings stay; a later correction of the same time is a new row, too.
CREATE TABLE correction (
    correction_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    point_id        integer NOT NULL REFERENCES point,
    from_ms         bigint NOT NULL CHECK (from_ms >= 0),
    to_ms           bigint NOT NULL CHECK (to_ms > from_ms),
    value           numeric,            -- null: there is none to be had
    quality         smallint NOT NULL,
    reason          text NOT NULL CHECK (reason <> ''),
    author          text NOT NULL CHECK (author <> ''),
    made_at         timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX correction_point ON correction (point_id, from_ms);

CREATE FUNCTION correction_marks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM mark_dirty(gw, NEW.from_ms, NEW.to_ms) FROM point WHERE point_id = NEW.point_id;
    RETURN NULL;
END $$;
CREATE TRIGGER correction_marks AFTER INSERT ON correction
    FOR EACH ROW EXECUTE FUNCTION correction_marks();

-- Who did what to this database. `digest` is SHA-256 over the digest before (32 zero bytes at
-- first) and the text of `entry` in UTF-8. One at a time: the number has no holes.
CREATE TABLE audit_log (
    number          bigint PRIMARY KEY,
    entry           text NOT NULL,      -- canonical JSON: action, actor, at, detail
    prev            bytea NOT NULL CHECK (length(prev) = 32),
    digest          bytea NOT NULL UNIQUE CHECK (length(digest) = 32)
);

CREATE FUNCTION audit_log_chain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('tanzheng audit log'));
    SELECT number, digest INTO NEW.number, NEW.prev FROM audit_log ORDER BY number DESC LIMIT 1;
    NEW.number := coalesce(NEW.number, 0) + 1;
    NEW.prev := coalesce(NEW.prev, decode(repeat('00', 32), 'hex'));
    NEW.digest := sha256(NEW.prev || convert_to(NEW.entry, 'UTF8'));
    RETURN NEW;
END $$;
CREATE TRIGGER audit_log_chain BEFORE INSERT ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_chain();

CREATE TRIGGER hour_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON hour
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER correction_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON correction
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_log_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
