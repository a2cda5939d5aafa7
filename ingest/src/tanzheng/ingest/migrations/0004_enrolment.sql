-- Signed re-enrolments: how a suspended gateway comes back, and how it changes its key. The table
-- only grows: what a key signed stays provable with the key of its time.

CREATE TABLE enrolment (
    enrolment_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gw              text NOT NULL REFERENCES gateway,
    opens_epoch     bigint NOT NULL CHECK (opens_epoch > 1),
    digest          bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
    raw             bytea NOT NULL,     -- COSE_Sign1 of the operator's enrolment key
    taken_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX enrolment_gw ON enrolment (gw, enrolment_id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the table % only grows', TG_TABLE_NAME;
END $$;

CREATE TRIGGER enrolment_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON enrolment
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The first epoch that may go on: everything below it is closed. Null: no re-enrolment yet.
ALTER TABLE gateway ADD COLUMN opens_epoch bigint;
