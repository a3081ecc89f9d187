; Definitions and imports of Ruby. Mixins are bases; a class opened again is defined again.

(module name: [
  (constant) @name
  (scope_resolution scope: (_) @receiver name: (constant) @name)
] body: (_)? @body) @definition.module
(class name: [
  (constant) @name
  (scope_resolution scope: (_) @receiver name: (constant) @name)
] body: (_)? @body) @definition.class
(method name: (_) @name body: (_)? @body) @definition.function
(module body: (body_statement (method) @definition.method))
(singleton_class body: (body_statement (method) @definition.method))
(do_block body: (body_statement (method) @definition.method))
(argument_list (method) @definition.method)
(singleton_method name: (_) @name body: (_)? @body) @definition.method
(alias name: (_) @name) @definition.method
((call method: (identifier) @_maker arguments: (argument_list . (simple_symbol) @name)) @definition.method
  (#any-of? @_maker "alias_method" "define_method" "define_singleton_method" "helper_method"))
((call method: (identifier) @_maker arguments: (argument_list (simple_symbol) @name)) @definition.method
  (#any-of? @_maker "delegate" "def_delegators"))
((call method: (identifier) @_maker arguments: (argument_list (simple_symbol) @name)) @definition.field
  (#any-of? @_maker "attr_accessor" "attr_reader" "attr_writer" "mattr_accessor" "cattr_accessor" "class_attribute" "attribute"))
(assignment left: (constant) @name) @definition.constant
((assignment
  left: (constant) @name
  right: (call receiver: (constant) @_maker method: (identifier) @_new block: (_)? @body)) @definition.class
  (#any-of? @_maker "Struct" "Class" "Data") (#any-of? @_new "new" "define"))
((assignment left: (constant) @name right: (call receiver: (constant) @_maker method: (identifier) @_new)) @definition.module
  (#eq? @_maker "Module") (#eq? @_new "new"))

(superclass [(constant) @base (scope_resolution name: (constant) @base)])
((assignment right: (call
  receiver: (constant) @_maker
  arguments: (argument_list . [(constant) @base (scope_resolution name: (constant) @base)])))
  (#eq? @_maker "Class"))
((call
  !receiver
  method: (identifier) @_mixin
  arguments: (argument_list [(constant) @base (scope_resolution name: (constant) @base)]))
  (#any-of? @_mixin "include" "extend" "prepend"))

(body_statement ((identifier) @closed (#eq? @closed "private")))
(body_statement ((identifier) @open (#any-of? @open "public" "protected" "module_function")))
((call method: (identifier) @_private arguments: (argument_list [
  (method)
  (singleton_method)
] @hidden))
  (#any-of? @_private "private" "private_class_method"))
((call method: (identifier) @_private arguments: (argument_list (simple_symbol) @hidden.name))
  (#any-of? @_private "private" "private_class_method" "private_constant"))

((call !receiver method: (identifier) @_require arguments: (argument_list . (string) @module)) @import
  (#any-of? @_require "require" "require_relative" "load" "require_dependency"))
((call !receiver method: (identifier) @_autoload arguments: (argument_list . (simple_symbol) @imported (string) @module)) @import
  (#eq? @_autoload "autoload"))

; Uses of names. A name alone in a statement may be a call: Ruby does not tell.

(call method: (identifier) @reference.call)
(call method: (constant) @reference.call)
(body_statement (identifier) @reference.call)
(then (identifier) @reference.call)
(call receiver: (identifier) @reference.name)
(assignment right: (identifier) @reference.name)
(block_body (identifier) @reference.call)
(constant) @reference.type
(argument_list (identifier) @reference.name)
(pair value: (identifier) @reference.name)
(binary (identifier) @reference.name)
(return (argument_list (identifier) @reference.name))
(interpolation (identifier) @reference.name)
(if condition: (identifier) @reference.name)
(unless condition: (identifier) @reference.name)
(if_modifier condition: (identifier) @reference.name)
(unless_modifier condition: (identifier) @reference.name)
