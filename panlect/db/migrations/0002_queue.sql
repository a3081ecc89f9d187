-- The queue's tables, as Procrastinate ships them, in a schema of their own.
set local search_path = queue;
-- include: procrastinate/sql/schema.sql sha256=c70ec4b400a60ad9592787653aae5ae77ae41bf801d56b5bd2712751a07f2009

grant select, insert, update, delete on all tables in schema queue to panlect_system, panlect_definer;
grant usage on all sequences in schema queue to panlect_system, panlect_definer, panlect_app;
-- A tenant's transaction may enqueue and learn the id of what it enqueued, nothing more.
grant insert, select (id) on procrastinate_jobs to panlect_app;
grant insert on procrastinate_events to panlect_app;

-- Finished jobs pile up until they are pruned: keep the planner's figures fresh, and a fetch on its index.
alter table procrastinate_jobs set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
create index job_of_lock on procrastinate_jobs (lock) where status in ('todo', 'doing');
