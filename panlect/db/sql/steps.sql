-- name: find_step
-- A finished step is never run again; a failed one is.
select output::text from step
where organisation_id = %(organisation_id)s and run_id = %(run_id)s and name = %(name)s and key = %(key)s
  and state = 'done'

-- name: store_step
-- A finished step is never overwritten: the conflict clause leaves it alone and returns no row.
insert into step as s (organisation_id, run_id, name, key, state, output, error, ms)
values (%(organisation_id)s, %(run_id)s, %(name)s, %(key)s, %(state)s, %(output)s::json, %(error)s, %(ms)s)
on conflict (run_id, name, key) do update
    set state = excluded.state, output = excluded.output, error = excluded.error, ms = excluded.ms,
        attempts = s.attempts + 1, finished_at = now()
    where s.state <> 'done'
returning attempts

-- name: list_steps
-- The flight recorder of a run, in the order in which steps ended.
select name, key, state, ms, error, attempts, finished_at from step
where organisation_id = %(organisation_id)s and run_id = %(run_id)s order by finished_at, name, key
