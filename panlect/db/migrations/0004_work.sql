-- The truth about work: deliveries, runs, their steps, and the history nobody can rewrite.
create table webhook_delivery (
    id uuid not null unique default gen_random_uuid(),
    organisation_id uuid not null,
    connection_id uuid not null,
    delivery_id text not null check (length(delivery_id) between 1 and 200),
    forge text not null,
    event text not null,
    action text not null default '',
    repository text not null default '',
    pull_request int,
    headers jsonb not null default '{}',
    body bytea not null,
    state text not null default 'accepted' check (state in ('accepted', 'done', 'failed')),
    state_reason text not null default '',
    attempts int not null default 0,
    not_before timestamptz not null default now(),
    job_id bigint,
    received_at timestamptz not null default now(),
    finished_at timestamptz,
    -- One delivery is stored once; two hosts may use the same id.
    primary key (connection_id, delivery_id),
    foreign key (organisation_id, connection_id) references forge_connection (organisation_id, id) on delete cascade
);
select protect('webhook_delivery');
create index delivery_waiting on webhook_delivery (not_before) where state = 'accepted';
grant select on webhook_delivery to panlect_app;
grant update (state, state_reason, finished_at) on webhook_delivery to panlect_app;

create table run (
    id uuid primary key default gen_random_uuid(),
    organisation_id uuid not null references organisation on delete cascade,
    kind text not null check (kind in ('index', 'review', 'publish', 'summarize', 'job')),
    status text not null default 'queued'
        check (status in ('queued', 'running', 'done', 'failed', 'cancelled', 'superseded')),
    reason text not null default '',
    cause text not null default '',
    repository_id uuid,
    pull_request_id uuid,
    review_id uuid,
    head_sha text not null default '',
    base_sha text not null default '',
    detail jsonb not null default '{}',
    -- The same work asked for twice is one run.
    dedupe_key text,
    -- Runs with the same key never run at the same time.
    lock_key text,
    attempt int not null default 0,
    crashes int not null default 0,
    not_before timestamptz not null default now(),
    lease_token uuid,
    lease_until timestamptz,
    worker text not null default '',
    -- The wake-up in the queue. It may get lost; the sweeper then makes another.
    job_id bigint,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz,
    unique (organisation_id, id),
    unique (organisation_id, dedupe_key),
    foreign key (organisation_id, repository_id) references repository (organisation_id, id) on delete cascade,
    foreign key (organisation_id, pull_request_id) references pull_request (organisation_id, id) on delete cascade,
    check ((status = 'running') = (lease_token is not null))
);
select protect('run');
create unique index run_of_lock on run (lock_key) where status = 'running';
create index run_queued on run (not_before) where status = 'queued';
create index run_leased on run (lease_until) where status = 'running';
create index run_of_pull_request on run (pull_request_id, created_at);
create index run_listed on run (organisation_id, created_at desc);
alter table run set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
grant select, insert, update on run to panlect_app;

create table step (
    organisation_id uuid not null,
    run_id uuid not null,
    name text not null,
    key text not null default '',
    state text not null check (state in ('done', 'failed')),
    attempts int not null default 1,
    -- json, not jsonb: the text that was written is the text that is read again, NUL escapes and all.
    output json,
    error text not null default '',
    ms double precision not null,
    finished_at timestamptz not null default now(),
    primary key (run_id, name, key),
    foreign key (organisation_id, run_id) references run (organisation_id, id) on delete cascade
);
select protect('step');
grant select, insert, update on step to panlect_app;

create table history_event (
    seq bigint generated always as identity primary key,
    organisation_id uuid not null references organisation on delete cascade,
    at timestamptz not null default now(),
    kind text not null,
    delivery_id uuid,
    run_id uuid,
    pull_request_id uuid,
    head_sha text not null default '',
    cause text not null default '',
    step text not null default '',
    lease_token uuid,
    detail text not null default ''
);
select protect('history_event');
revoke update, delete on history_event from panlect_definer;
create index history_of_run on history_event (run_id, seq);
grant select, insert on history_event to panlect_app;
