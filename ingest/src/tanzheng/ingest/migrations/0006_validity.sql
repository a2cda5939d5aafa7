-- Who measured what with which device, and when: from plant files, by `tanzheng ingest plant load`.
-- A thing has one row with its name, and one row a time in which it was thus: half-open ranges that
-- do not overlap. A range may be closed once; nothing else of it ever changes, so a meter swap does
-- not rewrite the past. Equality of integers as overlap of ranges: no btree_gist is needed.

CREATE TABLE enterprise (
    enterprise_id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    enterprise      text NOT NULL UNIQUE
);

CREATE TABLE plant (
    plant_id        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plant           text NOT NULL UNIQUE,
    enterprise_id   integer NOT NULL REFERENCES enterprise
);

-- `division`: administrative division by GB/T 2260, of which the first two digits are the province,
-- the first four the city. `file_sha256`: over the raw bytes of the plant file.
CREATE TABLE plant_version (
    plant_id        integer NOT NULL REFERENCES plant,
    valid           tstzrange NOT NULL CHECK (NOT isempty(valid) AND lower_inc(valid)),
    name            text NOT NULL,
    name_zh         text NOT NULL,
    division        text NOT NULL CHECK (division ~ '^[1-9][0-9]{5}$'),
    city            text NOT NULL GENERATED ALWAYS AS (left(division, 4) || '00') STORED,
    province        text NOT NULL GENERATED ALWAYS AS (left(division, 2) || '0000') STORED,
    file_sha256     bytea NOT NULL CHECK (length(file_sha256) = 32),
    EXCLUDE USING gist (int4range(plant_id, plant_id, '[]') WITH &&, valid WITH &&)
);

CREATE TABLE unit (
    unit_id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plant_id        integer NOT NULL REFERENCES plant,
    unit            text NOT NULL,
    UNIQUE (plant_id, unit)
);

CREATE TABLE unit_version (
    unit_id         integer NOT NULL REFERENCES unit,
    valid           tstzrange NOT NULL CHECK (NOT isempty(valid) AND lower_inc(valid)),
    kind            text NOT NULL,
    rated_capacity_mw numeric NOT NULL CHECK (rated_capacity_mw > 0),
    rated_capacity_source text NOT NULL,
    EXCLUDE USING gist (int4range(unit_id, unit_id, '[]') WITH &&, valid WITH &&)
);

CREATE TABLE device (
    device_id       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plant_id        integer NOT NULL REFERENCES plant,
    device          text NOT NULL,
    UNIQUE (plant_id, device)
);

CREATE TABLE device_version (
    device_id       integer NOT NULL REFERENCES device,
    valid           tstzrange NOT NULL CHECK (NOT isempty(valid) AND lower_inc(valid)),
    gw              text NOT NULL REFERENCES gateway,
    profile         text NOT NULL,
    serial          text NOT NULL,      -- on its plate; empty: none filed
    EXCLUDE USING gist (int4range(device_id, device_id, '[]') WITH &&, valid WITH &&)
);

CREATE TABLE point_assignment (
    point_id        integer NOT NULL REFERENCES point,
    valid           tstzrange NOT NULL CHECK (NOT isempty(valid) AND lower_inc(valid)),
    device_id       integer NOT NULL REFERENCES device,
    unit_id         integer NOT NULL REFERENCES unit,
    role            text NOT NULL,      -- empty: recorded only
    interval_ms     integer NOT NULL CHECK (interval_ms > 0),
    EXCLUDE USING gist (int4range(point_id, point_id, '[]') WITH &&, valid WITH &&)
);
CREATE INDEX point_assignment_unit ON point_assignment (unit_id);

-- Null: no plant file of it was loaded. A gateway stays with its plant.
SET LOCAL lock_timeout = '5s';
ALTER TABLE gateway ADD COLUMN plant_id integer REFERENCES plant;
CREATE INDEX gateway_plant ON gateway (plant_id);

CREATE FUNCTION only_closes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    free text[] := ARRAY['valid', 'city', 'province'];  -- the last two are generated after this
BEGIN
    IF upper_inf(OLD.valid) AND NOT upper_inf(NEW.valid) AND lower(NEW.valid) = lower(OLD.valid)
       AND to_jsonb(NEW) - free = to_jsonb(OLD) - free THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the table % only grows: an open range may be closed, nothing else',
        TG_TABLE_NAME;
END $$;

DO $$
DECLARE
    versions text;
BEGIN
    FOREACH versions IN ARRAY
        ARRAY['plant_version', 'unit_version', 'device_version', 'point_assignment'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE ON %I FOR EACH ROW
            EXECUTE FUNCTION only_closes()', versions || '_only_closes', versions);
        EXECUTE format('CREATE TRIGGER %I BEFORE DELETE OR TRUNCATE ON %I FOR EACH STATEMENT
            EXECUTE FUNCTION refuse_change()', versions || '_only_grows', versions);
    END LOOP;
END $$;
