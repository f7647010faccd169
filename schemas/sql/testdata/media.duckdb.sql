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
    CASE WHEN json_type(properties, '$."autoplay"') = 'BOOLEAN' THEN CAST(properties ->> '$."autoplay"' = 'true' AS BIGINT) END AS properties_autoplay,
    CASE WHEN json_type(properties, '$."seconds"') NOT IN ('VARCHAR', 'BOOLEAN') THEN TRY_CAST(properties ->> '$."seconds"' AS DOUBLE) END AS properties_seconds,
    NULLIF(category, '') AS category,
    CASE WHEN json_type(properties, '$."artist"') = 'VARCHAR' THEN NULLIF(properties ->> '$."artist"', '') END AS properties_artist
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
    properties_autoplay,
    IF(properties_seconds = TRUNC(properties_seconds) AND ABS(properties_seconds) < POW(2, 53), CAST(properties_seconds AS BIGINT), NULL) AS properties_seconds,
    category,
    properties_artist
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
    $as_of - 86400000 - MOD(MOD($as_of - 86400000, 3600000) + 3600000, 3600000) AS from_1d,
    $as_of - MOD(MOD($as_of, 86400000) + 86400000, 86400000) + 86400000 AS end_1d,
    $as_of - 604800000 - MOD(MOD($as_of - 604800000, 86400000) + 86400000, 86400000) AS from_7d,
    $as_of - 2592000000 - MOD(MOD($as_of - 2592000000, 86400000) + 86400000, 86400000) AS from_30d,
    $as_of - 7776000000 - MOD(MOD($as_of - 7776000000, 86400000) + 86400000, 86400000) AS from_90d
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
    event_time >= from_90d AND event_time < end_1d AS in_90d
  FROM event CROSS JOIN bounds
),
-- One row a member. Names that begin with _ are never those of features.
_plain AS (
  SELECT
    _member,
    COUNT(*) FILTER (WHERE in_1h) AS "events_1h",
    COUNT(*) FILTER (WHERE in_1d) AS "events_24h",
    COUNT(*) FILTER (WHERE in_7d) AS "events_7d",
    COUNT(*) FILTER (WHERE in_7d AND type = 'play') AS "plays_7d",
    COUNT(*) FILTER (WHERE in_30d AND type = 'play') AS "plays_30d",
    -- plays that the user started
    COUNT(*) FILTER (WHERE in_7d AND type = 'play' AND properties_autoplay = 0) AS "chosen_7d",
    COUNT(*) FILTER (WHERE in_7d AND type = 'complete') AS "completes_7d",
    COUNT(*) FILTER (WHERE in_7d AND type = 'skip') AS "skips_7d",
    COALESCE(SUM(properties_seconds) FILTER (WHERE in_1d AND type IN ('complete', 'skip')), 0) AS "watch_seconds_24h",
    COALESCE(SUM(properties_seconds) FILTER (WHERE in_7d AND type IN ('complete', 'skip')), 0) AS "watch_seconds_7d",
    COALESCE(SUM(properties_seconds) FILTER (WHERE in_30d AND type IN ('complete', 'skip')), 0) AS "watch_seconds_30d",
    CAST(SUM(properties_seconds) FILTER (WHERE in_30d AND type IN ('complete', 'skip')) AS DOUBLE) / NULLIF(COUNT(properties_seconds) FILTER (WHERE in_30d AND type IN ('complete', 'skip')), 0) AS "mean_watch_30d",
    MAX(properties_seconds) FILTER (WHERE in_30d AND type IN ('complete', 'skip')) AS "longest_watch_30d",
    [COUNT(*) FILTER (WHERE in_30d AND type IN ('complete', 'skip') AND properties_seconds < 10e0), COUNT(*) FILTER (WHERE in_30d AND type IN ('complete', 'skip') AND properties_seconds >= 10e0 AND properties_seconds < 60e0), COUNT(*) FILTER (WHERE in_30d AND type IN ('complete', 'skip') AND properties_seconds >= 60e0 AND properties_seconds < 600e0), COUNT(*) FILTER (WHERE in_30d AND type IN ('complete', 'skip') AND properties_seconds >= 600e0)] AS "watch_histogram_30d",
    COALESCE(SUM(properties_seconds * POW(2, (event_time - $as_of) / 604800000)) FILTER (WHERE in_90d AND type IN ('complete', 'skip')), 0e0) AS "watch_decayed",
    MAX(event_time) AS "last_seen",
    COUNT(*) FILTER (WHERE in_7d AND type = 'complete') / NULLIF(COUNT(*) FILTER (WHERE in_7d AND type = 'play'), 0) AS "completion_7d",
    COUNT(*) FILTER (WHERE in_30d AND type = 'complete') / NULLIF(COUNT(*) FILTER (WHERE in_30d AND type = 'play'), 0) AS "completion_30d",
    COUNT(DISTINCT category) FILTER (WHERE in_30d) AS "genres_30d",
    arg_min(item_id, ROW(event_time, seq)) FILTER (WHERE item_id IS NOT NULL) AS "first_item",
    arg_max(item_id, ROW(event_time, seq)) FILTER (WHERE item_id IS NOT NULL) AS "last_item",
    arg_max(category, ROW(event_time, seq)) FILTER (WHERE type = 'play' AND category IS NOT NULL) AS "last_genre",
    arg_max(item_id, ROW(event_time, seq), 10) FILTER (WHERE type = 'like' AND item_id IS NOT NULL) AS "recent_likes",
    arg_max(struct_pack(item_id := item_id, type := type, value := value, event_time := event_time, seq := seq), ROW(event_time, seq), 100) AS "recent_interactions"
  FROM windowed
  GROUP BY _member
),
-- Features by category, and as _n_ of how many events.
_by_category AS (
  SELECT
    _member,
    category AS _key,
    COUNT(*) FILTER (WHERE in_30d AND type = 'complete') / NULLIF(COUNT(*) FILTER (WHERE in_30d AND type = 'play'), 0) AS "genre_completion_30d",
    COUNT(*) FILTER (WHERE in_30d AND (type = 'complete' OR type = 'play')) AS "_n_genre_completion_30d",
    COALESCE(SUM(POW(2, (event_time - $as_of) / 1209600000)) FILTER (WHERE in_90d AND type IN ('complete', 'like', 'share')), 0e0) AS "category_affinity",
    COUNT(*) FILTER (WHERE in_90d AND type IN ('complete', 'like', 'share')) AS "_n_category_affinity"
  FROM windowed
  WHERE category IS NOT NULL
  GROUP BY _member, _key
),
-- Their groups a member, largest first.
_groups_by_category AS (
  SELECT
    _member,
    list(struct_pack(key := _key, value := "genre_completion_30d") ORDER BY "genre_completion_30d" DESC, _key) FILTER (WHERE "_n_genre_completion_30d" > 0) AS "genre_completion_30d",
    list(struct_pack(key := _key, value := "category_affinity") ORDER BY "category_affinity" DESC, _key) FILTER (WHERE "_n_category_affinity" > 0) AS "category_affinity"
  FROM _by_category
  GROUP BY _member
),
-- The counts that top_artists_30d takes the largest of.
_counted_top_artists_30d AS (
  SELECT _member, properties_artist AS _key, COUNT(*) AS _count
  FROM windowed
  WHERE in_30d AND type IN ('complete', 'like') AND properties_artist IS NOT NULL
  GROUP BY _member, _key
),
_top_top_artists_30d AS (
  SELECT _member, (list(struct_pack(key := _key, count := _count) ORDER BY _count DESC, _key))[1:3] AS "top_artists_30d"
  FROM _counted_top_artists_30d
  GROUP BY _member
),
-- All features side by side.
_feature AS (
  SELECT
    _member AS user_id,
    "events_1h",
    "events_24h",
    "events_7d",
    "plays_7d",
    "plays_30d",
    "chosen_7d",
    "completes_7d",
    "skips_7d",
    "watch_seconds_24h",
    "watch_seconds_7d",
    "watch_seconds_30d",
    "mean_watch_30d",
    "longest_watch_30d",
    "watch_histogram_30d",
    "watch_decayed",
    "last_seen",
    "completion_7d",
    "completion_30d",
    "genre_completion_30d",
    "category_affinity",
    "genres_30d",
    "top_artists_30d",
    "first_item",
    "last_item",
    "last_genre",
    "recent_likes",
    "recent_interactions"
  FROM _plain
  LEFT JOIN _groups_by_category USING (_member)
  LEFT JOIN _top_top_artists_30d USING (_member)
)
SELECT
  *,
  -- double(skips_7d) / double(plays_7d)
  NULLIF(NULLIF(NULLIF(CAST("skips_7d" AS DOUBLE) / CAST("plays_7d" AS DOUBLE), 'inf'::DOUBLE), '-inf'::DOUBLE), 'nan'::DOUBLE) AS "skip_rate_7d",
  -- orElse(double(watch_seconds_24h) * 7.0 / double(watch_seconds_7d), 0.0)
  COALESCE(NULLIF(NULLIF(NULLIF(NULLIF(NULLIF(NULLIF(CAST(TRY_CAST("watch_seconds_24h" AS BIGINT) AS DOUBLE) * 7e0, 'inf'::DOUBLE), '-inf'::DOUBLE), 'nan'::DOUBLE) / CAST(TRY_CAST("watch_seconds_7d" AS BIGINT) AS DOUBLE), 'inf'::DOUBLE), '-inf'::DOUBLE), 'nan'::DOUBLE), 0e0) AS "binge"
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
    CASE WHEN json_type(properties, '$."seconds"') NOT IN ('VARCHAR', 'BOOLEAN') THEN TRY_CAST(properties ->> '$."seconds"' AS DOUBLE) END AS properties_seconds,
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
    IF(properties_seconds = TRUNC(properties_seconds) AND ABS(properties_seconds) < POW(2, 53), CAST(properties_seconds AS BIGINT), NULL) AS properties_seconds,
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
    $as_of - 86400000 - MOD(MOD($as_of - 86400000, 3600000) + 3600000, 3600000) AS from_1d,
    $as_of - 172800000 - MOD(MOD($as_of - 172800000, 3600000) + 3600000, 3600000) AS from_2d,
    $as_of - MOD(MOD($as_of, 86400000) + 86400000, 86400000) + 86400000 AS end_1d,
    $as_of - 604800000 - MOD(MOD($as_of - 604800000, 86400000) + 86400000, 86400000) AS from_7d,
    $as_of - 2592000000 - MOD(MOD($as_of - 2592000000, 86400000) + 86400000, 86400000) AS from_30d
),
-- Which windows each event is in.
windowed AS (
  SELECT
    item_id AS _member,
    event.*,
    event_time >= from_1h AND event_time < end_5m AS in_1h,
    event_time >= from_1d AND event_time < end_1h AS in_1d,
    event_time >= from_2d AND event_time < end_1h AS in_2d,
    event_time >= from_7d AND event_time < end_1d AS in_7d,
    event_time >= from_30d AND event_time < end_1d AS in_30d
  FROM event CROSS JOIN bounds
),
-- One row a member. Names that begin with _ are never those of features.
_plain AS (
  SELECT
    _member,
    COUNT(*) FILTER (WHERE in_1h AND type = 'play') AS "item_plays_1h",
    COUNT(*) FILTER (WHERE in_1d AND type = 'play') AS "item_plays_24h",
    COUNT(*) FILTER (WHERE in_7d AND type = 'play') AS "item_plays_7d",
    COALESCE(SUM(POW(2, (event_time - $as_of) / 21600000)) FILTER (WHERE in_2d AND type IN ('complete', 'like', 'play', 'share')), 0e0) AS "item_trend",
    COUNT(*) FILTER (WHERE in_7d AND type = 'complete') / NULLIF(COUNT(*) FILTER (WHERE in_7d AND type = 'play'), 0) AS "item_completion_7d",
    COALESCE(SUM(properties_seconds) FILTER (WHERE in_7d AND type IN ('complete', 'skip')), 0) AS "item_watch_seconds_7d",
    CAST(SUM(properties_seconds) FILTER (WHERE in_30d AND type IN ('complete', 'skip')) AS DOUBLE) / NULLIF(COUNT(properties_seconds) FILTER (WHERE in_30d AND type IN ('complete', 'skip')), 0) AS "item_mean_watch_30d",
    COUNT(*) FILTER (WHERE in_7d AND type = 'skip' AND properties_seconds < 10) AS "item_early_skips_7d",
    [COUNT(*) FILTER (WHERE in_7d AND type IN ('complete', 'skip') AND properties_seconds < 10e0), COUNT(*) FILTER (WHERE in_7d AND type IN ('complete', 'skip') AND properties_seconds >= 10e0 AND properties_seconds < 60e0), COUNT(*) FILTER (WHERE in_7d AND type IN ('complete', 'skip') AND properties_seconds >= 60e0 AND properties_seconds < 600e0), COUNT(*) FILTER (WHERE in_7d AND type IN ('complete', 'skip') AND properties_seconds >= 600e0 AND properties_seconds < 3600e0), COUNT(*) FILTER (WHERE in_7d AND type IN ('complete', 'skip') AND properties_seconds >= 3600e0)] AS "item_watch_histogram_7d",
    COUNT(DISTINCT user_id) FILTER (WHERE in_7d AND type = 'play') AS "item_viewers_7d",
    MIN(event_time) AS "item_released"
  FROM windowed
  GROUP BY _member
),
-- Features by context.device, and as _n_ of how many events.
_by_context_device AS (
  SELECT
    _member,
    context_device AS _key,
    COUNT(*) FILTER (WHERE in_7d AND type = 'play') AS "item_plays_by_device_7d"
  FROM windowed
  WHERE context_device IS NOT NULL
  GROUP BY _member, _key
),
-- Their groups a member, largest first.
_groups_by_context_device AS (
  SELECT
    _member,
    list(struct_pack(key := _key, value := "item_plays_by_device_7d") ORDER BY "item_plays_by_device_7d" DESC, _key) FILTER (WHERE "item_plays_by_device_7d" > 0) AS "item_plays_by_device_7d"
  FROM _by_context_device
  GROUP BY _member
),
-- All features side by side.
_feature AS (
  SELECT
    _member AS item_id,
    "item_plays_1h",
    "item_plays_24h",
    "item_plays_7d",
    "item_trend",
    "item_completion_7d",
    "item_watch_seconds_7d",
    "item_mean_watch_30d",
    "item_early_skips_7d",
    "item_watch_histogram_7d",
    "item_viewers_7d",
    "item_plays_by_device_7d",
    "item_released"
  FROM _plain
  LEFT JOIN _groups_by_context_device USING (_member)
)
SELECT
  *,
  -- double(item_early_skips_7d) / double(item_plays_7d)
  NULLIF(NULLIF(NULLIF(CAST("item_early_skips_7d" AS DOUBLE) / CAST("item_plays_7d" AS DOUBLE), 'inf'::DOUBLE), '-inf'::DOUBLE), 'nan'::DOUBLE) AS "item_early_skip_rate_7d"
FROM _feature
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
-- The counts that trending_24h takes the largest of.
_counted_trending_24h AS (
  SELECT _member, item_id AS _key, COUNT(*) AS _count
  FROM windowed
  WHERE in_1d AND type IN ('complete', 'like', 'play', 'share') AND item_id IS NOT NULL
  GROUP BY _member, _key
),
_top_trending_24h AS (
  SELECT _member, (list(struct_pack(key := _key, count := _count) ORDER BY _count DESC, _key))[1:200] AS "trending_24h"
  FROM _counted_trending_24h
  GROUP BY _member
)
SELECT
  _member AS id,
  "trending_24h"
FROM _plain
LEFT JOIN _top_trending_24h USING (_member)
;

