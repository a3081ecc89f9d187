-- name: find_settings
-- The whole document: it is read every few seconds, never in parts.
select document, version from model_settings where organisation_id = %s

-- name: store_settings
-- Written only on top of the version that was read: two people who edit at once do not undo each other.
insert into model_settings (organisation_id, document, updated_by)
select %(organisation_id)s, %(document)s, %(by)s
where %(version)s = 0 or exists (select from model_settings where organisation_id = %(organisation_id)s)
on conflict (organisation_id) do update
set document = excluded.document, version = model_settings.version + 1, updated_at = now(), updated_by = excluded.updated_by
where model_settings.version = %(version)s
returning version

-- name: list_keys
-- Ciphertexts: only the gateway opens them.
select provider, sealed from model_key where organisation_id = %s

-- name: list_key_names
-- For pages: which providers have a key, never the key.
select provider, updated_at from model_key where organisation_id = %s order by provider

-- name: store_key
-- A provider has one key; a new one takes the place of the old.
insert into model_key (organisation_id, provider, sealed) values (%s, %s, %s)
on conflict (organisation_id, provider) do update set sealed = excluded.sealed, updated_at = now()

-- name: delete_key
-- A key that leaked must go at once, whether or not the provider is still configured.
delete from model_key where organisation_id = %s and provider = %s

-- name: list_factors
-- Learnt ratios of a model's own tokens to our estimate, all of them: there are as many as models.
select model, factor from token_factor where organisation_id = %s

-- name: reserve_call
-- One round trip: place, money and tokens, all or nothing.
select reserve_model_call(%s, %s)

-- name: settle_call
-- Sent once for each call of a batch, in one transaction.
select settle_model_call(%s, %s, %s)

-- name: expire_records
-- Runs with the sweeper.
select expire_model_records()

-- name: recall_answer
-- The newest good answer to the same request by the model that would be asked now, while its body is kept.
select b.answer
from model_call c join model_call_body b on b.organisation_id = c.organisation_id and b.call_id = c.id
where c.organisation_id = %(organisation_id)s and c.asked_hash = %(asked_hash)s and c.outcome = 'ok'
  and c.provider = %(provider)s and c.model = %(model)s and b.expires_at > now()
order by c.created_at desc limit 1

-- name: list_recorded
-- A run's good answers in the order in which they came: what a replay answers with.
select c.request_hash, b.answer
from model_call c join model_call_body b on b.organisation_id = c.organisation_id and b.call_id = c.id
where c.organisation_id = %(organisation_id)s and c.outcome in ('ok', 'cached')
  and (c.run_id = %(run_id)s or c.id = %(call_id)s)
order by c.created_at, c.id

-- name: find_body
-- What was asked and answered in one call, while it is kept.
select c.role, c.provider, c.model, c.outcome, b.request, b.answer
from model_call c join model_call_body b on b.organisation_id = c.organisation_id and b.call_id = c.id
where c.organisation_id = %s and c.id = %s

-- name: list_calls
-- The newest calls, of one run when that is asked for.
select c.id, c.request_id, c.repository_id, c.pull_request_id, c.run_id, c.step, c.role, c.provider, c.model,
       c.outcome, c.detail, c.input_tokens, c.cached_tokens, c.output_tokens, c.usage_estimated, c.cost_microusd, c.ms,
       c.first_token_ms, c.withheld, c.created_at, b.call_id is not null as has_body
from model_call c left join model_call_body b on b.organisation_id = c.organisation_id and b.call_id = c.id
where c.organisation_id = %(organisation_id)s and (%(run_id)s::uuid is null or c.run_id = %(run_id)s)
order by c.created_at desc, c.id limit %(limit)s

-- name: sum_costs
-- One pass over the calls of a time; ids are named where what they name is still there.
with named as (
    select case %(by)s::text
               when 'role' then c.role
               when 'model' then c.provider || '/' || c.model
               when 'outcome' then c.outcome
               when 'day' then to_char(c.created_at at time zone 'UTC', 'YYYY-MM-DD')
               when 'repository' then coalesce(r.full_name, c.repository_id::text, '')
               else coalesce(r.full_name || '#' || p.number, c.pull_request_id::text, '')
           end as about, c.*
    from model_call c
    left join repository r on r.organisation_id = c.organisation_id and r.id = c.repository_id
    left join pull_request p on p.organisation_id = c.organisation_id and p.id = c.pull_request_id
    where c.organisation_id = %(organisation_id)s and c.created_at >= %(since)s and c.created_at < %(until)s
)
select about, count(*) as calls, count(*) filter (where outcome <> 'ok') as failed,
       sum(input_tokens)::bigint as input_tokens, sum(cached_tokens)::bigint as cached_tokens,
       sum(output_tokens)::bigint as output_tokens, coalesce(sum(cost_microusd), 0)::bigint as cost_microusd,
       count(*) filter (where cost_microusd is null) as unpriced,
       percentile_cont(0.5) within group (order by ms) filter (where outcome = 'ok') as p50_ms,
       percentile_cont(0.95) within group (order by ms) filter (where outcome = 'ok') as p95_ms,
       percentile_cont(0.5) within group (order by first_token_ms) as first_token_p50_ms
from named
group by about
order by case when %(by)s::text = 'day' then about end, cost_microusd desc, calls desc, about
limit 1000

-- name: list_spend
-- The present period of every budget that ever bounded a call, with what it is about.
select s.scope, s.period, s.subject, s.settled, s.reserved,
       case when s.period = 'total' then
           (select min(c.created_at) from model_call c where c.organisation_id = s.organisation_id and
                case s.scope when 'organisation' then true when 'repository' then c.repository_id = s.subject
                             else c.pull_request_id = s.subject end)
       else s.starts end as began,
       case s.scope when 'repository' then (select r.full_name from repository r where r.id = s.subject)
                    when 'pull_request' then (select r.full_name || '#' || p.number from pull_request p
                                              join repository r on r.id = p.repository_id where p.id = s.subject)
       end as name
from spend s
where s.organisation_id = %(organisation_id)s and s.starts = period_start(s.period, now())
order by s.settled desc limit 500
