-- How much of the hour its readings cover: 75 % is what makes an hour a measured one (HJ 75-2017).
ALTER TABLE hour ADD COLUMN valid_ms integer NOT NULL DEFAULT 0
    CHECK (valid_ms BETWEEN 0 AND 3600000);

-- A view's columns are those its table had: here again, with the new one behind them.
CREATE OR REPLACE VIEW seen.hour WITH (security_barrier) AS
    SELECT * FROM hour WHERE (SELECT seen_points(current_user)) @> point_id;
