-- The index at scale: who knows a name, overlays, embedding models of any dimension, what may be collected.

-- 32-bit hashes of the names that a blob defines, uses, extends and mentions: one look-up finds every blob of
-- the organisation that may know a name; the blob itself says whether it does.
drop index blob_naming;
alter table blob_analysis drop column names;
alter table blob_analysis
    add column names int[] not null default '{}',
    -- 16 bytes a chunk: what the snapshot needs vectors for, without unpacking what search reads.
    add column chunk_hashes bytea not null default '',
    add column read_ms real not null default 0;
create index blob_naming on blob_analysis using gin (names);

-- A chunk is stored before the analysis that names it: the youngest are never collected. Whoever relies on an old
-- row makes it young again.
alter table chunk add column created_at timestamptz not null default now();
grant update (created_at) on chunk, blob_analysis to panlect_app;

-- Which model made a vector, and how it is asked. Vectors of two keys are never compared.
create table embedding_model (
    organisation_id uuid not null references organisation on delete cascade,
    key text not null,
    spec jsonb not null,
    dimension int not null check (dimension between 1 and 4000),
    created_at timestamptz not null default now(),
    primary key (organisation_id, key)
);
select protect('embedding_model');
grant select, insert, delete on embedding_model to panlect_app;

-- Models differ in dimension; the key says which one a row has.
alter table chunk_embedding alter column embedding type halfvec;
-- The vectors that search asks. Another model fills in beside them until the switch.
alter table repository
    add column embedding_model text,
    add foreign key (organisation_id, embedding_model) references embedding_model (organisation_id, key);

-- An overlay holds only what differs from the snapshot below it; a null blob says that a file is gone.
alter table snapshot
    add column overlay_of uuid,
    add column overlay_depth int not null default 0 check (overlay_depth between 0 and 64),
    add column ref text not null default '',
    add column truncated text not null default '',
    add foreign key (organisation_id, overlay_of) references snapshot (organisation_id, id);
alter table snapshot drop constraint snapshot_state_check;
alter table snapshot add constraint snapshot_state_check check (state in ('building', 'active', 'ready', 'retired'));
create index snapshot_below on snapshot (overlay_of) where overlay_of is not null;
alter table snapshot_entry
    alter column blob_sha drop not null,
    -- In which language the blob is read, '' when it is not read at all.
    add column language text not null default '';
create index entry_of_blob on snapshot_entry (blob_sha);

-- The files of a snapshot of the current organisation, those of the snapshots below it that it does not replace included.
create function snapshot_files(wanted uuid)
returns table (path text, blob_sha bytea, mode int, size bigint, language text)
language sql stable as $$
    with recursive layer as (
        select s.id, s.overlay_of, 0 as below from snapshot s
        where s.id = wanted and s.organisation_id = current_organisation()
        union all
        select s.id, s.overlay_of, layer.below + 1 from layer join snapshot s on s.id = layer.overlay_of
        where s.organisation_id = current_organisation()
    ), topmost as (
        select distinct on (e.path) e.path, e.blob_sha, e.mode, e.size, e.language
        from layer join snapshot_entry e on e.snapshot_id = layer.id
        where e.organisation_id = current_organisation()
        order by e.path, layer.below
    )
    select * from topmost where blob_sha is not null
$$;

-- The distinct chunks of a snapshot.
create function snapshot_chunks(wanted uuid) returns setof bytea
language sql stable as $$
    with blob as (
        select distinct b.chunk_hashes
        from snapshot s, snapshot_files(wanted) f
        join blob_analysis b on b.blob_sha = f.blob_sha
        where s.id = wanted and s.organisation_id = current_organisation()
          and b.organisation_id = s.organisation_id and f.language <> ''
          and b.analyser = s.analyser || '/' || f.language
    )
    select distinct substring(chunk_hashes from 16 * g + 1 for 16)
    from blob, generate_series(0, length(chunk_hashes) / 16 - 1) g
$$;
revoke execute on function snapshot_files, snapshot_chunks from public;
grant execute on function snapshot_files, snapshot_chunks to panlect_app;

-- A job is told an organisation by its name.
create function find_organisation(wanted text) returns uuid
language sql stable as $$ select id from organisation where slug = wanted $$;
select list_for_system('find_organisation(text)');

-- The newest index run of a repository, for those who list them.
create index run_of_repository on run (repository_id, kind, created_at desc);
