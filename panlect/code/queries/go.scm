; Definitions and imports of Go. A method's parent is its @receiver.

(function_declaration name: (identifier) @name body: (_)? @body) @definition.function
(method_declaration
  receiver: (parameter_list
    (parameter_declaration
      type: [
        (type_identifier) @receiver
        (pointer_type (type_identifier) @receiver)
        (generic_type type: (type_identifier) @receiver)
        (pointer_type (generic_type type: (type_identifier) @receiver))
      ]))
  name: (field_identifier) @name
  body: (_)? @body) @definition.method
(type_spec name: (type_identifier) @name type: (struct_type (_) @body)) @definition.class
(type_spec name: (type_identifier) @name type: (interface_type)) @definition.interface
(type_spec name: (type_identifier) @name) @definition.type
(type_alias name: (type_identifier) @name) @definition.type
(method_elem name: (field_identifier) @name) @definition.method
(const_spec (identifier) @name) @definition.constant @global
(var_spec (identifier) @name) @definition.variable @global
(field_declaration name: (field_identifier) @name) @definition.field
(struct_type (field_declaration_list (field_declaration !name type: [
  (type_identifier) @base
  (generic_type type: (type_identifier) @base)
  (qualified_type name: (_) @base)
  (generic_type type: (qualified_type name: (_) @base))
])))
(interface_type (type_elem . [(type_identifier) @base (qualified_type name: (_) @base)] .))

(import_spec name: (_)? @alias path: (_) @module) @import

; Uses of names.

(call_expression function: (identifier) @reference.call)
(type_conversion_expression type: (generic_type type: (type_identifier) @reference.call))
(type_conversion_expression type: (generic_type type: (qualified_type name: (type_identifier) @reference.call)))
(call_expression function: (selector_expression field: (field_identifier) @reference.call))
(field_identifier) @reference.attribute
(type_identifier) @reference.type
(argument_list (identifier) @reference.name)
(keyed_element value: (literal_element (identifier) @reference.name))
