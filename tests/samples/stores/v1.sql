BEGIN TRANSACTION;
CREATE TABLE consents (
    lead_id TEXT NOT NULL,
    purpose TEXT NOT NULL,
    given_at BIGINT NOT NULL,
    confirmed_at BIGINT,
    withdrawn_at BIGINT,
    text_version TEXT,
    PRIMARY KEY (lead_id, purpose, given_at)
);
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
INSERT INTO "events" VALUES('m1','v6',NULL,NULL,NULL,1773919994354000,1774179194354000,'page_view',NULL,'https://www.example.com/pricing',NULL,'www.google.com','news','email',NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m2','v4',NULL,NULL,NULL,1774555925096000,1774555925096000,'page_view',NULL,'https://www.example.com/blog/automation/x',NULL,'www.google.com','ads',NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m3','v0',NULL,NULL,NULL,1777618128980000,NULL,'page_view',NULL,'https://www.example.com/product/analytics',NULL,'www.google.com',NULL,NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m4','v3',NULL,NULL,NULL,1773654100885000,1773654187285000,'page_view',NULL,'https://www.example.com/guides/security',NULL,'www.google.com','ads',NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m5','v9',NULL,NULL,NULL,1777091960720000,1777351160720000,'page_view',NULL,'https://www.example.com/',NULL,'www.google.com',NULL,NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m6','v7',NULL,NULL,NULL,1774994231329000,NULL,'custom',NULL,NULL,NULL,'www.google.com','ads',NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m7','v0',NULL,NULL,NULL,1775318610270000,1775577810270000,'page_view',NULL,'https://www.example.com/blog/automation/x',NULL,'www.google.com',NULL,NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m8','v10',NULL,NULL,NULL,1772771287643000,1772771374043000,'custom',NULL,NULL,NULL,'www.google.com','ads',NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m9','v10',NULL,NULL,NULL,1773616819234000,NULL,'custom',NULL,'https://www.example.com/demo',NULL,'www.google.com',NULL,NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m11','v0',NULL,NULL,NULL,1772444619159000,1772444705559000,'page_view',NULL,'https://www.example.com/pricing',NULL,'www.google.com','news','email',NULL,NULL,NULL,'none',1,1);
INSERT INTO "events" VALUES('m12','v6',NULL,NULL,NULL,1773492062702000,NULL,'page_view',NULL,'https://www.example.com/blog/automation/x',NULL,'www.google.com','ads',NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m13','v9',NULL,NULL,NULL,1774078887621000,1774078887621000,'page_view',NULL,'https://www.example.com/product/analytics',NULL,'www.google.com',NULL,NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m15','v2',NULL,NULL,NULL,1774096163647000,NULL,'page_view',NULL,'https://www.example.com/',NULL,'www.google.com',NULL,NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m16','v3','L2',NULL,NULL,1775067041232000,1775067127632000,'page_view',NULL,'https://www.example.com/pricing',NULL,'www.google.com','ads','email',NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m18','v5',NULL,NULL,NULL,1776818500538000,NULL,'page_view',NULL,'https://www.example.com/product/analytics',NULL,'www.google.com','ads',NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m19','v11','L2',NULL,NULL,1774509020556000,1774509020556000,'page_view',NULL,'https://www.example.com/guides/security',NULL,'www.google.com',NULL,NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m20','v6',NULL,NULL,NULL,1773683261541000,1773683261541000,'custom',NULL,NULL,NULL,'www.google.com','ads',NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m21','v8',NULL,NULL,NULL,1775985319821000,NULL,'custom',NULL,NULL,NULL,'www.google.com',NULL,NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m22','v4',NULL,NULL,NULL,1773588670290000,1773588756690000,'custom',NULL,NULL,NULL,'www.google.com','ads',NULL,NULL,NULL,NULL,'none',1,1);
INSERT INTO "events" VALUES('m23','v10','L3',NULL,NULL,1776026880271000,1776026966671000,'page_view',NULL,'https://www.example.com/product/analytics',NULL,'www.google.com',NULL,NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m24','v0',NULL,NULL,NULL,1776577945024000,NULL,'page_view',NULL,'https://www.example.com/guides/security',NULL,'www.google.com','ads',NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m25','v4',NULL,NULL,NULL,1776574889265000,1776834089265000,'page_view',NULL,'https://www.example.com/',NULL,'www.google.com',NULL,NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m26','v8','L6',NULL,NULL,1775613692296000,1775613692296000,'page_view',NULL,'https://www.example.com/pricing',NULL,'www.google.com','ads','email',NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m27','v11',NULL,NULL,NULL,1776189937704000,NULL,'page_view',NULL,'https://www.example.com/blog/automation/x',NULL,'www.google.com',NULL,NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m28','v4',NULL,NULL,NULL,1773230852279000,1773490052279000,'page_view',NULL,'https://www.example.com/product/analytics',NULL,'www.google.com','ads',NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m29','v5',NULL,NULL,NULL,1774518354277000,1774518440677000,'custom',NULL,NULL,NULL,'www.google.com',NULL,NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m30','v8',NULL,NULL,NULL,1777407383230000,NULL,'page_view',NULL,'https://www.example.com/',NULL,'www.google.com','ads',NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m31','v4',NULL,NULL,NULL,1772443168186000,1772702368186000,'page_view',NULL,'https://www.example.com/pricing',NULL,'www.google.com','news','email',NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m32','v7','L5',NULL,NULL,1777285238312000,1777285324712000,'page_view',NULL,'https://www.example.com/blog/automation/x',NULL,'www.google.com','ads',NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m33','v3',NULL,NULL,NULL,1777564655556000,NULL,'custom',NULL,'https://www.example.com/demo',NULL,'www.google.com',NULL,NULL,NULL,NULL,NULL,'none',1,1);
INSERT INTO "events" VALUES('m34','v0',NULL,NULL,NULL,1776706138461000,1776706138461000,'custom',NULL,NULL,NULL,'www.google.com','ads',NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m36','v3',NULL,NULL,NULL,1773163067723000,NULL,'custom',NULL,'https://www.example.com/demo',NULL,'www.google.com','ads',NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m37','v3',NULL,NULL,NULL,1774987765228000,1774987851628000,'custom',NULL,'https://www.example.com/demo',NULL,'www.google.com',NULL,NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m38','v1',NULL,NULL,NULL,1776919322919000,1777178522919000,'page_view',NULL,'https://www.example.com/product/analytics',NULL,'www.google.com','ads',NULL,NULL,NULL,NULL,'none',0,1);
INSERT INTO "events" VALUES('m39','v5',NULL,NULL,NULL,1772735228565000,NULL,'custom',NULL,NULL,NULL,'www.google.com',NULL,NULL,NULL,NULL,NULL,'none',0,1);
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
INSERT INTO "identifies" VALUES('m0','v0','L4',1776611535156000,'{"email_domain": "gmail.com", "email_kind": "free", "title": "CTO"}',NULL,'gmail.com',NULL);
INSERT INTO "identifies" VALUES('m10','v3','L6',1776959861306000,'{"created_at": 1776182261306000, "email_domain": "example.org", "email_kind": "business", "title": "CEO"}',NULL,'example.org',NULL);
INSERT INTO "identifies" VALUES('m14','v8','L7',1774763652618000,'{"created_at": 1773986052618000, "email_domain": "gmail.com", "email_kind": "free"}',NULL,'gmail.com',NULL);
INSERT INTO "identifies" VALUES('m17','v3','L0',1772772956077000,'{"created_at": 1771736156077000, "email_domain": "example.org", "email_kind": "business", "employees": 51.0}',NULL,'example.org',NULL);
INSERT INTO "identifies" VALUES('m35','v2','L7',1773078485648000,'{"created_at": 1772041685648000, "email_domain": "gmail.com", "email_kind": "free", "employees": 51.0}',NULL,'gmail.com',NULL);
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
CREATE TABLE links (
    visitor_id TEXT NOT NULL,
    lead_id TEXT NOT NULL,
    known_from BIGINT NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (visitor_id, lead_id, known_from, kind)
);
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
CREATE TABLE spend (
    line BIGINT PRIMARY KEY,
    date BIGINT NOT NULL,
    channel TEXT NOT NULL,
    campaign TEXT,
    amount DOUBLE PRECISION NOT NULL
);
CREATE TABLE store_schema (version INTEGER NOT NULL);
INSERT INTO "store_schema" VALUES(1);
CREATE TABLE texts (name TEXT PRIMARY KEY, content TEXT NOT NULL);
INSERT INTO "texts" VALUES('dataset.toml','[dataset]
name = "calls"
buckets = 64
timezone = "UTC"
currency = "EUR"
has_times = true
digest = ""

[split]
kind = "time"
seed = 0
train = 0.7
order_by = ""

[snapshots]
exclude_if_seen = []

[counts]
');
CREATE INDEX events_id ON events (event_id);
CREATE INDEX events_lead ON events (lead_id);
CREATE INDEX events_visitor ON events (visitor_id, lead_id);
CREATE INDEX identifies_lead ON identifies (lead_id);
CREATE INDEX identifies_visitor ON identifies (visitor_id);
CREATE INDEX identifies_account ON identifies (account_id);
CREATE INDEX identifies_domain ON identifies (email_domain);
CREATE INDEX identifies_address ON identifies (email_hash);
CREATE INDEX leads_lead ON leads (lead_id);
CREATE INDEX leads_account ON leads (account_id);
CREATE INDEX leads_domain ON leads (lower(trim(email_domain)));
CREATE INDEX leads_address ON leads (email_hash);
CREATE INDEX outcomes_lead ON outcomes (lead_id);
CREATE INDEX outcomes_visitor ON outcomes (visitor_id);
CREATE INDEX links_lead ON links (lead_id);
CREATE VIEW known_links AS
    SELECT visitor_id, lead_id, known_from, kind FROM links
    UNION ALL
    SELECT visitor_id, lead_id, known_from, 'identify' AS kind FROM identifies WHERE visitor_id IS NOT NULL
    UNION ALL
    SELECT visitor_id, lead_id,
        CASE WHEN received_at > occurred_at THEN received_at ELSE occurred_at END AS known_from,
        'identify' AS kind
    FROM events WHERE posted = 1 AND visitor_id IS NOT NULL AND lead_id IS NOT NULL;
COMMIT;
