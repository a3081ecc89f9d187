-- name: known_blobs
-- Keys travel as two arrays: one round trip for a whole tree.
select b.blob_sha, b.analyser from unnest(%(shas)s::bytea[], %(analysers)s::text[]) as k (sha, analyser)
join blob_analysis b on b.organisation_id = %(organisation_id)s and b.blob_sha = k.sha and b.analyser = k.analyser

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
    meta bytea, search bytea, symbols bytea, facts bytea) on commit drop

-- name: store_blobs
-- The same content analysed twice is the same row.
insert into blob_analysis (organisation_id, blob_sha, analyser, meta, search, symbols, facts)
select distinct on (blob_sha, analyser) organisation_id, blob_sha, analyser, meta, search, symbols, facts
from incoming_blob on conflict do nothing

-- name: begin_snapshot
-- A killed run is resumed: the snapshot it began is the snapshot of this commit.
insert into snapshot (organisation_id, repository_id, commit_sha, parent_id, analyser)
values (%(organisation_id)s, %(repository_id)s, %(commit_sha)s, %(parent_id)s, %(analyser)s)
on conflict (repository_id, commit_sha, analyser) do nothing

-- name: find_snapshot
-- What begin_snapshot made, or found.
select id, commit_sha, state from snapshot
where organisation_id = %(organisation_id)s and repository_id = %(repository_id)s
  and commit_sha = %(commit_sha)s and analyser = %(analyser)s

-- name: active_snapshot
-- What is searched now.
select s.id, s.commit_sha, s.state from repository r join snapshot s on s.id = r.active_snapshot_id
where r.organisation_id = %(organisation_id)s and r.id = %(repository_id)s

-- name: stage_entries
-- As stage_blobs.
create temporary table incoming_entry (organisation_id uuid, snapshot_id uuid, path text, blob_sha bytea,
    mode int, size bigint) on commit drop

-- name: store_entries
-- A resumed run writes the same entries again.
insert into snapshot_entry (organisation_id, snapshot_id, path, blob_sha, mode, size)
select distinct on (path) organisation_id, snapshot_id, path, blob_sha, mode, size from incoming_entry
on conflict do nothing

-- name: list_entries
-- In the order of paths, as a snapshot keeps them.
select path, blob_sha, mode, size from snapshot_entry
where organisation_id = %(organisation_id)s and snapshot_id = %(snapshot_id)s order by path collate "C"

-- name: complete_snapshot
-- The counts are final before anyone can see the snapshot.
update snapshot set state = 'active', files = %(files)s, chunks = %(chunks)s, activated_at = now()
where organisation_id = %(organisation_id)s and id = %(snapshot_id)s

-- name: retire_others
-- Kept for a while: a review that began on the old one finishes on it.
update snapshot set state = 'retired'
where organisation_id = %(organisation_id)s and state = 'active' and id <> %(snapshot_id)s
  and repository_id = (select repository_id from snapshot where id = %(snapshot_id)s)

-- name: activate_snapshot
-- The swap itself.
update repository set active_snapshot_id = %(snapshot_id)s
where organisation_id = %(organisation_id)s and id = (select repository_id from snapshot where id = %(snapshot_id)s)

-- name: stage_chunks
-- As stage_blobs.
create temporary table incoming_chunk (organisation_id uuid, chunk_hash bytea, text text) on commit drop

-- name: store_chunks
-- A chunk is stored once for an organisation.
insert into chunk (organisation_id, chunk_hash, text)
select distinct on (chunk_hash) organisation_id, chunk_hash, text from incoming_chunk on conflict do nothing

-- name: adopt_vectors
-- A chunk that another repository of the organisation has embedded is copied, not embedded again.
insert into chunk_embedding (organisation_id, repository_id, chunk_hash, model, embedding)
select distinct on (e.chunk_hash) e.organisation_id, %(repository_id)s, e.chunk_hash, e.model, e.embedding
from chunk_embedding e
where e.organisation_id = %(organisation_id)s and e.model = %(model)s and e.repository_id <> %(repository_id)s
  and e.chunk_hash = any (%(hashes)s::bytea[])
on conflict do nothing

-- name: chunks_without_vectors
-- What is still to be embedded; shortest first, so that batches hold texts of one length.
select c.chunk_hash, c.text from chunk c
where c.organisation_id = %(organisation_id)s and c.chunk_hash = any (%(hashes)s::bytea[])
  and not exists (select from chunk_embedding e where e.repository_id = %(repository_id)s
                  and e.chunk_hash = c.chunk_hash and e.model = %(model)s)
order by length(c.text), c.chunk_hash

-- name: stage_vectors
-- As stage_blobs.
create temporary table incoming_vector (organisation_id uuid, repository_id uuid, chunk_hash bytea, model text,
    embedding halfvec(384)) on commit drop

-- name: store_vectors
-- A rerun skips what is there.
insert into chunk_embedding (organisation_id, repository_id, chunk_hash, model, embedding)
select distinct on (chunk_hash) organisation_id, repository_id, chunk_hash, model, embedding
from incoming_vector on conflict do nothing

-- name: note_embedded
-- Progress that pages show while vectors fill in.
update snapshot set embedded = %(embedded)s where organisation_id = %(organisation_id)s and id = %(snapshot_id)s

-- name: nearest
-- Exact: the partition of a repository is scanned, which is right below some 50k chunks.
select chunk_hash, 1 - (embedding <=> %(vector)s) from chunk_embedding
where organisation_id = %(organisation_id)s and repository_id = %(repository_id)s and model = %(model)s
order by embedding <=> %(vector)s, chunk_hash limit %(limit)s

-- name: find_index_run
-- The driver of a Ray job knows a run's id and nothing else; the organisation follows from it.
select run_id, organisation_id, repository_id, connection_id, full_name, clone_url, default_branch, commit_sha, detail
from find_index_run(%(run_id)s)

-- name: note_progress
-- Merged, so that several writers do not erase each other's figures.
update run set detail = detail || %(progress)s where organisation_id = %(organisation_id)s and id = %(run_id)s

-- name: later_index_done
-- A run that was given back must not activate its older commit after a newer one.
select exists (
    select from run later join run mine on mine.id = %(run_id)s
    where later.organisation_id = %(organisation_id)s and later.repository_id = %(repository_id)s
      and later.kind = 'index' and later.status = 'done' and later.created_at > mine.created_at)
