-- Features of user at an instant, one row a member. GoogleSQL, generated from the feature catalogue.
-- @as_of: the instant, Unix ms. @cut_epoch: only records of epochs below it count (NULL: all).
WITH
-- Valid records of the epochs that count, with the fields that features need (NULL: absent).
valid AS (
  SELECT
    event_id,
    epoch,
    user_id,
    item_id,
    type,
    UNIX_MILLIS(event_time) AS event_time,
    seq,
    value,
    value AS value_e2,
    NULLIF(category, '') AS category,
    price AS price_int,
    IF(JSON_QUERY(properties, '$."float"') LIKE '"%', NULL, SAFE_CAST(JSON_VALUE(properties, '$."float"') AS FLOAT64)) AS properties_float,
    IF(JSON_QUERY(properties, '$."flag"') LIKE '"%', NULL, CASE JSON_VALUE(properties, '$."flag"') WHEN 'true' THEN 1 WHEN 'false' THEN 0 END) AS properties_flag,
    IF(JSON_QUERY(properties, '$."until"') LIKE '"%', NULL, SAFE_CAST(JSON_VALUE(properties, '$."until"') AS FLOAT64)) AS properties_until,
    IF(JSON_QUERY(properties, '$."a-b"') LIKE '"%', NULLIF(JSON_VALUE(properties, '$."a-b"'), ''), NULL) AS properties_a_b,
    IF(JSON_QUERY(properties, '$."a_b"') LIKE '"%', NULLIF(JSON_VALUE(properties, '$."a_b"'), ''), NULL) AS properties_a_b_2,
    IF(JSON_QUERY(context, '$."device"') LIKE '"%', NULLIF(JSON_VALUE(context, '$."device"'), ''), NULL) AS context_device
  FROM `shop.raw.events`
  WHERE reject IS NULL
    AND (@cut_epoch IS NULL OR epoch < @cut_epoch)
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
    IF(ABS(ROUND(IF(ABS(value_e2) < POW(2, 53), value_e2, NULL) * 100)) < POW(2, 53), CAST(ROUND(IF(ABS(value_e2) < POW(2, 53), value_e2, NULL) * 100) AS INT64), NULL) AS value_e2,
    category,
    IF(price_int = TRUNC(price_int) AND ABS(price_int) < POW(2, 53), CAST(price_int AS INT64), NULL) AS price_int,
    properties_float,
    properties_flag,
    IF(properties_until = TRUNC(properties_until) AND ABS(properties_until) < POW(2, 53), CAST(properties_until AS INT64), NULL) AS properties_until,
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
    @as_of - MOD(MOD(@as_of, 300000) + 300000, 300000) + 300000 AS end_5m,
    @as_of - 3600000 - MOD(MOD(@as_of - 3600000, 300000) + 300000, 300000) AS from_1h,
    @as_of - MOD(MOD(@as_of, 3600000) + 3600000, 3600000) + 3600000 AS end_1h,
    @as_of - 172800000 - MOD(MOD(@as_of - 172800000, 3600000) + 3600000, 3600000) AS from_2d,
    @as_of - MOD(MOD(@as_of, 86400000) + 86400000, 86400000) + 86400000 AS end_1d,
    @as_of - 604800000 - MOD(MOD(@as_of - 604800000, 86400000) + 86400000, 86400000) AS from_7d,
    @as_of - 2592000000 - MOD(MOD(@as_of - 2592000000, 86400000) + 86400000, 86400000) AS from_30d,
    @as_of - 31536000000 - MOD(MOD(@as_of - 31536000000, 86400000) + 86400000, 86400000) AS from_365d
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
    COUNTIF(in_1h) AS `count_1h`,
    COUNTIF(type IN ('cart', 'view') AND value_e2 >= 450 AND category != 'it\'s \\a' AND price_int IN (1, 2)) AS `select`,
    COALESCE(SUM(IF(in_7d, CAST(value_e2 AS NUMERIC), NULL)), 0) / 100 AS `sum_7d`,
    COALESCE(SUM(IF(in_7d, CAST(price_int AS NUMERIC), NULL)), 0) AS `sum_integer`,
    COALESCE(SUM(IF(in_7d, properties_float, NULL)), 0.0) AS `sum_float`,
    CAST(SUM(IF(in_7d, CAST(value_e2 AS NUMERIC), NULL)) AS FLOAT64) / (NULLIF(COUNT(IF(in_7d, value_e2, NULL)), 0) * 100) AS `mean_7d`,
    AVG(IF(in_7d, properties_float, NULL)) AS `mean_float`,
    CAST(SUM(IF(in_7d, CAST(properties_flag AS NUMERIC), NULL)) AS FLOAT64) / NULLIF(COUNT(IF(in_7d, properties_flag, NULL)), 0) AS `mean_flag`,
    CAST(MIN(IF(in_2d, value_e2, NULL)) AS NUMERIC) / 100 AS `min_2d`,
    MAX(IF(in_2d, properties_until, NULL)) AS `max_2d`,
    ARRAY_AGG(properties_a_b IGNORE NULLS ORDER BY event_time, seq LIMIT 1)[SAFE_OFFSET(0)] AS `first_text`,
    ARRAY_AGG(IF(in_7d AND properties_flag != 1 AND properties_until > 1769817600000 AND properties_float < 0.5, properties_flag, NULL) IGNORE NULLS ORDER BY event_time DESC, seq DESC LIMIT 1)[SAFE_OFFSET(0)] = 1 AS `last_flag`,
    COUNT(DISTINCT IF(in_30d, properties_a_b_2, NULL)) AS `distinct_30d`,
    ARRAY_AGG(IF(in_365d, CAST(value_e2 AS NUMERIC) / 100, NULL) IGNORE NULLS ORDER BY event_time DESC, seq DESC LIMIT 5) AS `last_values`,
    ARRAY_AGG(IF(in_365d, STRUCT(item_id, type, value, event_time, seq), NULL) IGNORE NULLS ORDER BY event_time DESC, seq DESC LIMIT 5) AS `last_events`,
    COALESCE(SUM(IF(in_30d, POW(2, (event_time - @as_of) / 259200000), NULL)), 0.0) AS `decayed_events`,
    COALESCE(SUM(IF(in_30d, value_e2 / 100 * POW(2, (event_time - @as_of) / 259200000), NULL)), 0.0) AS `decayed_value`,
    COUNTIF(in_30d AND context_device IN ('android', 'ios') AND type = 'purchase') / NULLIF(COUNTIF(in_30d AND context_device IN ('android', 'ios')), 0) AS `ratio_30d`,
    [COUNTIF(in_30d AND value_e2 / 100 < -1.0), COUNTIF(in_30d AND value_e2 / 100 >= -1.0 AND value_e2 / 100 < 2.5), COUNTIF(in_30d AND value_e2 / 100 >= 2.5 AND value_e2 / 100 < 10.0), COUNTIF(in_30d AND value_e2 / 100 >= 10.0)] AS `histogram_30d`
  FROM windowed
  GROUP BY _member
),
-- Features by category, and as _n_ of how many events.
_by_category AS (
  SELECT
    _member,
    category AS _key,
    COUNTIF(in_7d) AS `count_by`,
    COUNTIF(in_7d AND type = 'purchase') / NULLIF(COUNTIF(in_7d AND type = 'view'), 0) AS `ratio_by`,
    COUNTIF(in_7d AND (type = 'purchase' OR type = 'view')) AS `_n_ratio_by`
  FROM windowed
  WHERE category IS NOT NULL
  GROUP BY _member, _key
),
-- Their groups a member, largest first.
_groups_by_category AS (
  SELECT
    _member,
    ARRAY_AGG(IF(`count_by` > 0, STRUCT(_key AS key, `count_by` AS value), NULL) IGNORE NULLS ORDER BY `count_by` DESC, _key) AS `count_by`,
    ARRAY_AGG(IF(`_n_ratio_by` > 0, STRUCT(_key AS key, `ratio_by` AS value), NULL) IGNORE NULLS ORDER BY `ratio_by` DESC, _key) AS `ratio_by`
  FROM _by_category
  GROUP BY _member
),
-- The counts that top_30d takes the largest of.
_counted_top_30d AS (
  SELECT _member, CAST(value_e2 AS STRING) AS _key, COUNT(*) AS _count
  FROM windowed
  WHERE in_30d AND value_e2 IS NOT NULL
  GROUP BY _member, _key
),
_top_top_30d AS (
  SELECT _member, ARRAY_AGG(STRUCT(_key AS key, _count AS count) IGNORE NULLS ORDER BY _count DESC, _key LIMIT 3) AS `top_30d`
  FROM _counted_top_30d
  GROUP BY _member
),
-- All features side by side.
_feature AS (
  SELECT
    _member AS user_id,
    `count_1h`,
    `select`,
    `sum_7d`,
    `sum_integer`,
    `sum_float`,
    `mean_7d`,
    `mean_float`,
    `mean_flag`,
    `min_2d`,
    `max_2d`,
    `first_text`,
    `last_flag`,
    `distinct_30d`,
    `top_30d`,
    `last_values`,
    `last_events`,
    `decayed_events`,
    `decayed_value`,
    `ratio_30d`,
    `histogram_30d`,
    `count_by`,
    `ratio_by`
  FROM _plain
  LEFT JOIN _groups_by_category USING (_member)
  LEFT JOIN _top_top_30d USING (_member)
)
SELECT
  *,
  -- (count_1h + 1) * 2 - sum_integer / 3 % 5
  SAFE_SUBTRACT(SAFE_MULTIPLY(SAFE_ADD(`count_1h`, 1), 2), MOD(SAFE.DIV(SAFE_CAST(`sum_integer` AS INT64), NULLIF(3, 0)), NULLIF(5, 0))) AS `arithmetic`,
  -- orElse(sum_7d / double(count_1h) * 1.5 + mean_7d, -mean_float)
  COALESCE(SAFE_ADD(SAFE_MULTIPLY(SAFE_DIVIDE(CAST(`sum_7d` AS FLOAT64), CAST(`count_1h` AS FLOAT64)), 1.5), `mean_7d`), SAFE_SUBTRACT(0.0, `mean_float`)) AS `doubles`,
  -- count_1h > 3 && (first_text == "a" || !(mean_flag >= 0.5)) ? last_flag : int(sum_float)
  CASE WHEN ((`count_1h` > 3) AND ((`first_text` = 'a') OR (NOT (`mean_flag` >= 0.5)))) THEN CAST(`last_flag` AS INT64) WHEN NOT ((`count_1h` > 3) AND ((`first_text` = 'a') OR (NOT (`mean_flag` >= 0.5)))) THEN SAFE_CAST(TRUNC(`sum_float`) AS INT64) END AS `choice`
