-- Instants are microseconds since 1970-01-01T00:00:00Z, ids are 16 bytes, hashes 32, names text as the API writes them.
-- Hot tables refer to a connection by its small row number. Wide columns stand last, so that filters do not read them.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE connections (
    row INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    epoch INTEGER NOT NULL DEFAULT 0,
    -- Ended: no run may write to it any more.
    closed INTEGER NOT NULL DEFAULT 0,
    -- A run of it has once been complete or partial; when the last one was.
    succeeded_at INTEGER,
    -- Of the last event; before the first one, 0 and when the connection was made.
    last_sequence INTEGER NOT NULL DEFAULT 0,
    last_time INTEGER NOT NULL,
    -- How far its events have been made into deliveries.
    fanned_out INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX connections_to_fan_out ON connections (last_time) WHERE last_sequence > fanned_out;

-- What the service knows of a connection. Whoever uses the engine alone has no row here.
CREATE TABLE connection_details (
    connection INTEGER PRIMARY KEY REFERENCES connections (row) ON DELETE CASCADE,
    system TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    state_since INTEGER NOT NULL,
    reason TEXT,
    account TEXT NOT NULL,
    data_key BLOB NOT NULL,
    settings BLOB NOT NULL,
    -- Since when they are what they are.
    authorized_at INTEGER NOT NULL,
    -- Seconds between runs.
    schedule INTEGER,
    -- The same of resources that have a schedule of their own, as JSON by their names; 0 for on demand only.
    resource_schedules TEXT NOT NULL DEFAULT '{}',
    -- From when on its records go; all without it.
    records_since INTEGER,
    created_at INTEGER NOT NULL
);

CREATE TABLE connection_tokens (
    id BLOB PRIMARY KEY,
    connection INTEGER NOT NULL REFERENCES connections (row) ON DELETE CASCADE,
    hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    void_from INTEGER
) WITHOUT ROWID;
CREATE INDEX connection_tokens_of_connection ON connection_tokens (connection);

CREATE TABLE management_keys (
    id BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) WITHOUT ROWID;

CREATE TABLE audit (
    row INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    -- No reference: the entry outlives the connection.
    connection BLOB,
    detail TEXT NOT NULL
);

CREATE TABLE stream_states (
    connection INTEGER NOT NULL REFERENCES connections (row) ON DELETE CASCADE,
    stream TEXT NOT NULL,
    -- The same as in the state.
    completed_at INTEGER,
    state TEXT NOT NULL,
    PRIMARY KEY (connection, stream)
) WITHOUT ROWID;

CREATE TABLE record_counts (
    connection INTEGER NOT NULL REFERENCES connections (row) ON DELETE CASCADE,
    resource TEXT NOT NULL,
    live INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    PRIMARY KEY (connection, resource)
) WITHOUT ROWID;

CREATE TABLE runs (
    row INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    connection INTEGER NOT NULL REFERENCES connections (row) ON DELETE CASCADE,
    mode TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    outcome TEXT,
    progress TEXT NOT NULL
);
CREATE INDEX runs_of_connection ON runs (connection, id);
CREATE INDEX runs_under_way ON runs (connection) WHERE finished_at IS NULL;

CREATE TABLE run_marks (
    run INTEGER NOT NULL REFERENCES runs (row) ON DELETE CASCADE,
    entity TEXT NOT NULL,
    sort_key TEXT NOT NULL,
    PRIMARY KEY (run, entity, sort_key)
) WITHOUT ROWID;

-- What stands against listings that lack too many rows. One for each stream at most.
CREATE TABLE suspicions (
    row INTEGER PRIMARY KEY,
    connection INTEGER NOT NULL REFERENCES connections (row) ON DELETE CASCADE,
    stream TEXT NOT NULL,
    id BLOB NOT NULL,
    entity TEXT NOT NULL,
    -- No reference: it may outlive the run.
    run BLOB NOT NULL,
    since INTEGER NOT NULL,
    found_at INTEGER NOT NULL,
    missing INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    -- Rows that were read after this came back, and are suspect no more.
    observation INTEGER NOT NULL,
    confirmed_at INTEGER,
    UNIQUE (connection, stream)
);

-- The rows that they have shown.
CREATE TABLE suspects (
    suspicion INTEGER NOT NULL REFERENCES suspicions (row) ON DELETE CASCADE,
    sort_key TEXT NOT NULL,
    PRIMARY KEY (suspicion, sort_key)
) WITHOUT ROWID;

CREATE TABLE row_issues (
    row INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs (row) ON DELETE CASCADE,
    entity TEXT NOT NULL,
    key TEXT,
    place TEXT NOT NULL,
    -- Of the rows without a key that stand there.
    number INTEGER NOT NULL,
    reason TEXT NOT NULL,
    -- Somebody wants it to be read again.
    wanted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX row_issues_wanted ON row_issues (run) WHERE wanted = 1;
CREATE INDEX row_issues_of_run ON row_issues (run);

CREATE TABLE documents (
    row INTEGER PRIMARY KEY,
    connection INTEGER NOT NULL REFERENCES connections (row) ON DELETE CASCADE,
    entity TEXT NOT NULL,
    sort_key TEXT NOT NULL,
    key TEXT NOT NULL,
    version TEXT,
    hash BLOB NOT NULL,
    mapped_by TEXT NOT NULL,
    observation INTEGER NOT NULL,
    gone INTEGER NOT NULL,
    -- Names of its records' resources, with commas between.
    resources TEXT NOT NULL,
    changed_at INTEGER,
    changed_text TEXT,
    quarantine_reason TEXT,
    -- The mapper that could not map it; empty when somebody wants it to be tried again.
    tried_by TEXT,
    body TEXT NOT NULL,
    UNIQUE (connection, entity, sort_key)
);
CREATE INDEX documents_gone ON documents (connection, entity) WHERE gone = 1;
CREATE INDEX documents_quarantined ON documents (connection, entity) WHERE quarantine_reason IS NOT NULL;
CREATE INDEX documents_tried ON documents (connection, tried_by) WHERE tried_by IS NOT NULL;

CREATE TABLE records (
    row INTEGER PRIMARY KEY,
    connection INTEGER NOT NULL REFERENCES connections (row) ON DELETE CASCADE,
    resource TEXT NOT NULL,
    id BLOB NOT NULL,
    -- The document that made it last.
    document INTEGER NOT NULL REFERENCES documents (row) ON DELETE CASCADE,
    remote_id TEXT NOT NULL,
    content_hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    remote_created_at INTEGER,
    remote_modified_at INTEGER,
    deleted INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    status TEXT,
    asset_id BLOB,
    due_at INTEGER,
    completed_at INTEGER,
    -- Days as ISO 8601 text: they have no zone and sort as they are.
    order_date TEXT,
    delivery_date TEXT,
    -- The record as it is shown, one JSON object in two parts: all but the end of the envelope's members, then those of its
    -- content. What changes the envelope alone, a delete for one, leaves the second part as it is.
    envelope TEXT NOT NULL,
    content TEXT NOT NULL,
    UNIQUE (connection, resource, id)
);
-- No two records of a connection are made in the same instant.
CREATE INDEX records_by_creation ON records (connection, resource, created_at);
-- Also the order of sequence: both rise together within a connection.
CREATE INDEX records_by_change ON records (connection, resource, modified_at);
CREATE INDEX records_by_remote_id ON records (connection, resource, remote_id);
CREATE INDEX records_of_document ON records (document);
CREATE INDEX records_by_status ON records (connection, resource, status, created_at) WHERE status IS NOT NULL;
CREATE INDEX records_by_asset ON records (connection, resource, asset_id, created_at) WHERE asset_id IS NOT NULL;
CREATE INDEX records_by_due ON records (connection, resource, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX records_by_completed ON records (connection, resource, completed_at) WHERE completed_at IS NOT NULL;
CREATE INDEX records_by_order_date ON records (connection, resource, order_date) WHERE order_date IS NOT NULL;
CREATE INDEX records_by_delivery_date ON records (connection, resource, delivery_date) WHERE delivery_date IS NOT NULL;

CREATE TABLE events (
    connection INTEGER NOT NULL REFERENCES connections (row) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    time INTEGER NOT NULL,
    type TEXT NOT NULL,
    -- Of a record's event.
    resource TEXT,
    record BLOB,
    initial INTEGER NOT NULL DEFAULT 0,
    -- Of any other.
    data TEXT,
    PRIMARY KEY (connection, sequence)
) WITHOUT ROWID;

CREATE TABLE webhook_endpoints (
    row INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    url TEXT NOT NULL,
    description TEXT,
    -- The one connection whose events it gets; all when absent.
    scope BLOB,
    events TEXT NOT NULL,
    include_initial INTEGER NOT NULL,
    sealed_secret BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    disabled_at INTEGER,
    disabled_reason TEXT
);

-- Events up to here were logged before the endpoint was there, and are not fanned out yet.
CREATE TABLE webhook_starts (
    endpoint INTEGER NOT NULL REFERENCES webhook_endpoints (row) ON DELETE CASCADE,
    connection INTEGER NOT NULL REFERENCES connections (row) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (endpoint, connection)
) WITHOUT ROWID;

CREATE TABLE webhook_deliveries (
    row INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    endpoint INTEGER NOT NULL REFERENCES webhook_endpoints (row) ON DELETE CASCADE,
    connection INTEGER NOT NULL REFERENCES connections (row) ON DELETE CASCADE,
    event TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    state TEXT NOT NULL,
    -- In all, and in the present plan.
    attempts INTEGER NOT NULL DEFAULT 0,
    plan_attempts INTEGER NOT NULL DEFAULT 0,
    plan_started_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    next_attempt_at INTEGER,
    leased_until INTEGER,
    -- The later of the two above.
    due_at INTEGER,
    last_attempt_at INTEGER,
    last_duration INTEGER,
    last_status INTEGER,
    last_error TEXT,
    body BLOB NOT NULL
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint, due_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_leased ON webhook_deliveries (endpoint, leased_until) WHERE leased_until IS NOT NULL;
CREATE INDEX webhook_deliveries_newest ON webhook_deliveries (created_at, id);
CREATE INDEX webhook_deliveries_of_endpoint ON webhook_deliveries (endpoint, created_at, id);
CREATE INDEX webhook_deliveries_of_connection ON webhook_deliveries (connection);
