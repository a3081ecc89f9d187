-- What files, directories and repositories are, in a few sentences: by content, so that a commit asks for what it touched.
create table summary (
    organisation_id uuid not null references organisation on delete cascade,
    -- blake2b over the blob or the children, the version of the prompt, and the model.
    key bytea not null check (length(key) = 16),
    kind text not null check (kind in ('file', 'directory', 'repository')),
    model text not null,
    prompt_version int not null,
    text text not null,
    -- Taken out of the code itself: no model was asked, or none answered.
    extractive boolean not null,
    tokens_in int not null default 0,
    tokens_out int not null default 0,
    created_at timestamptz not null default now(),
    primary key (organisation_id, key)
);
select protect('summary');
grant select, insert, delete, update (created_at) on summary to panlect_app;

-- Which summaries a commit has; of a repository only the newest summarised commit has rows. '' is the repository.
create table snapshot_summary (
    organisation_id uuid not null,
    snapshot_id uuid not null,
    path text not null,
    key bytea not null,
    primary key (snapshot_id, path),
    foreign key (organisation_id, snapshot_id) references snapshot (organisation_id, id) on delete cascade,
    foreign key (organisation_id, key) references summary (organisation_id, key)
);
select protect('snapshot_summary');
create index snapshot_of_summary on snapshot_summary (organisation_id, key);
grant select, insert, delete on snapshot_summary to panlect_app;

-- When a commit's summaries were placed, and how many of them a model made: search asks this of every query.
alter table snapshot
    add column summarised_at timestamptz,
    add column described int not null default 0;
