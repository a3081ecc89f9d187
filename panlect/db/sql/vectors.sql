-- name: register_model
-- The first to use a model writes it down; the key holds all that matters, so a second is the same.
insert into embedding_model (organisation_id, key, spec, dimension)
values (%(organisation_id)s, %(key)s, %(spec)s, %(dimension)s) on conflict do nothing

-- name: find_model
-- How a model is asked, and how long its vectors are.
select key, spec, dimension from embedding_model where organisation_id = %(organisation_id)s and key = %(key)s

-- name: serving
-- Which vectors of a repository are asked now.
select m.key, m.spec, m.dimension from repository r
join embedding_model m on m.organisation_id = r.organisation_id and m.key = r.embedding_model
where r.organisation_id = %(organisation_id)s and r.id = %(repository_id)s

-- name: serve
-- The switch: from the next query on. Only the first model is served by itself.
update repository set embedding_model = %(key)s
where organisation_id = %(organisation_id)s and id = %(repository_id)s and (%(switch)s or embedding_model is null)

-- name: adopt
-- A chunk that another repository of the organisation has embedded is copied, not embedded again.
-- Vectors are found by repository first, so each of the others is asked for what is missing and nothing else; not
-- all of thousands, but the 50 whose index is the newest. What only an older one has is embedded once more.
with other as materialized (
    select r.id from repository r join snapshot s on s.id = r.active_snapshot_id
    where r.organisation_id = %(organisation_id)s and r.id <> %(repository_id)s
    order by s.activated_at desc limit 50
), missing as (
    select s.chunk_hash from snapshot_chunks(%(snapshot_id)s) s (chunk_hash)
    where not exists (select from chunk_embedding e
                      where e.organisation_id = %(organisation_id)s and e.repository_id = %(repository_id)s
                      and e.chunk_hash = s.chunk_hash and e.model = %(key)s)
)
insert into chunk_embedding (organisation_id, repository_id, chunk_hash, model, embedding)
select %(organisation_id)s, %(repository_id)s, missing.chunk_hash, %(key)s, found.embedding
from missing cross join lateral (
    select e.embedding from other join chunk_embedding e on e.repository_id = other.id
    where e.organisation_id = %(organisation_id)s and e.chunk_hash = missing.chunk_hash and e.model = %(key)s limit 1
) found
on conflict do nothing

-- name: missing
-- What is still to be embedded; shortest first, so that batches hold texts of one length.
select c.chunk_hash, c.text from snapshot_chunks(%(snapshot_id)s) s (chunk_hash)
join chunk c on c.organisation_id = %(organisation_id)s and c.chunk_hash = s.chunk_hash
where not exists (select from chunk_embedding e
                  where e.organisation_id = %(organisation_id)s and e.repository_id = %(repository_id)s
                  and e.chunk_hash = c.chunk_hash and e.model = %(key)s)
order by length(c.text), c.chunk_hash

-- name: stage
-- COPY is refused under row level security; a temporary table has none.
create temporary table incoming_vector (organisation_id uuid, repository_id uuid, chunk_hash bytea, model text,
    embedding halfvec) on commit drop

-- name: store
-- A rerun skips what is there.
insert into chunk_embedding (organisation_id, repository_id, chunk_hash, model, embedding)
select distinct on (chunk_hash) organisation_id, repository_id, chunk_hash, model, embedding
from incoming_vector on conflict do nothing

-- name: count
-- Whether a repository is large enough for an index of its own.
select count(*) from chunk_embedding
where organisation_id = %(organisation_id)s and repository_id = %(repository_id)s and model = %(key)s

-- name: partition
-- Where a repository's vectors lie: an index is built there, and over its rows alone.
select c.relname from chunk_embedding e join pg_class c on c.oid = e.tableoid
where e.organisation_id = %(organisation_id)s and e.repository_id = %(repository_id)s limit 1

-- name: sample
-- Vectors to try an approximate index with, the same every time.
select embedding from chunk_embedding
where organisation_id = %(organisation_id)s and repository_id = %(repository_id)s and model = %(key)s
order by chunk_hash limit %(limit)s

-- name: nearest
-- Exact: every vector of the repository is compared, which is right below some 50k chunks.
select chunk_hash, 1 - (embedding <=> %(vector)s) from chunk_embedding
where organisation_id = %(organisation_id)s and repository_id = %(repository_id)s and model = %(key)s
order by embedding <=> %(vector)s, chunk_hash limit %(limit)s

-- name: drop_model
-- After the switch, when nobody serves it any more.
delete from chunk_embedding
where organisation_id = %(organisation_id)s and repository_id = %(repository_id)s and model = %(key)s
