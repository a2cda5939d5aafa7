-- The schema of the platform's database on native PostgreSQL, as the migrations leave it.
-- Made by `make schema`. With TimescaleDB `reading` is a hypertable of chunks.
--
-- PostgreSQL database dump
-- Name: seen; Type: SCHEMA; Schema: -
CREATE SCHEMA seen;

-- Name: audit_log_chain(); Type: FUNCTION; Schema: public
CREATE FUNCTION public.audit_log_chain() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('tanzheng audit log'));
    SELECT number, digest INTO NEW.number, NEW.prev FROM audit_log ORDER BY number DESC LIMIT 1;
    NEW.number := coalesce(NEW.number, 0) + 1;
    NEW.prev := coalesce(NEW.prev, decode(repeat('00', 32), 'hex'));
    NEW.digest := sha256(NEW.prev || convert_to(NEW.entry, 'UTF8'));
    RETURN NEW;
END $$;

-- Name: correction_marks(); Type: FUNCTION; Schema: public
CREATE FUNCTION public.correction_marks() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM mark_dirty(gw, NEW.from_ms, NEW.to_ms) FROM point WHERE point_id = NEW.point_id;
    RETURN NULL;
END $$;

-- Name: drop_reading_day(date); Type: FUNCTION; Schema: public
CREATE FUNCTION public.drop_reading_day(day date) RETURNS void
    LANGUAGE plpgsql
    AS $$
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

