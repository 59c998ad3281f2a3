WITH known AS (
  SELECT e.*, {as_of} - time AS age, time // {day} AS day, kind, topic, stage
  FROM events e LEFT JOIN contents c ON e.content = c.content WHERE known < {as_of}
), days AS (
  SELECT lead, count(*) AS events,
    count(*) FILTER (type = 0) AS page_views,
    count(*) FILTER (type = 0 AND age <= 28 * {day}) AS page_views_28d,
    count(*) FILTER (type = 0 AND age <= 7 * {day}) AS page_views_7d,
    count(*) FILTER (type = {form}) AS forms,
    min(age) FILTER (type = {form}) / {day} AS days_since_form,
    count(*) FILTER (age <= 14 * {day}) AS recent,
    count(*) FILTER (age <= 28 * {day}) AS fresh,
    count(DISTINCT day) FILTER (age <= 28 * {day}) AS active_days_28d,
    count(DISTINCT campaign) FILTER (campaign >= 0) AS campaigns,
    sum(exp(age * {rate})) AS activity_decayed,
    count(*) FILTER ((day + 3) % 7 >= 5) AS weekend,
    count(*) FILTER ((day + 3) % 7 < 5 AND time % {day} // {hour} BETWEEN 8 AND 17) AS office,
    min(age) / {day} AS days_since_last, max(age) / {day} AS days_since_first
  FROM known GROUP BY lead
), opened AS (
  SELECT *, coalesce(time - lag(time) OVER w > {pause} OR (session_key >= 0 AND lag(session_key) OVER w >= 0
      AND session_key <> lag(session_key) OVER w), true) AS opens
  FROM known WHERE type IN ({web}) WINDOW w AS (PARTITION BY lead ORDER BY place)
), numbered AS (
  SELECT *, sum(opens::INT) OVER (PARTITION BY lead ORDER BY place ROWS UNBOUNDED PRECEDING)::INT AS visit FROM opened
), web AS (
  SELECT *, max(time) OVER v AS ends, bool_or(type = {engagement} AND dwell IS NOT NULL) OVER v AS measured
  FROM numbered WINDOW v AS (PARTITION BY lead, visit)
), views AS (
  SELECT lead, visit, age, content, kind, topic, stage, place, dwell, measured,
    lead(time) OVER (PARTITION BY lead, visit ORDER BY place) - time AS next, ends - time AS rest
  FROM web WHERE type = 0
), timed AS (
  SELECT lead, visit, age, topic, stage, next, true AS view,
    CASE WHEN dwell IS NOT NULL THEN CASE WHEN dwell * {second} < age THEN dwell END WHEN measured THEN NULL WHEN next IS NOT NULL THEN next / {second}
      WHEN rest > 0 THEN rest / {second} END AS seconds
  FROM views
  UNION ALL
  SELECT lead, visit, age, topic, stage, NULL, false, dwell FROM web WHERE type = {engagement} AND dwell IS NOT NULL
), visits AS (
  SELECT *, lag(age) OVER (PARTITION BY lead ORDER BY visit) - age AS pause FROM web WHERE opens
), sessions AS (
  SELECT lead, count(*) AS sessions, count(*) FILTER (age <= 28 * {day}) AS sessions_28d,
    count(*) FILTER (age <= 7 * {day}) AS sessions_7d, max(age) - min(age) AS span, max(pause) AS longest_pause,
    arg_min(channel, visit) AS first_channel, count(DISTINCT channel) AS channels,
    count(*) FILTER (channel IN ({paid})) AS paid
  FROM visits GROUP BY lead
), dwell AS (
  SELECT t.lead, sum(seconds) AS dwell_total, sum(seconds * exp(age * {rate})) AS dwell_decayed,
    CASE WHEN count(*) FILTER (age <= 28 * {day}) = 0 THEN 0
      ELSE sum(seconds) FILTER (age <= 28 * {day}) END AS dwell_28d,
    CASE WHEN count(*) FILTER (age <= 7 * {day}) = 0 THEN 0
      ELSE sum(seconds) FILTER (age <= 7 * {day}) END AS dwell_7d,
    CASE WHEN count(*) FILTER (stage = 0) = 0 THEN 0 ELSE sum(seconds) FILTER (stage = 0) END AS awareness,
    CASE WHEN count(*) FILTER (stage = 1) = 0 THEN 0 ELSE sum(seconds) FILTER (stage = 1) END AS consideration,
    CASE WHEN count(*) FILTER (stage = 2) = 0 THEN 0 ELSE sum(seconds) FILTER (stage = 2) END AS decision,
    CASE WHEN count(*) FILTER (visit = sessions) = 0 THEN 0
      ELSE sum(seconds) FILTER (visit = sessions) END AS last_session,
    CASE WHEN count(*) FILTER (topic = {topic}) = 0 THEN 0
      ELSE sum(seconds) FILTER (topic = {topic}) END AS on_topic,
    max(seconds) AS dwell_longest, count(*) FILTER (seconds >= 60) AS long_views,
    avg(next) / {second} AS step_seconds,
    count(DISTINCT topic) FILTER (view) AS topics,
    count(*) FILTER (view AND stage = 2 AND age <= 28 * {day}) AS decision_views_28d,
    min(age) FILTER (view AND stage = 2) / {day} AS days_since_decision,
    (max(age) FILTER (view) - max(age) FILTER (view AND stage = 2)) / {day} AS days_to_decision
  FROM timed t JOIN sessions s ON t.lead = s.lead GROUP BY t.lead
), depth AS (
  SELECT lead, max(contents) AS session_depth FROM (
    SELECT lead, visit, count(DISTINCT content) AS contents FROM views WHERE content >= 0 GROUP BY lead, visit
  ) GROUP BY lead
), topics AS (
  SELECT lead, max(views) / sum(views) AS concentration FROM (
    SELECT lead, topic, count(*) AS views FROM views WHERE topic IS NOT NULL GROUP BY lead, topic
  ) GROUP BY lead
), switches AS (
  SELECT lead, count(*) FILTER (topic <> before) AS topic_switches FROM (
    SELECT lead, topic, lag(topic) OVER (PARTITION BY lead ORDER BY place) AS before FROM views WHERE topic IS NOT NULL
  ) GROUP BY lead
), path AS (
  SELECT *, lag(stage) OVER p AS stage_before, row_number() OVER p AS step FROM (
    SELECT lead, place, content, kind, stage,
      content IS DISTINCT FROM lag(content) OVER (PARTITION BY lead ORDER BY place) AS fresh
    FROM views WHERE content >= 0
  ) WHERE fresh WINDOW p AS (PARTITION BY lead ORDER BY place)
), paths AS (
  SELECT lead, count(*) AS path_length, count(DISTINCT content) AS contents,
    count(*) FILTER (stage_before = 1 AND stage = 2) AS to_decision,
    min(step) FILTER (kind = {pricing}) - 1 AS steps_to_pricing
  FROM path GROUP BY lead
), kinds AS (
  SELECT lead, bool_or(kind_before = {before} AND kind = {after}) AS gram FROM (
    SELECT lead, kind, lag(kind) OVER (PARTITION BY lead ORDER BY place) AS kind_before FROM path
  ) GROUP BY lead
), joined AS (
  SELECT *, sessions > 0 AND dwell.lead IS NULL AS nothing_seen
  FROM leads LEFT JOIN days USING (lead) LEFT JOIN sessions USING (lead) LEFT JOIN dwell USING (lead)
  LEFT JOIN depth USING (lead) LEFT JOIN topics USING (lead) LEFT JOIN switches USING (lead)
  LEFT JOIN paths USING (lead) LEFT JOIN kinds USING (lead)
)
SELECT
  coalesce(first_channel = {search}, false), coalesce(first_channel <> {search}, false), first_channel IS NULL,
  coalesce(channels, 0), coalesce(campaigns, 0), paid / sessions,
  CASE WHEN nothing_seen THEN 0 ELSE dwell_total END,
  CASE WHEN nothing_seen THEN 0 ELSE dwell_28d END,
  CASE WHEN nothing_seen THEN 0 ELSE dwell_7d END,
  dwell_longest, coalesce(long_views, 0),
  CASE WHEN nothing_seen THEN 0 ELSE awareness END,
  CASE WHEN nothing_seen THEN 0 ELSE consideration END,
  CASE WHEN nothing_seen THEN 0 ELSE decision END,
  CASE WHEN dwell_total > 0 THEN decision / dwell_total END,
  CASE WHEN nothing_seen THEN 0 ELSE dwell_decayed END,
  CASE WHEN nothing_seen THEN 0 ELSE last_session END,
  CASE WHEN nothing_seen THEN 0 ELSE on_topic END,
  coalesce(sessions, 0), coalesce(sessions_28d, 0), coalesce(sessions_7d, 0),
  coalesce(page_views, 0), coalesce(page_views_28d, 0), coalesce(page_views_7d, 0), page_views / sessions,
  days_since_last, days_since_first, coalesce(active_days_28d, 0),
  CASE WHEN sessions > 1 THEN span / {day} / (sessions - 1) END, longest_pause / {day},
  CASE WHEN fresh > 0 THEN (2.0 * recent - fresh) / fresh END, coalesce(activity_decayed, 0),
  coalesce(forms, 0), days_since_form, weekend / events, office / events,
  coalesce(contents, 0), coalesce(topics, 0), coalesce(path_length, 0),
  CASE WHEN sessions > 0 THEN coalesce(session_depth, 0) END, coalesce(path_length - contents, 0),
  coalesce(decision_views_28d, 0), days_since_decision, coalesce(to_decision, 0), steps_to_pricing,
  concentration, coalesce(gram, false), step_seconds, days_to_decision, coalesce(topic_switches, 0)
FROM joined ORDER BY lead
