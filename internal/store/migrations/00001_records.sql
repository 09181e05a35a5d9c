-- Times are epoch milliseconds, by the car's clock unless called received.
-- A number that a record did not bring is NULL. Queries are portable; this
-- file is SQLite's: elsewhere leave out WITHOUT ROWID, and pruned bytes are
-- taken care of by the engine.

-- +goose Up

CREATE TABLE cars (
    id              TEXT PRIMARY KEY,
    since           BIGINT NOT NULL,                        -- totals count records from here on
    horizon         BIGINT NOT NULL DEFAULT 0,              -- what is older was pruned
    distance_mm     BIGINT NOT NULL DEFAULT 0,
    energy_mwh      BIGINT NOT NULL DEFAULT 0,
    kept_charged_wh DOUBLE PRECISION NOT NULL DEFAULT 0,    -- of pruned charges
    seen            TEXT NOT NULL DEFAULT '[]',             -- keys, a JSON array
    forgotten       SMALLINT NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- Apart from cars, because it changes with nearly every report and is large.
CREATE TABLE states (
    car   TEXT PRIMARY KEY,
    state TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE points (
    car      TEXT NOT NULL,
    at       BIGINT NOT NULL,
    distance DOUBLE PRECISION,
    energy   DOUBLE PRECISION,
    soc      DOUBLE PRECISION,
    lat      DOUBLE PRECISION,
    lon      DOUBLE PRECISION,
    alt      DOUBLE PRECISION,
    marker   SMALLINT NOT NULL,
    PRIMARY KEY (car, at)
) WITHOUT ROWID;

CREATE TABLE charge_points (
    car    TEXT NOT NULL,
    at     BIGINT NOT NULL,
    energy DOUBLE PRECISION,
    power  DOUBLE PRECISION,
    soc    DOUBLE PRECISION,
    marker SMALLINT NOT NULL,
    PRIMARY KEY (car, at)
) WITHOUT ROWID;

-- Every version of a session that ever came: merging all of them is what makes
-- the result independent of their order.
CREATE TABLE sessions (
    car      TEXT NOT NULL,
    start    BIGINT NOT NULL,
    digest   TEXT NOT NULL,                                 -- of the columns below
    ended    BIGINT NOT NULL,
    app_id   BIGINT NOT NULL,
    energy   DOUBLE PRECISION,
    soc      DOUBLE PRECISION,
    duration BIGINT NOT NULL,
    outside  DOUBLE PRECISION,
    lat      DOUBLE PRECISION,
    lon      DOUBLE PRECISION,
    points   BIGINT NOT NULL,
    PRIMARY KEY (car, start, digest)
) WITHOUT ROWID;

CREATE TABLE charges (
    car     TEXT NOT NULL,
    start   BIGINT NOT NULL,
    summary TEXT NOT NULL,
    PRIMARY KEY (car, start)
) WITHOUT ROWID;

CREATE TABLE apart (
    car      TEXT NOT NULL,
    kind     TEXT NOT NULL,
    at       BIGINT NOT NULL,
    body     TEXT NOT NULL,                                 -- the record as JSON
    received BIGINT NOT NULL,
    PRIMARY KEY (car, kind, at, body)
) WITHOUT ROWID;

CREATE TABLE unknown_bodies (
    car      TEXT NOT NULL,
    n        BIGINT NOT NULL,
    received BIGINT NOT NULL,
    body     TEXT NOT NULL,
    PRIMARY KEY (car, n)
) WITHOUT ROWID;

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- +goose Down

DROP TABLE settings;
DROP TABLE unknown_bodies;
DROP TABLE apart;
DROP TABLE charges;
DROP TABLE sessions;
DROP TABLE charge_points;
DROP TABLE points;
DROP TABLE states;
DROP TABLE cars;