-- Name: ensure_reading_day(date); Type: FUNCTION; Schema: public
CREATE FUNCTION public.ensure_reading_day(day date) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    part text := 'reading_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = 'reading'::regclass) <> 'p'
       OR to_regclass(part) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('tanzheng reading partitions'));
    IF EXISTS (SELECT FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid
               WHERE i.inhparent = 'reading'::regclass AND c.relname = part) THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE reading INCLUDING DEFAULTS)', part);
    EXECUTE format('ALTER TABLE reading ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', part,
                   day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
END $$;

-- Name: dirty_mark; Type: SEQUENCE; Schema: public
CREATE SEQUENCE public.dirty_mark
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

-- Name: dirty_hour; Type: TABLE; Schema: public
CREATE TABLE public.dirty_hour (
    gw text NOT NULL,
    from_ms bigint NOT NULL,
    to_ms bigint NOT NULL,
    mark bigint DEFAULT nextval('public.dirty_mark'::regclass) NOT NULL,
    CONSTRAINT dirty_hour_check CHECK ((to_ms > from_ms))
);

-- Name: mark_dirty(text, bigint, bigint); Type: FUNCTION; Schema: public
CREATE FUNCTION public.mark_dirty(gateway text, from_ms bigint, to_ms bigint) RETURNS void
    LANGUAGE sql
    BEGIN ATOMIC
 INSERT INTO public.dirty_hour AS d (gw, from_ms, to_ms)
   VALUES (mark_dirty.gateway, (mark_dirty.from_ms - (mark_dirty.from_ms % (3600000)::bigint)), (mark_dirty.to_ms + ((3600000 - (mark_dirty.to_ms % (3600000)::bigint)) % (3600000)::bigint))) ON CONFLICT(gw, from_ms, to_ms) DO UPDATE SET mark = nextval('public.dirty_mark'::regclass);
END;

-- Name: only_closes(); Type: FUNCTION; Schema: public
CREATE FUNCTION public.only_closes() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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

-- Name: reading_days(); Type: FUNCTION; Schema: public
CREATE FUNCTION public.reading_days(OUT part regclass, OUT from_t timestamp with time zone, OUT to_t timestamp with time zone, OUT index_name text) RETURNS SETOF record
    LANGUAGE plpgsql STABLE
    AS $_$
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
END $_$;

-- Name: refuse_change(); Type: FUNCTION; Schema: public
CREATE FUNCTION public.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'the table % only grows', TG_TABLE_NAME;
END $$;

-- Name: seen_devices(text); Type: FUNCTION; Schema: public
CREATE FUNCTION public.seen_devices(who text) RETURNS SETOF integer
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT device_id FROM device WHERE plant_id IN (SELECT seen_plants(who)) $$;

-- Name: seen_enterprises(text); Type: FUNCTION; Schema: public
CREATE FUNCTION public.seen_enterprises(who text) RETURNS SETOF integer
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT enterprise_id FROM plant WHERE plant_id IN (SELECT seen_plants(who)) $$;

-- Name: seen_gateways(text); Type: FUNCTION; Schema: public
CREATE FUNCTION public.seen_gateways(who text) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT gw FROM gateway WHERE plant_id IN (SELECT seen_plants(who)) $$;

-- Name: seen_plants(text); Type: FUNCTION; Schema: public
CREATE FUNCTION public.seen_plants(who text) RETURNS SETOF integer
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT p.plant_id FROM viewer w CROSS JOIN plant p JOIN enterprise e USING (enterprise_id)
    JOIN plant_version v ON v.plant_id = p.plant_id AND upper_inf(v.valid)
    WHERE w.login = who AND pg_has_role(session_user, who::name, 'MEMBER')
      AND CASE w.scope WHEN 'enterprise' THEN e.enterprise = w.code
                       WHEN 'city' THEN v.city = w.code
                       WHEN 'province' THEN v.province = w.code
                       ELSE true END $$;

-- Name: seen_points(text); Type: FUNCTION; Schema: public
CREATE FUNCTION public.seen_points(who text) RETURNS int4multirange
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT CASE WHEN sees_all(who) THEN '{(,)}' ELSE (
        SELECT coalesce(range_agg(int4range(point_id, point_id, '[]')), '{}')
        FROM point WHERE gw IN (SELECT seen_gateways(who))) END $$;

-- Name: seen_units(text); Type: FUNCTION; Schema: public
CREATE FUNCTION public.seen_units(who text) RETURNS SETOF integer
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT unit_id FROM unit WHERE plant_id IN (SELECT seen_plants(who)) $$;

-- Name: sees_all(text); Type: FUNCTION; Schema: public
CREATE FUNCTION public.sees_all(who text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
    SELECT EXISTS (SELECT FROM viewer WHERE login = who AND scope = 'national')
           AND pg_has_role(session_user, who::name, 'MEMBER') $$;

-- Name: archived_day; Type: TABLE; Schema: public
CREATE TABLE public.archived_day (
    day date NOT NULL,
    batch_id_max bigint NOT NULL,
    readings bigint NOT NULL,
    manifest_sha256 bytea NOT NULL,
    archived_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT archived_day_manifest_sha256_check CHECK ((length(manifest_sha256) = 32))
);

-- Name: audit_log; Type: TABLE; Schema: public
CREATE TABLE public.audit_log (
    number bigint NOT NULL,
    entry text NOT NULL,
    prev bytea NOT NULL,
    digest bytea NOT NULL,
    CONSTRAINT audit_log_digest_check CHECK ((length(digest) = 32)),
    CONSTRAINT audit_log_prev_check CHECK ((length(prev) = 32))
);

-- Name: batch; Type: TABLE; Schema: public
CREATE TABLE public.batch (
    batch_id bigint NOT NULL,
    gw text NOT NULL,
    epoch bigint NOT NULL,
    seq bigint NOT NULL,
    digest bytea NOT NULL,
    prev bytea NOT NULL,
    made_ms bigint NOT NULL,
    first_ms bigint,
    last_ms bigint,
    readings integer NOT NULL,
    raw bytea NOT NULL,
    received_at timestamp with time zone NOT NULL,
    CONSTRAINT batch_digest_check CHECK ((length(digest) = 32)),
    CONSTRAINT batch_prev_check CHECK ((length(prev) = 32))
);
ALTER TABLE ONLY public.batch ALTER COLUMN raw SET STORAGE EXTERNAL;

-- Name: COLUMN batch.raw; Type: COMMENT; Schema: public
COMMENT ON COLUMN public.batch.raw IS 'the COSE_Sign1 as the gateway made it, in the zstd frame in which it came; bare before 0012';

-- Name: batch_batch_id_seq; Type: SEQUENCE; Schema: public
ALTER TABLE public.batch ALTER COLUMN batch_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.batch_batch_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: correction; Type: TABLE; Schema: public
CREATE TABLE public.correction (
    correction_id bigint NOT NULL,
    point_id integer NOT NULL,
    from_ms bigint NOT NULL,
    to_ms bigint NOT NULL,
    value numeric,
    quality smallint NOT NULL,
    reason text NOT NULL,
    author text NOT NULL,
    made_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT correction_author_check CHECK ((author <> ''::text)),
    CONSTRAINT correction_check CHECK ((to_ms > from_ms)),
    CONSTRAINT correction_from_ms_check CHECK ((from_ms >= 0)),
    CONSTRAINT correction_reason_check CHECK ((reason <> ''::text))
);

-- Name: correction_correction_id_seq; Type: SEQUENCE; Schema: public
ALTER TABLE public.correction ALTER COLUMN correction_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.correction_correction_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: device; Type: TABLE; Schema: public
CREATE TABLE public.device (
    device_id integer NOT NULL,
    plant_id integer NOT NULL,
    device text NOT NULL
);

-- Name: device_device_id_seq; Type: SEQUENCE; Schema: public
ALTER TABLE public.device ALTER COLUMN device_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.device_device_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: device_version; Type: TABLE; Schema: public
CREATE TABLE public.device_version (
    device_id integer NOT NULL,
    valid tstzrange NOT NULL,
    gw text NOT NULL,
    profile text NOT NULL,
    serial text NOT NULL,
    CONSTRAINT device_version_valid_check CHECK (((NOT isempty(valid)) AND lower_inc(valid)))
);

-- Name: gateway; Type: TABLE; Schema: public
CREATE TABLE public.gateway (
    gw text NOT NULL,
    public_key bytea NOT NULL,
    state text DEFAULT 'active'::text NOT NULL,
    state_reason text DEFAULT ''::text NOT NULL,
    state_since timestamp with time zone DEFAULT now() NOT NULL,
    head_epoch bigint,
    head_seq bigint,
    head_digest bytea,
    opens_epoch bigint,
    plant_id integer,
    CONSTRAINT gateway_check CHECK ((num_nulls(head_epoch, head_seq, head_digest) = ANY (ARRAY[0, 3]))),
    CONSTRAINT gateway_head_digest_check CHECK ((length(head_digest) = 32)),
    CONSTRAINT gateway_public_key_check CHECK ((length(public_key) = 32)),
    CONSTRAINT gateway_state_check CHECK ((state = ANY (ARRAY['active'::text, 'suspended'::text])))
);

-- Name: early_batch; Type: VIEW; Schema: public
CREATE VIEW public.early_batch WITH (security_invoker='true') AS
 SELECT b.gw,
    b.batch_id,
    b.epoch,
    b.seq,
    b.digest,
    b.first_ms,
    b.last_ms,
    b.readings,
    octet_length(b.raw) AS raw_bytes,
    b.received_at
   FROM (public.batch b
     JOIN public.gateway g ON (((g.gw = b.gw) AND (b.epoch = g.head_epoch) AND (b.seq > g.head_seq))));

-- Name: enrolment; Type: TABLE; Schema: public
CREATE TABLE public.enrolment (
    enrolment_id bigint NOT NULL,
    gw text NOT NULL,
    opens_epoch bigint NOT NULL,
    digest bytea NOT NULL,
    raw bytea NOT NULL,
    taken_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT enrolment_digest_check CHECK ((length(digest) = 32)),
    CONSTRAINT enrolment_opens_epoch_check CHECK ((opens_epoch > 1))
);

-- Name: enrolment_enrolment_id_seq; Type: SEQUENCE; Schema: public
ALTER TABLE public.enrolment ALTER COLUMN enrolment_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.enrolment_enrolment_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: enterprise; Type: TABLE; Schema: public
CREATE TABLE public.enterprise (
    enterprise_id integer NOT NULL,
    enterprise text NOT NULL
);

-- Name: enterprise_enterprise_id_seq; Type: SEQUENCE; Schema: public
ALTER TABLE public.enterprise ALTER COLUMN enterprise_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.enterprise_enterprise_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: event; Type: TABLE; Schema: public
CREATE TABLE public.event (
    batch_id bigint NOT NULL,
    gw text NOT NULL,
    t_ms bigint NOT NULL,
    kind text NOT NULL,
    detail json NOT NULL
);

-- Name: gap; Type: TABLE; Schema: public
CREATE TABLE public.gap (
    batch_id bigint NOT NULL,
    gw text NOT NULL,
    point_id integer NOT NULL,
    from_ms bigint NOT NULL,
    to_ms bigint NOT NULL,
    interval_ms bigint NOT NULL,
    reason text NOT NULL,
    CONSTRAINT gap_check CHECK ((to_ms > from_ms)),
    CONSTRAINT gap_interval_ms_check CHECK ((interval_ms > 0))
);

-- Name: hour; Type: TABLE; Schema: public
CREATE TABLE public.hour (
    point_id integer NOT NULL,
    hour timestamp with time zone NOT NULL,
    value numeric,
    quality smallint NOT NULL,
    readings integer NOT NULL,
    computed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    software text NOT NULL,
    valid_ms integer DEFAULT 0 NOT NULL,
    CONSTRAINT hour_hour_check CHECK ((hour = date_trunc('hour'::text, hour, 'UTC'::text))),
    CONSTRAINT hour_readings_check CHECK ((readings >= 0)),
    CONSTRAINT hour_valid_ms_check CHECK (((valid_ms >= 0) AND (valid_ms <= 3600000)))
);

-- Name: plant; Type: TABLE; Schema: public
CREATE TABLE public.plant (
    plant_id integer NOT NULL,
    plant text NOT NULL,
    enterprise_id integer NOT NULL
);

-- Name: plant_plant_id_seq; Type: SEQUENCE; Schema: public
ALTER TABLE public.plant ALTER COLUMN plant_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.plant_plant_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: plant_version; Type: TABLE; Schema: public
CREATE TABLE public.plant_version (
    plant_id integer NOT NULL,
    valid tstzrange NOT NULL,
    name text NOT NULL,
    name_zh text NOT NULL,
    division text NOT NULL,
    city text GENERATED ALWAYS AS (("left"(division, 4) || '00'::text)) STORED NOT NULL,
    province text GENERATED ALWAYS AS (("left"(division, 2) || '0000'::text)) STORED NOT NULL,
    file_sha256 bytea NOT NULL,
    CONSTRAINT plant_version_division_check CHECK ((division ~ '^[1-9][0-9]{5}$'::text)),
    CONSTRAINT plant_version_file_sha256_check CHECK ((length(file_sha256) = 32)),
    CONSTRAINT plant_version_valid_check CHECK (((NOT isempty(valid)) AND lower_inc(valid)))
);

-- Name: point; Type: TABLE; Schema: public
CREATE TABLE public.point (
    point_id integer NOT NULL,
    gw text NOT NULL,
    name text NOT NULL
);

-- Name: point_assignment; Type: TABLE; Schema: public
CREATE TABLE public.point_assignment (
    point_id integer NOT NULL,
    valid tstzrange NOT NULL,
    device_id integer NOT NULL,
    unit_id integer NOT NULL,
    role text NOT NULL,
    interval_ms integer NOT NULL,
    CONSTRAINT point_assignment_interval_ms_check CHECK ((interval_ms > 0)),
    CONSTRAINT point_assignment_valid_check CHECK (((NOT isempty(valid)) AND lower_inc(valid)))
);

-- Name: point_point_id_seq; Type: SEQUENCE; Schema: public
ALTER TABLE public.point ALTER COLUMN point_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.point_point_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: quarantine; Type: TABLE; Schema: public
CREATE TABLE public.quarantine (
    quarantine_id bigint NOT NULL,
    topic text NOT NULL,
    gw text NOT NULL,
    reason_code text NOT NULL,
    detail text NOT NULL,
    digest bytea NOT NULL,
    raw bytea NOT NULL,
    received_at timestamp with time zone NOT NULL,
    seen bigint DEFAULT 1 NOT NULL,
    seen_last_at timestamp with time zone NOT NULL,
    accepted_at timestamp with time zone
);
ALTER TABLE ONLY public.quarantine ALTER COLUMN raw SET STORAGE EXTERNAL;

-- Name: COLUMN quarantine.raw; Type: COMMENT; Schema: public
COMMENT ON COLUMN public.quarantine.raw IS 'as it arrived; of a batch that was stored early and then stranded, the signed bytes';

-- Name: quarantine_quarantine_id_seq; Type: SEQUENCE; Schema: public
ALTER TABLE public.quarantine ALTER COLUMN quarantine_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.quarantine_quarantine_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: reading; Type: TABLE; Schema: public
CREATE TABLE public.reading (
    point_id integer NOT NULL,
    t timestamp with time zone NOT NULL,
    value double precision NOT NULL,
    quality smallint NOT NULL,
    batch_id bigint NOT NULL
)
PARTITION BY RANGE (t);

-- Name: schema_migration; Type: TABLE; Schema: public
CREATE TABLE public.schema_migration (
    name text NOT NULL,
    sha256 bytea NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

-- Name: unit; Type: TABLE; Schema: public
CREATE TABLE public.unit (
    unit_id integer NOT NULL,
    plant_id integer NOT NULL,
    unit text NOT NULL
);

-- Name: unit_unit_id_seq; Type: SEQUENCE; Schema: public
ALTER TABLE public.unit ALTER COLUMN unit_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.unit_unit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

-- Name: unit_version; Type: TABLE; Schema: public
CREATE TABLE public.unit_version (
    unit_id integer NOT NULL,
    valid tstzrange NOT NULL,
    kind text NOT NULL,
    rated_capacity_mw numeric NOT NULL,
    rated_capacity_source text NOT NULL,
    CONSTRAINT unit_version_rated_capacity_mw_check CHECK ((rated_capacity_mw > (0)::numeric)),
    CONSTRAINT unit_version_valid_check CHECK (((NOT isempty(valid)) AND lower_inc(valid)))
);

-- Name: viewer; Type: TABLE; Schema: public
CREATE TABLE public.viewer (
    login text NOT NULL,
    scope text NOT NULL,
    code text NOT NULL,
    added_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT viewer_check CHECK (((code = ''::text) = (scope = 'national'::text))),
    CONSTRAINT viewer_login_check CHECK ((login ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
    CONSTRAINT viewer_scope_check CHECK ((scope = ANY (ARRAY['enterprise'::text, 'city'::text, 'province'::text, 'national'::text])))
);

-- Name: batch; Type: VIEW; Schema: seen
CREATE VIEW seen.batch WITH (security_barrier='true') AS
 SELECT batch_id,
    gw,
    epoch,
    seq,
    digest,
    prev,
    made_ms,
    first_ms,
    last_ms,
    readings,
    raw,
    received_at
   FROM public.batch
  WHERE (( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (gw IN ( SELECT public.seen_gateways((CURRENT_USER)::text) AS seen_gateways)));

-- Name: correction; Type: VIEW; Schema: seen
CREATE VIEW seen.correction WITH (security_barrier='true') AS
 SELECT correction_id,
    point_id,
    from_ms,
    to_ms,
    value,
    quality,
    reason,
    author,
    made_at
   FROM public.correction
  WHERE (( SELECT public.seen_points((CURRENT_USER)::text) AS seen_points) @> point_id);

-- Name: device; Type: VIEW; Schema: seen
CREATE VIEW seen.device WITH (security_barrier='true') AS
 SELECT device_id,
    plant_id,
    device
   FROM public.device
  WHERE (( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (device_id IN ( SELECT public.seen_devices((CURRENT_USER)::text) AS seen_devices)));

-- Name: device_version; Type: VIEW; Schema: seen
CREATE VIEW seen.device_version WITH (security_barrier='true') AS
 SELECT device_id,
    valid,
    gw,
    profile,
    serial
   FROM public.device_version
  WHERE (( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (device_id IN ( SELECT public.seen_devices((CURRENT_USER)::text) AS seen_devices)));

-- Name: dirty_hour; Type: VIEW; Schema: seen
CREATE VIEW seen.dirty_hour WITH (security_barrier='true') AS
 SELECT gw,
    from_ms,
    to_ms,
    mark
   FROM public.dirty_hour
  WHERE (( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (gw IN ( SELECT public.seen_gateways((CURRENT_USER)::text) AS seen_gateways)));

-- Name: enrolment; Type: VIEW; Schema: seen
CREATE VIEW seen.enrolment WITH (security_barrier='true') AS
 SELECT enrolment_id,
    gw,
    opens_epoch,
    digest,
    raw,
    taken_at
   FROM public.enrolment
  WHERE (( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (gw IN ( SELECT public.seen_gateways((CURRENT_USER)::text) AS seen_gateways)));

-- Name: enterprise; Type: VIEW; Schema: seen
CREATE VIEW seen.enterprise WITH (security_barrier='true') AS
 SELECT enterprise_id,
    enterprise
   FROM public.enterprise
  WHERE (( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (enterprise_id IN ( SELECT public.seen_enterprises((CURRENT_USER)::text) AS seen_enterprises)));

-- Name: event; Type: VIEW; Schema: seen
CREATE VIEW seen.event WITH (security_barrier='true') AS
 SELECT batch_id,
    gw,
    t_ms,
    kind,
    detail
   FROM public.event
  WHERE (( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (gw IN ( SELECT public.seen_gateways((CURRENT_USER)::text) AS seen_gateways)));

-- Name: gap; Type: VIEW; Schema: seen
CREATE VIEW seen.gap WITH (security_barrier='true') AS
 SELECT batch_id,
    gw,
    point_id,
    from_ms,
    to_ms,
    interval_ms,
    reason
   FROM public.gap
  WHERE (( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (gw IN ( SELECT public.seen_gateways((CURRENT_USER)::text) AS seen_gateways)));

-- Name: gateway; Type: VIEW; Schema: seen
CREATE VIEW seen.gateway WITH (security_barrier='true') AS
 SELECT gw,
    public_key,
    state,
    state_reason,
    state_since,
    head_epoch,
    head_seq,
    head_digest,
    opens_epoch,
    plant_id
   FROM public.gateway
  WHERE (( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (gw IN ( SELECT public.seen_gateways((CURRENT_USER)::text) AS seen_gateways)));

-- Name: hour; Type: VIEW; Schema: seen
CREATE VIEW seen.hour WITH (security_barrier='true') AS
 SELECT point_id,
    hour,
    value,
    quality,
    readings,
    computed_at,
    software,
    valid_ms
   FROM public.hour
  WHERE (( SELECT public.seen_points((CURRENT_USER)::text) AS seen_points) @> point_id);

-- Name: plant; Type: VIEW; Schema: seen
CREATE VIEW seen.plant WITH (security_barrier='true') AS
 SELECT plant_id,
    plant,
    enterprise_id
   FROM public.plant
  WHERE (( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (plant_id IN ( SELECT public.seen_plants((CURRENT_USER)::text) AS seen_plants)));

-- Name: plant_version; Type: VIEW; Schema: seen
CREATE VIEW seen.plant_version WITH (security_barrier='true') AS
 SELECT plant_id,
    valid,
    name,
    name_zh,
    division,
    city,
    province,
    file_sha256
   FROM public.plant_version
  WHERE (( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (plant_id IN ( SELECT public.seen_plants((CURRENT_USER)::text) AS seen_plants)));

-- Name: point; Type: VIEW; Schema: seen
CREATE VIEW seen.point WITH (security_barrier='true') AS
 SELECT point_id,
    gw,
    name
   FROM public.point
  WHERE (( SELECT public.seen_points((CURRENT_USER)::text) AS seen_points) @> point_id);

-- Name: point_assignment; Type: VIEW; Schema: seen
CREATE VIEW seen.point_assignment WITH (security_barrier='true') AS
 SELECT point_id,
    valid,
    device_id,
    unit_id,
    role,
    interval_ms
   FROM public.point_assignment
  WHERE (( SELECT public.seen_points((CURRENT_USER)::text) AS seen_points) @> point_id);

-- Name: quarantine; Type: VIEW; Schema: seen
CREATE VIEW seen.quarantine WITH (security_barrier='true') AS
 SELECT quarantine_id,
    topic,
    gw,
    reason_code,
    detail,
    digest,
    raw,
    received_at,
    seen,
    seen_last_at,
    accepted_at
   FROM public.quarantine
  WHERE (( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (gw IN ( SELECT public.seen_gateways((CURRENT_USER)::text) AS seen_gateways)));

-- Name: reading; Type: VIEW; Schema: seen
CREATE VIEW seen.reading WITH (security_barrier='true') AS
 SELECT point_id,
    t,
    value,
    quality,
    batch_id
   FROM public.reading
  WHERE (( SELECT public.seen_points((CURRENT_USER)::text) AS seen_points) @> point_id);

-- Name: unit; Type: VIEW; Schema: seen
CREATE VIEW seen.unit WITH (security_barrier='true') AS
 SELECT unit_id,
    plant_id,
    unit
   FROM public.unit
  WHERE (( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (unit_id IN ( SELECT public.seen_units((CURRENT_USER)::text) AS seen_units)));

-- Name: unit_version; Type: VIEW; Schema: seen
CREATE VIEW seen.unit_version WITH (security_barrier='true') AS
 SELECT unit_id,
    valid,
    kind,
    rated_capacity_mw,
    rated_capacity_source
   FROM public.unit_version
  WHERE (( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (unit_id IN ( SELECT public.seen_units((CURRENT_USER)::text) AS seen_units)));

-- Name: archived_day archived_day_pkey; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.archived_day
    ADD CONSTRAINT archived_day_pkey PRIMARY KEY (day);

-- Name: audit_log audit_log_digest_key; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT audit_log_digest_key UNIQUE (digest);

-- Name: audit_log audit_log_pkey; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (number);

-- Name: batch batch_gw_epoch_seq_key; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.batch
    ADD CONSTRAINT batch_gw_epoch_seq_key UNIQUE (gw, epoch, seq);

-- Name: batch batch_pkey; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.batch
    ADD CONSTRAINT batch_pkey PRIMARY KEY (batch_id);

-- Name: correction correction_pkey; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.correction
    ADD CONSTRAINT correction_pkey PRIMARY KEY (correction_id);

-- Name: device device_pkey; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.device
    ADD CONSTRAINT device_pkey PRIMARY KEY (device_id);

-- Name: device device_plant_id_device_key; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.device
    ADD CONSTRAINT device_plant_id_device_key UNIQUE (plant_id, device);

-- Name: device_version device_version_int4range_valid_excl; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.device_version
    ADD CONSTRAINT device_version_int4range_valid_excl EXCLUDE USING gist (int4range(device_id, device_id, '[]'::text) WITH &&, valid WITH &&);

-- Name: dirty_hour dirty_hour_pkey; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.dirty_hour
    ADD CONSTRAINT dirty_hour_pkey PRIMARY KEY (gw, from_ms, to_ms);

-- Name: enrolment enrolment_digest_key; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.enrolment
    ADD CONSTRAINT enrolment_digest_key UNIQUE (digest);

-- Name: enrolment enrolment_pkey; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.enrolment
    ADD CONSTRAINT enrolment_pkey PRIMARY KEY (enrolment_id);

-- Name: enterprise enterprise_enterprise_key; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.enterprise
    ADD CONSTRAINT enterprise_enterprise_key UNIQUE (enterprise);

-- Name: enterprise enterprise_pkey; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.enterprise
    ADD CONSTRAINT enterprise_pkey PRIMARY KEY (enterprise_id);

-- Name: gateway gateway_pkey; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.gateway
    ADD CONSTRAINT gateway_pkey PRIMARY KEY (gw);

-- Name: hour hour_pkey; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.hour
    ADD CONSTRAINT hour_pkey PRIMARY KEY (point_id, hour, computed_at);

-- Name: plant plant_pkey; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.plant
    ADD CONSTRAINT plant_pkey PRIMARY KEY (plant_id);

-- Name: plant plant_plant_key; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.plant
    ADD CONSTRAINT plant_plant_key UNIQUE (plant);

-- Name: plant_version plant_version_int4range_valid_excl; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.plant_version
    ADD CONSTRAINT plant_version_int4range_valid_excl EXCLUDE USING gist (int4range(plant_id, plant_id, '[]'::text) WITH &&, valid WITH &&);

-- Name: point_assignment point_assignment_int4range_valid_excl; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.point_assignment
    ADD CONSTRAINT point_assignment_int4range_valid_excl EXCLUDE USING gist (int4range(point_id, point_id, '[]'::text) WITH &&, valid WITH &&);

-- Name: point point_gw_name_key; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.point
    ADD CONSTRAINT point_gw_name_key UNIQUE (gw, name);

-- Name: point point_pkey; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.point
    ADD CONSTRAINT point_pkey PRIMARY KEY (point_id);

-- Name: quarantine quarantine_digest_reason_code_topic_key; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.quarantine
    ADD CONSTRAINT quarantine_digest_reason_code_topic_key UNIQUE (digest, reason_code, topic);

-- Name: quarantine quarantine_pkey; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.quarantine
    ADD CONSTRAINT quarantine_pkey PRIMARY KEY (quarantine_id);

-- Name: schema_migration schema_migration_pkey; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.schema_migration
    ADD CONSTRAINT schema_migration_pkey PRIMARY KEY (name);

-- Name: unit unit_pkey; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.unit
    ADD CONSTRAINT unit_pkey PRIMARY KEY (unit_id);

-- Name: unit unit_plant_id_unit_key; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.unit
    ADD CONSTRAINT unit_plant_id_unit_key UNIQUE (plant_id, unit);

-- Name: unit_version unit_version_int4range_valid_excl; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.unit_version
    ADD CONSTRAINT unit_version_int4range_valid_excl EXCLUDE USING gist (int4range(unit_id, unit_id, '[]'::text) WITH &&, valid WITH &&);

-- Name: viewer viewer_pkey; Type: CONSTRAINT; Schema: public
ALTER TABLE ONLY public.viewer
    ADD CONSTRAINT viewer_pkey PRIMARY KEY (login);

-- Name: batch_gw_last_ms; Type: INDEX; Schema: public
CREATE INDEX batch_gw_last_ms ON public.batch USING btree (gw, last_ms);

-- Name: correction_point; Type: INDEX; Schema: public
CREATE INDEX correction_point ON public.correction USING btree (point_id, from_ms);

-- Name: enrolment_gw; Type: INDEX; Schema: public
CREATE INDEX enrolment_gw ON public.enrolment USING btree (gw, enrolment_id);

-- Name: event_batch; Type: INDEX; Schema: public
CREATE INDEX event_batch ON public.event USING btree (batch_id);

-- Name: event_gw_t_ms; Type: INDEX; Schema: public
CREATE INDEX event_gw_t_ms ON public.event USING btree (gw, t_ms);

-- Name: gap_batch; Type: INDEX; Schema: public
CREATE INDEX gap_batch ON public.gap USING btree (batch_id);

-- Name: gap_gw_from_ms; Type: INDEX; Schema: public
CREATE INDEX gap_gw_from_ms ON public.gap USING btree (gw, from_ms);

-- Name: gateway_plant; Type: INDEX; Schema: public
CREATE INDEX gateway_plant ON public.gateway USING btree (plant_id);

-- Name: hour_hour; Type: INDEX; Schema: public
CREATE INDEX hour_hour ON public.hour USING brin (hour);

-- Name: point_assignment_unit; Type: INDEX; Schema: public
CREATE INDEX point_assignment_unit ON public.point_assignment USING btree (unit_id);

-- Name: quarantine_open; Type: INDEX; Schema: public
CREATE INDEX quarantine_open ON public.quarantine USING btree (gw) WHERE (accepted_at IS NULL);

-- Name: reading_t; Type: INDEX; Schema: public
CREATE INDEX reading_t ON ONLY public.reading USING brin (t) WITH (autosummarize='on');

-- Name: audit_log audit_log_chain; Type: TRIGGER; Schema: public
CREATE TRIGGER audit_log_chain BEFORE INSERT ON public.audit_log FOR EACH ROW EXECUTE FUNCTION public.audit_log_chain();

-- Name: audit_log audit_log_only_grows; Type: TRIGGER; Schema: public
CREATE TRIGGER audit_log_only_grows BEFORE DELETE OR UPDATE OR TRUNCATE ON public.audit_log FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();

-- Name: correction correction_marks; Type: TRIGGER; Schema: public
CREATE TRIGGER correction_marks AFTER INSERT ON public.correction FOR EACH ROW EXECUTE FUNCTION public.correction_marks();

-- Name: correction correction_only_grows; Type: TRIGGER; Schema: public
CREATE TRIGGER correction_only_grows BEFORE DELETE OR UPDATE OR TRUNCATE ON public.correction FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();

-- Name: device_version device_version_only_closes; Type: TRIGGER; Schema: public
CREATE TRIGGER device_version_only_closes BEFORE UPDATE ON public.device_version FOR EACH ROW EXECUTE FUNCTION public.only_closes();

-- Name: device_version device_version_only_grows; Type: TRIGGER; Schema: public
CREATE TRIGGER device_version_only_grows BEFORE DELETE OR TRUNCATE ON public.device_version FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();

-- Name: enrolment enrolment_only_grows; Type: TRIGGER; Schema: public
CREATE TRIGGER enrolment_only_grows BEFORE DELETE OR UPDATE OR TRUNCATE ON public.enrolment FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();

-- Name: hour hour_only_grows; Type: TRIGGER; Schema: public
CREATE TRIGGER hour_only_grows BEFORE DELETE OR UPDATE OR TRUNCATE ON public.hour FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();

-- Name: plant_version plant_version_only_closes; Type: TRIGGER; Schema: public
CREATE TRIGGER plant_version_only_closes BEFORE UPDATE ON public.plant_version FOR EACH ROW EXECUTE FUNCTION public.only_closes();

-- Name: plant_version plant_version_only_grows; Type: TRIGGER; Schema: public
CREATE TRIGGER plant_version_only_grows BEFORE DELETE OR TRUNCATE ON public.plant_version FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();

-- Name: point_assignment point_assignment_only_closes; Type: TRIGGER; Schema: public
CREATE TRIGGER point_assignment_only_closes BEFORE UPDATE ON public.point_assignment FOR EACH ROW EXECUTE FUNCTION public.only_closes();

-- Name: point_assignment point_assignment_only_grows; Type: TRIGGER; Schema: public
CREATE TRIGGER point_assignment_only_grows BEFORE DELETE OR TRUNCATE ON public.point_assignment FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();

-- Name: unit_version unit_version_only_closes; Type: TRIGGER; Schema: public
CREATE TRIGGER unit_version_only_closes BEFORE UPDATE ON public.unit_version FOR EACH ROW EXECUTE FUNCTION public.only_closes();

-- Name: unit_version unit_version_only_grows; Type: TRIGGER; Schema: public
CREATE TRIGGER unit_version_only_grows BEFORE DELETE OR TRUNCATE ON public.unit_version FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();

-- Name: batch batch_gw_fkey; Type: FK CONSTRAINT; Schema: public
ALTER TABLE ONLY public.batch
    ADD CONSTRAINT batch_gw_fkey FOREIGN KEY (gw) REFERENCES public.gateway(gw);

-- Name: correction correction_point_id_fkey; Type: FK CONSTRAINT; Schema: public
ALTER TABLE ONLY public.correction
    ADD CONSTRAINT correction_point_id_fkey FOREIGN KEY (point_id) REFERENCES public.point(point_id);

-- Name: device device_plant_id_fkey; Type: FK CONSTRAINT; Schema: public
ALTER TABLE ONLY public.device
    ADD CONSTRAINT device_plant_id_fkey FOREIGN KEY (plant_id) REFERENCES public.plant(plant_id);

-- Name: device_version device_version_device_id_fkey; Type: FK CONSTRAINT; Schema: public
ALTER TABLE ONLY public.device_version
    ADD CONSTRAINT device_version_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(device_id);

-- Name: device_version device_version_gw_fkey; Type: FK CONSTRAINT; Schema: public
ALTER TABLE ONLY public.device_version
    ADD CONSTRAINT device_version_gw_fkey FOREIGN KEY (gw) REFERENCES public.gateway(gw);

-- Name: dirty_hour dirty_hour_gw_fkey; Type: FK CONSTRAINT; Schema: public
ALTER TABLE ONLY public.dirty_hour
    ADD CONSTRAINT dirty_hour_gw_fkey FOREIGN KEY (gw) REFERENCES public.gateway(gw);

-- Name: enrolment enrolment_gw_fkey; Type: FK CONSTRAINT; Schema: public
ALTER TABLE ONLY public.enrolment
    ADD CONSTRAINT enrolment_gw_fkey FOREIGN KEY (gw) REFERENCES public.gateway(gw);

-- Name: event event_batch_id_fkey; Type: FK CONSTRAINT; Schema: public
ALTER TABLE ONLY public.event
    ADD CONSTRAINT event_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES public.batch(batch_id);

-- Name: gap gap_batch_id_fkey; Type: FK CONSTRAINT; Schema: public
ALTER TABLE ONLY public.gap
    ADD CONSTRAINT gap_batch_id_fkey FOREIGN KEY (batch_id) REFERENCES public.batch(batch_id);

-- Name: gap gap_point_id_fkey; Type: FK CONSTRAINT; Schema: public
ALTER TABLE ONLY public.gap
    ADD CONSTRAINT gap_point_id_fkey FOREIGN KEY (point_id) REFERENCES public.point(point_id);

-- Name: gateway gateway_plant_id_fkey; Type: FK CONSTRAINT; Schema: public
ALTER TABLE ONLY public.gateway
    ADD CONSTRAINT gateway_plant_id_fkey FOREIGN KEY (plant_id) REFERENCES public.plant(plant_id);

-- Name: plant plant_enterprise_id_fkey; Type: FK CONSTRAINT; Schema: public
ALTER TABLE ONLY public.plant
    ADD CONSTRAINT plant_enterprise_id_fkey FOREIGN KEY (enterprise_id) REFERENCES public.enterprise(enterprise_id);

-- Name: plant_version plant_version_plant_id_fkey; Type: FK CONSTRAINT; Schema: public
ALTER TABLE ONLY public.plant_version
    ADD CONSTRAINT plant_version_plant_id_fkey FOREIGN KEY (plant_id) REFERENCES public.plant(plant_id);

-- Name: point_assignment point_assignment_device_id_fkey; Type: FK CONSTRAINT; Schema: public
ALTER TABLE ONLY public.point_assignment
    ADD CONSTRAINT point_assignment_device_id_fkey FOREIGN KEY (device_id) REFERENCES public.device(device_id);

-- Name: point_assignment point_assignment_point_id_fkey; Type: FK CONSTRAINT; Schema: public
ALTER TABLE ONLY public.point_assignment
    ADD CONSTRAINT point_assignment_point_id_fkey FOREIGN KEY (point_id) REFERENCES public.point(point_id);

-- Name: point_assignment point_assignment_unit_id_fkey; Type: FK CONSTRAINT; Schema: public
ALTER TABLE ONLY public.point_assignment
    ADD CONSTRAINT point_assignment_unit_id_fkey FOREIGN KEY (unit_id) REFERENCES public.unit(unit_id);

-- Name: point point_gw_fkey; Type: FK CONSTRAINT; Schema: public
ALTER TABLE ONLY public.point
    ADD CONSTRAINT point_gw_fkey FOREIGN KEY (gw) REFERENCES public.gateway(gw);

-- Name: unit unit_plant_id_fkey; Type: FK CONSTRAINT; Schema: public
ALTER TABLE ONLY public.unit
    ADD CONSTRAINT unit_plant_id_fkey FOREIGN KEY (plant_id) REFERENCES public.plant(plant_id);

-- Name: unit_version unit_version_unit_id_fkey; Type: FK CONSTRAINT; Schema: public
ALTER TABLE ONLY public.unit_version
    ADD CONSTRAINT unit_version_unit_id_fkey FOREIGN KEY (unit_id) REFERENCES public.unit(unit_id);

-- Name: archived_day; Type: ROW SECURITY; Schema: public
ALTER TABLE public.archived_day ENABLE ROW LEVEL SECURITY;

-- Name: audit_log; Type: ROW SECURITY; Schema: public
ALTER TABLE public.audit_log ENABLE ROW LEVEL SECURITY;

-- Name: batch; Type: ROW SECURITY; Schema: public
ALTER TABLE public.batch ENABLE ROW LEVEL SECURITY;

-- Name: correction; Type: ROW SECURITY; Schema: public
ALTER TABLE public.correction ENABLE ROW LEVEL SECURITY;

-- Name: device; Type: ROW SECURITY; Schema: public
ALTER TABLE public.device ENABLE ROW LEVEL SECURITY;

-- Name: device_version; Type: ROW SECURITY; Schema: public
ALTER TABLE public.device_version ENABLE ROW LEVEL SECURITY;

-- Name: dirty_hour; Type: ROW SECURITY; Schema: public
ALTER TABLE public.dirty_hour ENABLE ROW LEVEL SECURITY;

-- Name: enrolment; Type: ROW SECURITY; Schema: public
ALTER TABLE public.enrolment ENABLE ROW LEVEL SECURITY;

-- Name: enterprise; Type: ROW SECURITY; Schema: public
ALTER TABLE public.enterprise ENABLE ROW LEVEL SECURITY;

-- Name: event; Type: ROW SECURITY; Schema: public
ALTER TABLE public.event ENABLE ROW LEVEL SECURITY;

-- Name: gap; Type: ROW SECURITY; Schema: public
ALTER TABLE public.gap ENABLE ROW LEVEL SECURITY;

-- Name: gateway; Type: ROW SECURITY; Schema: public
ALTER TABLE public.gateway ENABLE ROW LEVEL SECURITY;

-- Name: hour; Type: ROW SECURITY; Schema: public
ALTER TABLE public.hour ENABLE ROW LEVEL SECURITY;

-- Name: plant; Type: ROW SECURITY; Schema: public
ALTER TABLE public.plant ENABLE ROW LEVEL SECURITY;

-- Name: plant_version; Type: ROW SECURITY; Schema: public
ALTER TABLE public.plant_version ENABLE ROW LEVEL SECURITY;

-- Name: point; Type: ROW SECURITY; Schema: public
ALTER TABLE public.point ENABLE ROW LEVEL SECURITY;

-- Name: point_assignment; Type: ROW SECURITY; Schema: public
ALTER TABLE public.point_assignment ENABLE ROW LEVEL SECURITY;

-- Name: quarantine; Type: ROW SECURITY; Schema: public
ALTER TABLE public.quarantine ENABLE ROW LEVEL SECURITY;

-- Name: reading; Type: ROW SECURITY; Schema: public
ALTER TABLE public.reading ENABLE ROW LEVEL SECURITY;

-- Name: batch seen; Type: POLICY; Schema: public
CREATE POLICY seen ON public.batch FOR SELECT USING ((( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (gw IN ( SELECT public.seen_gateways((CURRENT_USER)::text) AS seen_gateways))));

-- Name: correction seen; Type: POLICY; Schema: public
CREATE POLICY seen ON public.correction FOR SELECT USING ((( SELECT public.seen_points((CURRENT_USER)::text) AS seen_points) @> point_id));

-- Name: device seen; Type: POLICY; Schema: public
CREATE POLICY seen ON public.device FOR SELECT USING ((( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (device_id IN ( SELECT public.seen_devices((CURRENT_USER)::text) AS seen_devices))));

-- Name: device_version seen; Type: POLICY; Schema: public
CREATE POLICY seen ON public.device_version FOR SELECT USING ((( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (device_id IN ( SELECT public.seen_devices((CURRENT_USER)::text) AS seen_devices))));

-- Name: dirty_hour seen; Type: POLICY; Schema: public
CREATE POLICY seen ON public.dirty_hour FOR SELECT USING ((( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (gw IN ( SELECT public.seen_gateways((CURRENT_USER)::text) AS seen_gateways))));

-- Name: enrolment seen; Type: POLICY; Schema: public
CREATE POLICY seen ON public.enrolment FOR SELECT USING ((( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (gw IN ( SELECT public.seen_gateways((CURRENT_USER)::text) AS seen_gateways))));

-- Name: enterprise seen; Type: POLICY; Schema: public
CREATE POLICY seen ON public.enterprise FOR SELECT USING ((( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (enterprise_id IN ( SELECT public.seen_enterprises((CURRENT_USER)::text) AS seen_enterprises))));

-- Name: event seen; Type: POLICY; Schema: public
CREATE POLICY seen ON public.event FOR SELECT USING ((( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (gw IN ( SELECT public.seen_gateways((CURRENT_USER)::text) AS seen_gateways))));

-- Name: gap seen; Type: POLICY; Schema: public
CREATE POLICY seen ON public.gap FOR SELECT USING ((( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (gw IN ( SELECT public.seen_gateways((CURRENT_USER)::text) AS seen_gateways))));

-- Name: gateway seen; Type: POLICY; Schema: public
CREATE POLICY seen ON public.gateway FOR SELECT USING ((( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (gw IN ( SELECT public.seen_gateways((CURRENT_USER)::text) AS seen_gateways))));

-- Name: hour seen; Type: POLICY; Schema: public
CREATE POLICY seen ON public.hour FOR SELECT USING ((( SELECT public.seen_points((CURRENT_USER)::text) AS seen_points) @> point_id));

-- Name: plant seen; Type: POLICY; Schema: public
CREATE POLICY seen ON public.plant FOR SELECT USING ((( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (plant_id IN ( SELECT public.seen_plants((CURRENT_USER)::text) AS seen_plants))));

-- Name: plant_version seen; Type: POLICY; Schema: public
CREATE POLICY seen ON public.plant_version FOR SELECT USING ((( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (plant_id IN ( SELECT public.seen_plants((CURRENT_USER)::text) AS seen_plants))));

-- Name: point seen; Type: POLICY; Schema: public
CREATE POLICY seen ON public.point FOR SELECT USING ((( SELECT public.seen_points((CURRENT_USER)::text) AS seen_points) @> point_id));

-- Name: point_assignment seen; Type: POLICY; Schema: public
CREATE POLICY seen ON public.point_assignment FOR SELECT USING ((( SELECT public.seen_points((CURRENT_USER)::text) AS seen_points) @> point_id));

-- Name: quarantine seen; Type: POLICY; Schema: public
CREATE POLICY seen ON public.quarantine FOR SELECT USING ((( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (gw IN ( SELECT public.seen_gateways((CURRENT_USER)::text) AS seen_gateways))));

-- Name: reading seen; Type: POLICY; Schema: public
CREATE POLICY seen ON public.reading FOR SELECT USING ((( SELECT public.seen_points((CURRENT_USER)::text) AS seen_points) @> point_id));

-- Name: unit seen; Type: POLICY; Schema: public
CREATE POLICY seen ON public.unit FOR SELECT USING ((( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (unit_id IN ( SELECT public.seen_units((CURRENT_USER)::text) AS seen_units))));

-- Name: unit_version seen; Type: POLICY; Schema: public
CREATE POLICY seen ON public.unit_version FOR SELECT USING ((( SELECT public.sees_all((CURRENT_USER)::text) AS sees_all) OR (unit_id IN ( SELECT public.seen_units((CURRENT_USER)::text) AS seen_units))));

-- Name: unit; Type: ROW SECURITY; Schema: public
ALTER TABLE public.unit ENABLE ROW LEVEL SECURITY;

-- Name: unit_version; Type: ROW SECURITY; Schema: public
ALTER TABLE public.unit_version ENABLE ROW LEVEL SECURITY;

-- Name: viewer; Type: ROW SECURITY; Schema: public
ALTER TABLE public.viewer ENABLE ROW LEVEL SECURITY;

-- Name: SCHEMA seen; Type: ACL; Schema: -
GRANT USAGE ON SCHEMA seen TO tanzheng_enterprise;
GRANT USAGE ON SCHEMA seen TO tanzheng_city;
GRANT USAGE ON SCHEMA seen TO tanzheng_province;
GRANT USAGE ON SCHEMA seen TO tanzheng_national;

-- Name: FUNCTION drop_reading_day(day date); Type: ACL; Schema: public
REVOKE ALL ON FUNCTION public.drop_reading_day(day date) FROM PUBLIC;

-- Name: FUNCTION ensure_reading_day(day date); Type: ACL; Schema: public
REVOKE ALL ON FUNCTION public.ensure_reading_day(day date) FROM PUBLIC;

-- Name: FUNCTION mark_dirty(gateway text, from_ms bigint, to_ms bigint); Type: ACL; Schema: public
REVOKE ALL ON FUNCTION public.mark_dirty(gateway text, from_ms bigint, to_ms bigint) FROM PUBLIC;

-- Name: FUNCTION reading_days(OUT part regclass, OUT from_t timestamp with time zone, OUT to_t timestamp with time zone, OUT index_name text); Type: ACL; Schema: public
REVOKE ALL ON FUNCTION public.reading_days(OUT part regclass, OUT from_t timestamp with time zone, OUT to_t timestamp with time zone, OUT index_name text) FROM PUBLIC;

-- Name: TABLE batch; Type: ACL; Schema: seen
GRANT SELECT ON TABLE seen.batch TO tanzheng_enterprise;
GRANT SELECT ON TABLE seen.batch TO tanzheng_city;
GRANT SELECT ON TABLE seen.batch TO tanzheng_province;
GRANT SELECT ON TABLE seen.batch TO tanzheng_national;

-- Name: TABLE correction; Type: ACL; Schema: seen
GRANT SELECT ON TABLE seen.correction TO tanzheng_enterprise;
GRANT SELECT ON TABLE seen.correction TO tanzheng_city;
GRANT SELECT ON TABLE seen.correction TO tanzheng_province;
GRANT SELECT ON TABLE seen.correction TO tanzheng_national;

-- Name: TABLE device; Type: ACL; Schema: seen
GRANT SELECT ON TABLE seen.device TO tanzheng_enterprise;
GRANT SELECT ON TABLE seen.device TO tanzheng_city;
GRANT SELECT ON TABLE seen.device TO tanzheng_province;
GRANT SELECT ON TABLE seen.device TO tanzheng_national;

-- Name: TABLE device_version; Type: ACL; Schema: seen
GRANT SELECT ON TABLE seen.device_version TO tanzheng_enterprise;
GRANT SELECT ON TABLE seen.device_version TO tanzheng_city;
GRANT SELECT ON TABLE seen.device_version TO tanzheng_province;
GRANT SELECT ON TABLE seen.device_version TO tanzheng_national;

-- Name: TABLE dirty_hour; Type: ACL; Schema: seen
GRANT SELECT ON TABLE seen.dirty_hour TO tanzheng_enterprise;
GRANT SELECT ON TABLE seen.dirty_hour TO tanzheng_city;
GRANT SELECT ON TABLE seen.dirty_hour TO tanzheng_province;
GRANT SELECT ON TABLE seen.dirty_hour TO tanzheng_national;

-- Name: TABLE enrolment; Type: ACL; Schema: seen
GRANT SELECT ON TABLE seen.enrolment TO tanzheng_enterprise;
GRANT SELECT ON TABLE seen.enrolment TO tanzheng_city;
GRANT SELECT ON TABLE seen.enrolment TO tanzheng_province;
GRANT SELECT ON TABLE seen.enrolment TO tanzheng_national;

-- Name: TABLE enterprise; Type: ACL; Schema: seen
GRANT SELECT ON TABLE seen.enterprise TO tanzheng_enterprise;
GRANT SELECT ON TABLE seen.enterprise TO tanzheng_city;
GRANT SELECT ON TABLE seen.enterprise TO tanzheng_province;
GRANT SELECT ON TABLE seen.enterprise TO tanzheng_national;

-- Name: TABLE event; Type: ACL; Schema: seen
GRANT SELECT ON TABLE seen.event TO tanzheng_enterprise;
GRANT SELECT ON TABLE seen.event TO tanzheng_city;
GRANT SELECT ON TABLE seen.event TO tanzheng_province;
GRANT SELECT ON TABLE seen.event TO tanzheng_national;

-- Name: TABLE gap; Type: ACL; Schema: seen
GRANT SELECT ON TABLE seen.gap TO tanzheng_enterprise;
GRANT SELECT ON TABLE seen.gap TO tanzheng_city;
GRANT SELECT ON TABLE seen.gap TO tanzheng_province;
GRANT SELECT ON TABLE seen.gap TO tanzheng_national;

-- Name: TABLE gateway; Type: ACL; Schema: seen
GRANT SELECT ON TABLE seen.gateway TO tanzheng_enterprise;
GRANT SELECT ON TABLE seen.gateway TO tanzheng_city;
GRANT SELECT ON TABLE seen.gateway TO tanzheng_province;
GRANT SELECT ON TABLE seen.gateway TO tanzheng_national;

-- Name: TABLE hour; Type: ACL; Schema: seen
GRANT SELECT ON TABLE seen.hour TO tanzheng_enterprise;
GRANT SELECT ON TABLE seen.hour TO tanzheng_city;
GRANT SELECT ON TABLE seen.hour TO tanzheng_province;
GRANT SELECT ON TABLE seen.hour TO tanzheng_national;

-- Name: TABLE plant; Type: ACL; Schema: seen
GRANT SELECT ON TABLE seen.plant TO tanzheng_enterprise;
GRANT SELECT ON TABLE seen.plant TO tanzheng_city;
GRANT SELECT ON TABLE seen.plant TO tanzheng_province;
GRANT SELECT ON TABLE seen.plant TO tanzheng_national;

-- Name: TABLE plant_version; Type: ACL; Schema: seen
GRANT SELECT ON TABLE seen.plant_version TO tanzheng_enterprise;
GRANT SELECT ON TABLE seen.plant_version TO tanzheng_city;
GRANT SELECT ON TABLE seen.plant_version TO tanzheng_province;
GRANT SELECT ON TABLE seen.plant_version TO tanzheng_national;

-- Name: TABLE point; Type: ACL; Schema: seen
GRANT SELECT ON TABLE seen.point TO tanzheng_enterprise;
GRANT SELECT ON TABLE seen.point TO tanzheng_city;
GRANT SELECT ON TABLE seen.point TO tanzheng_province;
GRANT SELECT ON TABLE seen.point TO tanzheng_national;

-- Name: TABLE point_assignment; Type: ACL; Schema: seen
GRANT SELECT ON TABLE seen.point_assignment TO tanzheng_enterprise;
GRANT SELECT ON TABLE seen.point_assignment TO tanzheng_city;
GRANT SELECT ON TABLE seen.point_assignment TO tanzheng_province;
GRANT SELECT ON TABLE seen.point_assignment TO tanzheng_national;

-- Name: TABLE quarantine; Type: ACL; Schema: seen
GRANT SELECT ON TABLE seen.quarantine TO tanzheng_enterprise;
GRANT SELECT ON TABLE seen.quarantine TO tanzheng_city;
GRANT SELECT ON TABLE seen.quarantine TO tanzheng_province;
GRANT SELECT ON TABLE seen.quarantine TO tanzheng_national;

-- Name: TABLE reading; Type: ACL; Schema: seen
GRANT SELECT ON TABLE seen.reading TO tanzheng_enterprise;
GRANT SELECT ON TABLE seen.reading TO tanzheng_city;
GRANT SELECT ON TABLE seen.reading TO tanzheng_province;
GRANT SELECT ON TABLE seen.reading TO tanzheng_national;

-- Name: TABLE unit; Type: ACL; Schema: seen
GRANT SELECT ON TABLE seen.unit TO tanzheng_enterprise;
GRANT SELECT ON TABLE seen.unit TO tanzheng_city;
GRANT SELECT ON TABLE seen.unit TO tanzheng_province;
GRANT SELECT ON TABLE seen.unit TO tanzheng_national;

-- Name: TABLE unit_version; Type: ACL; Schema: seen
GRANT SELECT ON TABLE seen.unit_version TO tanzheng_enterprise;
GRANT SELECT ON TABLE seen.unit_version TO tanzheng_city;
GRANT SELECT ON TABLE seen.unit_version TO tanzheng_province;
GRANT SELECT ON TABLE seen.unit_version TO tanzheng_national;

--
-- PostgreSQL database dump complete
