-- name: known_blobs
-- Keys travel as two arrays: one round trip for a whole tree. Whoever is told that an old row is there relies on
-- it, so it becomes young, which the collector passes by; one that was dropped meanwhile is not known.
with asked as materialized (
    select b.blob_sha, b.analyser, b.created_at < now() - interval '10 minutes' as old
    from unnest(%(shas)s::bytea[], %(analysers)s::text[]) as k (sha, analyser)
    join blob_analysis b on b.organisation_id = %(organisation_id)s and b.blob_sha = k.sha and b.analyser = k.analyser
), held as materialized (
    -- In one order, so that two runs of like trees do not wait for each other in a circle.
    select b.blob_sha, b.analyser from asked
    join blob_analysis b on b.organisation_id = %(organisation_id)s and b.blob_sha = asked.blob_sha
        and b.analyser = asked.analyser
    where asked.old order by b.blob_sha, b.analyser for no key update of b
), touched as (
    update blob_analysis b set created_at = now() from held
    where b.organisation_id = %(organisation_id)s and b.blob_sha = held.blob_sha and b.analyser = held.analyser
    returning b.blob_sha, b.analyser
)
select blob_sha, analyser from asked where not old union all select blob_sha, analyser from touched

-- name: load_meta
-- One column at a time: search never reads what the checks need.
select b.blob_sha, b.analyser, b.meta from unnest(%(shas)s::bytea[], %(analysers)s::text[]) as k (sha, analyser)
join blob_analysis b on b.organisation_id = %(organisation_id)s and b.blob_sha = k.sha and b.analyser = k.analyser

-- name: load_search
-- As load_meta.
select b.blob_sha, b.analyser, b.search from unnest(%(shas)s::bytea[], %(analysers)s::text[]) as k (sha, analyser)
join blob_analysis b on b.organisation_id = %(organisation_id)s and b.blob_sha = k.sha and b.analyser = k.analyser

-- name: load_symbols
-- As load_meta.
select b.blob_sha, b.analyser, b.symbols from unnest(%(shas)s::bytea[], %(analysers)s::text[]) as k (sha, analyser)
join blob_analysis b on b.organisation_id = %(organisation_id)s and b.blob_sha = k.sha and b.analyser = k.analyser

-- name: load_facts
-- As load_meta.
select b.blob_sha, b.analyser, b.facts from unnest(%(shas)s::bytea[], %(analysers)s::text[]) as k (sha, analyser)
join blob_analysis b on b.organisation_id = %(organisation_id)s and b.blob_sha = k.sha and b.analyser = k.analyser

-- name: stage_blobs
-- COPY is refused under row level security; a temporary table has none.
create temporary table incoming_blob (organisation_id uuid, blob_sha bytea, analyser text,
    meta bytea, search bytea, symbols bytea, facts bytea, names int[], chunk_hashes bytea, read_ms real) on commit drop

-- name: store_blobs
-- The same content analysed twice is the same row; one that is old becomes young, as in known_blobs.
insert into blob_analysis as kept
    (organisation_id, blob_sha, analyser, meta, search, symbols, facts, names, chunk_hashes, read_ms)
select distinct on (blob_sha, analyser)
    organisation_id, blob_sha, analyser, meta, search, symbols, facts, names, chunk_hashes, read_ms
from incoming_blob order by blob_sha, analyser
on conflict (organisation_id, blob_sha, analyser) do update set created_at = now()
where kept.created_at < now() - interval '10 minutes'

-- name: stage_chunks
-- As stage_blobs.
create temporary table incoming_chunk (organisation_id uuid, chunk_hash bytea, text text) on commit drop

-- name: store_chunks
-- A chunk is stored once for an organisation. Its writer is about to name it, so an old one that no analysis names
-- becomes young: the collector looks again at a row that changed under it, and passes by.
insert into chunk as kept (organisation_id, chunk_hash, text)
select distinct on (chunk_hash) organisation_id, chunk_hash, text from incoming_chunk order by chunk_hash
on conflict (organisation_id, chunk_hash) do update set created_at = now()
where kept.created_at < now() - interval '10 minutes'

-- name: read_chunks
-- Texts by hash, for those who embed.
select chunk_hash, text from chunk
where organisation_id = %(organisation_id)s and chunk_hash = any (%(hashes)s::bytea[])

-- name: find_organisation
-- Jobs are told an organisation by its name.
select find_organisation(%(slug)s)

-- name: repositories
-- What `--all` means, each with the shard of n that it falls into: by its id, so that shards never overlap.
select id, connection_id, full_name from repository
where organisation_id = %(organisation_id)s and (%(full_name)s = '' or lower(full_name) = lower(%(full_name)s))
  and mod(hashtext(id::text)::bigint & 2147483647, %(of)s::bigint) = %(shard)s
order by full_name

-- name: find_index_run
-- The driver of a Ray job knows a run's id and nothing else; the organisation follows from it.
select run_id, organisation_id, repository_id, connection_id, full_name, clone_url, default_branch, commit_sha, detail
from find_index_run(%(run_id)s)

-- name: note_progress
-- Merged, so that several writers do not erase each other's figures; nothing when the run has ended or is another's.
update run set detail = detail || %(progress)s
where organisation_id = %(organisation_id)s and id = %(run_id)s and status = 'running'
  and (%(lease)s::uuid is null or lease_token = %(lease)s::uuid) returning id

-- name: later_index_done
-- A run that was given back must not activate its older commit after a newer one of its branch.
select exists (
    select from run later join run mine on mine.id = %(run_id)s
    where later.organisation_id = %(organisation_id)s and later.repository_id = %(repository_id)s
      and later.kind = 'index' and later.status = 'done' and later.created_at > mine.created_at
      and later.detail ->> 'ref' is not distinct from mine.detail ->> 'ref' and not later.detail ? 'skipped')
