-- Distinct valid events with typed fields. DuckDB, generated from the feature catalogue.
-- $cut_epoch: only records of epochs below it count (NULL: all).
WITH
-- Valid records of the epochs that count, with the fields that features need (NULL: absent).
valid AS (
  SELECT
    event_id,
    epoch,
    user_id,
    item_id,
    type,
    event_time,
    seq,
    value,
    value AS value_e2,
    NULLIF(category, '') AS category,
    price AS price_int,
    CASE WHEN json_type(properties, '$."float"') NOT IN ('VARCHAR', 'BOOLEAN') THEN TRY_CAST(properties ->> '$."float"' AS DOUBLE) END AS properties_float,
    CASE WHEN json_type(properties, '$."flag"') = 'BOOLEAN' THEN CAST(properties ->> '$."flag"' = 'true' AS BIGINT) END AS properties_flag,
    CASE WHEN json_type(properties, '$."until"') NOT IN ('VARCHAR', 'BOOLEAN') THEN TRY_CAST(properties ->> '$."until"' AS DOUBLE) END AS properties_until,
    CASE WHEN json_type(properties, '$."a-b"') = 'VARCHAR' THEN NULLIF(properties ->> '$."a-b"', '') END AS properties_a_b,
    CASE WHEN json_type(properties, '$."a_b"') = 'VARCHAR' THEN NULLIF(properties ->> '$."a_b"', '') END AS properties_a_b_2,
    CASE WHEN json_type(context, '$."device"') = 'VARCHAR' THEN NULLIF(context ->> '$."device"', '') END AS context_device
  FROM raw_events
  WHERE reject IS NULL
    AND ($cut_epoch IS NULL OR epoch < $cut_epoch)
),
-- Each record's number among its user's, in the order of the log.
numbered AS (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY epoch, seq) AS n
  FROM valid
),
-- How far back its user sent the same event id last, in records and in epochs (NULL: never).
repeated AS (
  SELECT
    *,
    n - LAG(n) OVER same_id AS records_back,
    epoch - LAG(epoch) OVER same_id AS epochs_back
  FROM numbered
  WINDOW same_id AS (PARTITION BY user_id, event_id ORDER BY n)
),
-- The duplicate rule: an id seen among the 128 records before, in the same or the preceding epoch, is
-- the same event. Fields take their declared types: whole numbers and decimals, as units, are INT64.
event AS (
  SELECT
    user_id,
    item_id,
    type,
    event_time,
    seq,
    value,
    IF(ABS(ROUND(IF(ABS(value_e2) < POW(2, 53), value_e2, NULL) * 100)) < POW(2, 53), CAST(ROUND(IF(ABS(value_e2) < POW(2, 53), value_e2, NULL) * 100) AS BIGINT), NULL) AS value_e2,
    category,
    IF(price_int = TRUNC(price_int) AND ABS(price_int) < POW(2, 53), CAST(price_int AS BIGINT), NULL) AS price_int,
    properties_float,
    properties_flag,
    IF(properties_until = TRUNC(properties_until) AND ABS(properties_until) < POW(2, 53), CAST(properties_until AS BIGINT), NULL) AS properties_until,
    properties_a_b,
    properties_a_b_2,
    context_device
  FROM repeated
  WHERE (records_back IS NULL OR records_back > 128 OR epochs_back > 1)
)
SELECT * FROM event
;

-- Table user_5m.
-- Tiles of user: 5m wide. DuckDB, generated from the feature catalogue.
WITH
-- The events that count, as Events found them.
event AS (
  SELECT * FROM events
),
-- The tile of each event that a window can reach.
tiled AS (
  SELECT
    event.*,
    user_id AS _member,
    event_time // 300000 AS _tile
  FROM event
  WHERE event_time >= $as_of - 3600000 - MOD(MOD($as_of - 3600000, 300000) + 300000, 300000)
)
SELECT
  _member,
  _tile,
  COUNT(*) AS "count_1h"
