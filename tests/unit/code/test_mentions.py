"""What code shares with the world by strings, by language and framework."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from panlect.code.languages import language_of
from panlect.code.mentions import mentions_in
from panlect.code.parse import read


class _EveryWord:
    """A text that has whatever word is asked for."""

    def __contains__(self, word: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


EVERY_WORD = _EveryWord()


def said(path: str, source: str) -> list[tuple[str, str]]:
    raw = source.encode()
    parsed = read(language_of(path, raw), raw)
    assert not parsed.analysis.skipped
    return [(m.kind, m.name) for m in parsed.analysis.mentions]


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("a.py", 'key = os.environ["STRIPE_KEY"]', [("env", "STRIPE_KEY")]),
        ("a.py", "url = os.getenv('DB_URL', default)", [("env", "DB_URL")]),
        ("a.py", 'os.environ.get("REGION")', [("env", "REGION")]),
        ("a.ts", "const url = process.env.API_URL;", [("env", "API_URL")]),
        ("a.ts", 'import.meta.env["VITE_KEY"]', [("env", "VITE_KEY")]),
        ("a.go", 'os.LookupEnv("HOME_DIR")', [("env", "HOME_DIR")]),
        ("a.go", 't.Setenv("TZ_NAME", "UTC")', [("env", "TZ_NAME")]),
        ("A.java", 'System.getenv("JAVA_OPTS")', [("env", "JAVA_OPTS")]),
        ("a.rs", 'std::env::var("RUST_LOG")', [("env", "RUST_LOG")]),
        ("a.rs", 'env!("CARGO_PKG_NAME")', [("env", "CARGO_PKG_NAME")]),
        ("a.cs", 'Environment.GetEnvironmentVariable("ASPNET_ENV")', [("env", "ASPNET_ENV")]),
        ("a.rb", "ENV.fetch('RAILS_ENV')", [("env", "RAILS_ENV")]),
        ("a.php", "getenv('APP_KEY')", [("env", "APP_KEY")]),
        ("Deploy.md", "run with ${PAYMENTS_URL}", [("env", "PAYMENTS_URL")]),
        ("a.py", 'environment = "nothing"', []),
    ],
)
def test_environment_variables(path: str, source: str, expected: list[tuple[str, str]]) -> None:
    assert said(path, source) == expected


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("a.py", '@app.get("/orders/{order_id}/items")', ["/orders/{}/items"]),
        ("a.py", '@router.route("/orders/<int:order_id>/")', ["/orders/{}"]),
        ("a.py", 'path("accounts/<int:pk>/", view)', ["/accounts/{}"]),
        ("a.py", 'requests.post(f"{base}/v1/charge/{number}")', ["/v1/charge/{}"]),
        ("a.py", 'requests.get("https://api.example.org/v1/rates?day=1")', ["/v1/rates"]),
        ("a.ts", "app.post('/login', handler)", ["/login"]),
        ("a.ts", "fetch(`/api/users/${id}`)", ["/api/users/{}"]),
        ("a.ts", "router.get('/users/:id/posts', show)", ["/users/{}/posts"]),
        ("a.go", 'mux.HandleFunc("GET /v1/items/{id}", show)', ["/v1/items/{}"]),
        ("a.go", 'r.GET("/ping", ping)', ["/ping"]),
        ("A.java", '@GetMapping("/invoices/{id}")', ["/invoices/{}"]),
        ("A.cs", 'app.MapGet("/health", () => 1)', ["/health"]),
        ("a.rb", "get '/items/:id', to: 'items#show'", ["/items/{}"]),
        ("a.py", 'open("/etc/passwd")', []),
        ("a.py", 'get("/")', []),
    ],
)
def test_routes_have_one_spelling(path: str, source: str, expected: list[str]) -> None:
    assert said(path, source) == [("route", name) for name in expected]


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("a.py", 'add_argument("--dry-run", help="x")', [("flag", "--dry-run")]),
        ("a.go", 'flag.StringVar(&c.file, "config.file", "", "the file")', [("flag", "--config.file")]),
        ("a.go", 'cmd.Flags().Bool("verbose", false, "say more")', [("flag", "--verbose")]),
        ("run.md", "Use `--since` to start later.", [("flag", "--since")]),
        ("a.py", "x = a --b", []),
        ("a.py", 'config.get("retry.limit")', [("config", "retry.limit")]),
        ("a.py", 'settings["db_host"]', [("config", "db_host")]),
        ("a.py", "settings.PAGE_SIZE", [("config", "PAGE_SIZE")]),
        ("a.go", 'viper.GetString("server.port")', [("config", "server.port")]),
        ("A.java", '@Value("${mail.host}")', [("config", "mail.host")]),
        ("a.py", 'flags.is_enabled("new-checkout")', [("feature", "new-checkout")]),
        ("a.ts", "client.boolVariation('dark-mode', user)", [("feature", "dark-mode")]),
        ("a.rb", "Flipper.enabled?(:search)", [("feature", "search")]),
    ],
)
def test_flags_configuration_and_features(path: str, source: str, expected: list[tuple[str, str]]) -> None:
    assert said(path, source) == expected


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        (
            "a.py",
            '"""select o.id from orders o\njoin shop.line_item l on true"""',
            [("table", "orders"), ("table", "shop.line_item")],
        ),
        (
            "a.py",
            'run("INSERT INTO ledger (id, amount) VALUES (1, 2)")',
            [("table", "ledger"), ("column", "ledger.id"), ("column", "ledger.amount")],
        ),
        ("a.go", "`update invoice set paid_at = now()`", [("table", "invoice"), ("column", "invoice.paid_at")]),
        ("a.sql", "alter table orders drop column total;", [("table", "orders"), ("column", "orders.total")]),
        (
            "a.sql",
            "create table orders (id int primary key, total int not null, primary key (id));",
            [("table", "orders"), ("column", "orders.id"), ("column", "orders.total")],
        ),
        ("a.py", '__tablename__ = "customer"', [("table", "customer")]),
        ("A.java", '@Table(name = "refunds")', [("table", "refunds")]),
        ("a.rb", "add_column :orders, :paid, :boolean", [("column", "orders.paid")]),
        ("a.py", '"update the users of this"', []),
        ("a.py", 'x = "taken from the shop"', []),
    ],
)  # fmt: skip
def test_tables_and_columns(path: str, source: str, expected: list[tuple[str, str]]) -> None:
    assert sorted(said(path, source)) == sorted(expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('"create table orders (id int)"', ("table", "orders")),
        ('"alter table orders drop column total"', ("column", "orders.total")),
        ('"drop table orders"', ("table", "orders")),
        ('"Truncate table orders"', ("table", "orders")),
        ('"copy orders from stdin"', ("table", "orders")),
        ('"Update orders set total = 1"', ("column", "orders.total")),
        ('"with paid as (select 1) delete from orders"', ("table", "orders")),
        ('"MERGE INTO orders USING x"', ("table", "orders")),
        ('"delete from orders"', ("table", "orders")),
        ('client.float_variation("beta", 1)', ("feature", "beta")),
        ('client.doubleVariation("beta", 1)', ("feature", "beta")),
        ('client.isenabled("beta")', ("feature", "beta")),
        ('client.feature_active("beta")', ("feature", "beta")),
        ('useFeature("beta")', ("feature", "beta")),
        ('os.Lookupenv("A_B")', ("env", "A_B")),
        ('os.UnsetEnv("A_B")', ("env", "A_B")),
        ('handle("PATCH /orders", f)', ("route", "/orders")),
        ('handle("OPTIONS /orders", f)', ("route", "/orders")),
        ('route(r"^/orders/$", f)', ("route", "/orders")),
        ('re_path("orders/", f)', ("route", "/orders")),
        ('props["a.b"]', ("config", "a.b")),
        ('conf("a.b")', ("config", "a.b")),
        ('drop_table "orders"', ("table", "orders")),
    ],
)
def test_no_way_of_writing_is_passed_over_for_want_of_a_word(source: str, expected: tuple[str, str]) -> None:
    assert expected in said("a.py", source)


def test_a_mention_knows_its_line() -> None:
    parsed = read(language_of("a.py"), b"import os\n\nkey = os.environ['STRIPE_KEY']\n")
    assert [(m.name, m.line) for m in parsed.analysis.mentions] == [("STRIPE_KEY", 3)]


def test_a_file_full_of_mentions_is_cut() -> None:
    source = "".join(f"os.getenv('A_{number}')\n" for number in range(6000))
    assert len(said("a.py", source)) == 5000


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit",
    [
        '"select ',
        "get('/{",
        "insert into a (",
        "settings[",
        "alter table x ",
        "create table x (",
        "'--a-a",
        "${A",
        "'''update ",
    ],
)
def test_hostile_text_costs_linear_time(unit: str) -> None:
    source = (unit * (400_000 // len(unit))).encode()
    for family in ("python", "sql", "text"):
        assert all(len(m.name) <= 200 for m in mentions_in(family, source, [0], EVERY_WORD))


def test_names_are_plain() -> None:
    source = 'os.getenv("A\x1b[31m")\nget("/a\x01b")\nconfig["ключ"]\n'
    assert all(re.fullmatch(r"[\x21-\x7e]+", name) for _, name in said("a.py", source))