FROM _feature
;

-- Features of item at an instant, one row a member. GoogleSQL, generated from the feature catalogue.
-- @as_of: the instant, Unix ms. @cut_epoch: only records of epochs below it count (NULL: all).
WITH
-- Valid records of the epochs that count, with the fields that features need (NULL: absent).
valid AS (
  SELECT
    event_id,
    epoch,
    user_id,
    item_id,
    type,
    UNIX_MILLIS(event_time) AS event_time,
    seq,
    value,
    value AS value_e2,
    IF(JSON_QUERY(context, '$."device"') LIKE '"%', NULLIF(JSON_VALUE(context, '$."device"'), ''), NULL) AS context_device
  FROM `shop.raw.events`
  WHERE reject IS NULL
    AND (@cut_epoch IS NULL OR epoch < @cut_epoch)
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
    IF(ABS(ROUND(IF(ABS(value_e2) < POW(2, 53), value_e2, NULL) * 100)) < POW(2, 53), CAST(ROUND(IF(ABS(value_e2) < POW(2, 53), value_e2, NULL) * 100) AS INT64), NULL) AS value_e2,
    context_device
  FROM repeated
  WHERE (records_back IS NULL OR records_back > 128 OR epochs_back > 1)
),
-- Windows take whole tiles of event time: from_W is the start of the tile that contains the instant less W,
-- end_w the end of the tile of width w that contains the instant. MOD twice rounds negative numbers down, too.
bounds AS (
  SELECT
    @as_of - MOD(MOD(@as_of, 86400000) + 86400000, 86400000) + 86400000 AS end_1d,
    @as_of - 604800000 - MOD(MOD(@as_of - 604800000, 86400000) + 86400000, 86400000) AS from_7d
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
    CAST(MAX(IF(in_7d, value_e2, NULL)) AS NUMERIC) / 100 AS `max_by`,
    COUNTIF(in_7d AND value_e2 IS NOT NULL) AS `_n_max_by`
  FROM windowed
  WHERE context_device IS NOT NULL
  GROUP BY _member, _key
),
-- Their groups a member, largest first.
_groups_by_context_device AS (
  SELECT
    _member,
    ARRAY_AGG(IF(`_n_max_by` > 0, STRUCT(_key AS key, `max_by` AS value), NULL) IGNORE NULLS ORDER BY `max_by` DESC, _key) AS `max_by`
  FROM _by_context_device
  GROUP BY _member
)
SELECT
  _member AS item_id,
  `max_by`
