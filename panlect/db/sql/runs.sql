-- name: create_run
-- The same work asked for twice is one run: the second insert finds the first by its dedupe key.
insert into run (organisation_id, kind, cause, repository_id, pull_request_id, review_id, head_sha, base_sha,
                 detail, dedupe_key, lock_key)
values (%(organisation_id)s, %(kind)s, %(cause)s, %(repository_id)s, %(pull_request_id)s, %(review_id)s,
        %(head_sha)s, %(base_sha)s, %(detail)s, %(dedupe_key)s, %(lock_key)s)
on conflict (organisation_id, dedupe_key) do nothing
returning id, organisation_id, kind, status, reason, cause, repository_id, pull_request_id, review_id, head_sha,
          base_sha, detail, lock_key, attempt, crashes, lease_token, worker, created_at, started_at, finished_at

-- name: find_run_by_key
-- What create_run ran into.
select id, organisation_id, kind, status, reason, cause, repository_id, pull_request_id, review_id, head_sha,
       base_sha, detail, lock_key, attempt, crashes, lease_token, worker, created_at, started_at, finished_at
from run where organisation_id = %(organisation_id)s and dedupe_key = %(dedupe_key)s

-- name: find_run
-- The filter on the organisation is explicit: row level security is the net, not the rule.
select id, organisation_id, kind, status, reason, cause, repository_id, pull_request_id, review_id, head_sha,
       base_sha, detail, lock_key, attempt, crashes, lease_token, worker, created_at, started_at, finished_at
from run where organisation_id = %(organisation_id)s and id = %(run_id)s

-- name: set_job
-- Which wake-up belongs to the run, so that the sweeper can tell when it got lost.
update run set job_id = %(job_id)s where organisation_id = %(organisation_id)s and id = %(run_id)s

-- name: claim_run
-- Across organisations: a wake-up does not know whose run it carries.
select id, organisation_id, kind, status, reason, cause, repository_id, pull_request_id, review_id, head_sha,
       base_sha, detail, lock_key, attempt, crashes, lease_token, worker, created_at, started_at, finished_at
from claim_run(%(run_id)s, %(lease_s)s, %(worker)s)

-- name: lock_lease
-- Every write of a worker goes through this row lock: whoever lost the lease, or was superseded, finds out
-- here and writes nothing; and a supersede waits for the write that got here first.
select status, lease_token from run
where organisation_id = %(organisation_id)s and id = %(run_id)s for update

-- name: finish_run
-- Only the holder of the lease ends a run.
update run set status = %(status)s, reason = %(reason)s, lease_token = null, lease_until = null,
    finished_at = clock_timestamp()
where organisation_id = %(organisation_id)s and id = %(run_id)s and lease_token = %(lease_token)s

-- name: release_run
-- Back to the queue: now (a worker shuts down) or later (the host is away). The sweeper makes the wake-up:
-- a job waiting in the queue would hold the lock against newer heads.
update run set status = 'queued', reason = %(reason)s, lease_token = null, lease_until = null,
    not_before = clock_timestamp() + make_interval(secs => %(after_s)s),
    attempt = attempt - case when %(attempt_counts)s then 0 else 1 end
where organisation_id = %(organisation_id)s and id = %(run_id)s and lease_token = %(lease_token)s

-- name: supersede_others
-- Reviews of other heads end now, running ones too: their worker finds out at its next write. A publish
-- run that is running is left alone: only it can know whether the host has taken its review already.
update run set status = 'superseded', reason = 'head moved', lease_token = null, lease_until = null,
    finished_at = clock_timestamp()
where organisation_id = %(organisation_id)s and pull_request_id = %(pull_request_id)s
  and head_sha <> %(head_sha)s
  and (kind = 'review' and status in ('queued', 'running') or kind = 'publish' and status = 'queued')
returning id, kind, head_sha, review_id

-- name: supersede_reviews
-- The verdicts whose publish run was superseded before it began: never posted, and the page says so.
update review set state = 'superseded', state_reason = 'head moved'
where organisation_id = %(organisation_id)s and id = any (%(review_ids)s::uuid[]) and state = 'stored'

-- name: revive_head
-- A force push back: what was ended because the head moved away goes on where it stood. Publish runs are
-- revived with the review that was never posted, also those that found out by themselves and are done.
update run set status = 'queued', reason = '', attempt = 0, not_before = clock_timestamp(), finished_at = null
where organisation_id = %(organisation_id)s and pull_request_id = %(pull_request_id)s and head_sha = %(head_sha)s
  and (kind = 'review' and status = 'superseded'
       or kind = 'publish' and status in ('superseded', 'done')
          and exists (select from review v where v.id = run.review_id and v.state = 'superseded'))
returning id, kind, lock_key, cause

-- name: revive_reviews
-- Their verdicts wait to be posted again; after revive_head, which goes by the state before.
update review set state = 'stored', state_reason = ''
where organisation_id = %(organisation_id)s and pull_request_id = %(pull_request_id)s and head_sha = %(head_sha)s
  and state = 'superseded'

-- name: cancel_run
-- A person's wish: like superseding, the worker finds out at its next write.
update run set status = 'cancelled', reason = %(reason)s, lease_token = null, lease_until = null,
    finished_at = clock_timestamp()
where organisation_id = %(organisation_id)s and id = %(run_id)s and status in ('queued', 'running')
returning head_sha, pull_request_id

-- name: fail_crashed_run
-- Only while its lease is still the expired one: a second sweeper, or a late heartbeat, finds nothing here.
update run set status = 'failed', reason = 'crash', crashes = crashes + 1, lease_token = null, lease_until = null,
    finished_at = clock_timestamp()
where organisation_id = %(organisation_id)s and id = %(run_id)s and status = 'running'
  and lease_until < clock_timestamp()
returning id, organisation_id, kind, status, reason, cause, repository_id, pull_request_id, review_id, head_sha,
          base_sha, detail, lock_key, attempt, crashes, lease_token, worker, created_at, started_at, finished_at

-- name: beat_leases
-- From the heartbeat's own thread and connection.
select beat_leases(%(tokens)s::uuid[], %(lease_s)s)

-- name: try_sweep_lock
-- One sweeper at a time, however many are up; the lock ends with the transaction.
select pg_try_advisory_xact_lock(hashtext('panlect.sweep'))

-- name: expire_leases
-- Runs whose worker fell silent.
select run_id, organisation_id, crashed from expire_leases(%(crash_limit)s)

-- name: fail_dead_jobs
-- First of all: a dead wake-up holds its lock, and hides that its run needs another.
select fail_dead_jobs(%(silent_s)s)

-- name: runs_without_wakeup
-- Queued runs that nothing will wake, a bounded batch a tick.
select run_id, organisation_id, kind, lock_key from runs_without_wakeup(%(silent_s)s, %(at_most)s)

-- name: run_enqueued
-- Across organisations, from the sweeper.
select run_enqueued(%(run_id)s, %(job_id)s)

-- name: deliveries_without_wakeup
-- Accepted deliveries that nothing will work off.
select delivery, connection_id, repository, pull_request, attempts
from deliveries_without_wakeup(%(silent_s)s, %(at_most)s)
