; Definitions and imports of Swift. Structs and actors are classes, protocols are interfaces.

(class_declaration declaration_kind: ["class" "struct" "actor"] name: (_) @name body: (_) @body) @definition.class
(class_declaration declaration_kind: "enum" name: (_) @name body: (_) @body) @definition.type
(class_declaration
  declaration_kind: "extension" name: (user_type) @name body: (_) @body) @definition.extension
(protocol_declaration name: (_) @name body: (_) @body) @definition.interface
(function_declaration name: [(simple_identifier) (custom_operator)] @name body: (_) @body) @definition.function
(protocol_function_declaration name: (simple_identifier) @name) @definition.method
(init_declaration name: "init" @name body: (_)? @body) @definition.method
(deinit_declaration "deinit" @name body: (_) @body) @definition.method
(subscript_declaration "subscript" @name (computed_property)? @body) @definition.method
(class_body
  (property_declaration
    name: (pattern bound_identifier: (_) @name) computed_value: (_)? @body) @definition.field)
(enum_class_body
  (property_declaration
    name: (pattern bound_identifier: (_) @name) computed_value: (_)? @body) @definition.field)
(source_file
  (property_declaration
    name: (pattern bound_identifier: (_) @name) computed_value: (_)? @body) @definition.variable)
(protocol_property_declaration
  name: (pattern bound_identifier: (_) @name) (protocol_property_requirements)? @body) @definition.field
(associatedtype_declaration name: (_) @name) @definition.type
(typealias_declaration . (modifiers)? . name: (type_identifier) @name) @definition.type
(enum_entry name: (simple_identifier) @name) @definition.constant

(inheritance_specifier inherits_from: (user_type (type_identifier) @base .))
(inheritance_specifier inherits_from: (user_type (type_identifier) @base . (type_arguments) .))
((visibility_modifier) @hidden (#any-of? @hidden "private" "fileprivate"))

(import_declaration (identifier) @module) @import

; Uses of names.

(call_expression . (simple_identifier) @reference.call)
(call_expression
  . (navigation_expression suffix: (navigation_suffix suffix: (simple_identifier) @reference.call)))
(constructor_expression constructed_type: (user_type (type_identifier) @reference.call))
(type_identifier) @reference.type
(navigation_suffix suffix: (simple_identifier) @reference.attribute)
(navigation_expression target: (simple_identifier) @reference.name)
(value_argument value: (simple_identifier) @reference.name)
(assignment result: (simple_identifier) @reference.name)
(control_transfer_statement result: (simple_identifier) @reference.name)
(property_declaration value: (simple_identifier) @reference.name)
