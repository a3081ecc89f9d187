-- What happens before or across organisations: the whole list, and nothing else does.
-- Each function belongs to panlect_definer and may be called by panlect_system alone.
create function list_for_system(listed regprocedure) returns void
language plpgsql as $$
begin
    execute format('alter function %s security definer set search_path = panlect, queue, public, pg_temp', listed);
    execute format('revoke execute on function %s from public', listed);
    execute format('grant execute on function %s to panlect_system', listed);
    execute format('alter function %s owner to panlect_definer', listed);
end $$;
revoke execute on function list_for_system from public;

-- Whether a wake-up can still be counted on: it waits, or a worker that beats works on it.
create function job_is_live(wanted bigint, silent_s double precision) returns boolean
language sql stable
set search_path = panlect, queue, public, pg_temp
as $$
    select exists (
        select from queue.procrastinate_jobs job
        left join queue.procrastinate_workers worker on worker.id = job.worker_id
        where job.id = wanted
          and (job.status = 'todo'
               or job.status = 'doing' and worker.last_heartbeat > now() - make_interval(secs => silent_s)))
$$;
revoke execute on function job_is_live from public;
grant execute on function job_is_live to panlect_definer;

-- A request shows a token: whose is it?
create function find_token(wanted bytea) returns table (organisation_id uuid, token_id uuid, name text, scopes text[])
language sql volatile as $$
    update api_token set last_used_at = now()
    where token_sha256 = wanted and last_used_at is distinct from now()
      and (last_used_at is null or last_used_at < now() - interval '1 minute');
    select t.organisation_id, t.id, t.name, t.scopes from api_token t
    where t.token_sha256 = wanted and t.revoked_at is null and (t.expires_at is null or t.expires_at > now());
$$;
select list_for_system('find_token(bytea)');

-- A webhook came in: which connections could have signed it? Secrets stay encrypted.
create function webhook_connections(wanted_kind text, wanted_id uuid default null)
returns table (id uuid, organisation_id uuid, kind text, base_url text, account_login text, webhook_secrets_encrypted bytea[])
language sql stable as $$
    select c.id, c.organisation_id, c.kind, c.base_url, c.account_login, c.webhook_secrets_encrypted
    from forge_connection c
    where c.kind = wanted_kind and (wanted_id is null or c.id = wanted_id)
    order by c.created_at, c.id
$$;
select list_for_system('webhook_connections(text, uuid)');

create function find_repository(wanted_connection uuid, wanted_name text)
returns table (organisation_id uuid, repository_id uuid)
language sql stable as $$
    select r.organisation_id, r.id from repository r
    where r.connection_id = wanted_connection and lower(r.full_name) = lower(wanted_name)
$$;
select list_for_system('find_repository(uuid, text)');

-- The driver of a bulk job is given a run's id: whose is it, and what is to be indexed?
create function find_index_run(wanted uuid)
returns table (run_id uuid, organisation_id uuid, repository_id uuid, connection_id uuid, full_name text,
               clone_url text, default_branch text, commit_sha text, detail jsonb)
language sql stable as $$
    select n.id, n.organisation_id, r.id, r.connection_id, r.full_name, r.clone_url, r.default_branch, n.head_sha, n.detail
    from run n join repository r on r.id = n.repository_id
    where n.id = wanted and n.kind = 'index'
$$;
select list_for_system('find_index_run(uuid)');

-- Null when this delivery is stored already.
create function store_delivery(
    new_connection uuid, new_delivery text, new_forge text, new_event text, new_action text,
    new_repository text, new_pull_request int, new_headers jsonb, new_body bytea
) returns uuid
language plpgsql as $$
declare
    owner uuid;
    stored uuid;
begin
    select organisation_id into strict owner from forge_connection where id = new_connection;
    insert into webhook_delivery
        (organisation_id, connection_id, delivery_id, forge, event, action, repository, pull_request, headers, body)
    values (owner, new_connection, new_delivery, new_forge, new_event, new_action,
            new_repository, new_pull_request, new_headers, new_body)
    on conflict (connection_id, delivery_id) do nothing
    returning id into stored;
    if stored is not null then
        insert into history_event (organisation_id, kind, delivery_id) values (owner, 'delivery_accepted', stored);
    end if;
    return stored;
end $$;
select list_for_system('store_delivery(uuid, text, text, text, text, text, int, jsonb, bytea)');

create function delivery_enqueued(delivery uuid, job bigint) returns void
language sql as $$ update webhook_delivery set job_id = job where id = delivery $$;
select list_for_system('delivery_enqueued(uuid, bigint)');

-- The delivery to work off, or nothing when that is done. Counted before the work, so that a delivery that
-- kills its worker comes to an end too; each attempt waits longer.
create function take_delivery(wanted uuid) returns setof webhook_delivery
language sql as $$
    update webhook_delivery set attempts = attempts + 1,
        not_before = clock_timestamp() + make_interval(secs => least(600, 5 * 2 ^ attempts))
    where id = wanted and state = 'accepted'
    returning *
$$;
select list_for_system('take_delivery(uuid)');

create function finish_delivery(wanted uuid, new_state text, new_reason text) returns void
language sql as $$
    with finished as (
        update webhook_delivery set state = new_state, state_reason = new_reason, finished_at = clock_timestamp()
        where id = wanted and state = 'accepted'
        returning organisation_id, id
    )
    insert into history_event (organisation_id, kind, delivery_id, detail)
    select organisation_id, 'delivery_finished', id, new_state from finished
