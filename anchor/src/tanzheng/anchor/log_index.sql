-- An index over a log that lies in files: for finding, never for proving. It may be dropped at any
-- time and made again; what it says of a statement is held against the file before it is shown.

CREATE SCHEMA IF NOT EXISTS evidence_log;

CREATE TABLE IF NOT EXISTS evidence_log.log (
    log_id          bytea PRIMARY KEY CHECK (length(log_id) = 32),
    chain_id        bigint NOT NULL,
    contract        bytea NOT NULL CHECK (length(contract) = 20)
);

CREATE TABLE IF NOT EXISTS evidence_log.checkpoint (
    log_id          bytea NOT NULL REFERENCES evidence_log.log ON DELETE CASCADE,
    seq             bigint NOT NULL,
    size            bigint NOT NULL,
    t               timestamptz NOT NULL,   -- the operator's clock
    digest          bytea NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (log_id, seq)
);

CREATE TABLE IF NOT EXISTS evidence_log.statement (
    log_id          bytea NOT NULL REFERENCES evidence_log.log ON DELETE CASCADE,
    leaf            bigint NOT NULL,
    digest          bytea NOT NULL CHECK (length(digest) = 32),
    type            text NOT NULL,
    issuer          text NOT NULL,
    kid             bytea NOT NULL,
    enterprise      text NOT NULL,
    unit            text NOT NULL,
    period          text NOT NULL,
    kind            text NOT NULL,
    seq             bigint NOT NULL,        -- within the subject
    supersedes      bytea,
    is_current      boolean NOT NULL,
    PRIMARY KEY (log_id, leaf)
);
CREATE INDEX IF NOT EXISTS statement_digest ON evidence_log.statement (digest);
CREATE INDEX IF NOT EXISTS statement_subject
    ON evidence_log.statement (enterprise, unit, period, kind, seq);
CREATE INDEX IF NOT EXISTS statement_period ON evidence_log.statement (period, kind);
