-- What calls to a car's maker were made and answered: they cost money.

-- +goose Up

CREATE TABLE spending (
    month    TEXT NOT NULL,                                 -- like 2026-11, UTC
    category TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    vin      TEXT NOT NULL,                                 -- '' for no car
    status   SMALLINT NOT NULL,                             -- of HTTP
    calls    BIGINT NOT NULL,
    PRIMARY KEY (month, category, endpoint, vin, status)
) WITHOUT ROWID;

-- +goose Down

DROP TABLE spending;
