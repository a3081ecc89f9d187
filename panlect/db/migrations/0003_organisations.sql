-- Who owns what: organisations, their tokens, code hosts, repositories and pull requests.
create table organisation (
    id uuid primary key default gen_random_uuid(),
    slug text not null unique check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name text not null,
    -- A skipped review is green in a blocking repository only for these reasons.
    allowed_skip_reasons text[] not null default '{}',
    created_at timestamptz not null default now()
);
insert into organisation (id, slug, name)
values ('00000000-0000-0000-0000-000000000001', 'default', 'Default organisation');
select protect('organisation', 'id');
grant select, update (name, allowed_skip_reasons) on organisation to panlect_app;

create table api_token (
    id uuid primary key default gen_random_uuid(),
    organisation_id uuid not null references organisation on delete cascade,
    name text not null,
    token_sha256 bytea not null unique check (length(token_sha256) = 32),
    scopes text[] not null default '{}',
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    created_at timestamptz not null default now(),
    unique (organisation_id, id)
);
select protect('api_token');
grant select, insert, update, delete on api_token to panlect_app;

create table forge_connection (
    id uuid primary key default gen_random_uuid(),
    organisation_id uuid not null references organisation on delete cascade,
    kind text not null check (kind in ('github', 'gitlab')),
    base_url text not null,
    account_login text not null default '',
    -- Both are ciphertexts of the key ring, bound to the organisation and to their purpose.
    token_encrypted bytea,
    webhook_secrets_encrypted bytea[] not null default '{}',
    created_at timestamptz not null default now(),
    unique (organisation_id, id)
);
select protect('forge_connection');
grant select, insert, update, delete on forge_connection to panlect_app;

create table repository (
    id uuid primary key default gen_random_uuid(),
    organisation_id uuid not null references organisation on delete cascade,
    connection_id uuid not null,
    full_name text not null,
    clone_url text not null,
    default_branch text not null default 'main',
    blocking boolean not null default false,
    threshold text not null default 'P1' check (threshold in ('P0', 'P1', 'P2', 'P3')),
    -- Which Postgres holds its chunks and vectors; 0 is this one.
    shard smallint not null default 0,
    active_snapshot_id uuid,
    created_at timestamptz not null default now(),
    unique (organisation_id, id),
    unique (connection_id, full_name),
    foreign key (organisation_id, connection_id) references forge_connection (organisation_id, id) on delete cascade
);
select protect('repository');
grant select, insert, update, delete on repository to panlect_app;

create table pull_request (
    id uuid primary key default gen_random_uuid(),
    organisation_id uuid not null,
    repository_id uuid not null,
    number int not null check (number > 0),
    title text not null default '',
    author text not null default '',
    state text not null default 'open' check (state in ('open', 'closed')),
    draft boolean not null default false,
    base_ref text not null default '',
    base_sha text not null,
    head_ref text not null default '',
    head_sha text not null,
    html_url text not null default '',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (organisation_id, id),
    unique (repository_id, number),
    foreign key (organisation_id, repository_id) references repository (organisation_id, id) on delete cascade
);
select protect('pull_request');
grant select, insert, update, delete on pull_request to panlect_app;
