-- name: known
-- Whoever is told that an old row is there relies on it, so it becomes young, which the collector passes by.
with held as materialized (
    select key from summary where organisation_id = %(organisation_id)s and key = any (%(keys)s::bytea[])
        and created_at < now() - interval '10 minutes' order by key for no key update
), touched as (
    update summary s set created_at = now() from held where s.organisation_id = %(organisation_id)s and s.key = held.key
)
select key, kind, model, prompt_version, text, extractive, tokens_in, tokens_out
from summary where organisation_id = %(organisation_id)s and key = any (%(keys)s::bytea[])

-- name: stage_summaries
-- COPY is refused under row level security; a temporary table has none.
create temporary table incoming_summary (organisation_id uuid, key bytea, kind text, model text, prompt_version int,
    text text, extractive boolean, tokens_in int, tokens_out int) on commit drop

-- name: store_summaries
-- The same content summarised twice is the same row: the first one stays.
insert into summary as kept
    (organisation_id, key, kind, model, prompt_version, text, extractive, tokens_in, tokens_out)
select distinct on (key) organisation_id, key, kind, model, prompt_version, text, extractive, tokens_in, tokens_out
from incoming_summary order by key
on conflict (organisation_id, key) do update set created_at = now()
where kept.created_at < now() - interval '10 minutes'

-- name: forget_placed
-- Of a repository only its newest summarised commit is shown: what was there before goes.
delete from snapshot_summary p using snapshot old, snapshot new
where p.organisation_id = %(organisation_id)s and new.organisation_id = %(organisation_id)s
  and new.id = %(snapshot_id)s and old.repository_id = new.repository_id and p.snapshot_id = old.id

-- name: note_forgotten
-- With forget_placed.
update snapshot set summarised_at = null, described = 0
where organisation_id = %(organisation_id)s and summarised_at is not null and repository_id =
    (select repository_id from snapshot where organisation_id = %(organisation_id)s and id = %(snapshot_id)s)

-- name: note_placed
-- Last: whoever finds it finds the summaries too.
update snapshot set summarised_at = clock_timestamp(), described = (
    select count(*) from snapshot_summary p join summary s on s.organisation_id = p.organisation_id and s.key = p.key
    where p.snapshot_id = %(snapshot_id)s and not s.extractive)
where organisation_id = %(organisation_id)s and id = %(snapshot_id)s

-- name: state
-- Whether models say anything of a repository, and since when: one row of a few.
select id, summarised_at from snapshot
where organisation_id = %(organisation_id)s and repository_id = %(repository_id)s and described > 0

-- name: stage_placed
-- As stage_summaries.
create temporary table incoming_placed (organisation_id uuid, snapshot_id uuid, path text, key bytea) on commit drop

-- name: store_placed
-- Paths that are written alike in the database count once.
insert into snapshot_summary (organisation_id, snapshot_id, path, key)
select distinct on (path) organisation_id, snapshot_id, path, key from incoming_placed order by path, key

-- name: placed
-- Of a repository, those that stand there now; with `paths` only of these, with `below` only those there. By path.
select p.path, s.key, s.kind, s.model, s.prompt_version, s.text, s.extractive, s.tokens_in, s.tokens_out, n.commit_sha
from snapshot n join snapshot_summary p on p.snapshot_id = n.id and p.organisation_id = n.organisation_id
join summary s on s.organisation_id = p.organisation_id and s.key = p.key
where n.organisation_id = %(organisation_id)s and n.repository_id = %(repository_id)s
  and (%(paths)s::text[] is null or p.path = any (%(paths)s::text[]))
  and (%(below)s::text = '' or p.path = %(below)s::text or starts_with(p.path, %(below)s::text || '/'))
  and (not %(by_model)s::boolean or not s.extractive)
  and (%(kinds)s::text[] is null or s.kind = any (%(kinds)s::text[]))
  and (not %(directly)s::boolean or strpos(substr(p.path, length(%(below)s::text) + 2), '/') = 0
       and (%(below)s::text <> '' or strpos(p.path, '/') = 0))
order by p.path collate "C" offset %(offset)s::bigint limit %(limit)s::bigint

-- name: supersede_others
-- A newer commit is searched: the summaries of older ones are not wanted. What they have made is kept.
update run set status = 'superseded', reason = 'a newer commit is indexed', lease_token = null, lease_until = null,
    finished_at = clock_timestamp()
where organisation_id = %(organisation_id)s and repository_id = %(repository_id)s and kind = 'summarize'
  and status in ('queued', 'running') and id <> %(run_id)s
returning id, head_sha

-- name: drop_unreachable
-- What no commit shows any more, and nobody is about to show.
delete from summary s
where s.organisation_id = %(organisation_id)s and s.created_at < now() - make_interval(secs => %(grace_s)s)
  and not exists (select from snapshot_summary p where p.organisation_id = s.organisation_id and p.key = s.key)

-- name: languages
-- Which languages a commit is written in, by files.
select language, count(*) from snapshot_files(%(snapshot_id)s) where language <> '' group by language order by 2 desc, 1

-- name: newest_run
-- What pages say of the work on a repository's summaries.
select id, status, reason, detail, created_at, finished_at from run
where organisation_id = %(organisation_id)s and repository_id = %(repository_id)s and kind = 'summarize'
order by created_at desc limit 1
