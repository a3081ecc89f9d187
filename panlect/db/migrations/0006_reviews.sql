-- What was said about a head, what was held back, and what was read: written once, never changed.
create table review (
    id uuid primary key default gen_random_uuid(),
    organisation_id uuid not null,
    repository_id uuid not null,
    pull_request_id uuid not null,
    run_id uuid not null,
    head_sha text not null,
    base_sha text not null,
    cause text not null,
    verdict text not null check (verdict in ('REVIEWED', 'PARTIAL', 'SKIPPED', 'FAILED', 'SUPERSEDED')),
    reason text not null default '',
    depth text check (depth in ('text', 'checks', 'light', 'normal', 'deep')),
    model text not null default 'none',
    findings int not null default 0,
    suppressed int not null default 0,
    hunks_read int not null default 0,
    hunks_unread int not null default 0,
    hunks_excluded int not null default 0,
    -- What became of it on the code host: the only part that changes.
    state text not null default 'stored' check (state in ('stored', 'posted', 'superseded', 'post_failed')),
    state_reason text not null default '',
    posted_review_id text not null default '',
    posted_check_id text not null default '',
    posted_url text not null default '',
    marker text not null default '',
    created_at timestamptz not null default now(),
    posted_at timestamptz,
    unique (organisation_id, id),
    unique (pull_request_id, head_sha, cause),
    foreign key (organisation_id, repository_id) references repository (organisation_id, id) on delete cascade,
    foreign key (organisation_id, pull_request_id) references pull_request (organisation_id, id) on delete cascade,
    foreign key (organisation_id, run_id) references run (organisation_id, id) on delete cascade
);
select protect('review');
create index review_listed on review (organisation_id, created_at desc);
grant select, insert on review to panlect_app;
grant update (state, state_reason, posted_review_id, posted_check_id, posted_url, marker, posted_at)
    on review to panlect_app;
alter table run add foreign key (organisation_id, review_id) references review (organisation_id, id) on delete cascade;

create table finding (
    organisation_id uuid not null,
    review_id uuid not null,
    ordinal int not null,
    fingerprint text not null,
    check_id text not null,
    severity text not null check (severity in ('P0', 'P1', 'P2', 'P3')),
    category text not null,
    path text,
    start_line int,
    end_line int,
    side text not null check (side in ('base', 'head')),
    title text not null,
    body text not null,
    -- json, as it was written: quotes from a repository may hold anything.
    evidence json not null,
    related json not null,
    primary key (review_id, ordinal),
    foreign key (organisation_id, review_id) references review (organisation_id, id) on delete cascade
);
select protect('finding');
create index finding_by_print on finding (organisation_id, fingerprint);
grant select, insert on finding to panlect_app;

create table suppressed_finding (
    organisation_id uuid not null,
    review_id uuid not null,
    ordinal int not null,
    stage text not null,
    reason text not null,
    check_id text not null,
    path text not null,
    start_line int not null,
    title text not null,
    fingerprint text not null default '',
    primary key (review_id, ordinal),
    foreign key (organisation_id, review_id) references review (organisation_id, id) on delete cascade
);
select protect('suppressed_finding');
grant select, insert on suppressed_finding to panlect_app;

create table hunk_coverage (
    organisation_id uuid not null,
    review_id uuid not null,
    ordinal int not null,
    path text not null,
    start_line int not null,
    end_line int not null,
    side text not null check (side in ('base', 'head')),
    kind text not null,
    state text not null check (state in ('read', 'unread', 'excluded')),
    reason text not null default '',
    depth text check (depth in ('text', 'checks', 'light', 'normal', 'deep')),
    passes text[] not null default '{}',
    primary key (review_id, ordinal),
    foreign key (organisation_id, review_id) references review (organisation_id, id) on delete cascade
);
select protect('hunk_coverage');
grant select, insert on hunk_coverage to panlect_app;
