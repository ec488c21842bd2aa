PRAGMA application_id = 1465011779;
PRAGMA user_version = 1;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;
INSERT INTO meta VALUES('store.log_epoch',X'72a0f8a68f324344a9ee01678e7c628f');
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
INSERT INTO connections VALUES(1,X'00000000000000000000000000000007',1,0,1935403260000000,4,1935403200000004,2);
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
INSERT INTO connection_details VALUES(1,'memory','Plant 7','active',1935403200000000,NULL,'{"identity":"acme","display_name":"Acme","server_version":null}',X'0102',X'030405',1935403200000000,300,'{}',1935316800000000,1935403200000000);
CREATE TABLE connection_tokens (
    id BLOB PRIMARY KEY,
    connection INTEGER NOT NULL REFERENCES connections (row) ON DELETE CASCADE,
    hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    void_from INTEGER
) WITHOUT ROWID;
INSERT INTO connection_tokens VALUES(X'01a208f32d0a706089b8c5c2a52cfd44',1,X'ae6fff6e34ad16a038be9e2c9967d79d6d5818b86ecf6a14dc81c3db1b7942e5',1935403200000000,NULL);
CREATE TABLE management_keys (
    id BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) WITHOUT ROWID;
INSERT INTO management_keys VALUES(X'00000000000000000000000000000008','first',X'0707070707070707070707070707070707070707070707070707070707070707',1935403201000000,NULL);
CREATE TABLE audit (
    row INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    -- No reference: the entry outlives the connection.
    connection BLOB,
    detail TEXT NOT NULL
);
INSERT INTO audit VALUES(1,1935403200000000,'system','connection.created',NULL,'{}');
INSERT INTO audit VALUES(2,1935403200000000,'system','key.created',NULL,'{}');
CREATE TABLE stream_states (
    connection INTEGER NOT NULL REFERENCES connections (row) ON DELETE CASCADE,
    stream TEXT NOT NULL,
    -- The same as in the state.
    completed_at INTEGER,
    state TEXT NOT NULL,
    PRIMARY KEY (connection, stream)
) WITHOUT ROWID;
INSERT INTO stream_states VALUES(1,'thing-all',NULL,'{"bound":null,"mapped_by":"","pass":null,"completed_at":null,"suspect":false,"since":null}');
CREATE TABLE record_counts (
    connection INTEGER NOT NULL REFERENCES connections (row) ON DELETE CASCADE,
    resource TEXT NOT NULL,
    live INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    PRIMARY KEY (connection, resource)
) WITHOUT ROWID;
INSERT INTO record_counts VALUES(1,'asset',1,1);
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
INSERT INTO runs VALUES(1,X'01a208f32d0f7110942a8b087a0125d1',1,'full',1935403200000000,1935403260000000,'partial','{"resources":{},"pages":0,"streams_done":0,"streams_total":0,"rows_expected":null,"faults":{}}');
CREATE TABLE run_marks (
    run INTEGER NOT NULL REFERENCES runs (row) ON DELETE CASCADE,
    entity TEXT NOT NULL,
    sort_key TEXT NOT NULL,
    PRIMARY KEY (run, entity, sort_key)
) WITHOUT ROWID;
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
INSERT INTO suspicions VALUES(1,1,'thing-all',X'00000000000000000000000000000009','Thing',X'01a208f32d0f7110942a8b087a0125d1',1935403201000000,1935403202000000,3,4,0,NULL);
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
INSERT INTO row_issues VALUES(1,1,'Thing','9','line 9',1,'short',0);
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
INSERT INTO documents VALUES(1,1,'Thing','1','1',NULL,X'3e709668016e0ba74fb13aa5577b1907b923ec045502416ffa69041376c42124','v1',1,0,'asset',NULL,NULL,NULL,NULL,'{"Key":"1","Name":"pump"}');
INSERT INTO documents VALUES(2,1,'Thing','2','2',NULL,X'c116b0b49fddb24c02d63d9f1813d05a10779a0b3f62680eb86274e476c2b5cf','v1',2,1,'',NULL,NULL,NULL,NULL,'{"Key":"2","Name":""}');
INSERT INTO documents VALUES(3,1,'Thing','3','3',NULL,X'7691a8cfa085c2c2ffcdbefc555c864eff3159196ce4eb8cf1e6191e0e066aea','',1,0,'',NULL,NULL,'no name','v1','{"Key":"3","Name":"?"}');
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
INSERT INTO records VALUES(1,1,'asset',X'65967690fbe7517e956b8ffc319b4e17',1,'1',X'56b9626ff9c16400e1e7e66d87062a77db5b38bb773ce969eabba36a7ac352ed',1935403200000001,1935403200000001,NULL,NULL,0,1,NULL,NULL,NULL,NULL,NULL,NULL,'{"id":"65967690-fbe7-517e-956b-8ffc319b4e17","remote_id":"1","connection_id":"00000000-0000-0000-0000-000000000007","created_at":"2031-05-01T12:00:00.000001Z","modified_at":"2031-05-01T12:00:00.000001Z","remote_created_at":null,"remote_modified_at":null,"deleted":false,"sequence":1',',"name":"pump"}');
INSERT INTO records VALUES(2,1,'asset',X'49690f693bd35de388b8c40883c9adef',2,'2',X'da3adb88be37304eac3769f05bf77be658296a5eff006ecf127409de148489fc',1935403200000002,1935403200000003,NULL,NULL,1,3,NULL,NULL,NULL,NULL,NULL,NULL,'{"id":"49690f69-3bd3-5de3-88b8-c40883c9adef","remote_id":"2","connection_id":"00000000-0000-0000-0000-000000000007","created_at":"2031-05-01T12:00:00.000002Z","modified_at":"2031-05-01T12:00:00.000003Z","remote_created_at":null,"remote_modified_at":null,"deleted":true,"sequence":3',',"name":"fan \u0000''\\ ü"}');
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
INSERT INTO events VALUES(1,1,1935403200000001,'record.created','asset',X'65967690fbe7517e956b8ffc319b4e17',0,NULL);
INSERT INTO events VALUES(1,2,1935403200000002,'record.created','asset',X'49690f693bd35de388b8c40883c9adef',0,NULL);
INSERT INTO events VALUES(1,3,1935403200000003,'record.deleted','asset',X'49690f693bd35de388b8c40883c9adef',0,NULL);
INSERT INTO events VALUES(1,4,1935403200000004,'sync.completed',NULL,NULL,0,'{"id":"01a208f3-2d0f-7110-942a-8b087a0125d1","mode":"full","outcome":"partial","started_at":"2031-05-01T12:00:00.000000Z","finished_at":"2031-05-01T12:01:00.000000Z","progress":{"resources":{},"pages":0,"streams_done":0,"streams_total":0,"rows_expected":null,"faults":{}}}');
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
INSERT INTO webhook_endpoints VALUES(1,X'01a208f32d0d72a89d2ed511c628e9fa','https://receiver.example/3','a receiver',NULL,'["record.deleted","sync.completed"]',1,X'010203',1935403203000000,NULL,NULL);
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
INSERT INTO webhook_deliveries VALUES(1,X'6b8697ac3c885fdc84c9d3b160bfe6f1',1,1,'record.created',2,'pending',0,0,1935403202000000,1935403202000000,1935403202000000,NULL,1935403202000000,NULL,NULL,NULL,NULL,X'7b2273657175656e6365223a327d');
CREATE INDEX connections_to_fan_out ON connections (last_time) WHERE last_sequence > fanned_out;
CREATE INDEX connection_tokens_of_connection ON connection_tokens (connection);
CREATE INDEX runs_of_connection ON runs (connection, id);
CREATE INDEX runs_under_way ON runs (connection) WHERE finished_at IS NULL;
CREATE INDEX row_issues_wanted ON row_issues (run) WHERE wanted = 1;
CREATE INDEX row_issues_of_run ON row_issues (run);
CREATE INDEX documents_gone ON documents (connection, entity) WHERE gone = 1;
CREATE INDEX documents_quarantined ON documents (connection, entity) WHERE quarantine_reason IS NOT NULL;
CREATE INDEX documents_tried ON documents (connection, tried_by) WHERE tried_by IS NOT NULL;
CREATE INDEX records_by_creation ON records (connection, resource, created_at);
CREATE INDEX records_by_change ON records (connection, resource, modified_at);
CREATE INDEX records_by_remote_id ON records (connection, resource, remote_id);
CREATE INDEX records_of_document ON records (document);
CREATE INDEX records_by_status ON records (connection, resource, status, created_at) WHERE status IS NOT NULL;
CREATE INDEX records_by_asset ON records (connection, resource, asset_id, created_at) WHERE asset_id IS NOT NULL;
CREATE INDEX records_by_due ON records (connection, resource, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX records_by_completed ON records (connection, resource, completed_at) WHERE completed_at IS NOT NULL;
CREATE INDEX records_by_order_date ON records (connection, resource, order_date) WHERE order_date IS NOT NULL;
CREATE INDEX records_by_delivery_date ON records (connection, resource, delivery_date) WHERE delivery_date IS NOT NULL;
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint, due_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_leased ON webhook_deliveries (endpoint, leased_until) WHERE leased_until IS NOT NULL;
CREATE INDEX webhook_deliveries_newest ON webhook_deliveries (created_at, id);
CREATE INDEX webhook_deliveries_of_endpoint ON webhook_deliveries (endpoint, created_at, id);
CREATE INDEX webhook_deliveries_of_connection ON webhook_deliveries (connection);
COMMIT;