$$;
select list_for_system('finish_delivery(uuid, text, text)');

create function run_enqueued(wanted uuid, job bigint) returns void
language sql as $$ update run set job_id = job where id = wanted $$;
select list_for_system('run_enqueued(uuid, bigint)');

-- The lease of a queued run, or nothing: it is not queued any more, not yet due, or its lock is taken.
create function claim_run(wanted uuid, lease_s double precision, claimed_by text) returns setof run
language plpgsql as $$
declare
    claimed run;
begin
    update run set status = 'running', lease_token = gen_random_uuid(), attempt = attempt + 1,
        lease_until = clock_timestamp() + make_interval(secs => lease_s), worker = claimed_by,
        started_at = coalesce(started_at, clock_timestamp())
    where id = wanted and status = 'queued' and not_before <= clock_timestamp()
    returning * into claimed;
    if claimed.id is not null then
        insert into history_event (organisation_id, kind, run_id, pull_request_id, head_sha, lease_token)
        values (claimed.organisation_id, 'lease_granted', claimed.id, claimed.pull_request_id, claimed.head_sha,
                claimed.lease_token);
        return next claimed;
    end if;
exception when unique_violation then
    return;
end $$;
select list_for_system('claim_run(uuid, double precision, text)');

-- Which of these leases still hold, each for another term.
create function beat_leases(tokens uuid[], lease_s double precision) returns setof uuid
language sql as $$
    update run set lease_until = clock_timestamp() + make_interval(secs => lease_s)
    where status = 'running' and lease_token = any (tokens)
    returning lease_token
$$;
select list_for_system('beat_leases(uuid[], double precision)');

-- Runs whose worker fell silent: back to the queue, or named as crashed when it was once too often.
-- A crashed one keeps its stale lease until its verdict is stored, so that nothing gets lost in between.
create function expire_leases(crash_limit int)
returns table (run_id uuid, organisation_id uuid, crashed boolean)
language plpgsql as $$
declare
    silent run;
begin
    for silent in
        select * from run r where r.status = 'running' and r.lease_until < clock_timestamp()
        for update skip locked
    loop
        if silent.crashes + 1 < crash_limit then
            update run set status = 'queued', crashes = crashes + 1, lease_token = null, lease_until = null
            where id = silent.id;
            insert into history_event (organisation_id, kind, run_id, lease_token)
            values (silent.organisation_id, 'lease_expired', silent.id, silent.lease_token);
        end if;
        -- Its wake-up is as dead as its worker, and would hold the queue's lock for ever.
        update queue.procrastinate_jobs set status = 'failed' where id = silent.job_id and status = 'doing';
        run_id := silent.id;
        organisation_id := silent.organisation_id;
        crashed := silent.crashes + 1 >= crash_limit;
        return next;
    end loop;
end $$;
select list_for_system('expire_leases(int)');

-- Wake-ups whose worker fell silent hold their lock for ever, whatever has become of their run. One whose
-- run still has its lease is left alone: its worker is alive, only its event loop is busy.
create function fail_dead_jobs(silent_s double precision) returns bigint
language sql as $$
    with dead as (
        update queue.procrastinate_jobs job set status = 'failed'
        where job.status = 'doing' and not job_is_live(job.id, silent_s)
          and not exists (select from run r where r.job_id = job.id and r.status = 'running'
                          and r.lease_until > clock_timestamp())
        returning job.id
    )
    select count(*) from dead
$$;
select list_for_system('fail_dead_jobs(double precision)');

-- Queued runs that are due and that nothing will wake.
create function runs_without_wakeup(silent_s double precision, at_most int)
returns table (run_id uuid, organisation_id uuid, kind text, lock_key text)
language plpgsql as $$
declare
    waiting run;
begin
    for waiting in
        select * from run r
        where r.status = 'queued' and r.not_before <= clock_timestamp() and not job_is_live(r.job_id, silent_s)
        order by r.not_before limit at_most
        for update skip locked
    loop
        run_id := waiting.id;
        organisation_id := waiting.organisation_id;
        kind := waiting.kind;
        lock_key := waiting.lock_key;
        return next;
    end loop;
end $$;
select list_for_system('runs_without_wakeup(double precision, int)');

-- The same for deliveries that were accepted and not yet worked off.
create function deliveries_without_wakeup(silent_s double precision, at_most int)
returns table (delivery uuid, connection_id uuid, repository text, pull_request int, attempts int)
language plpgsql as $$
declare
    waiting webhook_delivery;
begin
    for waiting in
        select * from webhook_delivery d
        where d.state = 'accepted' and d.not_before <= clock_timestamp() and not job_is_live(d.job_id, silent_s)
        order by d.not_before limit at_most
        for update skip locked
    loop
        delivery := waiting.id;
        connection_id := waiting.connection_id;
        repository := waiting.repository;
        pull_request := waiting.pull_request;
        attempts := waiting.attempts;
        return next;
    end loop;
end $$;
select list_for_system('deliveries_without_wakeup(double precision, int)');

-- What metrics say about work: never by organisation or repository.
create function work_counts() returns table (kind text, status text, runs bigint, oldest_s double precision)
language sql stable as $$
    select r.kind, r.status, count(*), max(extract(epoch from now() - r.created_at))::double precision
    from run r group by r.kind, r.status
$$;
select list_for_system('work_counts()');
