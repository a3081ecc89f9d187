-- What was read: analyses and chunks by content, vectors by repository, snapshots of a commit.
create table blob_analysis (
    organisation_id uuid not null references organisation on delete cascade,
    blob_sha bytea not null,
    analyser text not null,
    -- msgpack, unpacked by the room that packed it; apart, so that search does not read what checks need.
    meta bytea not null,
    search bytea not null,
    symbols bytea not null,
    facts bytea not null,
    names text[] not null default '{}',
    created_at timestamptz not null default now(),
    primary key (organisation_id, blob_sha, analyser)
);
alter table blob_analysis alter column facts set compression pglz;
select protect('blob_analysis');
create index blob_naming on blob_analysis using gin (names);
grant select, insert, delete on blob_analysis to panlect_app;

create table chunk (
    organisation_id uuid not null references organisation on delete cascade,
    chunk_hash bytea not null check (length(chunk_hash) = 16),
    text text not null,
    primary key (organisation_id, chunk_hash)
);
select protect('chunk');
grant select, insert, delete on chunk to panlect_app;

-- Narrow on purpose: a scan reads vectors, not text. No foreign keys, which would cost more than the copy.
create table chunk_embedding (
    organisation_id uuid not null,
    repository_id uuid not null,
    chunk_hash bytea not null,
    model text not null,
    embedding halfvec(384) not null,
    primary key (repository_id, chunk_hash, model)
) partition by hash (repository_id);
select protect('chunk_embedding');
do $$
begin
    for part in 0..15 loop
        execute format(
            'create table chunk_embedding_%s partition of chunk_embedding for values with (modulus 16, remainder %s)',
            part, part);
        -- A vector of 384 halves is below the limit at which Postgres would compress it, in vain.
        execute format('alter table chunk_embedding_%s alter column embedding set storage plain', part);
        execute format('select panlect.protect(''panlect.chunk_embedding_%s'')', part);
    end loop;
end $$;
grant select, insert, delete on chunk_embedding to panlect_app;

create table snapshot (
    id uuid primary key default gen_random_uuid(),
    organisation_id uuid not null,
    repository_id uuid not null,
    parent_id uuid,
    commit_sha text not null,
    analyser text not null,
    state text not null default 'building' check (state in ('building', 'active', 'retired')),
    files int not null default 0,
    chunks int not null default 0,
    embedded int not null default 0,
    created_at timestamptz not null default now(),
    activated_at timestamptz,
    unique (organisation_id, id),
    unique (repository_id, commit_sha, analyser),
    foreign key (organisation_id, repository_id) references repository (organisation_id, id) on delete cascade,
    foreign key (organisation_id, parent_id) references snapshot (organisation_id, id) on delete set null (parent_id)
);
select protect('snapshot');
grant select, insert, update, delete on snapshot to panlect_app;

create table snapshot_entry (
    organisation_id uuid not null,
    snapshot_id uuid not null,
    path text not null,
    blob_sha bytea not null,
    mode int not null,
    size bigint not null,
    primary key (snapshot_id, path),
    foreign key (organisation_id, snapshot_id) references snapshot (organisation_id, id) on delete cascade
);
select protect('snapshot_entry');
grant select, insert, delete on snapshot_entry to panlect_app;

-- Which snapshot is searched: swapped in one transaction when the new one is complete.
alter table repository add foreign key (organisation_id, active_snapshot_id)
    references snapshot (organisation_id, id) on delete set null (active_snapshot_id);
