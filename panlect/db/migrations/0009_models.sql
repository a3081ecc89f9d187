-- Models: what is configured, what calls may cost, what they cost, and what was said.

-- One document an organisation, in the shape of the models file: providers, models, roles, budgets.
create table model_settings (
    organisation_id uuid primary key references organisation on delete cascade,
    document jsonb not null,
    version int not null default 1,
    updated_at timestamptz not null default now(),
    updated_by text not null default ''
);
select protect('model_settings');
grant select, insert, update on model_settings to panlect_app;

-- Keys of providers, as ciphertexts of the key ring; only the gateway opens them.
create table model_key (
    organisation_id uuid not null references organisation on delete cascade,
    provider text not null,
    sealed bytea not null,
    updated_at timestamptz not null default now(),
    primary key (organisation_id, provider)
);
select protect('model_key');
grant select, insert, update, delete on model_key to panlect_app;

-- How a model's own count of tokens relates to our estimate, learnt from what providers report.
create table token_factor (
    organisation_id uuid not null references organisation on delete cascade,
    model text not null,
    factor double precision not null,
    calls bigint not null default 1,
    primary key (organisation_id, model)
);
select protect('token_factor');
grant select on token_factor to panlect_app;

-- What is spent and promised against one budget in one period. Made by the first call that the budget bounds,
-- with what the record says was spent before.
create table spend (
    organisation_id uuid not null references organisation on delete cascade,
    scope text not null check (scope in ('pull_request', 'repository', 'organisation')),
    subject uuid not null,
    period text not null check (period in ('total', 'month', 'day')),
    starts timestamptz not null,
    reserved bigint not null default 0 check (reserved >= 0),
    settled bigint not null default 0 check (settled >= 0),
    primary key (organisation_id, scope, subject, period, starts)
);
select protect('spend');
grant select on spend to panlect_app;

