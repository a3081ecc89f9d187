; Definitions and imports of Kotlin. An extension function is a method of its @receiver.

(package_header (_) @name) @definition.module
(class_declaration "class" name: (_) @name [(class_body) (enum_class_body)]? @body) @definition.class
(class_declaration "interface" name: (_) @name (class_body)? @body) @definition.interface
((class_declaration (modifiers (class_modifier) @_enum)) @definition.enum (#eq? @_enum "enum"))
(object_declaration name: (_) @name (class_body)? @body) @definition.class
(companion_object (class_body) @body) @definition.class
(companion_object name: (_) @name)
(enum_entry . (identifier) @name (class_body)? @body) @definition.constant
(enum_entry . (modifiers) . (identifier) @name (class_body)? @body) @definition.constant
(function_declaration name: (_) @name (function_body)? @body) @definition.function
(function_declaration (user_type (identifier) @receiver .) . name: (_)) @definition.method
(function_declaration (user_type (identifier) @receiver . (type_arguments) .) . name: (_)) @definition.method
(function_declaration (nullable_type (user_type (identifier) @receiver .)) . name: (_)) @definition.method
(secondary_constructor "constructor" @name (block)? @body) @definition.method
(class_body (property_declaration (variable_declaration . (identifier) @name) [(getter) (property_delegate)]? @body) @definition.field)
(enum_class_body (property_declaration (variable_declaration . (identifier) @name)) @definition.field)
(source_file
  (property_declaration (variable_declaration . (identifier) @name) [(getter) (property_delegate)]? @body)
  @definition.variable)
(source_file
  (property_declaration (user_type (identifier) @receiver .) . (variable_declaration) (getter)? @body) @definition.field)
(class_parameter ["val" "var"] (identifier) @name . (_)) @definition.field
(type_alias type: (identifier) @name) @definition.type

(delegation_specifier [
  (user_type (identifier) @base .)
  (user_type (identifier) @base . (type_arguments) .)
  (constructor_invocation (user_type (identifier) @base .))
  (constructor_invocation (user_type (identifier) @base . (type_arguments) .))
  (explicit_delegation (user_type (identifier) @base .))
  (explicit_delegation (user_type (identifier) @base . (type_arguments) .))
])
(_ (modifiers (visibility_modifier "private" @hidden)))

(import (qualified_identifier (identifier) @path)) @import
(import (qualified_identifier (identifier) @imported .))
(import "*" @everything)
(import (qualified_identifier) (identifier) @alias)

; Uses of names.

(call_expression . (identifier) @reference.call)
(call_expression . (navigation_expression (identifier) @reference.call .))
(constructor_invocation (user_type (identifier) @reference.call .))
(constructor_invocation (user_type (identifier) @reference.call . (type_arguments) .))
(annotation (user_type (identifier) @reference.type .))
(annotation (constructor_invocation (user_type (identifier) @reference.call .)))
(user_type (identifier) @reference.type)
(infix_expression (_) . (identifier) @reference.call . (_))
(navigation_expression (_) . (identifier) @reference.attribute .)
(navigation_expression . (identifier) @reference.name)
(callable_reference (identifier) @reference.name)
(value_argument (identifier) @reference.name)
(return_expression (identifier) @reference.name)
(property_declaration (variable_declaration) (identifier) @reference.name)
(assignment (_) . (identifier) @reference.name)
