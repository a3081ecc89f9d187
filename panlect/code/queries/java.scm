; Definitions and imports of Java. What stands in an anonymous class belongs to the method around it.

(package_declaration (_) @name) @definition.module
(class_declaration name: (_) @name body: (_) @body) @definition.class
(record_declaration name: (_) @name body: (_) @body) @definition.class
(interface_declaration name: (_) @name body: (_) @body) @definition.interface
(annotation_type_declaration name: (_) @name body: (_) @body) @definition.interface
(enum_declaration name: (_) @name body: (_) @body) @definition.type
(enum_constant name: (_) @name body: (_)? @body) @definition.constant
(method_declaration name: (_) @name body: (_)? @body) @definition.method
(constructor_declaration name: (_) @name body: (_) @body) @definition.method
(compact_constructor_declaration name: (_) @name body: (_) @body) @definition.method
(annotation_type_element_declaration name: (_) @name) @definition.method
(field_declaration declarator: (variable_declarator name: (_) @name)) @definition.field
(constant_declaration declarator: (variable_declarator name: (_) @name)) @definition.constant
(record_declaration parameters: (formal_parameters (formal_parameter name: (_) @name) @definition.field))

(superclass [
  (type_identifier) @base
  (generic_type (type_identifier) @base)
  (scoped_type_identifier (type_identifier) @base .)
  (generic_type (scoped_type_identifier (type_identifier) @base .))
])
(type_list [
  (type_identifier) @base
  (generic_type . (type_identifier) @base)
  (scoped_type_identifier (type_identifier) @base .)
  (generic_type . (scoped_type_identifier (type_identifier) @base .))
])
(modifiers "private" @hidden)

(import_declaration (scoped_identifier scope: (_) @module name: (_) @imported) . ";") @import
(import_declaration (_) @module (asterisk) @imported) @import

; Uses of names.

(method_invocation name: (identifier) @reference.call)
(object_creation_expression type: (type_identifier) @reference.call)
(object_creation_expression type: (generic_type (type_identifier) @reference.call))
(object_creation_expression type: (scoped_type_identifier (type_identifier) @reference.call .))
(method_reference (identifier) @reference.name .)
(annotation name: (identifier) @reference.type)
(marker_annotation name: (identifier) @reference.type)
(type_identifier) @reference.type
(method_invocation object: (identifier) @reference.name)
(field_access field: (identifier) @reference.attribute)
(argument_list (identifier) @reference.name)
(return_statement (identifier) @reference.name)
(variable_declarator value: (identifier) @reference.name)
(assignment_expression right: (identifier) @reference.name)