-- A call that was promised its money and its place, and has not ended. One that a dead gateway left counts as
-- spent at its estimate: what was promised may have been paid.
create table model_reservation (
    id uuid primary key,
    organisation_id uuid not null references organisation on delete cascade,
    provider_key text not null,
    cost_microusd bigint not null,
    charges jsonb not null,
    described jsonb not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
select protect('model_reservation');
create index reservation_of_provider on model_reservation (provider_key, expires_at);
grant select on model_reservation to panlect_app;

-- Every call of a provider, one row a try. Ids are not foreign keys: what was paid stays when its repository goes.
create table model_call (
    organisation_id uuid not null references organisation on delete cascade,
    id uuid not null,
    request_id uuid not null, -- the tries of one question share it
    request_hash bytea not null, -- of what was asked: what a replay finds it by
    asked_hash bytea not null, -- with all that the role filled in: what a cached answer is found by
    repository_id uuid,
    pull_request_id uuid,
    run_id uuid,
    step text not null default '',
    role text not null,
    provider text not null,
    model text not null,
    outcome text not null,
    detail text not null default '',
    input_tokens bigint not null default 0,
    cached_tokens bigint not null default 0,
    output_tokens bigint not null default 0,
    usage_estimated boolean not null default false,
    cost_microusd bigint, -- null: no price is known
    ms real not null default 0,
    first_token_ms real,
    withheld jsonb not null default '{}',
    created_at timestamptz not null default now(),
    primary key (organisation_id, id)
);
select protect('model_call');
create index call_listed on model_call (organisation_id, created_at desc);
create index call_of_run on model_call (run_id, created_at) where run_id is not null;
create index call_of_pull_request on model_call (pull_request_id) where pull_request_id is not null;
create index call_of_hash on model_call (organisation_id, asked_hash, created_at desc) where outcome = 'ok';
grant select on model_call to panlect_app;

-- What was asked and answered: compressed, redacted, and gone after a while.
create table model_call_body (
    organisation_id uuid not null,
    call_id uuid not null,
    request bytea not null,
    answer bytea not null,
    expires_at timestamptz not null,
    primary key (organisation_id, call_id),
    foreign key (organisation_id, call_id) references model_call (organisation_id, id) on delete cascade
);
select protect('model_call_body');
create index body_expiring on model_call_body (expires_at);
grant select on model_call_body to panlect_app;

-- Token buckets, shared by every replica. A key names what is limited (a provider, an address, an account), so a
-- bucket belongs to no organisation; nobody reads the table, one function takes from it.
create table token_bucket (
    key text primary key check (length(key) between 1 and 300),
    tokens double precision not null,
    updated_at timestamptz not null default clock_timestamp()
);
alter table token_bucket enable row level security;
alter table token_bucket force row level security;
create policy definer on token_bucket to panlect_definer using (true) with check (true);
grant select, insert, update, delete on token_bucket to panlect_definer;

-- Take `amount` from a bucket that holds at most `capacity` and fills by `per_s` a second: 0 when it was there, else
-- the seconds until it may be, and nothing is taken. More than the capacity waits for a full bucket, then empties it
-- and owes the rest.
create function take_tokens(wanted text, amount double precision, capacity double precision, per_s double precision)
returns double precision language plpgsql as $$
declare
    held double precision;
    needed double precision := least(amount, capacity);
begin
    insert into token_bucket (key, tokens) values (wanted, capacity) on conflict do nothing;
    update token_bucket b
    set tokens = least(capacity, b.tokens + per_s * extract(epoch from clock_timestamp() - b.updated_at)),
        updated_at = clock_timestamp()
    where b.key = wanted
    returning b.tokens into held;
    if held < needed then
        return (needed - held) / per_s;
    end if;
    update token_bucket b set tokens = b.tokens - amount where b.key = wanted;
    return 0;
end $$;
select list_for_system('take_tokens(text, double precision, double precision, double precision)');

create function period_start(period text, at timestamptz) returns timestamptz
language sql stable as $$
    select case period when 'total' then '1970-01-01 00:00:00+00'::timestamptz
                       else date_trunc(period, at, 'UTC') end
$$;
revoke execute on function period_start from public;
grant execute on function period_start to panlect_definer, panlect_app;

-- Promise a call its place, its money and its tokens, all or nothing.
-- null: promised. Else why not: {"refused": concurrency | tokens | budget | repository, ...}.
create function reserve_model_call(call jsonb, budgets jsonb) returns jsonb
language plpgsql as $$
declare
    organisation uuid := (call->>'organisation_id')::uuid;
    repository uuid := (call->>'repository_id')::uuid;
    pull uuid := (call->>'pull_request_id')::uuid;
    cost bigint := greatest(coalesce((call->>'reserve_microusd')::bigint, 0), 0);
    provider text := call->>'provider_key';
    budget jsonb;
    about uuid;
    begins timestamptz;
    charges jsonb := '[]';
    spent bigint;
    wait_s double precision;
begin
    -- A gateway that dies with the database loses promises, not payments.
    perform set_config('synchronous_commit', 'off', true);
    if repository is not null and not exists (
        select from repository r where r.organisation_id = organisation and r.id = repository)
       or pull is not null and not exists (
        select from pull_request p where p.organisation_id = organisation and p.id = pull) then
        return jsonb_build_object('refused', 'repository');
    end if;
    if (call->>'concurrency')::int > 0 then
        perform pg_advisory_xact_lock(hashtextextended(provider, 7));
        if (select count(*) from model_reservation r
            where r.provider_key = provider and r.expires_at > clock_timestamp()) >= (call->>'concurrency')::int then
            return jsonb_build_object('refused', 'concurrency', 'wait_s', 0.05);
        end if;
    end if;
    if cost > 0 and jsonb_array_length(budgets) > 0 then
        -- One at a time in an organisation: no call may end between the sum over the record and the row that
        -- carries it on, and rows of several budgets are never locked in two orders.
        perform pg_advisory_xact_lock(hashtextextended(organisation::text, 8));
    end if;
    begin
        for budget in
            select b from jsonb_array_elements(budgets) b where cost > 0 order by b->>'scope', b->>'period'
        loop
            about := case budget->>'scope' when 'organisation' then organisation
                                           when 'repository' then repository else pull end;
            continue when about is null;
            begins := period_start(budget->>'period', now());
            if not exists (select from spend s where s.organisation_id = organisation and s.scope = budget->>'scope'
                           and s.subject = about and s.period = budget->>'period' and s.starts = begins) then
                insert into spend (organisation_id, scope, subject, period, starts, settled)
                select organisation, budget->>'scope', about, budget->>'period', begins, coalesce(sum(c.cost_microusd), 0)
                from model_call c
                where c.organisation_id = organisation and c.created_at >= begins
                  and case budget->>'scope' when 'organisation' then true
                                            when 'repository' then c.repository_id = about
                                            else c.pull_request_id = about end
                on conflict do nothing;
            end if;
            update spend s set reserved = s.reserved + cost
            where s.organisation_id = organisation and s.scope = budget->>'scope' and s.subject = about
              and s.period = budget->>'period' and s.starts = begins
              and s.settled + s.reserved + cost <= (budget->>'limit_microusd')::bigint;
            if not found then
                select s.settled + s.reserved into spent from spend s
                where s.organisation_id = organisation and s.scope = budget->>'scope' and s.subject = about
                  and s.period = budget->>'period' and s.starts = begins;
                raise exception using errcode = 'PLM01', message = jsonb_build_object('refused', 'budget',
                    'scope', budget->>'scope', 'period', budget->>'period', 'spent', spent,
                    'limit', (budget->>'limit_microusd')::bigint)::text;
            end if;
            charges := charges || jsonb_build_object('scope', budget->>'scope', 'subject', about,
                                                     'period', budget->>'period', 'starts', begins);
        end loop;
        if (call->>'tokens_per_minute')::double precision > 0 then
            wait_s := take_tokens('model:' || provider, (call->>'tokens')::double precision,
                                  (call->>'tokens_per_minute')::double precision,
                                  (call->>'tokens_per_minute')::double precision / 60);
            if wait_s > 0 then
                raise exception using errcode = 'PLM01',
                    message = jsonb_build_object('refused', 'tokens', 'wait_s', wait_s)::text;
            end if;
        end if;
    exception when sqlstate 'PLM01' then
        return sqlerrm::jsonb;
    end;
    insert into model_reservation (id, organisation_id, provider_key, cost_microusd, charges, described, expires_at)
    values ((call->>'id')::uuid, organisation, provider, cost, charges, call,
            clock_timestamp() + make_interval(secs => (call->>'expires_s')::double precision));
    return null;
end $$;
select list_for_system('reserve_model_call(jsonb, jsonb)');

-- Give promises back and charge what calls cost, in one transaction for many calls: the record and the spending never
-- disagree. A call that was given up for lost, or is settled twice, is charged once, at what it says last.
create function settle_model_call(call jsonb, request bytea, answer bytea) returns void
language plpgsql as $$
declare
    organisation uuid := (call->>'organisation_id')::uuid;
    cost bigint := case when call->>'cost_microusd' is null then null else greatest((call->>'cost_microusd')::bigint, 0) end;
    promised model_reservation;
    charged bigint;
    charge jsonb;
    at timestamptz;
begin
    perform pg_advisory_xact_lock(hashtextextended(organisation::text, 8)); -- as reserve_model_call does
    delete from model_reservation r where r.organisation_id = organisation and r.id = (call->>'id')::uuid
    returning * into promised;
    for charge in select c from jsonb_array_elements(promised.charges) c loop
        update spend s set reserved = s.reserved - promised.cost_microusd
        where s.organisation_id = organisation and s.scope = charge->>'scope' and s.subject = (charge->>'subject')::uuid
          and s.period = charge->>'period' and s.starts = (charge->>'starts')::timestamptz;
    end loop;
    if (promised.described->>'tokens_per_minute')::double precision > 0 then
        update token_bucket b
        set tokens = least((promised.described->>'tokens_per_minute')::double precision,
                           b.tokens + (promised.described->>'tokens')::double precision
                           - coalesce((call->>'input_tokens')::double precision, 0)
                           - coalesce((call->>'output_tokens')::double precision, 0))
        where b.key = 'model:' || promised.provider_key;
    end if;
    select coalesce(c.cost_microusd, 0), c.created_at into charged, at from model_call c
    where c.organisation_id = organisation and c.id = (call->>'id')::uuid;
    at := coalesce(at, promised.created_at, now());
    insert into model_call as c (
        organisation_id, id, request_id, request_hash, asked_hash, repository_id, pull_request_id, run_id, step, role, provider,
        model, outcome, detail, input_tokens, cached_tokens, output_tokens, usage_estimated, cost_microusd, ms,
        first_token_ms, withheld, created_at)
    values (
        organisation, (call->>'id')::uuid, (call->>'request_id')::uuid, decode(call->>'request_hash', 'hex'), decode(call->>'asked_hash', 'hex'),
        (call->>'repository_id')::uuid, (call->>'pull_request_id')::uuid, (call->>'run_id')::uuid,
        coalesce(call->>'step', ''), call->>'role', call->>'provider', call->>'model',
        call->>'outcome', coalesce(call->>'detail', ''), coalesce((call->>'input_tokens')::bigint, 0),
        coalesce((call->>'cached_tokens')::bigint, 0), coalesce((call->>'output_tokens')::bigint, 0),
        coalesce((call->>'usage_estimated')::boolean, false), cost, coalesce((call->>'ms')::real, 0),
        (call->>'first_token_ms')::real, coalesce(call->'withheld', '{}'), at)
    on conflict (organisation_id, id) do update set
        outcome = excluded.outcome, detail = excluded.detail, input_tokens = excluded.input_tokens,
        cached_tokens = excluded.cached_tokens, output_tokens = excluded.output_tokens,
        usage_estimated = excluded.usage_estimated, cost_microusd = excluded.cost_microusd, ms = excluded.ms,
        first_token_ms = excluded.first_token_ms;
    update spend s set settled = s.settled + coalesce(cost, 0) - coalesce(charged, 0)
    where s.organisation_id = organisation
      and s.starts = period_start(s.period, at)
      and s.subject = case s.scope when 'organisation' then organisation
                                   when 'repository' then (call->>'repository_id')::uuid
                                   else (call->>'pull_request_id')::uuid end;
    if request is not null and answer is not null then
        insert into model_call_body (organisation_id, call_id, request, answer, expires_at)
        values (organisation, (call->>'id')::uuid, request, answer,
                now() + make_interval(secs => (call->>'keep_s')::double precision))
        on conflict do nothing;
    end if;
    if (call->>'token_ratio') is not null then
        insert into token_factor as f (organisation_id, model, factor)
        values (organisation, (call->>'provider') || '/' || (call->>'model'), (call->>'token_ratio')::double precision)
        on conflict (organisation_id, model) do update
        set factor = f.factor + (excluded.factor - f.factor) * greatest(0.05, 1.0 / (f.calls + 1)), calls = f.calls + 1;
    end if;
end $$;
select list_for_system('settle_model_call(jsonb, bytea, bytea)');

-- What dead gateways left is charged at its estimate and recorded as lost; bodies past their time go.
create function expire_model_records() returns int
language plpgsql as $$
declare
    promised model_reservation;
    lost int := 0;
begin
    for promised in
        select * from model_reservation r where r.expires_at < clock_timestamp()
        order by r.organisation_id limit 500 for update skip locked -- organisations are locked in one order
    loop
        perform settle_model_call(
            promised.described || jsonb_build_object('outcome', 'lost', 'usage_estimated', true,
                                                'cost_microusd', promised.cost_microusd), null, null);
        lost := lost + 1;
    end loop;
    delete from model_call_body b where (b.organisation_id, b.call_id) in (
        select e.organisation_id, e.call_id from model_call_body e where e.expires_at < now() limit 5000);
    delete from token_bucket t where t.key in (
        select o.key from token_bucket o where o.updated_at < now() - interval '2 days' limit 5000);
    return lost;
end $$;
select list_for_system('expire_model_records()');
