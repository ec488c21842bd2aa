-- The same tables as on SQLite. Instants are microseconds since 1970-01-01T00:00:00Z, ids are uuid, hashes 32 bytes, names
-- text as the API writes them. JSON is text: jsonb would give back other bytes than it got, and nobody here looks inside.
-- Texts compare by their bytes, which is the order of Unicode scalar values and that of the engine's keys. What comes from
-- a source may be of any length, and an index takes no more than a third of a page, so such columns are indexed by their
-- first 500 characters.
-- Hot tables refer to a connection by its small row number, without foreign keys: every row of theirs is written under the
-- lock on the connection's row, and a check for each would cost as much as the row.

CREATE TABLE meta (
    name text COLLATE "C" PRIMARY KEY,
    value bytea NOT NULL
);

-- Epochs of the logs that are over. Positions of theirs are refused.
CREATE TABLE ended_epochs (
    epoch uuid PRIMARY KEY
);

CREATE TABLE connections (
    row bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    epoch bigint NOT NULL DEFAULT 0,
    -- Ended: no run may write to it any more.
    closed boolean NOT NULL DEFAULT false,
    -- A run of it has once been complete or partial; when the last one was.
    succeeded_at bigint,
    -- Of the last event; before the first one, 0 and when the connection was made.
    last_sequence bigint NOT NULL DEFAULT 0,
    last_time bigint NOT NULL,
    -- How far its events have been made into deliveries.
    fanned_out bigint NOT NULL DEFAULT 0,
    -- Row number of the last document. Documents are numbered within their connection, under its lock.
    last_document bigint NOT NULL DEFAULT 0
);
CREATE INDEX connections_to_fan_out ON connections (last_time) WHERE last_sequence > fanned_out;

-- What the service knows of a connection. Whoever uses the engine alone has no row here.
CREATE TABLE connection_details (
    connection bigint PRIMARY KEY REFERENCES connections (row) ON DELETE CASCADE,
    system text NOT NULL,
    name text NOT NULL,
    state text NOT NULL,
    state_since bigint NOT NULL,
    reason text,
    account text NOT NULL,
    data_key bytea NOT NULL,
    settings bytea NOT NULL,
    -- Since when they are what they are.
    authorized_at bigint NOT NULL,
    -- Seconds between runs.
    schedule bigint,
    -- The same of resources that have a schedule of their own, as JSON by their names; 0 for on demand only.
    resource_schedules text NOT NULL DEFAULT '{}',
    -- From when on its records go; all without it.
    records_since bigint,
    created_at bigint NOT NULL
);

CREATE TABLE connection_tokens (
    id uuid PRIMARY KEY,
    connection bigint NOT NULL REFERENCES connections (row) ON DELETE CASCADE,
    hash bytea NOT NULL UNIQUE,
    created_at bigint NOT NULL,
    void_from bigint
);
CREATE INDEX connection_tokens_of_connection ON connection_tokens (connection);

CREATE TABLE management_keys (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    hash bytea NOT NULL UNIQUE,
    created_at bigint NOT NULL,
    revoked_at bigint
);

CREATE TABLE audit (
    row bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at bigint NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    -- No reference: the entry outlives the connection.
    connection uuid,
    detail text NOT NULL
);

CREATE TABLE stream_states (
    connection bigint NOT NULL REFERENCES connections (row) ON DELETE CASCADE,
    stream text COLLATE "C" NOT NULL,
    -- The same as in the state.
    completed_at bigint,
    state text NOT NULL,
    PRIMARY KEY (connection, stream)
);

CREATE TABLE record_counts (
    connection bigint NOT NULL REFERENCES connections (row) ON DELETE CASCADE,
    resource text COLLATE "C" NOT NULL,
    live bigint NOT NULL,
    deleted bigint NOT NULL,
    PRIMARY KEY (connection, resource)
);

