"""What a TypeScript change breaks, and where the checks keep silent."""

from __future__ import annotations

import pytest

CORE = """\
export function capture(amount: number) {
  return amount
}
export const keep = 1
export interface Receipt { id: string }
"""
GONE = "export const keep = 1\n"

BREAKS = [
    (
        "a removed function is still imported",
        {"src/core.ts": CORE, "src/shop.ts": "import { capture } from './core'\ncapture(1)\n"},
        {"src/core.ts": GONE},
        "import-missing",
        ("src/shop.ts", 1),
    ),
    (
        "a renamed function is still imported under an alias",
        {"src/core.ts": CORE, "src/shop.ts": "import { capture as c } from './core'\nc(1)\n"},
        {"src/core.ts": CORE.replace("capture", "collect")},
        "import-missing",
        ("src/shop.ts", 1),
    ),
    (
        "a removed type is still imported",
        {"src/core.ts": CORE, "src/shop.ts": "import type { Receipt } from './core'\nlet r: Receipt\n"},
        {"src/core.ts": GONE},
        "import-missing",
        ("src/shop.ts", 1),
    ),
    (
        "a default export became a named one",
        {"a.ts": "export default function f() {}\n", "b.ts": "import f from './a'\nf()\n"},
        {"a.ts": "export function f() {}\n"},
        "import-missing",
        ("b.ts", 1),
    ),
    (
        "the specifier is written with .js",
        {"src/core.ts": CORE, "src/shop.ts": "import { capture } from './core.js'\ncapture(1)\n"},
        {"src/core.ts": GONE},
        "import-missing",
        ("src/shop.ts", 1),
    ),
    (
        "the directory's index no longer passes it on",
        {
            "src/core.ts": CORE,
            "src/index.ts": "export { capture, keep } from './core'\n",
            "app.ts": "import { capture } from './src'\ncapture(1)\n",
        },
        {"src/index.ts": "export { keep } from './core'\n"},
        "import-missing",
        ("app.ts", 1),
    ),
    (
        "a barrel passes on what is gone",
        {"src/core.ts": CORE, "src/index.ts": "export { capture } from './core'\n"},
        {"src/core.ts": GONE},
        "import-missing",
        ("src/index.ts", 1),
    ),
    (
        "a star no longer brings it",
        {
            "src/core.ts": CORE,
            "src/index.ts": "export * from './core'\n",
            "app.ts": "import { capture } from './src'\ncapture(1)\n",
        },
        {"src/core.ts": GONE},
        "import-missing",
        ("app.ts", 1),
    ),
    (
        "a namespace import reads what is gone",
        {"src/core.ts": CORE, "app.ts": "import * as core from './src/core'\ncore.capture(1)\n"},
        {"src/core.ts": GONE},
        "member-missing",
        ("app.ts", 2),
    ),
    (
        "a module was deleted",
        {"src/core.ts": CORE, "app.ts": "import { capture } from './src/core'\ncapture(1)\n"},
        {"src/core.ts": None},
        "import-missing",
        ("app.ts", 1),
    ),
    (
        "a helper was removed and its own file still calls it",
        {"a.ts": "function helper() {}\nexport const run = () => helper()\n"},
        {"a.ts": "export const run = () => helper()\n"},
        "name-unresolved",
        ("a.ts", 1),
    ),
    (
        "a component was removed and JSX still shows it",
        {"a.tsx": "const Box = () => <div/>\nexport const App = () => <Box/>\n"},
        {"a.tsx": "export const App = () => <Box/>\n"},
        "name-unresolved",
        ("a.tsx", 1),
    ),
    (
        "an import was removed but not its use",
        {"a.ts": "import { z } from 'zod'\nexport const s = z.string()\n"},
        {"a.ts": "export const s = z.string()\n"},
        "name-unresolved",
        ("a.ts", 1),
    ),
]


@pytest.mark.parametrize(
    ("base", "head", "check", "use"), [row[1:] for row in BREAKS], ids=[r[0] for r in BREAKS]
)
def test_a_change_breaks_a_use_when(review, base, head, check, use):
    (found,) = review(base, head)
    assert found.check == check
    assert (found.related[0].path, found.related[0].start_line) == use


