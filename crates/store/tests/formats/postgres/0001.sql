--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: wrenchtime; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA wrenchtime;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: audit; Type: TABLE; Schema: wrenchtime; Owner: -
--

CREATE TABLE wrenchtime.audit (
    "row" bigint NOT NULL,
    at bigint NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    connection uuid,
    detail text NOT NULL
);


--
-- Name: audit_row_seq; Type: SEQUENCE; Schema: wrenchtime; Owner: -
--

ALTER TABLE wrenchtime.audit ALTER COLUMN "row" ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME wrenchtime.audit_row_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: connection_details; Type: TABLE; Schema: wrenchtime; Owner: -
--

CREATE TABLE wrenchtime.connection_details (
    connection bigint NOT NULL,
    system text NOT NULL,
    name text NOT NULL,
    state text NOT NULL,
    state_since bigint NOT NULL,
    reason text,
    account text NOT NULL,
    data_key bytea NOT NULL,
    settings bytea NOT NULL,
    authorized_at bigint NOT NULL,
    schedule bigint,
    resource_schedules text DEFAULT '{}'::text NOT NULL,
    records_since bigint,
    created_at bigint NOT NULL
);


--
-- Name: connection_tokens; Type: TABLE; Schema: wrenchtime; Owner: -
--

CREATE TABLE wrenchtime.connection_tokens (
    id uuid NOT NULL,
    connection bigint NOT NULL,
    hash bytea NOT NULL,
    created_at bigint NOT NULL,
    void_from bigint
);


--
-- Name: connections; Type: TABLE; Schema: wrenchtime; Owner: -
--

CREATE TABLE wrenchtime.connections (
    "row" bigint NOT NULL,
    id uuid NOT NULL,
    epoch bigint DEFAULT 0 NOT NULL,
    closed boolean DEFAULT false NOT NULL,
    succeeded_at bigint,
    last_sequence bigint DEFAULT 0 NOT NULL,
    last_time bigint NOT NULL,
    fanned_out bigint DEFAULT 0 NOT NULL,
    last_document bigint DEFAULT 0 NOT NULL
);


--
-- Name: connections_row_seq; Type: SEQUENCE; Schema: wrenchtime; Owner: -
--

ALTER TABLE wrenchtime.connections ALTER COLUMN "row" ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME wrenchtime.connections_row_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: documents; Type: TABLE; Schema: wrenchtime; Owner: -
--

CREATE TABLE wrenchtime.documents (
    connection bigint NOT NULL,
    "row" bigint NOT NULL,
    entity text NOT NULL COLLATE pg_catalog."C",
    sort_key text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL,
    version text,
    hash bytea NOT NULL,
    mapped_by text NOT NULL,
    observation bigint NOT NULL,
    gone boolean NOT NULL,
    resources text NOT NULL,
    changed_at bigint,
    changed_text text,
    quarantine_reason text,
    tried_by text COLLATE pg_catalog."C",
    body text NOT NULL
);


--
-- Name: ended_epochs; Type: TABLE; Schema: wrenchtime; Owner: -
--

CREATE TABLE wrenchtime.ended_epochs (
    epoch uuid NOT NULL
);


--
-- Name: events; Type: TABLE; Schema: wrenchtime; Owner: -
--

CREATE TABLE wrenchtime.events (
    connection bigint NOT NULL,
    sequence bigint NOT NULL,
    "time" bigint NOT NULL,
    type text NOT NULL,
    resource text COLLATE pg_catalog."C",
    record uuid,
    initial boolean DEFAULT false NOT NULL,
    data text
);


--
-- Name: formats; Type: TABLE; Schema: wrenchtime; Owner: -
--

