-- name: begin
-- A killed run is resumed: the snapshot it began is the snapshot of this commit.
insert into snapshot (organisation_id, repository_id, commit_sha, analyser, ref)
values (%(organisation_id)s, %(repository_id)s, %(commit_sha)s, %(analyser)s, %(ref)s)
on conflict (repository_id, commit_sha, analyser) do nothing

-- name: find
-- What begin made, or found.
select id, commit_sha, state, overlay_of, overlay_depth from snapshot
where organisation_id = %(organisation_id)s and repository_id = %(repository_id)s
  and commit_sha = %(commit_sha)s and analyser = %(analyser)s

-- name: lock_repository
-- Who completes a snapshot and who collects take turns; a row that only refers to the repository waits for neither.
select from repository where organisation_id = %(organisation_id)s and id = %(repository_id)s for no key update

-- name: active
-- What is searched now.
select s.id, s.commit_sha, s.state, s.overlay_of, s.overlay_depth, r.full_name
from repository r join snapshot s on s.id = r.active_snapshot_id
where r.organisation_id = %(organisation_id)s and r.id = %(repository_id)s

-- name: newest_of_this_analyser
-- What an overlay can stand on: complete, and read by the same analyser.
select s.id, s.commit_sha, s.state, s.overlay_of, s.overlay_depth from snapshot s
where s.organisation_id = %(organisation_id)s and s.repository_id = %(repository_id)s and s.analyser = %(analyser)s
  and s.state <> 'building' order by s.state = 'active' desc, s.activated_at desc limit 1

-- name: put_below
-- Set once, with the entries: a rerun finds what the first one decided.
update snapshot set overlay_of = %(overlay_of)s, overlay_depth = %(overlay_depth)s, truncated = %(truncated)s
where organisation_id = %(organisation_id)s and id = %(snapshot_id)s

-- name: clear_entries
-- A rerun may stand on another snapshot than the run that was killed.
delete from snapshot_entry where organisation_id = %(organisation_id)s and snapshot_id = %(snapshot_id)s

-- name: stage_entries
-- COPY is refused under row level security; a temporary table has none.
create temporary table incoming_entry (organisation_id uuid, snapshot_id uuid, path text, blob_sha bytea,
    mode int, size bigint, language text) on commit drop

-- name: store_entries
-- Paths that are written alike count once.
insert into snapshot_entry (organisation_id, snapshot_id, path, blob_sha, mode, size, language)
select distinct on (path) organisation_id, snapshot_id, path, blob_sha, mode, size, language from incoming_entry
on conflict do nothing

-- name: list_entries
-- In the order of paths, as a snapshot keeps them.
select path, blob_sha, mode, size from snapshot_files(%(snapshot_id)s) order by path collate "C"

-- name: count_chunks
-- Before anyone can see the snapshot.
select count(*) from snapshot_chunks(%(snapshot_id)s)

-- name: complete
-- The counts are final before anyone can see the snapshot.
update snapshot set state = %(state)s, files = %(files)s, chunks = %(chunks)s, activated_at = now()
where organisation_id = %(organisation_id)s and id = %(snapshot_id)s

-- name: retire_others
-- Kept for a while: a review that began on the old one finishes on it.
update snapshot set state = 'retired'
where organisation_id = %(organisation_id)s and state = 'active' and id <> %(snapshot_id)s
  and repository_id = (select repository_id from snapshot where id = %(snapshot_id)s)

-- name: activate
-- The swap itself.
update repository set active_snapshot_id = %(snapshot_id)s
where organisation_id = %(organisation_id)s and id = (select repository_id from snapshot where id = %(snapshot_id)s)

-- name: note_embedded
-- Progress that pages show while vectors fill in.
update snapshot set embedded = %(embedded)s where organisation_id = %(organisation_id)s and id = %(snapshot_id)s

-- name: files
-- What became of every file: how it was read, or that no analysis is there. The page is cut before analyses are read.
select f.path, f.blob_sha, f.mode, f.size, b.meta, b.read_ms
from (select path, blob_sha, mode, size, language from snapshot_files(%(snapshot_id)s)
      order by path collate "C" offset %(offset)s::bigint limit %(limit)s::bigint) f
left join blob_analysis b on b.organisation_id = %(organisation_id)s and b.blob_sha = f.blob_sha
    and f.language <> '' and b.analyser = (select analyser || '/' from snapshot
        where organisation_id = %(organisation_id)s and id = %(snapshot_id)s) || f.language
order by f.path collate "C"

-- name: who
-- From the blobs that may know a name to the files of active snapshots; no cap. A file counts where nothing above
-- its layer replaces it.
with recursive layer as (
    select r.id as repository_id, r.full_name, s.id, s.overlay_of, s.analyser, s.commit_sha, 0 as below
    from repository r join snapshot s on s.id = r.active_snapshot_id
    where r.organisation_id = %(organisation_id)s
    union all
    select layer.repository_id, layer.full_name, s.id, s.overlay_of, layer.analyser, layer.commit_sha, layer.below + 1
    from layer join snapshot s on s.id = layer.overlay_of
), knowing as (
    select blob_sha, analyser, symbols from blob_analysis
    where organisation_id = %(organisation_id)s and names && %(ids)s::int[]
)
select layer.repository_id, layer.full_name, layer.commit_sha, e.path, knowing.symbols
from knowing
join snapshot_entry e on e.blob_sha = knowing.blob_sha
join layer on layer.id = e.snapshot_id and knowing.analyser = layer.analyser || '/' || e.language
where e.organisation_id = %(organisation_id)s and not exists (
    select from snapshot_entry above join layer upper on upper.id = above.snapshot_id
    where upper.repository_id = layer.repository_id and upper.below < layer.below and above.path = e.path)
