-- Which key signs follows from these times; a retired key keeps its row and loses its private part.

ALTER TABLE portcullis_keys ADD COLUMN signs_from BIGINT NOT NULL DEFAULT 0;

ALTER TABLE portcullis_keys ADD COLUMN retired_at BIGINT;

UPDATE portcullis_keys SET signs_from = created_at;