CREATE TABLE runs (
    row bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    connection bigint NOT NULL REFERENCES connections (row) ON DELETE CASCADE,
    mode text NOT NULL,
    started_at bigint NOT NULL,
    finished_at bigint,
    outcome text,
    progress text NOT NULL
);
CREATE INDEX runs_of_connection ON runs (connection, id);
CREATE INDEX runs_under_way ON runs (connection) WHERE finished_at IS NULL;

CREATE TABLE run_marks (
    run bigint NOT NULL,
    entity text COLLATE "C" NOT NULL,
    sort_key text COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX run_marks_by_key ON run_marks
    (run, entity, left(sort_key, 500), (CASE WHEN length(sort_key) > 500 THEN hashtextextended(sort_key, 0) ELSE 0 END));

-- What stands against listings that lack too many rows. One for each stream at most.
CREATE TABLE suspicions (
    row bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection bigint NOT NULL REFERENCES connections (row) ON DELETE CASCADE,
    stream text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    entity text COLLATE "C" NOT NULL,
    -- No reference: it may outlive the run.
    run uuid NOT NULL,
    since bigint NOT NULL,
    found_at bigint NOT NULL,
    missing bigint NOT NULL,
    stored bigint NOT NULL,
    -- Rows that were read after this came back, and are suspect no more.
    observation bigint NOT NULL,
    confirmed_at bigint,
    UNIQUE (connection, stream)
);

-- The rows that they have shown. No row stands here twice: they are written by one statement, from documents.
CREATE TABLE suspects (
    suspicion bigint NOT NULL,
    sort_key text COLLATE "C" NOT NULL
);
CREATE INDEX suspects_by_key ON suspects (suspicion, left(sort_key, 500));

CREATE TABLE row_issues (
    row bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run bigint NOT NULL REFERENCES runs (row) ON DELETE CASCADE,
    entity text NOT NULL,
    key text,
    place text NOT NULL,
    -- Of the rows without a key that stand there.
    number bigint NOT NULL,
    reason text NOT NULL,
    -- Somebody wants it to be read again.
    wanted boolean NOT NULL DEFAULT false
);
CREATE INDEX row_issues_wanted ON row_issues (run) WHERE wanted;
CREATE INDEX row_issues_of_run ON row_issues (run);

CREATE TABLE documents (
    connection bigint NOT NULL,
    row bigint NOT NULL,
    entity text COLLATE "C" NOT NULL,
    sort_key text COLLATE "C" NOT NULL,
    key text NOT NULL,
    version text,
    hash bytea NOT NULL,
    mapped_by text NOT NULL,
    observation bigint NOT NULL,
    gone boolean NOT NULL,
    -- Names of its records' resources, with commas between.
    resources text NOT NULL,
    changed_at bigint,
    changed_text text,
    quarantine_reason text,
    -- The mapper that could not map it; empty when somebody wants it to be tried again.
    tried_by text COLLATE "C",
    body text NOT NULL,
    PRIMARY KEY (connection, row)
);
CREATE UNIQUE INDEX documents_by_key ON documents
    (connection, entity, left(sort_key, 500), (CASE WHEN length(sort_key) > 500 THEN hashtextextended(sort_key, 0) ELSE 0 END));
CREATE INDEX documents_gone ON documents (connection, entity) WHERE gone;
CREATE INDEX documents_quarantined ON documents (connection, entity) WHERE quarantine_reason IS NOT NULL;
CREATE INDEX documents_tried ON documents (connection, tried_by) WHERE tried_by IS NOT NULL;

CREATE TABLE records (
    connection bigint NOT NULL,
    resource text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    -- The document that made it last.
    document bigint NOT NULL,
    remote_id text COLLATE "C" NOT NULL,
    content_hash bytea NOT NULL,
    created_at bigint NOT NULL,
    modified_at bigint NOT NULL,
    remote_created_at bigint,
    remote_modified_at bigint,
    deleted boolean NOT NULL,
    sequence bigint NOT NULL,
    status text COLLATE "C",
    asset_id uuid,
    due_at bigint,
    completed_at bigint,
    -- Days as ISO 8601 text: they have no zone and sort as they are.
    order_date text COLLATE "C",
    delivery_date text COLLATE "C",
    -- The record as it is shown, one JSON object in two parts: all but the end of the envelope's members, then those of its
    -- content. What changes the envelope alone, a delete for one, leaves the second part as it is.
    envelope text NOT NULL,
    content text NOT NULL,
    PRIMARY KEY (connection, resource, id)
);
-- No two records of a connection are made in the same instant.
CREATE INDEX records_by_creation ON records (connection, resource, created_at);
-- Also the order of sequence: both rise together within a connection.
CREATE INDEX records_by_change ON records (connection, resource, modified_at);
CREATE INDEX records_by_remote_id ON records (connection, resource, left(remote_id, 500));
CREATE INDEX records_of_document ON records (connection, document);
CREATE INDEX records_by_status ON records (connection, resource, left(status, 500), created_at) WHERE status IS NOT NULL;
CREATE INDEX records_by_asset ON records (connection, resource, asset_id, created_at) WHERE asset_id IS NOT NULL;
CREATE INDEX records_by_due ON records (connection, resource, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX records_by_completed ON records (connection, resource, completed_at) WHERE completed_at IS NOT NULL;
CREATE INDEX records_by_order_date ON records (connection, resource, order_date) WHERE order_date IS NOT NULL;
CREATE INDEX records_by_delivery_date ON records (connection, resource, delivery_date) WHERE delivery_date IS NOT NULL;

CREATE TABLE events (
    connection bigint NOT NULL,
    sequence bigint NOT NULL,
    time bigint NOT NULL,
    type text NOT NULL,
    -- Of a record's event.
    resource text COLLATE "C",
    record uuid,
    initial boolean NOT NULL DEFAULT false,
    -- Of any other.
    data text,
    PRIMARY KEY (connection, sequence)
);

CREATE TABLE webhook_endpoints (
    row bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    url text NOT NULL,
    description text,
    -- The one connection whose events it gets; all when absent.
    scope uuid,
    events text NOT NULL,
    include_initial boolean NOT NULL,
    sealed_secret bytea NOT NULL,
    created_at bigint NOT NULL,
    disabled_at bigint,
    disabled_reason text
);

-- Events up to here were logged before the endpoint was there, and are not fanned out yet.
CREATE TABLE webhook_starts (
    endpoint bigint NOT NULL REFERENCES webhook_endpoints (row) ON DELETE CASCADE,
    connection bigint NOT NULL REFERENCES connections (row) ON DELETE CASCADE,
    sequence bigint NOT NULL,
    PRIMARY KEY (endpoint, connection)
);
CREATE INDEX webhook_starts_of_connection ON webhook_starts (connection, sequence);

CREATE TABLE webhook_deliveries (
    row bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    endpoint bigint NOT NULL REFERENCES webhook_endpoints (row) ON DELETE CASCADE,
    connection bigint NOT NULL REFERENCES connections (row) ON DELETE CASCADE,
    event text NOT NULL,
    sequence bigint NOT NULL,
    state text NOT NULL,
    -- In all, and in the present plan.
    attempts bigint NOT NULL DEFAULT 0,
    plan_attempts bigint NOT NULL DEFAULT 0,
    plan_started_at bigint NOT NULL,
    created_at bigint NOT NULL,
    next_attempt_at bigint,
    leased_until bigint,
    -- The later of the two above.
    due_at bigint,
    last_attempt_at bigint,
    last_duration bigint,
    last_status bigint,
    last_error text,
    body bytea NOT NULL
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint, due_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_leased ON webhook_deliveries (endpoint, leased_until) WHERE leased_until IS NOT NULL;
CREATE INDEX webhook_deliveries_newest ON webhook_deliveries (created_at, id);
CREATE INDEX webhook_deliveries_of_endpoint ON webhook_deliveries (endpoint, created_at, id);
CREATE INDEX webhook_deliveries_of_connection ON webhook_deliveries (connection);
