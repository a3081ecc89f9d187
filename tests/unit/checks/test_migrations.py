"""Migrations that fail, break running code or hold a lock; and the many that do none of it."""

# ruff: noqa: E501

from __future__ import annotations

import pytest

from panlect.finding import Category

PG = "CREATE EXTENSION pgcrypto;\n"
ALEMBIC = "from alembic import op\nimport sqlalchemy as sa\n\n\ndef upgrade():\n    {}\n"
DJANGO = "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n    operations = [{}]\n"
READER = 'def total(c):\n    return c.execute("""\n        SELECT tax_rate\n        FROM orders\n    """)\n'
WRITER = 'SQL = "UPDATE orders SET tax_rate = 1"\n'
MODEL = (
    'class Order(Base):\n    __tablename__ = "orders"\n    id = Column(Integer)\n    tax = Column(Integer)\n'
)

# (name, path of the migration, its text, other files, words of the title)
RISKY = [
    ("required", "migrations/2.sql", "ALTER TABLE orders ADD COLUMN state text NOT NULL;", {}, "`orders.state` is added NOT NULL"),
    ("required among others", "db/migrate/2.sql", "alter table only orders\n  add a int,\n  add b int not null check (b in (1,2));", {}, "`orders.b` is added"),
    ("dropped, still read", "migrations/2.sql", "ALTER TABLE public.orders DROP COLUMN tax_rate;", {"a.py": READER}, "`orders.tax_rate` is dropped"),
    ("dropped, still written", "migrations/2.sql", "ALTER TABLE orders DROP tax_rate;", {"a.py": WRITER}, "`orders.tax_rate` is dropped"),
    ("renamed, still in the model", "migrations/2.sql", "ALTER TABLE orders RENAME tax TO vat;", {"m.py": MODEL}, "`orders.tax` is renamed"),
    ("an index", "migrations/2.sql", PG + "CREATE INDEX i ON orders (a);", {}, "The index on `orders`"),
    ("another type", "migrations/2.sql", PG + "ALTER TABLE orders ALTER COLUMN id TYPE bigint;", {}, "`orders.id` changes its type"),
    ("a sibling says Postgres", "migrations/2.sql", "CREATE INDEX i ON orders (a);", {"migrations/1.sql": PG}, "The index on `orders`"),
    ("alembic required", "v/2.py", ALEMBIC.format('op.add_column("orders", sa.Column("state", sa.String(), nullable=False))'), {}, "`orders.state` is added"),
    ("alembic dropped", "v/2.py", ALEMBIC.format('op.drop_column("orders", "tax")'), {"m.py": MODEL}, "`orders.tax` is dropped"),
    ("alembic batch", "v/2.py", ALEMBIC.format('with op.batch_alter_table("orders") as batch_op:\n        batch_op.drop_column("tax")'), {"m.py": MODEL}, "`orders.tax` is dropped"),
    ("sql in alembic", "v/2.py", ALEMBIC.format('op.execute("ALTER TABLE orders ADD COLUMN state text NOT NULL")'), {}, "`orders.state` is added"),
    ("django", "m/0002_x.py", DJANGO.format('migrations.AddField(model_name="order", name="state", field=models.CharField(max_length=9))'), {}, "`order.state` is added"),
]  # fmt: skip
SAFE = [
    ("nullable", "migrations/2.sql", "ALTER TABLE orders ADD COLUMN state text;", {}),
    ("a default", "migrations/2.sql", "ALTER TABLE orders ADD COLUMN state text NOT NULL DEFAULT 'x';", {}),
    ("an identity", "migrations/2.sql", "ALTER TABLE orders ADD id int GENERATED ALWAYS AS IDENTITY NOT NULL;", {}),
    ("a constraint", "migrations/2.sql", "ALTER TABLE orders ADD CONSTRAINT c CHECK (a IS NOT NULL);", {}),
    ("a comment", "migrations/2.sql", "-- ALTER TABLE orders ADD a int NOT NULL;\n/* CREATE INDEX i ON o (a); */\n", {}),
    ("a string", "migrations/2.sql", PG + "INSERT INTO log VALUES ('; ALTER TABLE orders ADD a int NOT NULL;');", {}),
    ("a new table", "migrations/2.sql", PG + "CREATE TABLE t (a int);\nALTER TABLE t ADD b int NOT NULL;\nCREATE INDEX i ON t (a);", {}),
    ("nobody reads it", "migrations/2.sql", "ALTER TABLE orders DROP COLUMN tax_rate;", {"a.py": 'Q = "SELECT id FROM orders"\n'}),
    ("only tests and old migrations do", "migrations/2.sql", "ALTER TABLE orders DROP COLUMN tax_rate;", {"tests/test_a.py": READER, "migrations/1.sql": "ALTER TABLE orders ADD tax_rate int;"}),
    ("dropped and put back", "migrations/2.sql", "ALTER TABLE orders DROP COLUMN tax_rate, ADD COLUMN tax_rate bigint;", {"a.py": READER}),
    ("another table's", "migrations/2.sql", "ALTER TABLE carts DROP COLUMN tax_rate;", {"a.py": READER}),
    ("concurrently", "migrations/2.sql", PG + "CREATE INDEX CONCURRENTLY i ON orders (a);", {}),
    ("to text", "migrations/2.sql", PG + "ALTER TABLE orders ALTER COLUMN a TYPE text;", {}),
    ("no Postgres", "migrations/2.sql", "CREATE INDEX i ON orders (a);", {}),
    ("MySQL", "migrations/2.sql", "ALTER TABLE `orders` ADD COLUMN `a` int NOT NULL;", {}),
    ("no migration", "queries/report.sql", "ALTER TABLE orders ADD a int NOT NULL;", {}),
    ("a way back", "migrations/2.down.sql", "ALTER TABLE orders ADD a int NOT NULL;", {}),
    ("a section of the way back", "migrations/2.sql", "SELECT 1;\n-- +goose Down\nALTER TABLE orders ADD a int NOT NULL;", {}),
    ("alembic's way back", "v/2.py", ALEMBIC.format("pass\n\n\ndef downgrade():\n    op.add_column('o', sa.Column('a', sa.Integer(), nullable=False))"), {}),
    ("alembic default", "v/2.py", ALEMBIC.format('op.add_column("o", sa.Column("a", sa.Integer(), nullable=False, server_default="0"))'), {}),
    ("django default", "m/2.py", DJANGO.format('migrations.AddField(model_name="o", name="a", field=models.CharField(default="", max_length=9))'), {}),
    ("django many to many", "m/2.py", DJANGO.format('migrations.AddField(model_name="o", name="a", field=models.ManyToManyField(to="x"))'), {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "text", "others", "title"), [row[1:] for row in RISKY], ids=[r[0] for r in RISKY]
)
def test_a_risky_step_is_found(review, path, text, others, title):
    (found,) = review(others, {path: text})
    assert (found.check, found.category) == ("migration-risk", Category.DATA)
    assert found.title.startswith(title)
    assert [e.path for e in found.evidence[1:]] == [name for name in others if name in ("a.py", "m.py")]


@pytest.mark.parametrize(("path", "text", "others"), [row[1:] for row in SAFE], ids=[row[0] for row in SAFE])
def test_a_harmless_step_is_not_claimed(review, path, text, others):
    assert review(others, {path: text}) == ()


def test_a_step_that_stood_there_is_not_this_changes(review):
    text = "ALTER TABLE orders ADD a int NOT NULL;\n"
    assert review({"migrations/2.sql": text}, {"migrations/2.sql": text + "SELECT 1;\n"}) == ()


def test_an_endless_comment_takes_no_time(review):
    assert review({}, {"migrations/2.sql": "/*/" * 80_000 + "'$a$" * 10}) == ()