FROM tiled
GROUP BY _member, _tile
;

-- Table user_lifetime.
-- Tiles of user: one of all time. DuckDB, generated from the feature catalogue.
WITH
-- The events that count, as Events found them.
event AS (
  SELECT * FROM events
),
-- The tile of each event that a window can reach.
tiled AS (
  SELECT
    event.*,
    user_id AS _member,
    0 AS _tile
  FROM event
)
SELECT
  _member,
  _tile,
  COUNT(*) FILTER (WHERE type IN ('cart', 'view') AND value_e2 >= 450 AND category != 'it''s \a' AND price_int IN (1, 2)) AS "select",
  arg_min(struct_pack(value := properties_a_b, event_time := event_time, seq := seq), ROW(event_time, seq)) FILTER (WHERE properties_a_b IS NOT NULL) AS "first_text"
FROM tiled
GROUP BY _member, _tile
;

-- Table user_1d.
-- Tiles of user: 1d wide. DuckDB, generated from the feature catalogue.
WITH
-- The events that count, as Events found them.
event AS (
  SELECT * FROM events
),
-- The tile of each event that a window can reach.
tiled AS (
  SELECT
    event.*,
    user_id AS _member,
    event_time // 86400000 AS _tile
  FROM event
  WHERE event_time >= $as_of - 31536000000 - MOD(MOD($as_of - 31536000000, 86400000) + 86400000, 86400000)
)
SELECT
  _member,
  _tile,
  SUM(value_e2) AS "sum_7d",
  COUNT(value_e2) AS "_n_sum_7d",
  SUM(price_int) AS "sum_integer",
  COUNT(price_int) AS "_n_sum_integer",
  SUM(properties_float) AS "sum_float",
  COUNT(properties_float) AS "_n_sum_float",
  SUM(properties_flag) AS "mean_flag",
  COUNT(properties_flag) AS "_n_mean_flag",
  arg_max(struct_pack(value := properties_flag, event_time := event_time, seq := seq), ROW(event_time, seq)) FILTER (WHERE properties_flag != 1 AND properties_until > 1769817600000 AND properties_float < 0.5e0 AND properties_flag IS NOT NULL) AS "last_flag",
  approx_count_distinct(properties_a_b_2) AS "distinct_30d",
  arg_max(struct_pack(value := value_e2, event_time := event_time, seq := seq), ROW(event_time, seq), 5) FILTER (WHERE value_e2 IS NOT NULL) AS "last_values",
  arg_max(struct_pack(item_id := item_id, type := type, value := value, event_time := event_time, seq := seq), ROW(event_time, seq), 5) AS "last_events",
  SUM(POW(2, (event_time - _tile * 86400000) / 259200000)) AS "decayed_events",
  SUM(value_e2 / 100 * POW(2, (event_time - _tile * 86400000) / 259200000)) AS "decayed_value",
  COUNT(*) FILTER (WHERE context_device IN ('android', 'ios') AND type = 'purchase') AS "ratio_30d",
  COUNT(*) FILTER (WHERE context_device IN ('android', 'ios')) AS "_n_ratio_30d",
  [COUNT(*) FILTER (WHERE value_e2 / 100 < -1e0), COUNT(*) FILTER (WHERE value_e2 / 100 >= -1e0 AND value_e2 / 100 < 2.5e0), COUNT(*) FILTER (WHERE value_e2 / 100 >= 2.5e0 AND value_e2 / 100 < 10e0), COUNT(*) FILTER (WHERE value_e2 / 100 >= 10e0)] AS "histogram_30d"
FROM tiled
GROUP BY _member, _tile
;