order by layer.full_name, e.path collate "C"

-- name: collectable
-- Oldest first. Never what is searched, built, or stood upon; never the commits of an index or review in progress.
-- (The base that a review compares with may be an older one: what it reads of it is young, see index.known_blobs.)
with ranked as (
    select s.id, s.state, s.activated_at, s.created_at,
           row_number() over (order by s.activated_at desc nulls last) as newest
    from snapshot s where s.organisation_id = %(organisation_id)s and s.repository_id = %(repository_id)s
)
select r.id from ranked r
where r.id not in (select active_snapshot_id from repository
                   where organisation_id = %(organisation_id)s and active_snapshot_id is not null)
  and not exists (select from snapshot upper where upper.overlay_of = r.id)
  and (r.state in ('retired', 'ready') and r.newest > %(kept)s
           and r.activated_at < now() - make_interval(secs => %(grace_s)s)
       or r.state = 'building' and r.created_at < now() - make_interval(secs => %(grace_s)s))
  and not exists (select from run n join snapshot s on s.id = r.id
                  where n.organisation_id = %(organisation_id)s and n.repository_id = s.repository_id
                    and n.kind in ('index', 'review') and n.status = 'running'
                    and s.commit_sha in (n.head_sha, n.base_sha))
order by r.activated_at nulls first

-- name: drop_snapshots
-- Their entries go with them.
delete from snapshot where organisation_id = %(organisation_id)s and id = any (%(ids)s::uuid[])

-- name: drop_unreachable_blobs
-- What no snapshot of the organisation holds any more, and nobody is storing just now.
delete from blob_analysis b
where b.organisation_id = %(organisation_id)s and b.created_at < now() - make_interval(secs => %(grace_s)s)
  and not exists (
    select from snapshot_entry e join snapshot s on s.id = e.snapshot_id
    where e.blob_sha = b.blob_sha and e.organisation_id = b.organisation_id
      and b.analyser = s.analyser || '/' || e.language)

-- name: drop_unreachable_chunks
-- After the blobs: a chunk is reachable while a blob names it.
with reachable as materialized (
    select substring(b.chunk_hashes from 16 * g + 1 for 16) as chunk_hash
    from blob_analysis b, generate_series(0, length(b.chunk_hashes) / 16 - 1) g
    where b.organisation_id = %(organisation_id)s
)
delete from chunk c
where c.organisation_id = %(organisation_id)s and c.created_at < now() - make_interval(secs => %(grace_s)s)
  and not exists (select from reachable r where r.chunk_hash = c.chunk_hash)

-- name: drop_unreachable_vectors
-- A vector belongs to a repository: it stays while one of the repository's snapshots has its chunk, and while its
-- chunk is young, which somebody is about to name.
with reachable as materialized (
    select c.chunk_hash from snapshot s, snapshot_chunks(s.id) c (chunk_hash)
    where s.organisation_id = %(organisation_id)s and s.repository_id = %(repository_id)s
)
delete from chunk_embedding e
where e.organisation_id = %(organisation_id)s and e.repository_id = %(repository_id)s
  and not exists (select from reachable r where r.chunk_hash = e.chunk_hash)
  and not exists (select from chunk c where c.organisation_id = e.organisation_id and c.chunk_hash = e.chunk_hash
                  and c.created_at >= now() - make_interval(secs => %(grace_s)s))

-- name: repositories
-- Whose vectors may be collected.
select id from repository where organisation_id = %(organisation_id)s order by id

-- name: storage
-- What an organisation's index takes, in rows and bytes as they are stored. By column: for the size of a
-- whole row every value that lies apart would be read.
select
    (select count(*) from snapshot where organisation_id = %(organisation_id)s) as snapshots,
    (select count(*) from snapshot_entry where organisation_id = %(organisation_id)s) as entries,
    blob.rows, blob.bytes, chunk.rows, chunk.bytes, vector.rows, vector.bytes
from (
    select count(*) as rows, coalesce(sum(
        pg_column_size(b.meta) + pg_column_size(b.search) + pg_column_size(b.symbols) + pg_column_size(b.facts)
        + pg_column_size(b.names) + pg_column_size(b.chunk_hashes)), 0)::bigint as bytes
    from blob_analysis b where b.organisation_id = %(organisation_id)s
) blob, (
    select count(*) as rows, coalesce(sum(pg_column_size(c.chunk_hash) + pg_column_size(c.text)), 0)::bigint as bytes
    from chunk c where c.organisation_id = %(organisation_id)s
) chunk, (
    select count(*) as rows,
           coalesce(sum(pg_column_size(e.chunk_hash) + pg_column_size(e.embedding)), 0)::bigint as bytes
    from chunk_embedding e where e.organisation_id = %(organisation_id)s
) vector
