; Definitions and imports of PHP. A trait that a class uses is a base of it.

(namespace_definition name: (_) @name body: (_)? @body) @definition.module
(class_declaration name: (_) @name body: (_) @body) @definition.class
(trait_declaration name: (_) @name body: (_) @body) @definition.class
(interface_declaration name: (_) @name body: (_) @body) @definition.interface
(enum_declaration name: (_) @name body: (_) @body) @definition.type
(enum_case name: (_) @name) @definition.constant
(method_declaration name: (_) @name body: (_)? @body) @definition.method
(function_definition name: (_) @name body: (_) @body) @definition.function
(const_declaration (const_element . (name) @name)) @definition.constant
(property_declaration (property_element name: (variable_name (name) @name))) @definition.field
(property_promotion_parameter name: (variable_name (name) @name)) @definition.field
((function_call_expression
  function: (name) @_define
  arguments: (arguments . (argument [(string (string_content) @name) (encapsed_string (string_content) @name)])))
  @definition.constant
  (#eq? @_define "define"))

(base_clause [(name) @base (qualified_name (name) @base .)])
(class_interface_clause [(name) @base (qualified_name (name) @base .)])
(use_declaration [(name) @base (qualified_name (name) @base .)])

(visibility_modifier "private" @hidden)

(namespace_use_declaration (namespace_use_clause !alias (name) @module) @import)
(namespace_use_declaration (namespace_use_clause (name) @module alias: (_) @alias) @import)
(namespace_use_clause
  (qualified_name prefix: (namespace_name) @module (name) @imported .) alias: (_)? @alias) @import
(namespace_use_declaration (namespace_name) @module body: (namespace_use_group)) @import
(namespace_use_group (namespace_use_clause !alias (name) @imported))
(namespace_use_group (namespace_use_clause (name) @imported alias: (_) @alias))
(require_expression (string) @module) @import
(require_once_expression (string) @module) @import
(include_expression (string) @module) @import
(include_once_expression (string) @module) @import
(require_expression (binary_expression right: (string) @module)) @import
(require_once_expression (binary_expression right: (string) @module)) @import
(include_expression (binary_expression right: (string) @module)) @import
(include_once_expression (binary_expression right: (string) @module)) @import

; Uses of names.

(function_call_expression function: (name) @reference.call)
(function_call_expression function: (qualified_name (name) @reference.call .))
(member_call_expression name: (name) @reference.call)
(nullsafe_member_call_expression name: (name) @reference.call)
(scoped_call_expression name: (name) @reference.call)
(object_creation_expression (name) @reference.call)
(object_creation_expression (qualified_name (name) @reference.call .))
(scoped_call_expression scope: (name) @reference.type)
(scoped_call_expression scope: (qualified_name (name) @reference.type .))
(attribute (name) @reference.type)
(attribute (qualified_name (name) @reference.type .))
(named_type (name) @reference.type)
(named_type (qualified_name (name) @reference.type .))
(base_clause (name) @reference.type)
(base_clause (qualified_name (name) @reference.type .))
(class_interface_clause (name) @reference.type)
(class_interface_clause (qualified_name (name) @reference.type .))
(use_declaration (name) @reference.type)
(binary_expression operator: "instanceof" right: (name) @reference.type)
(class_constant_access_expression . (name) @reference.type)
(class_constant_access_expression (_) . (name) @reference.attribute)
(member_access_expression name: (name) @reference.attribute)
(nullsafe_member_access_expression name: (name) @reference.attribute)
(scoped_property_access_expression name: (variable_name (name) @reference.attribute))
(argument . (name) @reference.name .)
(argument (variable_name (name) @reference.name))
