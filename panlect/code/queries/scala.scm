; Definitions and imports of Scala 2 and 3. An object is a class with one instance.

(package_clause name: (_) @name body: (_)? @body) @definition.module
(class_definition name: (_) @name body: (_)? @body) @definition.class
(object_definition name: (_) @name body: (_)? @body) @definition.class
(package_object name: (_) @name body: (_)? @body) @definition.class
(trait_definition name: (_) @name body: (_)? @body) @definition.interface
(enum_definition name: (_) @name body: (_) @body) @definition.type
(simple_enum_case name: (_) @name) @definition.constant
(full_enum_case name: (_) @name) @definition.constant
(function_definition name: (_) @name body: (_) @body) @definition.function
(function_declaration name: (_) @name) @definition.function
(with_template_body [(function_definition) (function_declaration)] @definition.method)
(extension_definition
  parameters: (parameters (parameter type: [
    (type_identifier) @name
    (generic_type type: (type_identifier) @name)
  ]))
  body: (_) @body) @definition.extension
(template_body (val_definition pattern: (identifier) @name value: (_)? @body) @definition.field)
(template_body (var_definition pattern: (identifier) @name value: (_)? @body) @definition.field)
(template_body (val_definition pattern: (tuple_pattern (identifier) @name)) @definition.field)
(with_template_body (val_definition pattern: (identifier) @name) @definition.field)
(template_body (val_declaration name: (_) @name) @definition.field)
(template_body (var_declaration name: (_) @name) @definition.field)
(compilation_unit (val_definition pattern: (identifier) @name value: (_)? @body) @definition.variable)
(compilation_unit (var_definition pattern: (identifier) @name value: (_)? @body) @definition.variable)
(type_definition name: (_) @name) @definition.type
(given_definition name: (_) @name body: (_)? @body) @definition.variable
(class_definition class_parameters: (class_parameters (class_parameter name: (_) @name) @definition.field))

(extends_clause [
  (type_identifier) @base
  (generic_type type: (type_identifier) @base)
  (stable_type_identifier (type_identifier) @base .)
  (generic_type type: (stable_type_identifier (type_identifier) @base .))
])
((access_modifier) @hidden (#any-of? @hidden "private" "private[this]"))

(import_declaration (identifier) @path) @import
(import_declaration (identifier) @imported .)
(import_declaration (namespace_wildcard) @everything)
(import_declaration (as_renamed_identifier name: (_) @imported alias: (_) @alias))
(namespace_selectors [
  (identifier) @imported
  (namespace_wildcard) @everything
  (arrow_renamed_identifier name: (_) @imported alias: (_) @alias)
  (as_renamed_identifier name: (_) @imported alias: (_) @alias)
])
(export_declaration (identifier) @path) @import
(export_declaration (identifier) @imported .)
(export_declaration (namespace_wildcard) @everything)

; Uses of names.

(call_expression function: (identifier) @reference.call)
(call_expression function: (field_expression field: (identifier) @reference.call))
(generic_function function: (identifier) @reference.call)
(generic_function function: (field_expression field: (identifier) @reference.call))
(instance_expression (type_identifier) @reference.call)
(instance_expression (generic_type type: (type_identifier) @reference.call))
(infix_expression operator: (identifier) @reference.call)
(type_identifier) @reference.type
(field_expression field: (identifier) @reference.attribute)
(field_expression value: (identifier) @reference.name)
(arguments (identifier) @reference.name)
(infix_expression right: (identifier) @reference.name)
(infix_expression left: (identifier) @reference.name)
(assignment_expression right: (identifier) @reference.name)
(val_definition value: (identifier) @reference.name)
(case_class_pattern type: (type_identifier) @reference.type)
