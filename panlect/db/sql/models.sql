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
select c.id, c.provider, c.model, c.input_tokens, c.cached_tokens, c.output_tokens, b.answer
from model_call c join model_call_body b on b.organisation_id = c.organisation_id and b.call_id = c.id
where c.organisation_id = %(organisation_id)s and c.request_hash = %(request_hash)s and c.outcome = 'ok'
  and c.provider = %(provider)s and c.model = %(model)s and b.expires_at > now()
order by c.created_at desc limit 1

-- name: list_recorded
-- A run's good answers in the order in which they came: what a replay answers with.
select c.id, c.request_hash, c.provider, c.model, c.input_tokens, c.cached_tokens, c.output_tokens, c.usage_estimated,
       c.cost_microusd, b.answer
from model_call c join model_call_body b on b.organisation_id = c.organisation_id and b.call_id = c.id
where c.organisation_id = %(organisation_id)s and c.outcome = 'ok'
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
