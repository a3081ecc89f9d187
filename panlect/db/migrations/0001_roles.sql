-- Roles, the tenant of a transaction, and how a table is protected.
create extension if not exists vector;
create schema queue;

-- Roles are shared by all databases of a server, so another database may have made them already.
do $$
declare
    role_name text;
begin
    foreach role_name in array array['panlect_app', 'panlect_system', 'panlect_definer'] loop
        begin
            execute format('create role %I nologin', role_name);
        exception when duplicate_object or unique_violation then
            null;
        end;
        execute format('grant %I to current_user', role_name);
    end loop;
end $$;

comment on schema panlect is 'What Panlect keeps; the queue''s own tables are in the schema queue.';
grant usage on schema panlect to panlect_app, panlect_system, panlect_definer;
grant usage on schema queue to panlect_app, panlect_system, panlect_definer;
-- The owner of a function needs CREATE on its schema. Nobody ever becomes this role: see 0008.
grant create on schema panlect to panlect_definer;

-- No organisation set: null, which equals nothing, so there are no rows to see.
create function current_organisation() returns uuid
language sql stable parallel safe
return nullif(current_setting('app.organisation_id', true), '')::uuid;

-- Row level security for a tenant table. Even its owner is held to it (force): the functions that work
-- across organisations belong to panlect_definer, the only role with a policy that shows everything.
create function protect(tenant_table regclass, tenant_column name default 'organisation_id') returns void
language plpgsql as $$
begin
    execute format('alter table %s enable row level security', tenant_table);
    execute format('alter table %s force row level security', tenant_table);
    execute format(
        'create policy tenant on %s to panlect_app using (%2$I = panlect.current_organisation())'
        ' with check (%2$I = panlect.current_organisation())', tenant_table, tenant_column);
    execute format('create policy definer on %s to panlect_definer using (true) with check (true)', tenant_table);
    execute format('grant select, insert, update, delete on %s to panlect_definer', tenant_table);
end $$;
revoke execute on function protect from public;
