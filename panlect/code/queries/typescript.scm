; Definitions and imports of TypeScript, in both its grammars. JSX has a file of its own.

(function_declaration name: (_) @name body: (_) @body) @definition.function
(generator_function_declaration name: (_) @name body: (_) @body) @definition.function
(function_signature name: (_) @name) @definition.function
(class_declaration name: (_) @name body: (_) @body) @definition.class
(abstract_class_declaration name: (_) @name body: (_) @body) @definition.class
(interface_declaration name: (_) @name body: (_) @body) @definition.interface
(type_alias_declaration name: (_) @name) @definition.type
(enum_declaration name: (_) @name body: (_) @body) @definition.type
(enum_body (property_identifier) @name @definition.constant)
(enum_assignment name: (property_identifier) @name) @definition.constant
(internal_module name: (_) @name body: (_) @body) @definition.module
(module name: (_) @name body: (_)? @body) @definition.module
(method_definition name: (_) @name body: (_) @body) @definition.method
(method_signature name: (_) @name) @definition.method
(abstract_method_signature name: (_) @name) @definition.method
(public_field_definition name: (_) @name value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)])
  @definition.method
(public_field_definition name: (_) @name) @definition.field
(interface_body (property_signature name: (_) @name) @definition.field)
(required_parameter (accessibility_modifier) pattern: (identifier) @name) @definition.field
(export_statement (decorator)) @span
(variable_declarator
  name: (identifier) @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.function
(program (lexical_declaration (variable_declarator name: (identifier) @name) @definition.variable))
(program (variable_declaration (variable_declarator name: (identifier) @name) @definition.variable))
(program
  (export_statement
    declaration: (lexical_declaration (variable_declarator name: (identifier) @name) @definition.variable)))

(extends_clause value: [
  (identifier) @base
  (member_expression property: (_) @base)
  (call_expression function: (identifier) @base)
])
(implements_clause [
  (type_identifier) @base
  (generic_type name: (type_identifier) @base)
  (nested_type_identifier name: (_) @base)
  (generic_type name: (nested_type_identifier name: (_) @base))
])
(extends_type_clause type: [
  (type_identifier) @base
  (generic_type name: (type_identifier) @base)
  (nested_type_identifier name: (_) @base)
  (generic_type name: (nested_type_identifier name: (_) @base))
])
(accessibility_modifier "private" @hidden)
(private_property_identifier) @hidden

(export_statement declaration: (_) @exported)
(ambient_declaration (_) @exported)
(export_statement
  declaration: (lexical_declaration (variable_declarator) @exported))
(export_statement (export_clause (export_specifier name: (identifier) @exported.name)))

; Parts find their import by position. One pattern for all would keep a state for each name until the source.
(import_statement source: (_) @module) @import
(import_clause (identifier) @default)
(import_specifier name: (_) @imported alias: (_)? @alias)
(namespace_import (identifier) @namespace)
(export_statement source: (_) @module) @import
(export_specifier name: (_) @imported alias: (_)? @alias)
(export_statement (namespace_export (identifier) @namespace) source: (_) @module) @import
(import_statement (import_require_clause (identifier) @namespace source: (_) @module)) @import
(export_statement "*" @imported source: (_) @module) @import

; Uses of names.

(call_expression function: (identifier) @reference.call)
(call_expression function: (member_expression property: (property_identifier) @reference.call))
(new_expression constructor: (identifier) @reference.call)
(member_expression property: (property_identifier) @reference.attribute)
(type_identifier) @reference.type
(class_heritage (extends_clause value: (identifier) @reference.type))
(decorator (identifier) @reference.call)
(decorator (call_expression function: (identifier) @reference.call))
(arguments (identifier) @reference.name)
(return_statement (identifier) @reference.name)
(pair value: (identifier) @reference.name)
(shorthand_property_identifier) @reference.name
(variable_declarator value: (identifier) @reference.name)