SEND = "export function send(to: string, body: string) {}\n"
CALLER = "import { send } from './mail'\nsend('x', 'y')\n"
OVERLOADS = """\
export function send(a: string): void
export function send(a: string, b: string): void
export function send(a: string, b?: string) {}
"""
MISFITS = [
    (
        "a required parameter was added",
        SEND,
        SEND.replace("body: string", "body: string, key: string"),
        CALLER,
    ),
    ("a parameter was removed", SEND, "export function send(to: string) {}\n", CALLER),
    (
        "an arrow function got a parameter",
        "export const send = (to: string, body: string) => {}\n",
        "export const send = (to: string, body: string, key: string) => {}\n",
        CALLER,
    ),
    (
        "the function is a default export",
        "export default function send(to: string, body: string) {}\n",
        "export default function send(to: string) {}\n",
        CALLER.replace("{ send }", "send"),
    ),
    (
        "it is called on the namespace",
        SEND,
        SEND.replace("body: string", "body: string, key: string"),
        "import * as mail from './mail'\nmail.send('x', 'y')\n",
    ),
    (
        "a barrel passes it on under another name",
        SEND,
        "export function send(to: string) {}\n",
        "import { post } from './barrel'\npost('x', 'y')\n",
    ),
    (
        "an optional parameter became required",
        SEND.replace("body", "body?"),
        SEND,
        CALLER.replace(", 'y'", ""),
    ),
]


@pytest.mark.parametrize(
    ("before", "after", "caller"), [row[1:] for row in MISFITS], ids=[row[0] for row in MISFITS]
)
def test_a_call_no_longer_fits_when(review, before, after, caller):
    barrel = "export { send as post } from './mail'\n" if "post" in caller else ""
    (found,) = review({"mail.ts": before, "barrel.ts": barrel, "app.ts": caller}, {"mail.ts": after})
    assert found.check == "call-mismatch"
    assert [(place.path, place.start_line) for place in found.related] == [("app.ts", 2)]
    assert found.path == "mail.ts"


def test_a_local_call_no_longer_fits(review):
    text = "function f(a: string) {}\nexport const run = () => f('x')\n"
    (found,) = review({"a.ts": text}, {"a.ts": text.replace("a: string", "a: string, b: number")})
    assert found.title == "`f()` now needs `b`; 1 call still passes the old arguments"


def _silent(name, base, head):
    return pytest.param(base, head, id=name)


