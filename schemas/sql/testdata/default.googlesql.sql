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
    price AS price_e2,
    value AS value_e2,
    NULLIF(category, '') AS category
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
    IF(ABS(ROUND(IF(ABS(price_e2) < POW(2, 53), price_e2, NULL) * 100)) < POW(2, 53), CAST(ROUND(IF(ABS(price_e2) < POW(2, 53), price_e2, NULL) * 100) AS INT64), NULL) AS price_e2,
    IF(ABS(ROUND(IF(ABS(value_e2) < POW(2, 53), value_e2, NULL) * 100)) < POW(2, 53), CAST(ROUND(IF(ABS(value_e2) < POW(2, 53), value_e2, NULL) * 100) AS INT64), NULL) AS value_e2,
    category
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
    @as_of - 86400000 - MOD(MOD(@as_of - 86400000, 3600000) + 3600000, 3600000) AS from_1d,
    @as_of - MOD(MOD(@as_of, 86400000) + 86400000, 86400000) + 86400000 AS end_1d,
    @as_of - 604800000 - MOD(MOD(@as_of - 604800000, 86400000) + 86400000, 86400000) AS from_7d,
    @as_of - 2592000000 - MOD(MOD(@as_of - 2592000000, 86400000) + 86400000, 86400000) AS from_30d,
    @as_of - 7776000000 - MOD(MOD(@as_of - 7776000000, 86400000) + 86400000, 86400000) AS from_90d,
    @as_of - 31536000000 - MOD(MOD(@as_of - 31536000000, 86400000) + 86400000, 86400000) AS from_365d
),
-- Which windows each event is in.
windowed AS (
  SELECT
    user_id AS _member,
    event.*,
    event_time >= from_1h AND event_time < end_5m AS in_1h,
    event_time >= from_1d AND event_time < end_1h AS in_1d,
    event_time >= from_7d AND event_time < end_1d AS in_7d,
    event_time >= from_30d AND event_time < end_1d AS in_30d,
    event_time >= from_90d AND event_time < end_1d AS in_90d,
    event_time >= from_365d AND event_time < end_1d AS in_365d
  FROM event CROSS JOIN bounds
),
-- One row a member. Names that begin with _ are never those of features.
_plain AS (
  SELECT
    _member,
    COUNTIF(in_1h) AS `events_1h`,
    COUNTIF(in_1d) AS `events_24h`,
    COUNTIF(in_7d) AS `events_7d`,
    COUNTIF(in_30d) AS `events_30d`,
    COUNT(*) AS `events_total`,
    COUNTIF(in_1h AND type = 'view') AS `views_1h`,
    COUNTIF(in_1d AND type = 'view') AS `views_24h`,
    COUNTIF(in_7d AND type = 'view') AS `views_7d`,
    COUNTIF(in_30d AND type = 'view') AS `views_30d`,
    COUNTIF(in_7d AND type = 'cart') AS `carts_7d`,
    -- events, each worth half after a week
    COALESCE(SUM(IF(in_90d, POW(2, (event_time - @as_of) / 604800000), NULL)), 0.0) AS `activity`,
    MIN(event_time) AS `first_seen`,
    MAX(event_time) AS `last_seen`,
    COUNTIF(in_7d AND type = 'purchase') AS `purchases_7d`,
    COUNTIF(in_30d AND type = 'purchase') AS `purchases_30d`,
    COUNTIF(in_365d AND type = 'purchase') AS `purchases_365d`,
    COALESCE(SUM(IF(in_30d AND type = 'purchase', CAST(price_e2 AS NUMERIC), NULL)), 0) / 100 AS `spend_30d`,
    COALESCE(SUM(IF(in_365d AND type = 'purchase', CAST(price_e2 AS NUMERIC), NULL)), 0) / 100 AS `spend_365d`,
    CAST(SUM(IF(in_365d AND type = 'purchase', CAST(price_e2 AS NUMERIC), NULL)) AS FLOAT64) / (NULLIF(COUNT(IF(in_365d AND type = 'purchase', price_e2, NULL)), 0) * 100) AS `mean_price_365d`,
    COALESCE(SUM(IF(in_365d AND type = 'purchase', price_e2 / 100 * POW(2, (event_time - @as_of) / 2592000000), NULL)), 0.0) AS `spend_decayed`,
    COUNTIF(in_7d AND type = 'purchase') / NULLIF(COUNTIF(in_7d AND type = 'view'), 0) AS `purchase_rate_7d`,
    COUNTIF(in_30d AND type = 'purchase') / NULLIF(COUNTIF(in_30d AND type = 'view'), 0) AS `purchase_rate_30d`,
    ARRAY_AGG(IF(type = 'purchase', item_id, NULL) IGNORE NULLS ORDER BY event_time DESC, seq DESC LIMIT 1)[SAFE_OFFSET(0)] AS `last_purchase`,
    ARRAY_AGG(IF(type = 'purchase', item_id, NULL) IGNORE NULLS ORDER BY event_time DESC, seq DESC LIMIT 5) AS `recent_purchases`,
    CAST(MIN(IF(in_30d, price_e2, NULL)) AS NUMERIC) / 100 AS `min_price_30d`,
    CAST(MAX(IF(in_30d, price_e2, NULL)) AS NUMERIC) / 100 AS `max_price_30d`,
    [COUNTIF(in_30d AND price_e2 / 100 < 10.0), COUNTIF(in_30d AND price_e2 / 100 >= 10.0 AND price_e2 / 100 < 50.0), COUNTIF(in_30d AND price_e2 / 100 >= 50.0 AND price_e2 / 100 < 200.0), COUNTIF(in_30d AND price_e2 / 100 >= 200.0)] AS `price_histogram_30d`,
    CAST(SUM(IF(in_90d AND type = 'rating', CAST(value_e2 AS NUMERIC), NULL)) AS FLOAT64) / (NULLIF(COUNT(IF(in_90d AND type = 'rating', value_e2, NULL)), 0) * 100) AS `mean_rating_90d`,
    COUNT(DISTINCT IF(in_30d, item_id, NULL)) AS `items_30d`,
    ARRAY_AGG(item_id IGNORE NULLS ORDER BY event_time, seq LIMIT 1)[SAFE_OFFSET(0)] AS `first_item`,
    ARRAY_AGG(item_id IGNORE NULLS ORDER BY event_time DESC, seq DESC LIMIT 1)[SAFE_OFFSET(0)] AS `last_item`,
    ARRAY_AGG(category IGNORE NULLS ORDER BY event_time DESC, seq DESC LIMIT 1)[SAFE_OFFSET(0)] AS `last_category`,
    ARRAY_AGG(STRUCT(item_id, type, value, event_time, seq) IGNORE NULLS ORDER BY event_time DESC, seq DESC LIMIT 100) AS `recent_interactions`
  FROM windowed
  GROUP BY _member
),
-- Features by category, and as _n_ of how many events.
_by_category AS (
  SELECT
    _member,
    category AS _key,
    COALESCE(SUM(IF(in_30d, POW(2, (event_time - @as_of) / 259200000), NULL)), 0.0) AS `category_affinity`,
    COUNTIF(in_30d) AS `_n_category_affinity`
  FROM windowed
  WHERE category IS NOT NULL
  GROUP BY _member, _key
),
-- Their groups a member, largest first.
_groups_by_category AS (
  SELECT
    _member,
    ARRAY_AGG(IF(`_n_category_affinity` > 0, STRUCT(_key AS key, `category_affinity` AS value), NULL) IGNORE NULLS ORDER BY `category_affinity` DESC, _key) AS `category_affinity`
  FROM _by_category
  GROUP BY _member
),
-- The counts that top_types_30d takes the largest of.
_counted_top_types_30d AS (
  SELECT _member, type AS _key, COUNT(*) AS _count
  FROM windowed
  WHERE in_30d AND type IS NOT NULL
  GROUP BY _member, _key
),
_top_top_types_30d AS (
  SELECT _member, ARRAY_AGG(STRUCT(_key AS key, _count AS count) IGNORE NULLS ORDER BY _count DESC, _key LIMIT 3) AS `top_types_30d`
  FROM _counted_top_types_30d
  GROUP BY _member
),
-- All features side by side.
_feature AS (
  SELECT
    _member AS user_id,
    `events_1h`,
    `events_24h`,
    `events_7d`,
    `events_30d`,
    `events_total`,
    `views_1h`,
    `views_24h`,
    `views_7d`,
    `views_30d`,
    `carts_7d`,
    `activity`,
    `first_seen`,
    `last_seen`,
    `purchases_7d`,
    `purchases_30d`,
    `purchases_365d`,
    `spend_30d`,
    `spend_365d`,
    `mean_price_365d`,
    `spend_decayed`,
    `purchase_rate_7d`,
    `purchase_rate_30d`,
    `last_purchase`,
    `recent_purchases`,
    `min_price_30d`,
    `max_price_30d`,
    `price_histogram_30d`,
    `mean_rating_90d`,
    `items_30d`,
    `top_types_30d`,
    `first_item`,
    `last_item`,
    `last_category`,
    `category_affinity`,
    `recent_interactions`
  FROM _plain
  LEFT JOIN _groups_by_category USING (_member)
  LEFT JOIN _top_top_types_30d USING (_member)
)
SELECT
  *,
  -- double(views_30d) / double(purchases_30d)
  SAFE_DIVIDE(CAST(`views_30d` AS FLOAT64), CAST(`purchases_30d` AS FLOAT64)) AS `views_per_purchase_30d`,
  -- double(views_24h) * 7.0 / double(views_7d)
  SAFE_DIVIDE(SAFE_MULTIPLY(CAST(`views_24h` AS FLOAT64), 7.0), CAST(`views_7d` AS FLOAT64)) AS `day_over_week`,
  -- orElse(spend_30d / double(purchases_30d), 0.0)
  COALESCE(SAFE_DIVIDE(CAST(`spend_30d` AS FLOAT64), CAST(`purchases_30d` AS FLOAT64)), 0.0) AS `spend_per_purchase_30d`
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
    IF(JSON_QUERY(context, '$."device"') LIKE '"%', NULLIF(JSON_VALUE(context, '$."device"'), ''), NULL) AS context_device,
    price AS price_e2,
    value AS value_e2
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
    context_device,
    IF(ABS(ROUND(IF(ABS(price_e2) < POW(2, 53), price_e2, NULL) * 100)) < POW(2, 53), CAST(ROUND(IF(ABS(price_e2) < POW(2, 53), price_e2, NULL) * 100) AS INT64), NULL) AS price_e2,
    IF(ABS(ROUND(IF(ABS(value_e2) < POW(2, 53), value_e2, NULL) * 100)) < POW(2, 53), CAST(ROUND(IF(ABS(value_e2) < POW(2, 53), value_e2, NULL) * 100) AS INT64), NULL) AS value_e2
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
    @as_of - 86400000 - MOD(MOD(@as_of - 86400000, 3600000) + 3600000, 3600000) AS from_1d,
    @as_of - MOD(MOD(@as_of, 86400000) + 86400000, 86400000) + 86400000 AS end_1d,
    @as_of - 604800000 - MOD(MOD(@as_of - 604800000, 86400000) + 86400000, 86400000) AS from_7d,
    @as_of - 1209600000 - MOD(MOD(@as_of - 1209600000, 86400000) + 86400000, 86400000) AS from_14d,
    @as_of - 2592000000 - MOD(MOD(@as_of - 2592000000, 86400000) + 86400000, 86400000) AS from_30d,
    @as_of - 7776000000 - MOD(MOD(@as_of - 7776000000, 86400000) + 86400000, 86400000) AS from_90d
),
-- Which windows each event is in.
windowed AS (
  SELECT
    item_id AS _member,
    event.*,
    event_time >= from_1h AND event_time < end_5m AS in_1h,
    event_time >= from_1d AND event_time < end_1h AS in_1d,
    event_time >= from_7d AND event_time < end_1d AS in_7d,
    event_time >= from_14d AND event_time < end_1d AS in_14d,
    event_time >= from_30d AND event_time < end_1d AS in_30d,
    event_time >= from_90d AND event_time < end_1d AS in_90d
  FROM event CROSS JOIN bounds
),
-- One row a member. Names that begin with _ are never those of features.
_plain AS (
  SELECT
    _member,
    COUNTIF(in_1h) AS `item_events_1h`,
    COUNTIF(in_1d) AS `item_events_24h`,
    COUNTIF(in_7d) AS `item_events_7d`,
    COUNTIF(in_30d) AS `item_events_30d`,
    COUNT(*) AS `item_events_total`,
    COUNTIF(in_7d AND type = 'view') AS `item_views_7d`,
    COUNTIF(in_7d AND type = 'purchase') AS `item_purchases_7d`,
    COUNTIF(in_30d AND type = 'purchase') AS `item_purchases_30d`,
    COUNTIF(in_7d AND type = 'purchase') / NULLIF(COUNTIF(in_7d AND type = 'view'), 0) AS `item_conversion_7d`,
    COALESCE(SUM(IF(in_14d, POW(2, (event_time - @as_of) / 86400000), NULL)), 0.0) AS `item_trend`,
    COUNT(DISTINCT IF(in_7d, user_id, NULL)) AS `item_users_7d`,
    ARRAY_AGG(IF(in_30d AND type = 'purchase', user_id, NULL) IGNORE NULLS ORDER BY event_time DESC, seq DESC LIMIT 10) AS `item_recent_users`,
    MIN(event_time) AS `item_launched`,
    COALESCE(SUM(IF(in_30d AND type = 'purchase', CAST(price_e2 AS NUMERIC), NULL)), 0) / 100 AS `item_revenue_30d`,
    CAST(SUM(IF(in_30d AND type = 'purchase', CAST(price_e2 AS NUMERIC), NULL)) AS FLOAT64) / (NULLIF(COUNT(IF(in_30d AND type = 'purchase', price_e2, NULL)), 0) * 100) AS `item_price_paid_30d`,
    COALESCE(SUM(IF(in_90d AND type = 'purchase', price_e2 / 100 * POW(2, (event_time - @as_of) / 604800000), NULL)), 0.0) AS `item_revenue_decayed`,
    CAST(MIN(IF(in_90d, price_e2, NULL)) AS NUMERIC) / 100 AS `item_min_price_90d`,
    CAST(MAX(IF(in_90d, price_e2, NULL)) AS NUMERIC) / 100 AS `item_max_price_90d`,
    CAST(ARRAY_AGG(price_e2 IGNORE NULLS ORDER BY event_time, seq LIMIT 1)[SAFE_OFFSET(0)] AS NUMERIC) / 100 AS `item_first_price`,
    CAST(ARRAY_AGG(price_e2 IGNORE NULLS ORDER BY event_time DESC, seq DESC LIMIT 1)[SAFE_OFFSET(0)] AS NUMERIC) / 100 AS `item_last_price`,
    CAST(SUM(IF(in_90d AND type = 'rating', CAST(value_e2 AS NUMERIC), NULL)) AS FLOAT64) / (NULLIF(COUNT(IF(in_90d AND type = 'rating', value_e2, NULL)), 0) * 100) AS `item_rating_90d`,
    [COUNTIF(in_90d AND type = 'rating' AND value_e2 / 100 < 2.0), COUNTIF(in_90d AND type = 'rating' AND value_e2 / 100 >= 2.0 AND value_e2 / 100 < 3.0), COUNTIF(in_90d AND type = 'rating' AND value_e2 / 100 >= 3.0 AND value_e2 / 100 < 4.0), COUNTIF(in_90d AND type = 'rating' AND value_e2 / 100 >= 4.0 AND value_e2 / 100 < 5.0), COUNTIF(in_90d AND type = 'rating' AND value_e2 / 100 >= 5.0)] AS `item_rating_histogram_90d`,
    -- likes and ratings that say 4 stars or more
    COUNTIF(in_30d AND type IN ('like', 'rating') AND value_e2 >= 400) AS `item_likes_30d`
  FROM windowed
  GROUP BY _member
),
-- Features by context.device, and as _n_ of how many events.
_by_context_device AS (
  SELECT
    _member,
    context_device AS _key,
    COUNTIF(in_30d AND type = 'purchase') AS `item_purchases_by_device_30d`
  FROM windowed
  WHERE context_device IS NOT NULL
  GROUP BY _member, _key
),
-- Their groups a member, largest first.
_groups_by_context_device AS (
  SELECT
    _member,
    ARRAY_AGG(IF(`item_purchases_by_device_30d` > 0, STRUCT(_key AS key, `item_purchases_by_device_30d` AS value), NULL) IGNORE NULLS ORDER BY `item_purchases_by_device_30d` DESC, _key) AS `item_purchases_by_device_30d`
  FROM _by_context_device
  GROUP BY _member
),
-- The counts that item_devices_7d takes the largest of.
_counted_item_devices_7d AS (
  SELECT _member, context_device AS _key, COUNT(*) AS _count
  FROM windowed
  WHERE in_7d AND context_device IS NOT NULL
  GROUP BY _member, _key
),
_top_item_devices_7d AS (
  SELECT _member, ARRAY_AGG(STRUCT(_key AS key, _count AS count) IGNORE NULLS ORDER BY _count DESC, _key LIMIT 3) AS `item_devices_7d`
  FROM _counted_item_devices_7d
  GROUP BY _member
),
-- All features side by side.
_feature AS (
  SELECT
    _member AS item_id,
    `item_events_1h`,
    `item_events_24h`,
    `item_events_7d`,
    `item_events_30d`,
    `item_events_total`,
    `item_views_7d`,
    `item_purchases_7d`,
    `item_purchases_30d`,
    `item_purchases_by_device_30d`,
    `item_conversion_7d`,
    `item_trend`,
    `item_users_7d`,
    `item_recent_users`,
    `item_devices_7d`,
    `item_launched`,
    `item_revenue_30d`,
    `item_price_paid_30d`,
    `item_revenue_decayed`,
    `item_min_price_90d`,
    `item_max_price_90d`,
    `item_first_price`,
    `item_last_price`,
    `item_rating_90d`,
    `item_rating_histogram_90d`,
    `item_likes_30d`
  FROM _plain
  LEFT JOIN _groups_by_context_device USING (_member)
  LEFT JOIN _top_item_devices_7d USING (_member)
)
SELECT
  *,
  -- item_last_price / item_first_price - 1.0
  SAFE_SUBTRACT(SAFE_DIVIDE(CAST(`item_last_price` AS FLOAT64), CAST(`item_first_price` AS FLOAT64)), 1.0) AS `item_price_change`,
  -- item_revenue_30d / double(item_events_30d)
  SAFE_DIVIDE(CAST(`item_revenue_30d` AS FLOAT64), CAST(`item_events_30d` AS FLOAT64)) AS `item_revenue_per_view_30d`
FROM _feature
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
-- The counts that trending_24h takes the largest of.
_counted_trending_24h AS (
  SELECT _member, item_id AS _key, COUNT(*) AS _count
  FROM windowed
  WHERE in_1d AND item_id IS NOT NULL
  GROUP BY _member, _key
),
_top_trending_24h AS (
  SELECT _member, ARRAY_AGG(STRUCT(_key AS key, _count AS count) IGNORE NULLS ORDER BY _count DESC, _key LIMIT 200) AS `trending_24h`
  FROM _counted_trending_24h
  GROUP BY _member
)
SELECT
  _member AS id,
  `trending_24h`
FROM _plain
LEFT JOIN _top_trending_24h USING (_member)
;