FROM _plain
LEFT JOIN _groups_by_context_device USING (_member)
;

-- Features of global at an instant, one row a member. GoogleSQL, generated from the feature catalogue.
-- @as_of: the instant, Unix ms. @cut_epoch: only records of epochs below it count (NULL: all).
WITH
-- Valid records of the epochs that count, with the fields that features need (NULL: absent).
valid AS (
  SELECT
    event_id,
    epoch,
    user_id,
    item_id,
    type,
    UNIX_MILLIS(event_time) AS event_time,
    seq,
    value
  FROM `shop.raw.events`
  WHERE reject IS NULL
    AND (@cut_epoch IS NULL OR epoch < @cut_epoch)
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
    @as_of - MOD(MOD(@as_of, 3600000) + 3600000, 3600000) + 3600000 AS end_1h,
    @as_of - 86400000 - MOD(MOD(@as_of - 86400000, 3600000) + 3600000, 3600000) AS from_1d
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
  SELECT _member, ARRAY_AGG(STRUCT(_key AS key, _count AS count) IGNORE NULLS ORDER BY _count DESC, _key LIMIT 20) AS `top_items`
  FROM _counted_top_items
  GROUP BY _member
)
SELECT
  _member AS id,
  `top_items`
FROM _plain
LEFT JOIN _top_top_items USING (_member)
;