CREATE TABLE wrenchtime.formats (
    format integer NOT NULL,
    reached_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: management_keys; Type: TABLE; Schema: wrenchtime; Owner: -
--

CREATE TABLE wrenchtime.management_keys (
    id uuid NOT NULL,
    name text NOT NULL,
    hash bytea NOT NULL,
    created_at bigint NOT NULL,
    revoked_at bigint
);


--
-- Name: meta; Type: TABLE; Schema: wrenchtime; Owner: -
--

CREATE TABLE wrenchtime.meta (
    name text NOT NULL COLLATE pg_catalog."C",
    value bytea NOT NULL
);


--
-- Name: record_counts; Type: TABLE; Schema: wrenchtime; Owner: -
--

CREATE TABLE wrenchtime.record_counts (
    connection bigint NOT NULL,
    resource text NOT NULL COLLATE pg_catalog."C",
    live bigint NOT NULL,
    deleted bigint NOT NULL
);


--
-- Name: records; Type: TABLE; Schema: wrenchtime; Owner: -
--

CREATE TABLE wrenchtime.records (
    connection bigint NOT NULL,
    resource text NOT NULL COLLATE pg_catalog."C",
    id uuid NOT NULL,
    document bigint NOT NULL,
    remote_id text NOT NULL COLLATE pg_catalog."C",
    content_hash bytea NOT NULL,
    created_at bigint NOT NULL,
    modified_at bigint NOT NULL,
    remote_created_at bigint,
    remote_modified_at bigint,
    deleted boolean NOT NULL,
    sequence bigint NOT NULL,
    status text COLLATE pg_catalog."C",
    asset_id uuid,
    due_at bigint,
    completed_at bigint,
    order_date text COLLATE pg_catalog."C",
    delivery_date text COLLATE pg_catalog."C",
    envelope text NOT NULL,
    content text NOT NULL
);


--
-- Name: row_issues; Type: TABLE; Schema: wrenchtime; Owner: -
--

CREATE TABLE wrenchtime.row_issues (
    "row" bigint NOT NULL,
    run bigint NOT NULL,
    entity text NOT NULL,
    key text,
    place text NOT NULL,
    number bigint NOT NULL,
    reason text NOT NULL,
    wanted boolean DEFAULT false NOT NULL
);


--
-- Name: row_issues_row_seq; Type: SEQUENCE; Schema: wrenchtime; Owner: -
--

ALTER TABLE wrenchtime.row_issues ALTER COLUMN "row" ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME wrenchtime.row_issues_row_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: run_marks; Type: TABLE; Schema: wrenchtime; Owner: -
--

CREATE TABLE wrenchtime.run_marks (
    run bigint NOT NULL,
    entity text NOT NULL COLLATE pg_catalog."C",
    sort_key text NOT NULL COLLATE pg_catalog."C"
);


--
-- Name: runs; Type: TABLE; Schema: wrenchtime; Owner: -
--

CREATE TABLE wrenchtime.runs (
    "row" bigint NOT NULL,
    id uuid NOT NULL,
    connection bigint NOT NULL,
    mode text NOT NULL,
    started_at bigint NOT NULL,
    finished_at bigint,
    outcome text,
    progress text NOT NULL
);


--
-- Name: runs_row_seq; Type: SEQUENCE; Schema: wrenchtime; Owner: -
--

ALTER TABLE wrenchtime.runs ALTER COLUMN "row" ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME wrenchtime.runs_row_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: stream_states; Type: TABLE; Schema: wrenchtime; Owner: -
--

CREATE TABLE wrenchtime.stream_states (
    connection bigint NOT NULL,
    stream text NOT NULL COLLATE pg_catalog."C",
    completed_at bigint,
    state text NOT NULL
);


--
-- Name: suspects; Type: TABLE; Schema: wrenchtime; Owner: -
--

CREATE TABLE wrenchtime.suspects (
    suspicion bigint NOT NULL,
    sort_key text NOT NULL COLLATE pg_catalog."C"
);


--
-- Name: suspicions; Type: TABLE; Schema: wrenchtime; Owner: -
--

CREATE TABLE wrenchtime.suspicions (
    "row" bigint NOT NULL,
    connection bigint NOT NULL,
    stream text NOT NULL COLLATE pg_catalog."C",
    id uuid NOT NULL,
    entity text NOT NULL COLLATE pg_catalog."C",
    run uuid NOT NULL,
    since bigint NOT NULL,
    found_at bigint NOT NULL,
    missing bigint NOT NULL,
    stored bigint NOT NULL,
    observation bigint NOT NULL,
    confirmed_at bigint
);


--
-- Name: suspicions_row_seq; Type: SEQUENCE; Schema: wrenchtime; Owner: -
--

ALTER TABLE wrenchtime.suspicions ALTER COLUMN "row" ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME wrenchtime.suspicions_row_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: webhook_deliveries; Type: TABLE; Schema: wrenchtime; Owner: -
--

CREATE TABLE wrenchtime.webhook_deliveries (
    "row" bigint NOT NULL,
    id uuid NOT NULL,
    endpoint bigint NOT NULL,
    connection bigint NOT NULL,
    event text NOT NULL,
    sequence bigint NOT NULL,
    state text NOT NULL,
    attempts bigint DEFAULT 0 NOT NULL,
    plan_attempts bigint DEFAULT 0 NOT NULL,
    plan_started_at bigint NOT NULL,
    created_at bigint NOT NULL,
    next_attempt_at bigint,
    leased_until bigint,
    due_at bigint,
    last_attempt_at bigint,
    last_duration bigint,
    last_status bigint,
    last_error text,
    body bytea NOT NULL
);


--
-- Name: webhook_deliveries_row_seq; Type: SEQUENCE; Schema: wrenchtime; Owner: -
--

ALTER TABLE wrenchtime.webhook_deliveries ALTER COLUMN "row" ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME wrenchtime.webhook_deliveries_row_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: webhook_endpoints; Type: TABLE; Schema: wrenchtime; Owner: -
--

CREATE TABLE wrenchtime.webhook_endpoints (
    "row" bigint NOT NULL,
    id uuid NOT NULL,
    url text NOT NULL,
    description text,
    scope uuid,
    events text NOT NULL,
    include_initial boolean NOT NULL,
    sealed_secret bytea NOT NULL,
    created_at bigint NOT NULL,
    disabled_at bigint,
    disabled_reason text
);


--
-- Name: webhook_endpoints_row_seq; Type: SEQUENCE; Schema: wrenchtime; Owner: -
--

ALTER TABLE wrenchtime.webhook_endpoints ALTER COLUMN "row" ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME wrenchtime.webhook_endpoints_row_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: webhook_starts; Type: TABLE; Schema: wrenchtime; Owner: -
--

CREATE TABLE wrenchtime.webhook_starts (
    endpoint bigint NOT NULL,
    connection bigint NOT NULL,
    sequence bigint NOT NULL
);


--
-- Data for Name: audit; Type: TABLE DATA; Schema: wrenchtime; Owner: -
--

INSERT INTO wrenchtime.audit OVERRIDING SYSTEM VALUE VALUES (1, 1935403200000000, 'system', 'connection.created', NULL, '{}');
INSERT INTO wrenchtime.audit OVERRIDING SYSTEM VALUE VALUES (2, 1935403200000000, 'system', 'key.created', NULL, '{}');


--
-- Data for Name: connection_details; Type: TABLE DATA; Schema: wrenchtime; Owner: -
--

INSERT INTO wrenchtime.connection_details VALUES (1, 'memory', 'Plant 7', 'active', 1935403200000000, NULL, '{"identity":"acme","display_name":"Acme","server_version":null}', '\x0102', '\x030405', 1935403200000000, 300, '{}', 1935316800000000, 1935403200000000);


--
-- Data for Name: connection_tokens; Type: TABLE DATA; Schema: wrenchtime; Owner: -
--

INSERT INTO wrenchtime.connection_tokens VALUES ('01a208f3-2d9e-7264-b770-3475e17e2056', 1, '\xae6fff6e34ad16a038be9e2c9967d79d6d5818b86ecf6a14dc81c3db1b7942e5', 1935403200000000, NULL);


--
-- Data for Name: connections; Type: TABLE DATA; Schema: wrenchtime; Owner: -
--

INSERT INTO wrenchtime.connections OVERRIDING SYSTEM VALUE VALUES (1, '00000000-0000-0000-0000-000000000007', 1, false, 1935403260000000, 4, 1935403200000004, 2, 3);


--
-- Data for Name: documents; Type: TABLE DATA; Schema: wrenchtime; Owner: -
--

INSERT INTO wrenchtime.documents VALUES (1, 1, 'Thing', '1', '1', NULL, '\x3e709668016e0ba74fb13aa5577b1907b923ec045502416ffa69041376c42124', 'v1', 1, false, 'asset', NULL, NULL, NULL, NULL, '{"Key":"1","Name":"pump"}');
INSERT INTO wrenchtime.documents VALUES (1, 3, 'Thing', '3', '3', NULL, '\x7691a8cfa085c2c2ffcdbefc555c864eff3159196ce4eb8cf1e6191e0e066aea', '', 1, false, '', NULL, NULL, 'no name', 'v1', '{"Key":"3","Name":"?"}');
INSERT INTO wrenchtime.documents VALUES (1, 2, 'Thing', '2', '2', NULL, '\xc116b0b49fddb24c02d63d9f1813d05a10779a0b3f62680eb86274e476c2b5cf', 'v1', 2, true, '', NULL, NULL, NULL, NULL, '{"Key":"2","Name":""}');


--
-- Data for Name: ended_epochs; Type: TABLE DATA; Schema: wrenchtime; Owner: -
--



--
-- Data for Name: events; Type: TABLE DATA; Schema: wrenchtime; Owner: -
--

INSERT INTO wrenchtime.events VALUES (1, 1, 1935403200000001, 'record.created', 'asset', '65967690-fbe7-517e-956b-8ffc319b4e17', false, NULL);
INSERT INTO wrenchtime.events VALUES (1, 2, 1935403200000002, 'record.created', 'asset', '49690f69-3bd3-5de3-88b8-c40883c9adef', false, NULL);
INSERT INTO wrenchtime.events VALUES (1, 3, 1935403200000003, 'record.deleted', 'asset', '49690f69-3bd3-5de3-88b8-c40883c9adef', false, NULL);
INSERT INTO wrenchtime.events VALUES (1, 4, 1935403200000004, 'sync.completed', NULL, NULL, false, '{"id":"01a208f3-2dbb-7166-8031-fadea66f3085","mode":"full","outcome":"partial","started_at":"2031-05-01T12:00:00.000000Z","finished_at":"2031-05-01T12:01:00.000000Z","progress":{"resources":{},"pages":0,"streams_done":0,"streams_total":0,"rows_expected":null,"faults":{}}}');


--
-- Data for Name: formats; Type: TABLE DATA; Schema: wrenchtime; Owner: -
--

INSERT INTO wrenchtime.formats VALUES (1, '2026-11-23 15:08:04.271394+00');


--
-- Data for Name: management_keys; Type: TABLE DATA; Schema: wrenchtime; Owner: -
--

INSERT INTO wrenchtime.management_keys VALUES ('00000000-0000-0000-0000-000000000008', 'first', '\x0707070707070707070707070707070707070707070707070707070707070707', 1935403201000000, NULL);


--
-- Data for Name: meta; Type: TABLE DATA; Schema: wrenchtime; Owner: -
--

INSERT INTO wrenchtime.meta VALUES ('store.log_epoch', '\x52401313d41f402381cafa36cf3262c5');


--
-- Data for Name: record_counts; Type: TABLE DATA; Schema: wrenchtime; Owner: -
--

INSERT INTO wrenchtime.record_counts VALUES (1, 'asset', 1, 1);


--
-- Data for Name: records; Type: TABLE DATA; Schema: wrenchtime; Owner: -
--

INSERT INTO wrenchtime.records VALUES (1, 'asset', '65967690-fbe7-517e-956b-8ffc319b4e17', 1, '1', '\x56b9626ff9c16400e1e7e66d87062a77db5b38bb773ce969eabba36a7ac352ed', 1935403200000001, 1935403200000001, NULL, NULL, false, 1, NULL, NULL, NULL, NULL, NULL, NULL, '{"id":"65967690-fbe7-517e-956b-8ffc319b4e17","remote_id":"1","connection_id":"00000000-0000-0000-0000-000000000007","created_at":"2031-05-01T12:00:00.000001Z","modified_at":"2031-05-01T12:00:00.000001Z","remote_created_at":null,"remote_modified_at":null,"deleted":false,"sequence":1', ',"name":"pump"}');
INSERT INTO wrenchtime.records VALUES (1, 'asset', '49690f69-3bd3-5de3-88b8-c40883c9adef', 2, '2', '\xda3adb88be37304eac3769f05bf77be658296a5eff006ecf127409de148489fc', 1935403200000002, 1935403200000003, NULL, NULL, true, 3, NULL, NULL, NULL, NULL, NULL, NULL, '{"id":"49690f69-3bd3-5de3-88b8-c40883c9adef","remote_id":"2","connection_id":"00000000-0000-0000-0000-000000000007","created_at":"2031-05-01T12:00:00.000002Z","modified_at":"2031-05-01T12:00:00.000003Z","remote_created_at":null,"remote_modified_at":null,"deleted":true,"sequence":3', ',"name":"fan \u0000''\\ ü"}');


--
-- Data for Name: row_issues; Type: TABLE DATA; Schema: wrenchtime; Owner: -
--

INSERT INTO wrenchtime.row_issues OVERRIDING SYSTEM VALUE VALUES (1, 1, 'Thing', '9', 'line 9', 1, 'short', false);


--
-- Data for Name: run_marks; Type: TABLE DATA; Schema: wrenchtime; Owner: -
--



--
-- Data for Name: runs; Type: TABLE DATA; Schema: wrenchtime; Owner: -
--

INSERT INTO wrenchtime.runs OVERRIDING SYSTEM VALUE VALUES (1, '01a208f3-2dbb-7166-8031-fadea66f3085', 1, 'full', 1935403200000000, 1935403260000000, 'partial', '{"resources":{},"pages":0,"streams_done":0,"streams_total":0,"rows_expected":null,"faults":{}}');


--
-- Data for Name: stream_states; Type: TABLE DATA; Schema: wrenchtime; Owner: -
--

INSERT INTO wrenchtime.stream_states VALUES (1, 'thing-all', NULL, '{"bound":null,"mapped_by":"","pass":null,"completed_at":null,"suspect":false,"since":null}');


--
-- Data for Name: suspects; Type: TABLE DATA; Schema: wrenchtime; Owner: -
--



--
-- Data for Name: suspicions; Type: TABLE DATA; Schema: wrenchtime; Owner: -
--

INSERT INTO wrenchtime.suspicions OVERRIDING SYSTEM VALUE VALUES (1, 1, 'thing-all', '00000000-0000-0000-0000-000000000009', 'Thing', '01a208f3-2dbb-7166-8031-fadea66f3085', 1935403201000000, 1935403202000000, 3, 4, 0, NULL);


--
-- Data for Name: webhook_deliveries; Type: TABLE DATA; Schema: wrenchtime; Owner: -
--

INSERT INTO wrenchtime.webhook_deliveries OVERRIDING SYSTEM VALUE VALUES (1, '6b289115-66bb-56c4-a932-e7075dc2138c', 1, 1, 'record.created', 2, 'pending', 0, 0, 1935403202000000, 1935403202000000, 1935403202000000, NULL, 1935403202000000, NULL, NULL, NULL, NULL, '\x7b2273657175656e6365223a327d');


--
-- Data for Name: webhook_endpoints; Type: TABLE DATA; Schema: wrenchtime; Owner: -
--

INSERT INTO wrenchtime.webhook_endpoints OVERRIDING SYSTEM VALUE VALUES (1, '01a208f3-2db6-736e-9d57-8d1e43427cf1', 'https://receiver.example/3', 'a receiver', NULL, '["record.deleted","sync.completed"]', true, '\x010203', 1935403203000000, NULL, NULL);


--
-- Data for Name: webhook_starts; Type: TABLE DATA; Schema: wrenchtime; Owner: -
--



--
-- Name: audit_row_seq; Type: SEQUENCE SET; Schema: wrenchtime; Owner: -
--

SELECT pg_catalog.setval('wrenchtime.audit_row_seq', 2, true);


--
-- Name: connections_row_seq; Type: SEQUENCE SET; Schema: wrenchtime; Owner: -
--

SELECT pg_catalog.setval('wrenchtime.connections_row_seq', 1, true);


--
-- Name: row_issues_row_seq; Type: SEQUENCE SET; Schema: wrenchtime; Owner: -
--

SELECT pg_catalog.setval('wrenchtime.row_issues_row_seq', 1, true);


--
-- Name: runs_row_seq; Type: SEQUENCE SET; Schema: wrenchtime; Owner: -
--

SELECT pg_catalog.setval('wrenchtime.runs_row_seq', 1, true);


--
-- Name: suspicions_row_seq; Type: SEQUENCE SET; Schema: wrenchtime; Owner: -
--

SELECT pg_catalog.setval('wrenchtime.suspicions_row_seq', 1, true);


--
-- Name: webhook_deliveries_row_seq; Type: SEQUENCE SET; Schema: wrenchtime; Owner: -
--

SELECT pg_catalog.setval('wrenchtime.webhook_deliveries_row_seq', 1, true);


--
-- Name: webhook_endpoints_row_seq; Type: SEQUENCE SET; Schema: wrenchtime; Owner: -
--

SELECT pg_catalog.setval('wrenchtime.webhook_endpoints_row_seq', 1, true);


--
-- Name: audit audit_pkey; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY ("row");


--
-- Name: connection_details connection_details_pkey; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.connection_details
    ADD CONSTRAINT connection_details_pkey PRIMARY KEY (connection);


--
-- Name: connection_tokens connection_tokens_hash_key; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.connection_tokens
    ADD CONSTRAINT connection_tokens_hash_key UNIQUE (hash);


--
-- Name: connection_tokens connection_tokens_pkey; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.connection_tokens
    ADD CONSTRAINT connection_tokens_pkey PRIMARY KEY (id);


--
-- Name: connections connections_id_key; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.connections
    ADD CONSTRAINT connections_id_key UNIQUE (id);


--
-- Name: connections connections_pkey; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.connections
    ADD CONSTRAINT connections_pkey PRIMARY KEY ("row");


--
-- Name: documents documents_pkey; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.documents
    ADD CONSTRAINT documents_pkey PRIMARY KEY (connection, "row");


--
-- Name: ended_epochs ended_epochs_pkey; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.ended_epochs
    ADD CONSTRAINT ended_epochs_pkey PRIMARY KEY (epoch);


--
-- Name: events events_pkey; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (connection, sequence);


--
-- Name: formats formats_pkey; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.formats
    ADD CONSTRAINT formats_pkey PRIMARY KEY (format);


--
-- Name: management_keys management_keys_hash_key; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.management_keys
    ADD CONSTRAINT management_keys_hash_key UNIQUE (hash);


--
-- Name: management_keys management_keys_pkey; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.management_keys
    ADD CONSTRAINT management_keys_pkey PRIMARY KEY (id);


--
-- Name: meta meta_pkey; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.meta
    ADD CONSTRAINT meta_pkey PRIMARY KEY (name);


--
-- Name: record_counts record_counts_pkey; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.record_counts
    ADD CONSTRAINT record_counts_pkey PRIMARY KEY (connection, resource);


--
-- Name: records records_pkey; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.records
    ADD CONSTRAINT records_pkey PRIMARY KEY (connection, resource, id);


--
-- Name: row_issues row_issues_pkey; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.row_issues
    ADD CONSTRAINT row_issues_pkey PRIMARY KEY ("row");


--
-- Name: runs runs_id_key; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.runs
    ADD CONSTRAINT runs_id_key UNIQUE (id);


--
-- Name: runs runs_pkey; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY ("row");


--
-- Name: stream_states stream_states_pkey; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.stream_states
    ADD CONSTRAINT stream_states_pkey PRIMARY KEY (connection, stream);


--
-- Name: suspicions suspicions_connection_stream_key; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.suspicions
    ADD CONSTRAINT suspicions_connection_stream_key UNIQUE (connection, stream);


--
-- Name: suspicions suspicions_pkey; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.suspicions
    ADD CONSTRAINT suspicions_pkey PRIMARY KEY ("row");


--
-- Name: webhook_deliveries webhook_deliveries_id_key; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_id_key UNIQUE (id);


--
-- Name: webhook_deliveries webhook_deliveries_pkey; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY ("row");


--
-- Name: webhook_endpoints webhook_endpoints_id_key; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.webhook_endpoints
    ADD CONSTRAINT webhook_endpoints_id_key UNIQUE (id);


--
-- Name: webhook_endpoints webhook_endpoints_pkey; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.webhook_endpoints
    ADD CONSTRAINT webhook_endpoints_pkey PRIMARY KEY ("row");


--
-- Name: webhook_starts webhook_starts_pkey; Type: CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.webhook_starts
    ADD CONSTRAINT webhook_starts_pkey PRIMARY KEY (endpoint, connection);


--
-- Name: connection_tokens_of_connection; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX connection_tokens_of_connection ON wrenchtime.connection_tokens USING btree (connection);


--
-- Name: connections_to_fan_out; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX connections_to_fan_out ON wrenchtime.connections USING btree (last_time) WHERE (last_sequence > fanned_out);


--
-- Name: documents_by_key; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE UNIQUE INDEX documents_by_key ON wrenchtime.documents USING btree (connection, entity, "left"(sort_key, 500), (
CASE
    WHEN (length(sort_key) > 500) THEN hashtextextended(sort_key, (0)::bigint)
    ELSE (0)::bigint
END));


--
-- Name: documents_gone; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX documents_gone ON wrenchtime.documents USING btree (connection, entity) WHERE gone;


--
-- Name: documents_quarantined; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX documents_quarantined ON wrenchtime.documents USING btree (connection, entity) WHERE (quarantine_reason IS NOT NULL);


--
-- Name: documents_tried; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX documents_tried ON wrenchtime.documents USING btree (connection, tried_by) WHERE (tried_by IS NOT NULL);


--
-- Name: records_by_asset; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX records_by_asset ON wrenchtime.records USING btree (connection, resource, asset_id, created_at) WHERE (asset_id IS NOT NULL);


--
-- Name: records_by_change; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX records_by_change ON wrenchtime.records USING btree (connection, resource, modified_at);


--
-- Name: records_by_completed; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX records_by_completed ON wrenchtime.records USING btree (connection, resource, completed_at) WHERE (completed_at IS NOT NULL);


--
-- Name: records_by_creation; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX records_by_creation ON wrenchtime.records USING btree (connection, resource, created_at);


--
-- Name: records_by_delivery_date; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX records_by_delivery_date ON wrenchtime.records USING btree (connection, resource, delivery_date) WHERE (delivery_date IS NOT NULL);


--
-- Name: records_by_due; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX records_by_due ON wrenchtime.records USING btree (connection, resource, due_at) WHERE (due_at IS NOT NULL);


--
-- Name: records_by_order_date; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX records_by_order_date ON wrenchtime.records USING btree (connection, resource, order_date) WHERE (order_date IS NOT NULL);


--
-- Name: records_by_remote_id; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX records_by_remote_id ON wrenchtime.records USING btree (connection, resource, "left"(remote_id, 500));


--
-- Name: records_by_status; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX records_by_status ON wrenchtime.records USING btree (connection, resource, "left"(status, 500), created_at) WHERE (status IS NOT NULL);


--
-- Name: records_of_document; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX records_of_document ON wrenchtime.records USING btree (connection, document);


--
-- Name: row_issues_of_run; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX row_issues_of_run ON wrenchtime.row_issues USING btree (run);


--
-- Name: row_issues_wanted; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX row_issues_wanted ON wrenchtime.row_issues USING btree (run) WHERE wanted;


--
-- Name: run_marks_by_key; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE UNIQUE INDEX run_marks_by_key ON wrenchtime.run_marks USING btree (run, entity, "left"(sort_key, 500), (
CASE
    WHEN (length(sort_key) > 500) THEN hashtextextended(sort_key, (0)::bigint)
    ELSE (0)::bigint
END));


--
-- Name: runs_of_connection; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX runs_of_connection ON wrenchtime.runs USING btree (connection, id);


--
-- Name: runs_under_way; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX runs_under_way ON wrenchtime.runs USING btree (connection) WHERE (finished_at IS NULL);


--
-- Name: suspects_by_key; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX suspects_by_key ON wrenchtime.suspects USING btree (suspicion, "left"(sort_key, 500));


--
-- Name: webhook_deliveries_due; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX webhook_deliveries_due ON wrenchtime.webhook_deliveries USING btree (endpoint, due_at) WHERE (state = 'pending'::text);


--
-- Name: webhook_deliveries_leased; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX webhook_deliveries_leased ON wrenchtime.webhook_deliveries USING btree (endpoint, leased_until) WHERE (leased_until IS NOT NULL);


--
-- Name: webhook_deliveries_newest; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX webhook_deliveries_newest ON wrenchtime.webhook_deliveries USING btree (created_at, id);


--
-- Name: webhook_deliveries_of_connection; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX webhook_deliveries_of_connection ON wrenchtime.webhook_deliveries USING btree (connection);


--
-- Name: webhook_deliveries_of_endpoint; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX webhook_deliveries_of_endpoint ON wrenchtime.webhook_deliveries USING btree (endpoint, created_at, id);


--
-- Name: webhook_starts_of_connection; Type: INDEX; Schema: wrenchtime; Owner: -
--

CREATE INDEX webhook_starts_of_connection ON wrenchtime.webhook_starts USING btree (connection, sequence);


--
-- Name: connection_details connection_details_connection_fkey; Type: FK CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.connection_details
    ADD CONSTRAINT connection_details_connection_fkey FOREIGN KEY (connection) REFERENCES wrenchtime.connections("row") ON DELETE CASCADE;


--
-- Name: connection_tokens connection_tokens_connection_fkey; Type: FK CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.connection_tokens
    ADD CONSTRAINT connection_tokens_connection_fkey FOREIGN KEY (connection) REFERENCES wrenchtime.connections("row") ON DELETE CASCADE;


--
-- Name: record_counts record_counts_connection_fkey; Type: FK CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.record_counts
    ADD CONSTRAINT record_counts_connection_fkey FOREIGN KEY (connection) REFERENCES wrenchtime.connections("row") ON DELETE CASCADE;


--
-- Name: row_issues row_issues_run_fkey; Type: FK CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.row_issues
    ADD CONSTRAINT row_issues_run_fkey FOREIGN KEY (run) REFERENCES wrenchtime.runs("row") ON DELETE CASCADE;


--
-- Name: runs runs_connection_fkey; Type: FK CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.runs
    ADD CONSTRAINT runs_connection_fkey FOREIGN KEY (connection) REFERENCES wrenchtime.connections("row") ON DELETE CASCADE;


--
-- Name: stream_states stream_states_connection_fkey; Type: FK CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.stream_states
    ADD CONSTRAINT stream_states_connection_fkey FOREIGN KEY (connection) REFERENCES wrenchtime.connections("row") ON DELETE CASCADE;


--
-- Name: suspicions suspicions_connection_fkey; Type: FK CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.suspicions
    ADD CONSTRAINT suspicions_connection_fkey FOREIGN KEY (connection) REFERENCES wrenchtime.connections("row") ON DELETE CASCADE;


--
-- Name: webhook_deliveries webhook_deliveries_connection_fkey; Type: FK CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_connection_fkey FOREIGN KEY (connection) REFERENCES wrenchtime.connections("row") ON DELETE CASCADE;


--
-- Name: webhook_deliveries webhook_deliveries_endpoint_fkey; Type: FK CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_endpoint_fkey FOREIGN KEY (endpoint) REFERENCES wrenchtime.webhook_endpoints("row") ON DELETE CASCADE;


--
-- Name: webhook_starts webhook_starts_connection_fkey; Type: FK CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.webhook_starts
    ADD CONSTRAINT webhook_starts_connection_fkey FOREIGN KEY (connection) REFERENCES wrenchtime.connections("row") ON DELETE CASCADE;


--
-- Name: webhook_starts webhook_starts_endpoint_fkey; Type: FK CONSTRAINT; Schema: wrenchtime; Owner: -
--

ALTER TABLE ONLY wrenchtime.webhook_starts
    ADD CONSTRAINT webhook_starts_endpoint_fkey FOREIGN KEY (endpoint) REFERENCES wrenchtime.webhook_endpoints("row") ON DELETE CASCADE;


--
-- PostgreSQL database dump complete
--