-- Table user_1h.
-- Tiles of user: 1h wide. DuckDB, generated from the feature catalogue.
WITH
-- The events that count, as Events found them.
event AS (
  SELECT * FROM events
),
-- The tile of each event that a window can reach.
tiled AS (
  SELECT
    event.*,
    user_id AS _member,
    event_time // 3600000 AS _tile
  FROM event
  WHERE event_time >= $as_of - 172800000 - MOD(MOD($as_of - 172800000, 3600000) + 3600000, 3600000)
)
SELECT
  _member,
  _tile,
  MIN(value_e2) AS "min_2d",
  MAX(properties_until) AS "max_2d"
FROM tiled
GROUP BY _member, _tile
;

-- Table user_1d_top_30d.
-- Tiles of user: 1d wide. DuckDB, generated from the feature catalogue.
WITH
-- The events that count, as Events found them.
event AS (
  SELECT * FROM events
),
-- The tile of each event that a window can reach.
tiled AS (
  SELECT
    event.*,
    user_id AS _member,
    event_time // 86400000 AS _tile
  FROM event
  WHERE event_time >= $as_of - 2592000000 - MOD(MOD($as_of - 2592000000, 86400000) + 86400000, 86400000)
),
counted AS (
  SELECT _member, _tile, CAST(value_e2 AS VARCHAR) AS _key, COUNT(*) AS _count
  FROM tiled
  WHERE value_e2 IS NOT NULL
  GROUP BY _member, _tile, _key
)
SELECT
  _member,
  _tile,
  list(struct_pack(key := _key, count := _count)) AS "top_30d"
FROM counted
GROUP BY _member, _tile
;

-- Table user_1d_by_category.
-- Tiles of user: 1d wide, by category. DuckDB, generated from the feature catalogue.
WITH
-- The events that count, as Events found them.
event AS (
  SELECT * FROM events
),
-- The tile of each event that a window can reach.
tiled AS (
  SELECT
    event.*,
    user_id AS _member,
    event_time // 86400000 AS _tile
  FROM event
  WHERE event_time >= $as_of - 604800000 - MOD(MOD($as_of - 604800000, 86400000) + 86400000, 86400000)
)
SELECT
  _member,
  _tile,
  category AS _key,
  COUNT(*) AS "count_by",
  COUNT(*) FILTER (WHERE type = 'purchase') AS "ratio_by",
  COUNT(*) FILTER (WHERE type = 'view') AS "_n_ratio_by"
FROM tiled
WHERE category IS NOT NULL
GROUP BY _member, _tile, _key
;

-- Table item_1d_by_context_device.
-- Tiles of item: 1d wide, by context.device. DuckDB, generated from the feature catalogue.
WITH
-- The events that count, as Events found them.
event AS (
  SELECT * FROM events
),
-- The tile of each event that a window can reach.
tiled AS (
  SELECT
    event.*,
    item_id AS _member,
    event_time // 86400000 AS _tile
  FROM event
  WHERE event_time >= $as_of - 604800000 - MOD(MOD($as_of - 604800000, 86400000) + 86400000, 86400000)
)
SELECT
  _member,
  _tile,
  context_device AS _key,
  MAX(value_e2) AS "max_by"
FROM tiled
WHERE context_device IS NOT NULL
GROUP BY _member, _tile, _key
;

-- Table global_1h_top_items.
-- Tiles of global: 1h wide. DuckDB, generated from the feature catalogue.
WITH
-- The events that count, as Events found them.
event AS (
  SELECT * FROM events
),
-- The tile of each event that a window can reach.
tiled AS (
  SELECT
    event.*,
    'all' AS _member,
    event_time // 3600000 AS _tile
  FROM event
  WHERE event_time >= $as_of - 86400000 - MOD(MOD($as_of - 86400000, 3600000) + 3600000, 3600000)
),
counted AS (
  SELECT _member, _tile, item_id AS _key, COUNT(*) AS _count
  FROM tiled
  WHERE item_id IS NOT NULL
  GROUP BY _member, _tile, _key
)
SELECT
  _member,
  _tile,
  list(struct_pack(key := _key, count := _count)) AS "top_items"
FROM counted
GROUP BY _member, _tile
;
