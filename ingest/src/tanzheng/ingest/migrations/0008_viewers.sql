-- Who may see what: an enterprise its own, a city and a province what lies in it, the nation all.
--
-- A viewer logs in as a role of its own; the table `viewer`, which it can neither read nor write,
-- says what it sees. The door is the schema `seen`: one security_barrier view a table, filtered by
-- current_user. Viewers have no right on any table: TimescaleDB hands a hypertable's grants on to
-- its chunks, but not its policies, and refuses policies beside compression. Row-level security on
-- the tables is the second wall, for the day somebody grants one by mistake.

DO $$
DECLARE
    scope text;
BEGIN
    FOREACH scope IN ARRAY ARRAY['enterprise', 'city', 'province', 'national'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', 'tanzheng_' || scope);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;                       -- of another database of this server
        END;
    END LOOP;
END $$;

-- `code`: enterprise, city or province (GB/T 2260, six digits); empty for the nation.
CREATE TABLE viewer (
    login           text PRIMARY KEY CHECK (login ~ '^[a-z][a-z0-9_]{0,62}$'),
    scope           text NOT NULL CHECK (scope IN ('enterprise', 'city', 'province', 'national')),
    code            text NOT NULL CHECK ((code = '') = (scope = 'national')),
    added_at        timestamptz NOT NULL DEFAULT now()
);

-- SECURITY DEFINER: they read what the viewer may not. session_user is who logged in, whatever role
-- it has set; it gets answers for itself and for roles that it is a member of, as a portal may be.
CREATE FUNCTION sees_all(who text) RETURNS boolean STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp LANGUAGE sql AS $$
    SELECT EXISTS (SELECT FROM viewer WHERE login = who AND scope = 'national')
           AND pg_has_role(session_user, who::name, 'MEMBER') $$;

CREATE FUNCTION seen_plants(who text) RETURNS SETOF integer STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp LANGUAGE sql AS $$
    SELECT p.plant_id FROM viewer w CROSS JOIN plant p JOIN enterprise e USING (enterprise_id)
    JOIN plant_version v ON v.plant_id = p.plant_id AND upper_inf(v.valid)
    WHERE w.login = who AND pg_has_role(session_user, who::name, 'MEMBER')
      AND CASE w.scope WHEN 'enterprise' THEN e.enterprise = w.code
                       WHEN 'city' THEN v.city = w.code
                       WHEN 'province' THEN v.province = w.code
                       ELSE true END $$;

CREATE FUNCTION seen_enterprises(who text) RETURNS SETOF integer STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp LANGUAGE sql AS $$
    SELECT enterprise_id FROM plant WHERE plant_id IN (SELECT seen_plants(who)) $$;

CREATE FUNCTION seen_units(who text) RETURNS SETOF integer STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp LANGUAGE sql AS $$
    SELECT unit_id FROM unit WHERE plant_id IN (SELECT seen_plants(who)) $$;

CREATE FUNCTION seen_devices(who text) RETURNS SETOF integer STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp LANGUAGE sql AS $$
    SELECT device_id FROM device WHERE plant_id IN (SELECT seen_plants(who)) $$;

CREATE FUNCTION seen_gateways(who text) RETURNS SETOF text STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp LANGUAGE sql AS $$
    SELECT gw FROM gateway WHERE plant_id IN (SELECT seen_plants(who)) $$;

-- Ranges, because a set would be made anew for each day of `reading`; this is made once a query, and
-- searched by halves. Points of a gateway have numbers in a row mostly.
CREATE FUNCTION seen_points(who text) RETURNS int4multirange STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp LANGUAGE sql AS $$
    SELECT CASE WHEN sees_all(who) THEN '{(,)}' ELSE (
        SELECT coalesce(range_agg(int4range(point_id, point_id, '[]')), '{}')
        FROM point WHERE gw IN (SELECT seen_gateways(who))) END $$;

CREATE SCHEMA seen;

-- In: a table, the column and the function that decide which of its rows are seen.
DO $$
DECLARE
    guarded text[];
    condition text;
    compressible boolean := coalesce(current_setting('timescaledb.license', true) = 'timescale', false);
BEGIN
    SET LOCAL lock_timeout = '5s';
    FOREACH guarded SLICE 1 IN ARRAY ARRAY[
        ['enterprise', 'enterprise_id', 'seen_enterprises'],
        ['plant', 'plant_id', 'seen_plants'], ['plant_version', 'plant_id', 'seen_plants'],
        ['unit', 'unit_id', 'seen_units'], ['unit_version', 'unit_id', 'seen_units'],
        ['device', 'device_id', 'seen_devices'], ['device_version', 'device_id', 'seen_devices'],
        ['point_assignment', 'point_id', 'seen_points'], ['gateway', 'gw', 'seen_gateways'],
        ['point', 'point_id', 'seen_points'], ['batch', 'gw', 'seen_gateways'],
        ['gap', 'gw', 'seen_gateways'], ['event', 'gw', 'seen_gateways'],
        ['quarantine', 'gw', 'seen_gateways'], ['enrolment', 'gw', 'seen_gateways'],
        ['reading', 'point_id', 'seen_points'], ['hour', 'point_id', 'seen_points'],
        ['dirty_hour', 'gw', 'seen_gateways'], ['correction', 'point_id', 'seen_points']
    ] LOOP
        condition := format(
            CASE guarded[2] WHEN 'point_id' THEN '(SELECT %2$I(current_user)) @> %1$I'
            ELSE '(SELECT sees_all(current_user)) OR %1$I IN (SELECT %2$I(current_user))' END,
            guarded[2], guarded[3]);
        EXECUTE format('CREATE VIEW seen.%I WITH (security_barrier) AS SELECT * FROM %I WHERE %s',
                       guarded[1], guarded[1], condition);
        IF guarded[1] <> 'reading' OR NOT compressible THEN
            EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded[1]);
            EXECUTE format('CREATE POLICY seen ON %I FOR SELECT USING (%s)', guarded[1], condition);
        END IF;
    END LOOP;
END $$;

ALTER TABLE viewer ENABLE ROW LEVEL SECURITY;       -- no policy: nobody but the owner
ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY;
ALTER VIEW early_batch SET (security_invoker);

GRANT USAGE ON SCHEMA seen
    TO tanzheng_enterprise, tanzheng_city, tanzheng_province, tanzheng_national;
GRANT SELECT ON ALL TABLES IN SCHEMA seen
    TO tanzheng_enterprise, tanzheng_city, tanzheng_province, tanzheng_national;
REVOKE EXECUTE ON FUNCTION ensure_reading_day, reading_days, mark_dirty FROM PUBLIC;
