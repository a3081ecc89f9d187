; Definitions and imports of Rust. An impl is an extension of its type, its functions are methods.

(function_item name: (_) @name body: (_) @body) @definition.function
(function_signature_item name: (_) @name) @definition.function
(struct_item name: (_) @name body: (_)? @body) @definition.class
(union_item name: (_) @name body: (_) @body) @definition.class
(enum_item name: (_) @name body: (_) @body) @definition.type
(enum_variant name: (_) @name) @definition.constant
(field_declaration name: (_) @name) @definition.field
(trait_item name: (_) @name body: (_) @body) @definition.interface
(type_item name: (_) @name) @definition.type
(associated_type name: (_) @name) @definition.type
(const_item name: (_) @name) @definition.constant
(static_item name: (_) @name) @definition.variable
(macro_definition name: (_) @name . (macro_rule) @body) @definition.function
(mod_item name: (_) @name body: (_)? @body) @definition.module
(impl_item
  type: [
    (type_identifier) @name
    (generic_type type: (type_identifier) @name)
    (generic_type type: (scoped_type_identifier name: (_) @name))
    (scoped_type_identifier name: (_) @name)
    (reference_type type: (type_identifier) @name)
    (primitive_type) @name
  ]
  body: (_) @body) @definition.extension
(impl_item
  trait: [
    (type_identifier) @base
    (scoped_type_identifier name: (_) @base)
    (generic_type type: (type_identifier) @base)
    (generic_type type: (scoped_type_identifier name: (_) @base))
  ])
(trait_item
  bounds: (trait_bounds [
    (type_identifier) @base
    (scoped_type_identifier name: (_) @base)
    (generic_type type: (type_identifier) @base)
  ]))

(visibility_modifier) @public
(impl_item) @exported
(impl_item trait: (_) body: (declaration_list (_) @exported))
(trait_item body: (declaration_list (_) @exported))
(enum_variant) @exported
(source_file (attribute_item (attribute (identifier) @_export)) . (macro_definition) @exported
  (#eq? @_export "macro_export"))

(use_declaration argument: (identifier) @module) @import
(use_declaration
  argument: (scoped_identifier path: (_) @module name: (identifier) @imported)) @import
(use_declaration
  argument: (use_as_clause path: (identifier) @module alias: (_) @alias)) @import
(use_as_clause
  path: (scoped_identifier path: (_) @module name: (_) @imported) alias: (_) @alias) @import
(use_list (use_as_clause path: (identifier) @imported alias: (_) @alias))
(use_list (use_as_clause path: (self) @itself alias: (_) @alias))
(use_wildcard (_)? @module "*" @imported) @import
(scoped_use_list path: (_)? @module) @import
(use_list (identifier) @imported)
(use_list (self) @itself)
(use_list (scoped_identifier path: (_) @module name: (_) @imported) @import)
(extern_crate_declaration name: (_) @module alias: (_)? @alias) @import

; Uses of names.

(call_expression function: (identifier) @reference.call)
(call_expression function: (field_expression field: (field_identifier) @reference.call))
(call_expression function: (scoped_identifier name: (identifier) @reference.call))
(generic_function function: (identifier) @reference.call)
(generic_function function: (field_expression field: (field_identifier) @reference.call))
(generic_function function: (scoped_identifier name: (identifier) @reference.call))
(macro_invocation macro: (identifier) @reference.call)
(macro_invocation macro: (scoped_identifier name: (identifier) @reference.call))
(attribute (identifier) @reference.call)
(attribute (scoped_identifier name: (identifier) @reference.call))
(attribute (identifier) @_derive arguments: (token_tree (identifier) @reference.type) (#eq? @_derive "derive"))
(type_identifier) @reference.type
(field_expression field: (field_identifier) @reference.attribute)
(scoped_identifier name: (identifier) @reference.name)
(arguments (identifier) @reference.name)
(shorthand_field_initializer (identifier) @reference.name)
(field_initializer value: (identifier) @reference.name)
(macro_invocation (token_tree (identifier) @reference.name))
