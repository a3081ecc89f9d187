-- name: create_review
-- One verdict per head and cause: a review that was resumed after it had stored finds its own.
insert into review (organisation_id, repository_id, pull_request_id, run_id, head_sha, base_sha, cause, verdict,
                    reason, depth, model, findings, suppressed, hunks_read, hunks_unread, hunks_excluded)
values (%(organisation_id)s, %(repository_id)s, %(pull_request_id)s, %(run_id)s, %(head_sha)s, %(base_sha)s,
        %(cause)s, %(verdict)s, %(reason)s, %(depth)s, %(model)s, %(findings)s, %(suppressed)s, %(hunks_read)s,
        %(hunks_unread)s, %(hunks_excluded)s)
on conflict (pull_request_id, head_sha, cause) do nothing
returning id

-- name: find_review_of_cause
-- What create_review ran into.
select id from review
where organisation_id = %(organisation_id)s and pull_request_id = %(pull_request_id)s
  and head_sha = %(head_sha)s and cause = %(cause)s

-- name: find_review_of_head
-- A head can have several, one per cause: people ask for the newest.
select id from review
where organisation_id = %(organisation_id)s and pull_request_id = %(pull_request_id)s and head_sha = %(head_sha)s
order by created_at desc, id limit 1

-- name: find_review
-- Everything but the three ledgers, which are read beside it.
select id, organisation_id, repository_id, pull_request_id, run_id, cause, verdict, reason, depth, model, head_sha,
       base_sha, state, state_reason, posted_review_id, posted_check_id, posted_url, marker, created_at, posted_at
from review where organisation_id = %(organisation_id)s and id = %(review_id)s

-- name: set_state
-- Only a verdict that waits can become something else: what was posted stays posted.
update review set state = %(state)s, state_reason = %(state_reason)s, posted_review_id = %(posted_review_id)s,
    posted_check_id = %(posted_check_id)s, posted_url = %(posted_url)s, marker = %(marker)s,
    posted_at = case when %(state)s = 'posted' then clock_timestamp() end
where organisation_id = %(organisation_id)s and id = %(review_id)s and state in ('stored', 'post_failed')
returning cause

-- name: store_finding
-- Ordinals keep the order in which the review shows its findings.
insert into finding (organisation_id, review_id, ordinal, fingerprint, check_id, severity, category, path,
                     start_line, end_line, side, title, body, evidence, related)
values (%(organisation_id)s, %(review_id)s, %(ordinal)s, %(fingerprint)s, %(check)s, %(severity)s, %(category)s,
        %(path)s, %(start_line)s, %(end_line)s, %(side)s, %(title)s, %(body)s, %(evidence)s::json,
        %(related)s::json)

-- name: list_findings
-- The columns are named as the fields of a Finding.
select fingerprint, check_id as check, severity, category, path, start_line, end_line, side, title, body,
       evidence::text as evidence, related::text as related
from finding where organisation_id = %(organisation_id)s and review_id = %(review_id)s order by ordinal

-- name: store_suppressed
-- What was held back, at which stage and why.
insert into suppressed_finding (organisation_id, review_id, ordinal, stage, reason, check_id, path, start_line,
                                title, fingerprint)
values (%(organisation_id)s, %(review_id)s, %(ordinal)s, %(stage)s, %(reason)s, %(check)s, %(path)s,
        %(start_line)s, %(title)s, %(fingerprint)s)

-- name: list_suppressed
-- The columns are named as the fields of a Suppressed.
select stage, reason, check_id as check, path, start_line, title, fingerprint
from suppressed_finding where organisation_id = %(organisation_id)s and review_id = %(review_id)s order by ordinal

-- name: store_hunk
-- Every hunk of the change, read or not.
insert into hunk_coverage (organisation_id, review_id, ordinal, path, start_line, end_line, side, kind, state,
                           reason, depth, passes)
values (%(organisation_id)s, %(review_id)s, %(ordinal)s, %(path)s, %(start_line)s, %(end_line)s, %(side)s,
        %(kind)s, %(state)s, %(reason)s, %(depth)s, %(passes)s)

-- name: list_hunks
-- The columns are named as the fields of a HunkCoverage.
select path, start_line, end_line, side, kind, state, reason, depth, passes
from hunk_coverage where organisation_id = %(organisation_id)s and review_id = %(review_id)s order by ordinal
