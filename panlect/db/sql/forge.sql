-- name: connection_of_url
-- Connecting the same host again replaces its secrets instead of adding a twin.
select id, webhook_secrets_encrypted from forge_connection where organisation_id = %s and kind = %s and base_url = %s order by created_at limit 1

-- name: add_connection
-- Secrets arrive encrypted; this process's memory is the only place that knows them.
insert into forge_connection (organisation_id, kind, base_url, account_login, token_encrypted, webhook_secrets_encrypted)
values (%s, %s, %s, %s, %s, %s) returning id

-- name: change_connection
-- New token and webhook secret for a host that is known.
update forge_connection set token_encrypted = %s, webhook_secrets_encrypted = %s, account_login = %s where id = %s

-- name: get_connection
-- What a client to this host needs.
select base_url, account_login, token_encrypted from forge_connection where organisation_id = %s and id = %s

-- name: upsert_repository
-- Connecting a repository again refreshes what the host says of it, never what its owners decided.
insert into repository (organisation_id, connection_id, full_name, clone_url, default_branch)
values (%s, %s, %s, %s, %s)
on conflict (connection_id, full_name)
do update set clone_url = excluded.clone_url, default_branch = excluded.default_branch
returning id

-- name: get_repository
-- A repository with the policy of its check and of its organisation.
select r.id, r.connection_id, r.full_name, r.clone_url, r.default_branch, r.blocking, r.threshold,
       o.allowed_skip_reasons, r.active_snapshot_id
from repository r join organisation o on o.id = r.organisation_id
where r.organisation_id = %s and r.id = %s

-- name: list_repositories
-- With the state of its index: what is active, and what is being built.
select r.id, r.connection_id, r.full_name, r.default_branch, s.commit_sha, s.files, s.chunks, s.embedded,
       s.activated_at, r.embedding_model,
       n.id as run_id, n.status as run_status, n.reason as run_reason, n.detail as progress
from repository r left join snapshot s on s.id = r.active_snapshot_id
left join lateral (
    select id, status, reason, detail from run
    where organisation_id = r.organisation_id and repository_id = r.id and kind = 'index' order by created_at desc limit 1) n on true
where r.organisation_id = %s order by r.full_name

-- name: upsert_pull_request
-- The host's answer is the truth; what a webhook said was a hint.
insert into pull_request
    (organisation_id, repository_id, number, title, author, state, draft, base_ref, base_sha, head_ref, head_sha, html_url)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
on conflict (repository_id, number) do update set
    title = excluded.title, author = excluded.author, state = excluded.state, draft = excluded.draft,
    base_ref = excluded.base_ref, base_sha = excluded.base_sha, head_ref = excluded.head_ref,
    head_sha = excluded.head_sha, html_url = excluded.html_url, updated_at = now()
returning id

-- name: get_pull_request
-- What the publisher needs to find the pull request again.
select p.id, p.repository_id, p.number, p.title, p.author, p.state, p.draft, p.base_ref, p.base_sha, p.head_ref, p.head_sha, p.html_url
from pull_request p where p.organisation_id = %s and p.id = %s

-- name: find_repository
-- A delivery names a repository; only a connected one has an organisation that wants to hear of it.
select organisation_id, repository_id from find_repository(%(connection_id)s, %(full_name)s)
