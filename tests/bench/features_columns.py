"""The 50 columns of the bench: of all groups of the catalogue but the profile, which no other engine is asked for."""

from __future__ import annotations

from typing import Any

TOPIC, GRAM = "crm", "blog>pricing"
FITTED: dict[str, Any] = {
    "first_channel": {"values": ["paid_search"]},
    "dwell_topic": {"values": [TOPIC]},
    "path_2gram": {"values": [GRAM]},
}
# In the order of the catalogue: source, dwell, rhythm, path.
FAMILIES = (
    "first_channel", "channels_distinct", "campaigns_distinct", "paid_share",
    "dwell_total", "dwell_28d", "dwell_7d", "dwell_longest", "long_views", "dwell_stage", "dwell_decision_share",
    "dwell_decayed", "dwell_last_session", "dwell_topic",
    "sessions", "sessions_28d", "sessions_7d", "page_views", "page_views_28d", "page_views_7d", "views_per_session",
    "days_since_last", "days_since_first", "active_days_28d", "session_gap_days", "longest_pause_days", "trend_14d",
    "activity_decayed", "forms", "days_since_form", "weekend_share", "office_hours_share",
    "contents_distinct", "topics_distinct", "path_length", "session_depth", "loops", "decision_views_28d",
    "days_since_decision", "to_decision", "steps_to_pricing", "topic_concentration", "path_2gram", "step_seconds",
    "days_to_decision", "topic_switches",
)  # fmt: skip
