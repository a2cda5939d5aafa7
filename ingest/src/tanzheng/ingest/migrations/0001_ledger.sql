-- The ledger: who may send (gateway, point), what was accepted (batch, gap, event), what was not
-- (quarantine). Instants are UTC milliseconds, as in the signed batches.

CREATE TABLE gateway (
    gw              text PRIMARY KEY,
    public_key      bytea NOT NULL CHECK (length(public_key) = 32),
    state           text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended')),
    state_reason    text NOT NULL DEFAULT '',
    state_since     timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE point (
    point_id        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gw              text NOT NULL REFERENCES gateway,
    name            text NOT NULL,
    UNIQUE (gw, name)
);

-- One row per accepted batch. (gw, epoch, seq) is what makes ingest exactly-once. `raw` is the
-- signed COSE_Sign1 as the gateway made it: the evidence, from which all rows can be rebuilt.
CREATE TABLE batch (
    batch_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gw              text NOT NULL REFERENCES gateway,
    epoch           bigint NOT NULL,
    seq             bigint NOT NULL,
    digest          bytea NOT NULL CHECK (length(digest) = 32),
    prev            bytea NOT NULL CHECK (length(prev) = 32),
    made_ms         bigint NOT NULL,
    first_ms        bigint,             -- null: the batch holds events only
    last_ms         bigint,
    readings        integer NOT NULL,
    raw             bytea NOT NULL,
    received_at     timestamptz NOT NULL,
    UNIQUE (gw, epoch, seq)
);
-- Columns of floats and a signature do not shrink: spare the attempt.
ALTER TABLE batch ALTER COLUMN raw SET STORAGE EXTERNAL;
CREATE INDEX batch_gw_last_ms ON batch (gw, last_ms);

-- Instants from_ms, from_ms + interval_ms … before to_ms for which a point has no reading.
CREATE TABLE gap (
    batch_id        bigint NOT NULL REFERENCES batch,
    gw              text NOT NULL,
    point_id        integer NOT NULL REFERENCES point,
    from_ms         bigint NOT NULL,
    to_ms           bigint NOT NULL CHECK (to_ms > from_ms),
    interval_ms     bigint NOT NULL CHECK (interval_ms > 0),
    reason          text NOT NULL
);
CREATE INDEX gap_gw_from_ms ON gap (gw, from_ms);
CREATE INDEX gap_batch ON gap (batch_id);

CREATE TABLE event (
    batch_id        bigint NOT NULL REFERENCES batch,
    gw              text NOT NULL,
    t_ms            bigint NOT NULL,
    kind            text NOT NULL,
    detail          json NOT NULL       -- text: jsonb refuses the character U+0000
);
CREATE INDEX event_gw_t_ms ON event (gw, t_ms);
CREATE INDEX event_batch ON event (batch_id);

-- What failed, with the bytes as they arrived. `digest` is over the signed batch where the message
-- could be unpacked, else over the message: the same thing sent again is counted, not stored again.
CREATE TABLE quarantine (
    quarantine_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic           text NOT NULL,
    gw              text NOT NULL,      -- by the topic; empty: not an enrolled gateway
    reason_code     text NOT NULL,
    detail          text NOT NULL,
    digest          bytea NOT NULL,
    raw             bytea NOT NULL,
    received_at     timestamptz NOT NULL,
    seen            bigint NOT NULL DEFAULT 1,
    seen_last_at    timestamptz NOT NULL,
    accepted_at     timestamptz,        -- the same batch was accepted later
    UNIQUE (digest, reason_code, topic)
);
ALTER TABLE quarantine ALTER COLUMN raw SET STORAGE EXTERNAL;
CREATE INDEX quarantine_open ON quarantine (gw) WHERE accepted_at IS NULL;
