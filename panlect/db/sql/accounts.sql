-- name: issue_token
-- The bootstrap token is issued at every start: the same one again must change nothing.
insert into api_token (organisation_id, name, token_sha256, scopes) values (%s, %s, %s, %s)
on conflict (token_sha256) do nothing
