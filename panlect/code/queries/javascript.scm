; Definitions and imports of JavaScript: ES modules, CommonJS and prototypes. JSX has a file of its own.

(function_declaration name: (_) @name body: (_) @body) @definition.function
(generator_function_declaration name: (_) @name body: (_) @body) @definition.function
(class_declaration name: (_) @name body: (_) @body) @definition.class
(class_heritage (identifier) @base)
(class_heritage (member_expression property: (_) @base))
(class_heritage (call_expression function: (identifier) @base))
(method_definition name: (_) @name body: (_) @body) @definition.method
(field_definition
  property: (_) @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.method
(field_definition property: (_) @name) @definition.field
(method_definition name: (private_property_identifier) @hidden)
(field_definition property: (private_property_identifier) @hidden)
(variable_declarator
  name: (identifier) @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.function
(variable_declarator name: (identifier) @name value: (class body: (_) @body)) @definition.class
(program (lexical_declaration (variable_declarator name: (identifier) @name) @definition.variable))
(program (variable_declaration (variable_declarator name: (identifier) @name) @definition.variable))
(program
  (export_statement
    declaration: (lexical_declaration (variable_declarator name: (identifier) @name) @definition.variable)))

; `exports.name = function`, `Type.prototype.name = function`, `module.exports = class Name {}`
((assignment_expression
  left: (member_expression object: (_) @_object property: (property_identifier) @name)
  right: [(arrow_function body: (_) @body) (function_expression body: (_) @body) (class body: (_) @body)])
  @definition.function @exported
  (#any-of? @_object "exports" "module.exports"))
((assignment_expression
  left: (member_expression
    object: (member_expression object: (_) @receiver property: (_) @_prototype)
    property: (property_identifier) @name)
  right: [(arrow_function body: (_) @body) (function_expression body: (_) @body)])
  @definition.method @exported
  (#eq? @_prototype "prototype"))
((assignment_expression
  left: (member_expression) @_exports
  right: (function_expression name: (identifier) @name body: (_) @body) @definition.function @exported)
  (#eq? @_exports "module.exports"))
((assignment_expression
  left: (member_expression) @_exports
  right: (class name: (identifier) @name body: (_) @body) @definition.class @exported)
  (#eq? @_exports "module.exports"))
((assignment_expression
  left: (member_expression) @_exports
  right: [
    (identifier) @exported.name
    (object [
      (shorthand_property_identifier) @exported.name
      (pair value: (identifier) @exported.name)
      (method_definition name: (_) @exported.name)
    ])
  ])
  (#eq? @_exports "module.exports"))
((assignment_expression
  left: (member_expression object: (identifier) @_exports)
  right: (identifier) @exported.name)
  (#eq? @_exports "exports"))

(export_statement declaration: (_) @exported)
(export_statement declaration: (lexical_declaration (variable_declarator) @exported))
(export_statement value: (identifier) @exported.name)
(export_statement (export_clause (export_specifier name: (identifier) @exported.name)))

; Parts find their import by position. One pattern for all would keep a state for each name until the source.
(import_statement source: (_) @module) @import
(import_clause (identifier) @default)
(import_specifier name: (_) @imported alias: (_)? @alias)
(namespace_import (identifier) @namespace)
(export_statement source: (_) @module) @import
(export_specifier name: (_) @imported alias: (_)? @alias)
(export_statement "*" @imported source: (_) @module) @import
(export_statement (namespace_export (identifier) @namespace) source: (_) @module) @import
((variable_declarator
  name: (identifier) @namespace
  value: (call_expression function: (identifier) @_require arguments: (arguments . (string) @module))) @import
  (#eq? @_require "require"))
((variable_declarator
  name: (object_pattern)
  value: (call_expression function: (identifier) @_require arguments: (arguments . (string) @module))) @import
  (#eq? @_require "require"))
(object_pattern [
  (shorthand_property_identifier_pattern) @imported
  (pair_pattern key: (_) @imported value: (identifier) @alias)
])
((variable_declarator
  name: (identifier) @alias
  value: (member_expression
    object: (call_expression function: (identifier) @_require arguments: (arguments . (string) @module))
    property: (_) @imported)) @import
  (#eq? @_require "require"))
((expression_statement
  (call_expression function: (identifier) @_require arguments: (arguments . (string) @module))) @import
  (#eq? @_require "require"))

; Uses of names.

(call_expression function: (identifier) @reference.call)
(call_expression function: (member_expression property: (property_identifier) @reference.call))
(new_expression constructor: (identifier) @reference.call)
(new_expression constructor: (member_expression property: (property_identifier) @reference.call))
(member_expression property: (property_identifier) @reference.attribute)
(class_heritage (identifier) @reference.type)
(class_heritage (member_expression property: (property_identifier) @reference.type))
(decorator (identifier) @reference.call)
(arguments (identifier) @reference.name)
(return_statement (identifier) @reference.name)
(pair value: (identifier) @reference.name)
(shorthand_property_identifier) @reference.name
(variable_declarator value: (identifier) @reference.name)
(assignment_expression right: (identifier) @reference.name)
