-- name: list_reviews
-- Newest first, with what a person recognises them by.
select v.id, r.full_name as repository, p.number, p.title, p.html_url, v.verdict, v.reason, v.depth, v.model,
       v.findings, v.hunks_read, v.hunks_unread, v.head_sha, v.base_sha, v.state, v.state_reason,
       v.state = 'posted' as posted, v.posted_url, v.created_at, v.posted_at
from review v
join pull_request p on p.id = v.pull_request_id
join repository r on r.id = v.repository_id
where v.organisation_id = %(organisation_id)s
  and (%(repository)s = '' or r.full_name = %(repository)s)
  and (%(number)s::int is null or p.number = %(number)s::int)
order by v.created_at desc limit %(limit)s

-- name: find_review_row
-- The same row for one review.
select v.id, r.full_name as repository, p.number, p.title, p.html_url, v.verdict, v.reason, v.depth, v.model,
       v.findings, v.hunks_read, v.hunks_unread, v.head_sha, v.base_sha, v.state, v.state_reason,
       v.state = 'posted' as posted, v.posted_url, v.created_at, v.posted_at
from review v
join pull_request p on p.id = v.pull_request_id
join repository r on r.id = v.repository_id
where v.organisation_id = %(organisation_id)s and v.id = %(review_id)s

-- name: find_verdict
-- What is known of one commit of a repository, which is named by its id or its full name: the newest stored review, and
-- whether one is under way. No row: no such repository.
select r.full_name as repository, r.blocking, r.threshold, o.allowed_skip_reasons,
       (select v.id from review v where v.organisation_id = r.organisation_id and v.repository_id = r.id
          and v.head_sha = %(sha)s order by v.created_at desc, v.id limit 1) as review_id,
       exists (select from run n where n.organisation_id = r.organisation_id and n.repository_id = r.id
          and n.kind = 'review' and n.head_sha = %(sha)s and n.status in ('queued', 'running')) as running
from repository r join organisation o on o.id = r.organisation_id
where r.organisation_id = %(organisation_id)s and (r.full_name = %(repository)s or r.id::text = %(repository)s)
order by r.created_at limit 1

-- name: list_steps
-- Both runs that a review consists of: the reviewing and the publishing.
select n.kind as run_kind, s.name, s.state, s.attempts, s.ms, s.error, s.finished_at
from step s join run n on n.id = s.run_id
where s.organisation_id = %(organisation_id)s
  and (n.review_id = %(review_id)s or n.id = (select run_id from review where id = %(review_id)s))
order by s.finished_at

-- name: find_context
-- The context step keeps its items as its output.
select s.output -> 'items' as items
from step s join review v on v.run_id = s.run_id
where v.organisation_id = %(organisation_id)s and v.id = %(review_id)s and s.name = 'context' and s.state = 'done'

-- name: find_impact
-- As find_context: how far the change reaches, by name.
select s.output as impact
from step s join review v on v.run_id = s.run_id
where v.organisation_id = %(organisation_id)s and v.id = %(review_id)s and s.name = 'impact' and s.state = 'done'

-- name: list_runs
-- Newest first.
select id, kind, status, reason, cause, repository_id, pull_request_id, review_id, head_sha, attempt, crashes, detail,
       created_at, started_at, finished_at
from run
where organisation_id = %(organisation_id)s and (%(kind)s = '' or kind = %(kind)s)
order by created_at desc limit %(limit)s

-- name: waiting_runs
-- What the autoscaler goes by; counts are all that the system role may see of runs.
select coalesce(sum(runs), 0)::float8 from work_counts() where status = 'queued'
