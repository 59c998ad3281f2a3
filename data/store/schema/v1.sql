-- The store, version 1. Plain SQL that SQLite and PostgreSQL both take.
-- Times: microseconds since 1970 UTC. Money: whole minor units. Null: as data/records.py says.
-- What was told is kept as it was told; profiles, links and what counts twice are worked out when it is read, so that
-- the order in which it came makes no difference.

CREATE TABLE store_schema (version INTEGER NOT NULL);

-- dataset.toml, tracker.toml (the mapping of POST /v1/events), rules.yaml, content.yaml, mapping.toml
CREATE TABLE texts (name TEXT PRIMARY KEY, content TEXT NOT NULL);

-- Of posted events with one event_id the one that could be seen first; what was imported is as it was in its folder.
-- posted: 1 = came by POST /v1/events, and links its visitor to its lead where it names both.
CREATE TABLE events (
    event_id TEXT NOT NULL,
    visitor_id TEXT,
    lead_id TEXT,
    session_id TEXT,
    page_view_id TEXT,
    occurred_at BIGINT NOT NULL,
    received_at BIGINT,
    type TEXT NOT NULL,
    direction TEXT,
    url TEXT,
    content_id TEXT,
    referrer_host TEXT,
    source TEXT,
    medium TEXT,
    campaign TEXT,
    click_id_kind TEXT,
    dwell_seconds DOUBLE PRECISION,
    dwell_basis TEXT,
    is_bot SMALLINT NOT NULL,
    posted SMALLINT NOT NULL,
    CHECK (visitor_id IS NOT NULL OR lead_id IS NOT NULL)
);
CREATE INDEX events_id ON events (event_id);
CREATE INDEX events_lead ON events (lead_id);
CREATE INDEX events_visitor ON events (visitor_id, lead_id);

-- identify calls, one row per message_id: of several the one known first. traits: JSON of profile columns, the address
-- reduced; null where the call only links. The columns after it repeat what finds the people of an account.
CREATE TABLE identifies (
    message_id TEXT PRIMARY KEY,
    visitor_id TEXT,
    lead_id TEXT NOT NULL,
    known_from BIGINT NOT NULL,
    traits TEXT,
    account_id TEXT,
    email_domain TEXT,
    email_hash TEXT
);
CREATE INDEX identifies_lead ON identifies (lead_id);
CREATE INDEX identifies_visitor ON identifies (visitor_id);
CREATE INDEX identifies_account ON identifies (account_id);
CREATE INDEX identifies_domain ON identifies (email_domain);
CREATE INDEX identifies_address ON identifies (email_hash);

-- Whole profile rows that were imported, in the order of `line`; extra: JSON of the declared columns.
CREATE TABLE leads (
    line BIGINT PRIMARY KEY,
    lead_id TEXT NOT NULL,
    account_id TEXT,
    created_at BIGINT,
    valid_from BIGINT,
    email_domain TEXT,
    email_kind TEXT,
    title TEXT,
    company TEXT,
    industry TEXT,
    employees DOUBLE PRECISION,
    country TEXT,
    state TEXT,
    lead_source TEXT,
    self_reported_source TEXT,
    email_hash TEXT,
    source_row BIGINT NOT NULL,
    extra TEXT
);
CREATE INDEX leads_lead ON leads (lead_id);
CREATE INDEX leads_account ON leads (account_id);
CREATE INDEX leads_domain ON leads (lower(trim(email_domain)));
CREATE INDEX leads_address ON leads (email_hash);

CREATE TABLE outcomes (
    outcome_id TEXT PRIMARY KEY,
    lead_id TEXT,
    visitor_id TEXT,
    occurred_at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    value DOUBLE PRECISION,
    reason TEXT,
    CHECK (visitor_id IS NOT NULL OR lead_id IS NOT NULL)
);
CREATE INDEX outcomes_lead ON outcomes (lead_id);
CREATE INDEX outcomes_visitor ON outcomes (visitor_id);

CREATE TABLE links (
    visitor_id TEXT NOT NULL,
    lead_id TEXT NOT NULL,
    known_from BIGINT NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (visitor_id, lead_id, known_from, kind)
);
CREATE INDEX links_lead ON links (lead_id);

CREATE TABLE consents (
    lead_id TEXT NOT NULL,
    purpose TEXT NOT NULL,
    given_at BIGINT NOT NULL,
    confirmed_at BIGINT,
    withdrawn_at BIGINT,
    text_version TEXT,
    PRIMARY KEY (lead_id, purpose, given_at)
);

CREATE TABLE spend (
    line BIGINT PRIMARY KEY,
    date BIGINT NOT NULL,
    channel TEXT NOT NULL,
    campaign TEXT,
    amount DOUBLE PRECISION NOT NULL
);

-- Every link there is; of one told again and again each telling, which changes nothing.
CREATE VIEW known_links AS
    SELECT visitor_id, lead_id, known_from, kind FROM links
    UNION ALL
    SELECT visitor_id, lead_id, known_from, 'identify' AS kind FROM identifies WHERE visitor_id IS NOT NULL
    UNION ALL
    SELECT visitor_id, lead_id,
        CASE WHEN received_at > occurred_at THEN received_at ELSE occurred_at END AS known_from,
        'identify' AS kind
    FROM events WHERE posted = 1 AND visitor_id IS NOT NULL AND lead_id IS NOT NULL;
