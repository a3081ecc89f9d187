-- name: append_event
-- Insert alone: the role has no right to change or delete what is here.
insert into history_event
    (organisation_id, kind, delivery_id, run_id, pull_request_id, head_sha, cause, step, lease_token, detail)
values (%(organisation_id)s, %(kind)s, %(delivery_id)s, %(run_id)s, %(pull_request_id)s, %(head_sha)s, %(cause)s,
        %(step)s, %(lease_token)s, %(detail)s)

-- name: list_events
-- In the order of seq, which is the order of the writes of any one run: they wait for its row lock.
select kind, seq, delivery_id, run_id, pull_request_id, head_sha, cause, step, lease_token, detail
from history_event where seq > %(after_seq)s order by seq
