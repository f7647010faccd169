-- Features of user at an instant, one row a member. DuckDB, generated from the feature catalogue.
-- $as_of: the instant, Unix ms. $cut_epoch: only records of epochs below it count (NULL: all).
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
),
-- Windows take whole tiles of event time: from_W is the start of the tile that contains the instant less W,
-- end_w the end of the tile of width w that contains the instant. MOD twice rounds negative numbers down, too.
bounds AS (
  SELECT
    $as_of - MOD(MOD($as_of, 300000) + 300000, 300000) + 300000 AS end_5m,
    $as_of - 3600000 - MOD(MOD($as_of - 3600000, 300000) + 300000, 300000) AS from_1h,
    $as_of - MOD(MOD($as_of, 3600000) + 3600000, 3600000) + 3600000 AS end_1h,
    $as_of - 172800000 - MOD(MOD($as_of - 172800000, 3600000) + 3600000, 3600000) AS from_2d,
    $as_of - MOD(MOD($as_of, 86400000) + 86400000, 86400000) + 86400000 AS end_1d,
    $as_of - 604800000 - MOD(MOD($as_of - 604800000, 86400000) + 86400000, 86400000) AS from_7d,
    $as_of - 2592000000 - MOD(MOD($as_of - 2592000000, 86400000) + 86400000, 86400000) AS from_30d,
    $as_of - 31536000000 - MOD(MOD($as_of - 31536000000, 86400000) + 86400000, 86400000) AS from_365d
),
-- Which windows each event is in.
windowed AS (
  SELECT
    user_id AS _member,
    event.*,
    event_time >= from_1h AND event_time < end_5m AS in_1h,
    event_time >= from_2d AND event_time < end_1h AS in_2d,
    event_time >= from_7d AND event_time < end_1d AS in_7d,
    event_time >= from_30d AND event_time < end_1d AS in_30d,
    event_time >= from_365d AND event_time < end_1d AS in_365d
  FROM event CROSS JOIN bounds
),
-- One row a member. Names that begin with _ are never those of features.
_plain AS (
  SELECT
    _member,
    -- within the hour
    COUNT(*) FILTER (WHERE in_1h) AS "count_1h",
    COUNT(*) FILTER (WHERE type IN ('cart', 'view') AND value_e2 >= 450 AND category != 'it''s \a' AND price_int IN (1, 2)) AS "select",
    CAST(COALESCE(SUM(value_e2) FILTER (WHERE in_7d), 0) AS DECIMAL(30, 0)) * 0.01 AS "sum_7d",
    COALESCE(SUM(price_int) FILTER (WHERE in_7d), 0) AS "sum_integer",
    COALESCE(SUM(properties_float) FILTER (WHERE in_7d), 0e0) AS "sum_float",
    CAST(SUM(value_e2) FILTER (WHERE in_7d) AS DOUBLE) / (NULLIF(COUNT(value_e2) FILTER (WHERE in_7d), 0) * 100) AS "mean_7d",
    AVG(properties_float) FILTER (WHERE in_7d) AS "mean_float",
    CAST(SUM(properties_flag) FILTER (WHERE in_7d) AS DOUBLE) / NULLIF(COUNT(properties_flag) FILTER (WHERE in_7d), 0) AS "mean_flag",
    CAST(MIN(value_e2) FILTER (WHERE in_2d) AS DECIMAL(30, 0)) * 0.01 AS "min_2d",
    MAX(properties_until) FILTER (WHERE in_2d) AS "max_2d",
    arg_min(properties_a_b, ROW(event_time, seq)) FILTER (WHERE properties_a_b IS NOT NULL) AS "first_text",
    arg_max(properties_flag, ROW(event_time, seq)) FILTER (WHERE in_7d AND properties_flag != 1 AND properties_until > 1769817600000 AND properties_float < 0.5e0 AND properties_flag IS NOT NULL) = 1 AS "last_flag",
    COUNT(DISTINCT properties_a_b_2) FILTER (WHERE in_30d) AS "distinct_30d",
    arg_max(CAST(value_e2 AS DECIMAL(30, 0)) * 0.01, ROW(event_time, seq), 5) FILTER (WHERE in_365d AND CAST(value_e2 AS DECIMAL(30, 0)) * 0.01 IS NOT NULL) AS "last_values",
    arg_max(struct_pack(item_id := item_id, type := type, value := value, event_time := event_time, seq := seq), ROW(event_time, seq), 5) FILTER (WHERE in_365d) AS "last_events",
    COALESCE(SUM(POW(2, (event_time - $as_of) / 259200000)) FILTER (WHERE in_30d), 0e0) AS "decayed_events",
    COALESCE(SUM(value_e2 / 100 * POW(2, (event_time - $as_of) / 259200000)) FILTER (WHERE in_30d), 0e0) AS "decayed_value",
    COUNT(*) FILTER (WHERE in_30d AND context_device IN ('android', 'ios') AND type = 'purchase') / NULLIF(COUNT(*) FILTER (WHERE in_30d AND context_device IN ('android', 'ios')), 0) AS "ratio_30d",
    [COUNT(*) FILTER (WHERE in_30d AND value_e2 / 100 < -1e0), COUNT(*) FILTER (WHERE in_30d AND value_e2 / 100 >= -1e0 AND value_e2 / 100 < 2.5e0), COUNT(*) FILTER (WHERE in_30d AND value_e2 / 100 >= 2.5e0 AND value_e2 / 100 < 10e0), COUNT(*) FILTER (WHERE in_30d AND value_e2 / 100 >= 10e0)] AS "histogram_30d"
  FROM windowed
  GROUP BY _member
),
-- Features by category, and as _n_ of how many events.
_by_category AS (
  SELECT
    _member,
    category AS _key,
    COUNT(*) FILTER (WHERE in_7d) AS "count_by",
    COUNT(*) FILTER (WHERE in_7d AND type = 'purchase') / NULLIF(COUNT(*) FILTER (WHERE in_7d AND type = 'view'), 0) AS "ratio_by",
    COUNT(*) FILTER (WHERE in_7d AND (type = 'purchase' OR type = 'view')) AS "_n_ratio_by"
  FROM windowed
  WHERE category IS NOT NULL
  GROUP BY _member, _key
),
-- Their groups a member, largest first.
_groups_by_category AS (
  SELECT
    _member,
    list(struct_pack(key := _key, value := "count_by") ORDER BY "count_by" DESC, _key) FILTER (WHERE "count_by" > 0) AS "count_by",
    list(struct_pack(key := _key, value := "ratio_by") ORDER BY "ratio_by" DESC, _key) FILTER (WHERE "_n_ratio_by" > 0) AS "ratio_by"
  FROM _by_category
  GROUP BY _member
),
-- The counts that top_30d takes the largest of.
_counted_top_30d AS (
  SELECT _member, CAST(value_e2 AS VARCHAR) AS _key, COUNT(*) AS _count
  FROM windowed
  WHERE in_30d AND value_e2 IS NOT NULL
  GROUP BY _member, _key
),
_top_top_30d AS (
  SELECT _member, (list(struct_pack(key := _key, count := _count) ORDER BY _count DESC, _key))[1:3] AS "top_30d"
  FROM _counted_top_30d
  GROUP BY _member
),
-- All features side by side.
_feature AS (
  SELECT
    _member AS user_id,
    "count_1h",
    "select",
    "sum_7d",
    "sum_integer",
    "sum_float",
    "mean_7d",
    "mean_float",
    "mean_flag",
    "min_2d",
    "max_2d",
    "first_text",
    "last_flag",
    "distinct_30d",
    "top_30d",
    "last_values",
    "last_events",
    "decayed_events",
    "decayed_value",
    "ratio_30d",
    "histogram_30d",
    "count_by",
    "ratio_by"
  FROM _plain
  LEFT JOIN _groups_by_category USING (_member)
  LEFT JOIN _top_top_30d USING (_member)
)
SELECT
  *,
  -- (count_1h + 1) * 2 - sum_integer / 3 % 5
  TRY(TRY(TRY("count_1h" + 1) * 2) - TRY(TRY(TRY_CAST("sum_integer" AS BIGINT) // NULLIF(3, 0)) % NULLIF(5, 0))) AS "arithmetic",
  -- orElse(sum_7d / double(count_1h) * 1.5 + mean_7d, -mean_float)
  COALESCE(NULLIF(NULLIF(NULLIF(NULLIF(NULLIF(NULLIF(NULLIF(NULLIF(NULLIF(CAST("sum_7d" AS DOUBLE) / CAST("count_1h" AS DOUBLE), 'inf'::DOUBLE), '-inf'::DOUBLE), 'nan'::DOUBLE) * 1.5e0, 'inf'::DOUBLE), '-inf'::DOUBLE), 'nan'::DOUBLE) + "mean_7d", 'inf'::DOUBLE), '-inf'::DOUBLE), 'nan'::DOUBLE), NULLIF(NULLIF(NULLIF(0e0 - "mean_float", 'inf'::DOUBLE), '-inf'::DOUBLE), 'nan'::DOUBLE)) AS "doubles",
  -- count_1h > 3 && (first_text == "a" || !(mean_flag >= 0.5)) ? last_flag : int(sum_float)
  CASE WHEN (("count_1h" > 3) AND (("first_text" = 'a') OR (NOT ("mean_flag" >= 0.5e0)))) THEN CAST("last_flag" AS BIGINT) WHEN NOT (("count_1h" > 3) AND (("first_text" = 'a') OR (NOT ("mean_flag" >= 0.5e0)))) THEN TRY_CAST(TRUNC("sum_float") AS BIGINT) END AS "choice"
FROM _feature
;

-- Features of item at an instant, one row a member. DuckDB, generated from the feature catalogue.
-- $as_of: the instant, Unix ms. $cut_epoch: only records of epochs below it count (NULL: all).
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
    context_device
  FROM repeated
  WHERE (records_back IS NULL OR records_back > 128 OR epochs_back > 1)
),
-- Windows take whole tiles of event time: from_W is the start of the tile that contains the instant less W,
-- end_w the end of the tile of width w that contains the instant. MOD twice rounds negative numbers down, too.
bounds AS (
  SELECT
    $as_of - MOD(MOD($as_of, 86400000) + 86400000, 86400000) + 86400000 AS end_1d,
    $as_of - 604800000 - MOD(MOD($as_of - 604800000, 86400000) + 86400000, 86400000) AS from_7d
),
-- Which windows each event is in.
windowed AS (
  SELECT
    item_id AS _member,
    event.*,
    event_time >= from_7d AND event_time < end_1d AS in_7d
  FROM event CROSS JOIN bounds
),
-- One row a member. Names that begin with _ are never those of features.
_plain AS (
  SELECT _member
  FROM windowed
  GROUP BY _member
),
-- Features by context.device, and as _n_ of how many events.
_by_context_device AS (
  SELECT
    _member,
    context_device AS _key,
    CAST(MAX(value_e2) FILTER (WHERE in_7d) AS DECIMAL(30, 0)) * 0.01 AS "max_by",
    COUNT(*) FILTER (WHERE in_7d AND value_e2 IS NOT NULL) AS "_n_max_by"
  FROM windowed
  WHERE context_device IS NOT NULL
  GROUP BY _member, _key
),
-- Their groups a member, largest first.
_groups_by_context_device AS (
  SELECT
    _member,
    list(struct_pack(key := _key, value := "max_by") ORDER BY "max_by" DESC, _key) FILTER (WHERE "_n_max_by" > 0) AS "max_by"
  FROM _by_context_device
  GROUP BY _member
)
SELECT
  _member AS item_id,
  "max_by"
FROM _plain
LEFT JOIN _groups_by_context_device USING (_member)
;

-- Features of global at an instant, one row a member. DuckDB, generated from the feature catalogue.
-- $as_of: the instant, Unix ms. $cut_epoch: only records of epochs below it count (NULL: all).
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
    value
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
    value
  FROM repeated
  WHERE (records_back IS NULL OR records_back > 128 OR epochs_back > 1)
),
-- Windows take whole tiles of event time: from_W is the start of the tile that contains the instant less W,
-- end_w the end of the tile of width w that contains the instant. MOD twice rounds negative numbers down, too.
bounds AS (
  SELECT
    $as_of - MOD(MOD($as_of, 3600000) + 3600000, 3600000) + 3600000 AS end_1h,
    $as_of - 86400000 - MOD(MOD($as_of - 86400000, 3600000) + 3600000, 3600000) AS from_1d
),
-- Which windows each event is in.
windowed AS (
  SELECT
    'all' AS _member,
    event.*,
    event_time >= from_1d AND event_time < end_1h AS in_1d
  FROM event CROSS JOIN bounds
),
-- One row a member. Names that begin with _ are never those of features.
_plain AS (
  SELECT _member
  FROM windowed
  GROUP BY _member
),
-- The counts that top_items takes the largest of.
_counted_top_items AS (
  SELECT _member, item_id AS _key, COUNT(*) AS _count
  FROM windowed
  WHERE in_1d AND item_id IS NOT NULL
  GROUP BY _member, _key
),
_top_top_items AS (
  SELECT _member, (list(struct_pack(key := _key, count := _count) ORDER BY _count DESC, _key))[1:20] AS "top_items"
  FROM _counted_top_items
  GROUP BY _member
)
SELECT
  _member AS id,
  "top_items"
FROM _plain
LEFT JOIN _top_top_items USING (_member)
;