SILENT = [
    _silent(
        "the name is a global elsewhere in the base",
        {"a.ts": "function f(conf) { return conf }\nexport const g = [conf, f]\n"},
        {"a.ts": "function f(c) { return conf }\nexport const g = [conf, f]\n"},
    ),
    _silent(
        "a global is used that was never bound",
        {"a.ts": "export const x = 1\n"},
        {"a.ts": "export const x = someGlobal\n"},
    ),
    _silent(
        "the name is declared for every file",
        {"a.ts": "const conf = 1\nexport const x = conf\n", "g.d.ts": "declare const conf: number\n"},
        {"a.ts": "export const x = conf\n"},
    ),
    _silent(
        "the name is declared globally inside a module",
        {
            "a.ts": "const conf = 1\nexport const x = conf\n",
            "g.ts": "export {}\ndeclare global { var conf: number }\n",
        },
        {"a.ts": "export const x = conf\n"},
    ),
    _silent(
        "the module comes from a package",
        {"a.ts": ""},
        {"a.ts": "import { nothing } from 'zod'\nnothing()\n"},
    ),
    _silent(
        "a paths alias is used",
        {"src/core.ts": CORE, "a.ts": "import { capture } from '@/core'\ncapture(1)\n"},
        {"src/core.ts": GONE},
    ),
    _silent(
        "a star comes from a package",
        {
            "core.ts": CORE + "export * from 'other'\n",
            "a.ts": "import { capture } from './core'\ncapture(1)\n",
        },
        {"core.ts": GONE + "export * from 'other'\n"},
    ),
    _silent(
        "the module is CommonJS",
        {"core.ts": CORE, "a.ts": "import { capture } from './core'\ncapture(1)\n"},
        {"core.ts": "module.exports = { capture: 1 }\n" + GONE},
    ),
    _silent(
        "the missing module is no code",
        {"a.ts": "export const x = 1\n", "data.json": "{}", "style.css": "", "Box.vue": ""},
        {
            "a.ts": "import d from './data.json'\nimport './style.css'\nimport B from './Box.vue'\nexport const x = [d, B]\n"
        },
    ),
    _silent(
        "the missing module never existed",
        {"a.ts": "export const x = 1\n"},
        {"a.ts": "import { t } from './generated/client'\nexport const x = t\n"},
    ),
    _silent(
        "the module is JavaScript",
        {"core.ts": CORE, "a.ts": "import { capture } from './core'\ncapture(1)\n"},
        {"core.ts": None, "core.js": "exports.capture = 1\n"},
    ),
    _silent(
        "the compiler is told to expect an error",
        {
            "mail.ts": SEND,
            "a.ts": "import { send } from './mail'\n// @ts-expect-error too few\nsend('x', 'y')\n",
        },
        {"mail.ts": "export function send(to: string) {}\n"},
    ),
    _silent(
        "the new parameter is optional",
        {"mail.ts": SEND, "a.ts": CALLER},
        {"mail.ts": SEND.replace("body: string", "body: string, key?: string")},
    ),
    _silent(
        "the new parameter has a default",
        {"mail.ts": SEND, "a.ts": CALLER},
        {"mail.ts": SEND.replace("body: string", "body: string, key = 1")},
    ),
    _silent(
        "the new parameter takes the rest",
        {"mail.ts": SEND, "a.ts": CALLER},
        {"mail.ts": SEND.replace("body: string", "...rest: string[]")},
    ),
    _silent(
        "the new parameter may be undefined by its type",
        {"mail.ts": SEND, "a.ts": CALLER},
        {"mail.ts": SEND.replace("body: string", "body: string, key: any")},
    ),
    _silent(
        "a `this` parameter is no argument",
        {"mail.ts": SEND, "a.ts": CALLER},
        {"mail.ts": SEND.replace("(to", "(this: Window, to")},
    ),
    _silent(
        "the function has overloads",
        {"mail.ts": SEND, "a.ts": CALLER},
        {"mail.ts": OVERLOADS},
    ),
    _silent(
        "arguments are spread",
        {"mail.ts": SEND, "a.ts": CALLER.replace("'x', 'y'", "...xs")},
        {"mail.ts": "export function send(to: string, body: string, key: string) {}\n"},
    ),
    _silent(
        "a `using` declaration binds the name",
        {"a.ts": "async function f() {\n  const ctx = g()\n  return ctx\n}\nfunction g() {}\n"},
        {"a.ts": "async function f() {\n  await using ctx = g()\n  return ctx\n}\nfunction g() {}\n"},
    ),
    _silent(
        "the head does not parse",
        {"core.ts": CORE, "a.ts": "import { capture } from './core'\n"},
        {"core.ts": "export function {{{\n"},
    ),
    _silent(
        "the right part of a qualified type is no name of this file",
        {"a.ts": "import { Schema, z } from 'zod'\nexport type T = z.Schema | Schema\n"},
        {"a.ts": "import { z } from 'zod'\nexport type T = z.Schema\n"},
    ),
    _silent(
        "destructuring, mapped and inferred types bind their names",
        {"a.ts": "export const [k, T, U, v] = [1, 2, 3, 4]\n"},
        {
            "a.ts": "export type M<T> = { [k in keyof T]: T[k] extends (infer U)[] ? U : never }\n"
            "export const f = ({ v, w: [x] = [1] }: any) => v + x\n"
        },
    ),
]


@pytest.mark.parametrize(("base", "head"), SILENT)
def test_stays_silent_when(review, base, head):
    assert [found for found in review(base, head) if found.check != "unparsable"] == []
